"""A pipeline without a source: its topics are written by the test, its rows applied to a real
server."""

import itertools
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mysync_lab.kafka import KafkaServer
from mysync_lab.server import Server
from mysync_lab.services import Pipeline, Service, settings
from mysync_lab.sql import SqlServer
from mysync_runtime.loading import load
from topicwriter import TopicWriter

_numbers = itertools.count(1)

ITEMS = "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(4000), v BIGINT)"

PER_PIPELINE = (
    "owned_table",
    "checkpoint",
    "meta",
    "instruction",
    "table_state",
    "skipped",
    "errors",
)
"""Tables `mysync.*` that a test leaves rows in."""


class Stage:
    """One pipeline: its topics, its target, its consumers and what its table should hold."""

    def __init__(
        self, folder: Path, server: SqlServer, kafka: Server | str, **sections: Any
    ) -> None:
        self.db = f"stage{os.getpid()}_{next(_numbers)}"
        self.target = server
        # A short session timeout: a killed member's partitions move soon.
        sections = {"apply": {"group_session_timeout_ms": 1500}} | sections
        self.pipeline = Pipeline(folder, settings(self.db, server, server, kafka, **sections))
        self.settings = load(self.pipeline.config, role="consumer")
        self.writer = TopicWriter(self.settings)
        self.rows: dict[int, dict[str, Any]] = {}
        self.sql(f"CREATE DATABASE {self.db}", database=None)

    @property
    def name(self) -> str:
        return self.pipeline.name

    @property
    def items(self) -> str:
        return f"{self.db}.items"

    def sql(self, *statements: str, database: str | None = "") -> list[tuple[Any, ...]]:
        """Runs statements on the target, in the stage's database; the rows of the last one."""
        found: list[tuple[Any, ...]] = []
        database = self.db if database == "" else database
        with self.target.connect(database=database) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                found = list(cursor.fetchall())
        return found

    def begin(self, *tables: str, **info: Any) -> "Stage":
        """Creates the tables on the target and the pipeline's topics with their schemas."""
        self.sql(*(tables or (ITEMS,)))
        self.writer.start(self.target, [self.db], **info)
        return self

    def consumer(self, **options: Any) -> Service:
        """A further consumer, started."""
        return self.pipeline.consumer().start(**options)

    def ready(self, **options: Any) -> Service:
        """A further consumer that has claimed its partitions."""
        return self.consumer(**options).wait_ready()

    # -- load ---------------------------------------------------------------------------------

    def put(self, id_: int, v: int, name: str = "") -> None:
        """Inserts or updates an item, on the wire and in `rows`."""
        row = {"id": id_, "name": name or f"n{id_}", "v": v}
        if id_ in self.rows:
            self.writer.update(self.items, self.rows[id_], row)
        else:
            self.writer.insert(self.items, row)
        self.rows[id_] = row

    def move(self, id_: int, new: int) -> None:
        """An update that changes the key."""
        row = {**self.rows[id_], "id": new}
        self.writer.update(self.items, self.rows.pop(id_), row)
        self.rows[new] = row

    def drop(self, id_: int) -> None:
        self.writer.delete(self.items, self.rows.pop(id_))

    def load(self, seed: int, events: int, keys: int = 50) -> None:
        """Random events over few keys: inserts, updates, deletes, key changes, lines,
        heartbeats."""
        choose = random.Random(seed)
        for number in range(events):
            id_ = choose.randrange(keys)
            what = choose.random()
            if id_ not in self.rows or what < 0.6:
                self.put(id_, number)
            elif what < 0.8:
                self.drop(id_)
            elif what < 0.95:
                new = choose.randrange(keys)
                if new not in self.rows:
                    self.move(id_, new)
            elif what < 0.97:
                self.writer.line()
            else:
                self.writer.heartbeat()

    # -- looking ------------------------------------------------------------------------------

    def checkpoint(self) -> dict[int, dict[str, Any]]:
        """The checkpoint rows of the partitions, by partition."""
        names = ("partition_id", "next_offset", "frontier", "last_seq", "epoch", "owner")
        found = self.sql(
            f"SELECT {', '.join(names)} FROM mysync.checkpoint WHERE pipeline = '{self.name}'"
            " AND partition_id >= 0"
        )
        return {row[0]: dict(zip(names, row, strict=True)) for row in found}

    def wait(self, done: Callable[[], bool], what: str, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                logs = "\n".join(s.log_tail(15) for s in self.pipeline.services)
                raise AssertionError(f"waited {seconds} s in vain for {what}\n{logs}")
            time.sleep(0.02)

    def applied(self) -> bool:
        """Whether every partition stands at its last record."""
        rows = self.checkpoint()
        return len(rows) == self.writer.partitions and all(
            rows[p]["last_seq"] == seq for p, seq in enumerate(self.writer.prev)
        )

    def wait_applied(self, seconds: float = 90) -> None:
        self.wait(self.applied, f"all records up to {self.writer.prev} to be applied", seconds)

    def assert_items(self) -> None:
        """The target's table holds what was written."""
        found = {
            row[0]: {"id": row[0], "name": row[1], "v": row[2]}
            for row in self.sql("SELECT id, name, v FROM items")
        }
        assert found == self.rows

    def end(self) -> None:
        self.pipeline.end()
        if self.target.running:
            self.sql(
                f"DROP DATABASE IF EXISTS {self.db}",
                *(
                    f"DELETE FROM mysync.{table} WHERE pipeline = '{self.name}'"
                    for table in PER_PIPELINE
                    if self._has_tables()
                ),
                database=None,
            )
        self.writer.end(self.pipeline.topics)

    def _has_tables(self) -> bool:
        return bool(
            self.sql(
                "SELECT 1 FROM information_schema.tables"
                " WHERE table_schema = 'mysync' AND table_name = 'errors'",
                database=None,
            )
        )


MakeStage = Callable[..., Stage]


@pytest.fixture
def make_stage(mysql_b: SqlServer, kafka: KafkaServer, tmp_path: Path) -> Iterator[MakeStage]:
    """Makes stages on the shared target and broker, or on others."""
    made: list[Stage] = []

    def make(server: SqlServer = mysql_b, broker: Server | str = kafka, **sections: Any) -> Stage:
        stage = Stage(tmp_path / f"stage-{len(made)}", server, broker, **sections)
        made.append(stage)
        return stage

    yield make
    for stage in made:
        stage.end()


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """A pipeline with the table `items`, on the shared servers."""
    return make_stage().begin()
