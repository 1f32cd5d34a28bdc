"""`python -m benchmarks.transfer`: rows a second of an initial transfer with 1, 2 and 4 streams.

Beside it, in the same run and of the same data, what `mysqldump | mysql` takes. The streams read
without any rest (`max_load: 1`); the time is from the first service's start to the last row on the
target. Peak memory is that of each of our processes.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bench import COLUMNS, INSERT
from mysync_lab.cleanup import forget_pipeline
from mysync_lab.lab import Lab
from mysync_lab.services import Pipeline, settings
from mysync_lab.sql import SqlServer
from mysync_lab.tables import execute, rows

ROWS = 400_000
TABLES = 4
STREAMS = (1, 2, 4)
RESULT = Path(__file__).parent / "results" / "transfer.json"
PATIENCE = 600


def main() -> int:
    lab = Lab()
    lab.up("mysql-a", "mysql-b", "kafka")
    source, target = lab.mysql("mysql-a"), lab.mysql("mysql-b")
    db = f"bench_{time.monotonic_ns()}"
    with source.connect() as session:
        execute(session, f"CREATE DATABASE {db}", f"USE {db}")
        for number in range(TABLES):
            execute(session, f"CREATE TABLE t ({COLUMNS})")
            execute(session, *([INSERT] * (ROWS // TABLES // 1000)))
            execute(session, f"RENAME TABLE t TO t{number}")
    found: dict[str, dict[str, float]] = {}
    try:
        found["mysqldump | mysql"] = {"rows_per_s": ROWS / _dumped(lab, db)}
        _drop(target, db)
        for streams in STREAMS:
            with tempfile.TemporaryDirectory() as folder:
                found[f"{streams} streams"] = _transferred(lab, Path(folder), db, streams)
            _drop(target, db)
    finally:
        _drop(source, db)
    for what, measured in found.items():
        print(f"{what}: " + ", ".join(f"{k} {v:,.0f}" for k, v in measured.items()))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"rows": ROWS, "tables": TABLES, "found": found}, indent=2) + "\n")
    return 0


def _dumped(lab: Lab, db: str) -> float:
    """Seconds of a dump that is fed to the target as it comes."""
    source, target = lab.mysql("mysql-a"), lab.mysql("mysql-b")
    with target.connect() as session:
        execute(session, f"CREATE DATABASE {db}")
    began = time.perf_counter()
    dump = subprocess.Popen(
        [
            *lab.tool("mysqldump", "mysql-a"),
            *source.login,
            *("--single-transaction", "--set-gtid-purged=OFF", "--no-tablespaces", db),
        ],
        stdout=subprocess.PIPE,
    )
    load = subprocess.run(
        [*lab.tool("mysql", "mysql-b"), *target.login, db],
        stdin=dump.stdout,
        check=False,
    )
    if dump.wait() or load.returncode:
        raise RuntimeError(f"mysqldump ended with {dump.returncode}, mysql {load.returncode}")
    return time.perf_counter() - began


def _transferred(lab: Lab, folder: Path, db: str, streams: int) -> dict[str, float]:
    source, target, kafka = lab.mysql("mysql-a"), lab.mysql("mysql-b"), lab["kafka"]
    configuration = settings(
        f"{db}_{streams}",
        source,
        target,
        kafka,
        source={"start": None},
        filters={"include": [f"{db}.*"]},
        transfer={
            "streams": streams,
            "max_load": 1.0,
            "max_rows_per_second": None,
            "max_threads_running": 1_000,
        },
    )
    pipeline = Pipeline(folder, configuration)
    began = time.perf_counter()
    try:
        producer, consumer = pipeline.producer().start(), pipeline.consumer().start()
        produced = 0.0
        while True:
            time.sleep(0.05)
            transfers = (producer.status() or {}).get("transfers") or []
            if not produced and transfers and all(t["phase"] == "done" for t in transfers):
                produced = time.perf_counter() - began
            if produced and _count(target, db) == ROWS:
                break
            if time.perf_counter() - began > PATIENCE:
                raise RuntimeError(f"not done: {transfers}\n{consumer.log_tail()}")
        seconds = time.perf_counter() - began
        return {
            "rows_per_s": ROWS / seconds,
            "into_kafka_rows_per_s": ROWS / produced,
            "producer_MiB": producer.peak_rss() / 2**20,
            "consumer_MiB": consumer.peak_rss() / 2**20,
        }
    finally:
        pipeline.end()
        with target.connect() as session:
            forget_pipeline(pipeline.name, bootstrap=kafka.bootstrap, target=session)


def _count(target: SqlServer, db: str) -> int:
    with target.connect() as session:
        return sum(
            int(rows(session, f"SELECT COUNT(*) FROM {db}.t{number}")[0][0])
            for number in range(TABLES)
        )


def _drop(server: SqlServer, db: str) -> None:
    with server.connect() as session:
        execute(session, f"DROP DATABASE IF EXISTS {db}")


if __name__ == "__main__":
    sys.exit(main())
