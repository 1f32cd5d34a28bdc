"""Transactions that the dump delivers before a SELECT shows them.

A source with semi-synchronous replication (AFTER_SYNC) that no replica answers holds them there for
as long as we like. A chunk that is read then is older than the stream, whatever the log's end says.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pymysql.err
import pytest

from capture_rig import CaptureRig
from fix_own_servers import run_sql
from fix_pipeline import MakeReplica
from mysync_lab.layout import wait_until
from mysync_lab.services import settings
from mysync_lab.sql import SqlServer
from mysync_producer import chunkread, walk
from mysync_producer.chunkread import ChunkReaders, Job
from mysync_producer.governor import Governor
from mysync_producer.source import Source
from mysync_producer.transferstate import Chunk
from mysync_runtime.settings import Settings
from mysync_schemas.table import TableId, TableSchema
from transfer_rig import FRESH, transfers, wait_done

pytestmark = [
    pytest.mark.xdist_group("own servers"),
    pytest.mark.parametrize("kind", ["mysql", "mariadb"]),
]


DB = "visibility"


def three_rows(source: SqlServer) -> CaptureRig:
    """A table `t` on the source, and what the log says from here on."""
    run_sql(
        source,
        f"DROP DATABASE IF EXISTS {DB}",
        f"CREATE DATABASE {DB}",
        f"CREATE TABLE {DB}.t (id INT PRIMARY KEY)",
        f"INSERT INTO {DB}.t VALUES (1), (2), (3)",
    )
    return CaptureRig(source, DB)


@pytest.fixture
def source(kind: str, request: pytest.FixtureRequest) -> SqlServer:
    server = request.getfixturevalue(f"own_{kind}")
    assert isinstance(server, SqlServer)
    return server


class Unanswered:
    """Commits of the server that are logged, delivered and not shown, until `release`."""

    def __init__(self, server: SqlServer) -> None:
        self.server = server
        new = server.kind == "mysql"
        self._names = ("source", "replica") if new else ("master", "slave")
        self._sessions: list[threading.Thread] = []

    def hold(self) -> None:
        side, other = self._names
        if self.server.kind == "mysql":
            try:
                run_sql(
                    self.server, "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'"
                )
            except pymysql.err.OperationalError as error:
                if error.args[0] != 1125:  # it is there already
                    raise
        run_sql(
            self.server,
            *(
                f"SET GLOBAL rpl_semi_sync_{side}_{name} = {value}"
                for name, value in (
                    ("timeout", "3600000"),
                    ("wait_point", "'AFTER_SYNC'"),
                    (f"wait_no_{other}", "ON"),
                    ("enabled", "ON"),
                )
            ),
        )

    def write(self, statement: str) -> None:
        """Returns when the statement is logged; its session waits."""
        before = self._end()
        session = threading.Thread(target=run_sql, args=(self.server, statement))
        session.start()
        self._sessions.append(session)
        wait_until(lambda: self._end() != before, "the statement in the log", 30)
        assert session.is_alive(), "the server didn't wait"

    def release(self) -> None:
        run_sql(self.server, f"SET GLOBAL rpl_semi_sync_{self._names[0]}_enabled = OFF")
        for session in self._sessions:
            session.join(30)
            assert not session.is_alive()

    def _end(self) -> Any:
        mysql = self.server.kind == "mysql"
        return run_sql(self.server, f"SHOW {'BINARY LOG' if mysql else 'MASTER'} STATUS")[0][:2]


@contextmanager
def unanswered(server: SqlServer) -> Iterator[Unanswered]:
    """Not held yet."""
    held = Unanswered(server)
    try:
        yield held
    finally:
        held.release()


class Reading:
    """A thread that reads a table."""

    def __init__(self, source: SqlServer, schema: TableSchema, **link: str) -> None:
        """`link`: what the settings say otherwise of the source."""
        sections = {"transfer": {"streams": 1}, "source": link}
        self.settings = Settings.model_validate(
            settings("hazard", source, source, "127.0.0.1:1", **sections)
        )
        self.readers = ChunkReaders(self.settings, Governor(self.settings.transfer, lambda: None))
        self.schema = schema

    def ask(self, seen: str | None, *, stream: bool = False, lock: bool = False) -> None:
        """For all rows, at a place of the stream."""
        with closing(Source.connect(self.settings.source)) as asked:
            server = asked.server()
        plan = walk.plan_of(self.schema, {}, mariadb=server.flavor == "mariadb")
        job = Job(plan, server, seen, open=True, limit=100, most_bytes=1 << 20, chunk=Chunk())
        job.stream, job.lock = stream, lock
        self.readers.ask(job)

    def found(self, seconds: float) -> Job:
        """Raises queue.Empty."""
        job = self.readers.found.get(timeout=seconds)
        assert job.error is None, job.error
        return job


class Hazard(Reading):
    """A table of three rows, one of which was deleted as far as the stream knows: by the statement
    `end`, where it hasn't to be done before."""

    def __init__(
        self,
        source: SqlServer,
        held: Unanswered,
        rig: CaptureRig,
        before: Sequence[str],
        end: str,
    ) -> None:
        start = rig.here()
        run_sql(source, *before)
        held.hold()
        held.write(end)
        captured = rig.capture(start, rig.end())
        (deleted,) = rig.decoded(captured.records)
        assert deleted["op"] == "d"
        self.gtids = captured.boundaries[-1].gtids
        assert run_sql(source, f"SELECT COUNT(*) FROM {DB}.t") == [(3,)], "it is shown already"
        super().__init__(source, rig.definitions.schemas[TableId(DB, "t")])


