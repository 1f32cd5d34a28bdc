"""A pipeline's producing half: a real producer on a real source, read back from Kafka."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka.admin import AdminClient

from mysync_lab.catchup import BinlogEnd, binlog_end
from mysync_lab.kafka import KafkaServer
from mysync_lab.layout import wait_until
from mysync_lab.server import Server
from mysync_lab.services import Service
from mysync_lab.sql import SqlServer
from published import Topics, read_topics

if TYPE_CHECKING:  # imported at run time, pytest could no longer rewrite that plugin's asserts
    from fix_pipeline import MakeReplica, Replica


class Published:
    """A `Replica` whose consumer isn't started, and what its producer publishes."""

    def __init__(self, replica: "Replica", kafka: Server) -> None:
        self.replica = replica
        self.db = replica.db
        self.name = replica.pipeline.name
        self.source = replica.source
        self.bootstrap = kafka.bootstrap
        self.on_source = replica.on_source
        self.run = replica.pipeline.run
        self._producer: Service | None = None
        with self.source.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {self.db}")

    @property
    def producer(self) -> Service:
        if self._producer is None:
            self._producer = self.replica.pipeline.producer()
        return self._producer

    def start(self, crash: str | None = None) -> Service:
        """A producer that streams (or, with `crash`, one that isn't waited for)."""
        self.producer.start(crash=crash)
        return self.producer if crash else self.producer.wait_ready()

    def another(self) -> Service:
        """A further producer of the same pipeline, not started."""
        return self.replica.pipeline.producer()

    def catch_up(self, seconds: float = 120, service: Service | None = None) -> None:
        """Waits until everything that the source has logged by now is committed to Kafka."""
        with self.source.connect() as connection:
            end = binlog_end(connection)
        service = service or self.producer

        def reached() -> bool:
            assert service.running, f"it ended with {service.exit_code}:\n{service.log_tail()}"
            status = service.status() or {}
            position = status.get("position")
            return (
                status.get("role") == "active"
                and position is not None
                and BinlogEnd.of(position["file"], position["pos"]) >= end
            )

        wait_until(reached, f"{service.name} to reach {end}", seconds)

    def topics(self) -> Topics:
        """Everything that is committed now."""
        return read_topics(self.bootstrap, self.name)

    def caught_up_topics(self, seconds: float = 120) -> Topics:
        self.catch_up(seconds)
        return self.topics()

    def select(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        with self.source.connect(database=self.db) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(columns)} FROM {table}")
            return list(cursor.fetchall())

    def ends_with(self, code: int, seconds: float = 120) -> str:
        """Waits for the producer's end; returns what it said in its last lines."""
        found = self.producer.wait_exit(seconds)
        assert found == code, f"{found}:\n{self.producer.log_tail()}"
        return self.producer.log_tail(3)

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap})


MakePublished = Callable[..., Published]


@pytest.fixture
def make_published(
    make_replica: "MakeReplica", mysql_a: SqlServer, kafka: KafkaServer
) -> MakePublished:
    """Makes pipelines without consumers, on mysql-a unless `source` is another."""

    def make(source: SqlServer = mysql_a, broker: Server = kafka, **sections: Any) -> Published:
        return Published(make_replica(source, source, broker, **sections), broker)

    return make


@pytest.fixture
def published(make_published: MakePublished) -> Published:
    return make_published()


MakeOwnPublished = Callable[..., AbstractContextManager[Published]]


@pytest.fixture(scope="session")
def make_own_published(
    kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory
) -> MakeOwnPublished:
    """The same for tests that run many side by side: each ends with its `with`."""
    from fix_pipeline import Replica

    @contextmanager
    def make(source: SqlServer, **sections: Any) -> Iterator[Published]:
        folder = tmp_path_factory.mktemp("published")
        replica = Replica(folder, source, source, kafka, **sections)
        try:
            yield Published(replica, kafka)
        finally:
            replica.end(kafka)

    return make
