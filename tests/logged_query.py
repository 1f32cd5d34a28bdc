"""The last statement in a server's log."""

from pathlib import Path

from mysync_lab.sql import SqlServer
from mysync_lab.tables import Session, rows
from mysync_producer.events import HEADER_SIZE, EventType


def last_query(server: SqlServer, connection: Session) -> tuple[int, bytes]:
    """Seconds and body of the last QUERY event in the log."""
    status = "SHOW MASTER STATUS" if server.kind == "mariadb" else "SHOW BINARY LOG STATUS"
    file, _ = rows(connection, status)[0][:2]
    data = (Path(server.data_dir) / str(file)).read_bytes()
    at, found = 4, (0, b"")
    while at < len(data):
        size = int.from_bytes(data[at + 9 : at + 13], "little")
        if data[at + 4] == EventType.QUERY:
            body = data[at + HEADER_SIZE : at + size - 4]  # without its checksum
            found = (int.from_bytes(data[at : at + 4], "little"), body)
        at += size
    return found