@pytest.fixture
def hazard(
    source: SqlServer, request: pytest.FixtureRequest
) -> Iterator[tuple[Hazard, Unanswered]]:
    run_sql(source, "CREATE DATABASE IF NOT EXISTS mysync")  # readers would make it, and wait
    rig = three_rows(source)
    delete = f"DELETE FROM {DB}.t WHERE id = 2"
    before: Sequence[str] = ()
    if getattr(request, "param", "") == "xa":
        before = ("XA START 'x'", delete, "XA END 'x'", "XA PREPARE 'x'")
        delete = "XA COMMIT 'x'"
    with unanswered(source) as held:
        hazard = Hazard(source, held, rig, before, delete)
        yield hazard, held
    hazard.readers.close()
    run_sql(source, f"DROP DATABASE {DB}")


@pytest.mark.parametrize("hazard", ["plain", "xa"], indirect=True)
@pytest.mark.parametrize("way", ["gtids", "watermark"])
def test_a_chunk_waits_until_the_source_shows_what_the_stream_had(
    way: str, kind: str, hazard: tuple[Hazard, Unanswered]
) -> None:
    if (kind, way) == ("mariadb", "gtids"):
        pytest.skip("MariaDB has no set of executed GTIDs to ask for")
    there, held = hazard
    there.ask(there.gtids if way == "gtids" else None)
    with pytest.raises(queue.Empty):
        there.found(1.0)
    held.release()
    assert there.found(30).rows == 2


