"""Whole pipelines between the lab's servers: real processes, real traffic, compared by SELECT."""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from mysync_lab.catchup import wait_caught_up
from mysync_lab.compare import compare
from mysync_lab.kafka import KafkaServer
from mysync_lab.schema_copy import copy_databases
from mysync_lab.server import Server
from mysync_lab.services import Pipeline, Service, merged, settings
from mysync_lab.sql import SqlServer
from mysync_lab.workload.order import Order
from mysync_lab.workload.writers import Workload, Writers

_numbers = itertools.count(1)


class Replica:
    """A pipeline, its two servers and the database that it replicates, or several."""

    def __init__(
        self,
        folder: Path,
        source: SqlServer,
        target: SqlServer,
        kafka: Server | str,
        source_link: Mapping[str, Any] | None = None,
        target_link: Mapping[str, Any] | None = None,
        also: Sequence[str] = (),
        tables: Sequence[str] = ("*",),
        **sections: Any,
    ) -> None:
        """`source_link` and `target_link` are what the services' settings say otherwise of it.

        `also` are endings of further databases' names, `tables` what of the databases is
        replicated.
        """
        self.db = f"t{os.getpid()}_{next(_numbers)}"
        self.databases = [self.db, *(f"{self.db}{ending}" for ending in also)]
        self.elsewhere = f"{self.db}_elsewhere"
        self.source = source
        self.target = target
        links = {"source": source_link or {}, "target": target_link or {}}
        include = [f"{db}.{table}" for db in self.databases for table in tables]
        sections = {"filters": {"include": include}} | links | sections
        base = settings(self.db, source, target, kafka)
        self.pipeline = Pipeline(folder, merged(base, sections))

    @property
    def services(self) -> list[Service]:
        return self.pipeline.services

    def on(self, server: SqlServer, *statements: str) -> None:
        """Runs statements in the database on one of the servers, each its own transaction."""
        with server.connect(database=self.db) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def on_source(self, *statements: str) -> None:
        self.on(self.source, *statements)

    def copy_schema(self) -> None:
        """Creates the target's tables; to be called before the first start."""
        with self.source.connect() as source, self.target.connect() as target:
            copy_databases(source, target, [self.db])

    def create(self, *tables: str) -> None:
        """Creates the database and these tables on both sides."""
        with self.source.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {self.db}")
        self.on_source(*tables)
        self.copy_schema()

    def create_order(self, only: Sequence[str] | None = None) -> Order:
        """Creates the tables in which the order of rows matters, on both sides."""
        with self.source.connect() as connection:
            order = Order.on(connection, self.db, only=only)
            order.create(connection)
        self.copy_schema()
        return order

    def create_large(self) -> None:
        """Creates a table for rows that are larger than a message, on both sides."""
        for server in (self.source, self.target):
            self.on(server, "CREATE TABLE large (id INT PRIMARY KEY, data LONGBLOB)")

    def create_elsewhere(self) -> Order:
        """Tables in a database that isn't replicated, for traffic that only moves the binlog."""
        with self.source.connect() as connection:
            order = Order.on(connection, self.elsewhere, only=["pk_only", "bulk"])
            order.create(connection)
        return order

    def writers(self, workload: Workload, **options: Any) -> Writers:
        """Threads that write a workload on the source: not started."""
        return Writers(self.source.connect, workload, **options)

    def start(self) -> tuple[Service, Service]:
        """Both services, ready."""
        producer = self.pipeline.producer().start().wait_ready()
        consumer = self.pipeline.consumer().start().wait_ready()
        return producer, consumer

    def catch_up(self, seconds: float = 120, services: Sequence[Service] | None = None) -> None:
        """Waits until the target has everything; fails at once if one of the services ended."""
        if services is None:
            services = [service for service in self.services if service.running]
        with self.source.connect() as source, self.target.connect() as target:
            wait_caught_up(
                source,
                target,
                self.pipeline.name,
                self.pipeline.partitions,
                seconds=seconds,
                services=services,
            )

    def assert_equal(self, objects: Sequence[str] = ()) -> None:
        """Every table equal by SELECT and by SHOW CREATE TABLE, and the other objects of these
        kinds."""
        with self.source.connect() as source, self.target.connect() as target:
            found = compare(source, target, self.databases, objects=objects)
        assert found.equal, found.differences

    def end(self, kafka: KafkaServer | None) -> None:
        """Ends the processes and removes what the pipeline left on the servers."""
        self.pipeline.end()
        for server in (self.source, self.target):
            if server.running:
                with server.connect() as connection, connection.cursor() as cursor:
                    for db in (*self.databases, self.elsewhere):
                        cursor.execute(f"DROP DATABASE IF EXISTS {db}")
        if kafka is not None and kafka.running:
            admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
            for future in admin.delete_topics(self.pipeline.topics).values():
                future.exception()


MakeReplica = Callable[..., Replica]


@pytest.fixture
def make_replica(
    mysql_a: SqlServer, mysql_b: SqlServer, kafka: KafkaServer, tmp_path: Path
) -> Iterator[MakeReplica]:
    """Makes pipelines between the shared servers, or others given as source, target, kafka."""
    made: list[tuple[Replica, KafkaServer | None]] = []

    def make(
        source: SqlServer = mysql_a,
        target: SqlServer = mysql_b,
        broker: Server | str = kafka,
        **sections: Any,
    ) -> Replica:
        replica = Replica(tmp_path / f"pipeline-{len(made)}", source, target, broker, **sections)
        made.append((replica, broker if isinstance(broker, KafkaServer) else None))
        return replica

    yield make
    for replica, broker in made:
        replica.end(broker)


@pytest.fixture
def replica(make_replica: MakeReplica) -> Replica:
    """A pipeline from mysql-a to mysql-b with an empty database."""
    return make_replica()
