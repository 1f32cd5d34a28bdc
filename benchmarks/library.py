"""mysql-replication's own loop over a stretch of binlog: prints the seconds that the rows took.

python -m benchmarks.library HOST PORT USER PASSWORD FILE POSITION DATABASE ROWS
"""

import sys
import time

from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.row_event import WriteRowsEvent


def main() -> None:
    host, port, user, password, file, position, database, wanted = sys.argv[1:]
    stream = BinLogStreamReader(
        connection_settings={
            "host": host,
            "port": int(port),
            "user": user,
            "password": password,
            "ssl_disabled": True,
        },
        server_id=987_654,
        log_file=file,
        log_pos=int(position),
        resume_stream=True,
        only_schemas=[database],
        only_events=[WriteRowsEvent],
    )
    rows = 0
    began = time.perf_counter()
    for event in stream:
        rows += len(event.rows)
        if rows >= int(wanted):
            break
    sys.stdout.write(f"{time.perf_counter() - began}\n")
    stream.close()


if __name__ == "__main__":
    main()