def test_a_chunk_that_does_not_wait_has_a_row_that_is_gone(
    hazard: tuple[Hazard, Unanswered], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The naive window: the log's end, read after the SELECT, is passed already."""
    monkeypatch.setattr(chunkread.Connection, "_show", lambda *_: None)
    there, _ = hazard
    there.ask(there.gtids)
    assert there.found(30).rows == 3


def test_a_chunk_has_all_committed_rows_and_no_others_whatever_the_server_is_set_to(
    kind: str, source: SqlServer
) -> None:
    level = "transaction_isolation" if kind == "mysql" else "tx_isolation"
    rig = three_rows(source)
    there = Reading(source, rig.definitions.schemas[TableId(DB, "t")])
    odd = {level: "'READ-UNCOMMITTED'", "sql_select_limit": "1", "sql_big_selects": "OFF"}
    before = {name: run_sql(source, f"SELECT @@GLOBAL.{name}")[0][0] for name in odd}
    try:
        run_sql(source, *(f"SET GLOBAL {name} = {value}" for name, value in odd.items()))
        with closing(Source.connect(there.settings.source)) as asked:
            assert len(asked.rows(f"SELECT id FROM {DB}.t")) == 3
        with source.connect(database=DB) as open_, open_.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO t VALUES (4)")
            cursor.execute("UPDATE t SET id = 0 WHERE id = 1")
            for stream in (False, True):
                there.ask(None, stream=stream)
                job = there.found(30)
                if job.reader is not None:
                    while job.reader.read(1 << 20) is not None:
                        pass
                    assert job.reader.rows == 3
                else:
                    assert job.rows == 3
                job.close()
            cursor.execute("ROLLBACK")
    finally:
        for name, value in before.items():
            run_sql(source, f"SET GLOBAL {name} = {value!r}")
        there.readers.close()
        run_sql(source, f"DROP DATABASE {DB}")


def test_a_reader_needs_no_more_than_the_documented_grants(kind: str, source: SqlServer) -> None:
    """For what most tables don't need: a lock, and a watermark's row."""
    monitor = "REPLICATION CLIENT" if kind == "mysql" else "BINLOG MONITOR"
    rig = three_rows(source)
    run_sql(
        source,
        "CREATE DATABASE IF NOT EXISTS mysync",
        "DROP USER IF EXISTS 'reader'@'%'",
        "CREATE USER 'reader'@'%' IDENTIFIED BY 'secret'",
        f"GRANT REPLICATION SLAVE, {monitor} ON *.* TO 'reader'@'%'",
        f"GRANT SELECT ON {DB}.* TO 'reader'@'%'",
        f"GRANT LOCK TABLES ON {DB}.* TO 'reader'@'%'",
        "GRANT SELECT, INSERT, UPDATE, CREATE ON mysync.* TO 'reader'@'%'",
    )
    login = {"user": "reader", "password": "secret"}
    there = Reading(source, rig.definitions.schemas[TableId(DB, "t")], **login)
    try:
        there.ask(None, stream=True, lock=True)
        job = there.found(30)
        assert job.reader is not None
        with source.connect(database=DB) as writer, writer.cursor() as cursor:
            cursor.execute("SET SESSION lock_wait_timeout = 1")
            with pytest.raises(pymysql.err.OperationalError, match="1205"):
                cursor.execute("INSERT INTO t VALUES (4)")
            job.close()
            cursor.execute("SET SESSION lock_wait_timeout = 20")
            cursor.execute("INSERT INTO t VALUES (4)")
    finally:
        there.readers.close()
        run_sql(source, f"DROP DATABASE {DB}", "DROP USER 'reader'@'%'")


def test_a_table_that_is_transferred_meanwhile_ends_equal(
    kind: str, source: SqlServer, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    target = request.getfixturevalue(f"{kind}_b")
    replica = make_replica(source=source, target=target, source_link=FRESH)
    run_sql(source, f"CREATE DATABASE {replica.db}")
    replica.on_source(
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "INSERT INTO t VALUES (1), (2), (3)",
        "CREATE TABLE k_empty (id INT PRIMARY KEY, n INT)",
    )
    producer, _consumer = replica.start()
    wait_done(replica, producer, 60)
    with unanswered(source) as held:
        held.hold()
        held.write(f"DELETE FROM {replica.db}.t WHERE id = 2")
        place = held._end()
        wait_until(
            lambda: list((producer.status() or {})["position"].values()) == list(place),
            "the DELETE in Kafka",
            60,
        )
        code, _, error = replica.pipeline.run(
            "mysync-producer", "transfer", "start", f"{replica.db}.t"
        )
        assert code == 0, error
        wait_until(
            lambda: any(each["phase"] == "running" for each in transfers(producer)),
            "the transfer to begin",
            60,
        )
        held.release()
    wait_done(replica, producer, 60)
    replica.on_source("INSERT INTO t VALUES (4)")
    replica.catch_up()
    replica.assert_equal()
    with target.connect(database=replica.db) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM t ORDER BY id")
        assert [row[0] for row in cursor.fetchall()] == [1, 3, 4]
