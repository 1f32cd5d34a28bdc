"""One round: a bulk load captured, read by the library alone, applied, and rows one at a time."""

import re
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from mysync_lab.catchup import wait_caught_up
from mysync_lab.cleanup import forget_pipeline
from mysync_lab.lab import Lab
from mysync_lab.schema_copy import copy_databases
from mysync_lab.services import Pipeline, Service, settings

ROWS = 200_000
SINGLES = 200
COLUMNS = (
    "id BIGINT AUTO_INCREMENT PRIMARY KEY, customer INT NOT NULL, state TINYINT NOT NULL,"
    " total DECIMAL(12,2) NOT NULL, weight DOUBLE, placed DATETIME(6) NOT NULL, due DATE,"
    " name VARCHAR(40) NOT NULL, note VARCHAR(100), code CHAR(8) NOT NULL"
)
DIGITS = "(SELECT 0 d UNION ALL " + " UNION ALL ".join(f"SELECT {d}" for d in range(1, 10)) + ")"
THOUSAND = f"{DIGITS} a CROSS JOIN {DIGITS} b CROSS JOIN {DIGITS} c"
INSERT = (
    "INSERT INTO t (customer, state, total, weight, placed, due, name, note, code)"
    " SELECT 100 * a.d + 10 * b.d + c.d, c.d, 12.34 * b.d, 0.5 * c.d, NOW(6), CURDATE(),"
    f" CONCAT('customer ', a.d), REPEAT('n', 10 * c.d), 'ABCDEFGH' FROM {THOUSAND}"
)
PATIENCE = 300


class Bench:
    """A pipeline between the lab's MySQL servers with one table of ten columns."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.db = f"bench_{time.monotonic_ns()}"
        self.source, self.target, self.kafka = (
            lab.mysql("mysql-a"),
            lab.mysql("mysql-b"),
            lab["kafka"],
        )
        self.pipeline = Pipeline(
            folder,
            settings(
                self.db, self.source, self.target, self.kafka, filters={"include": [f"{self.db}.*"]}
            ),
        )

    def __enter__(self) -> Self:
        with self.source.connect() as source, self.target.connect() as target:
            with source.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {self.db}")
                cursor.execute(f"CREATE TABLE {self.db}.t ({COLUMNS})")
            copy_databases(source, target, [self.db])
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.pipeline.end()
        with self.target.connect() as target:
            forget_pipeline(self.db, bootstrap=self.kafka.bootstrap, target=target)
        for server in (self.source, self.target):
            with server.connect() as connection, connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE IF EXISTS {self.db}")

    def measure(self) -> dict[str, float]:
        """Rows a second of each part, and milliseconds for one row from end to end."""
        producer, consumer = self.pipeline.producer(), self.pipeline.consumer()
        producer.start().wait_ready(PATIENCE)
        consumer.start().wait_ready(PATIENCE)
        self._catch_up([producer, consumer])
        sent = counter(producer.metrics(), "mysync_producer_seq")
        producer.stop()
        consumer.stop()
        file, position = self._log_end()
        self._load()
        library = self._library(file, position)
        captured = self._captured(producer, sent + ROWS)
        applied = self._applied(consumer)
        self._catch_up([producer, consumer])
        latencies = sorted(self._latencies())
        return {
            "library_rows_per_s": library,
            "captured_rows_per_s": captured,
            "applied_rows_per_s": applied,
            "latency_p50_ms": latencies[len(latencies) // 2],
            "latency_p95_ms": latencies[len(latencies) * 95 // 100],
        }

    def _log_end(self) -> tuple[str, int]:
        with self.source.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW BINARY LOG STATUS")
            row = cursor.fetchone()
        assert row is not None
        return str(row[0]), int(row[1])

    def _load(self) -> None:
        with self.source.connect(database=self.db) as connection, connection.cursor() as cursor:
            for _ in range(ROWS // 1000):
                cursor.execute(INSERT)

    def _library(self, file: str, position: int) -> float:
        """The library in a process of its own, reading every row and doing nothing with it."""
        arguments = [
            *(self.source.host, str(self.source.port), self.source.user, self.source.password),
            *(file, str(position), self.db, str(ROWS)),
        ]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.library", *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        return ROWS / float(done.stdout)

    def _captured(self, producer: Service, seq: float) -> float:
        """From the first row sent to the last one committed."""
        producer.start()
        began = 0.0
        while True:
            now, metrics = time.perf_counter(), producer.metrics()
            if not began and "mysync_producer_active 1.0" in metrics:
                began = now
            if began and counter(metrics, "mysync_producer_seq") >= seq:
                return ROWS / (now - began)
            time.sleep(0.01)

    def _applied(self, consumer: Service) -> float:
        """From the first partition claimed to the last row committed on the target."""
        consumer.start()
        began = 0.0
        with self.target.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            while True:
                now = time.perf_counter()
                applied = counter(consumer.metrics(), "mysync_consumer_rows_total")
                if not began and counter(consumer.metrics(), "mysync_consumer_claims_total") > 0:
                    began = now
                if began and applied >= ROWS:
                    cursor.execute(f"SELECT COUNT(*) FROM {self.db}.t")
                    assert cursor.fetchone() == (ROWS,)
                    return ROWS / (now - began)
                time.sleep(0.02)

    def _latencies(self) -> list[float]:
        """Milliseconds from the source's answer to COMMIT until a SELECT on the target sees it."""
        found = []
        with (
            self.source.connect(database=self.db) as source,
            self.target.connect(database=self.db) as target,
            source.cursor() as writer,
            target.cursor() as reader,
        ):
            for number in range(SINGLES):
                writer.execute(
                    "INSERT INTO t (customer, state, total, placed, name, code)"
                    f" VALUES ({number}, 1, 1, NOW(6), 'single', 'single')"
                )
                key, began = writer.lastrowid, time.perf_counter()
                while not reader.execute(f"SELECT 1 FROM t WHERE id = {key}"):
                    time.sleep(0.0005)
                found.append((time.perf_counter() - began) * 1000)
        return found

    def _catch_up(self, services: list[Service]) -> None:
        with self.source.connect() as source, self.target.connect() as target:
            wait_caught_up(
                source,
                target,
                self.db,
                self.pipeline.partitions,
                seconds=PATIENCE,
                services=services,
            )


def counter(metrics: str, name: str) -> float:
    """The sum of a metric over its labels."""
    return sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)$", metrics, re.MULTILINE)))
