"""Chunks of tables, read by threads of their own while the stream goes on.

A chunk is good for the stream's place `high`, the end of the log that was read after the SELECT:
whatever the SELECT showed stands in the log before it. It isn't older than the place at which it
was asked for: first the source has to show all that the stream had passed there. A dump may deliver
a transaction before a SELECT sees it (semi-synchronous replication: by seconds), so MySQL's
`gtid_executed` must hold it, or, without MySQL's GTIDs, a row of our own is committed: commits
become visible in the log's order.

Tables whose engine can't roll back show rows before these are logged, so they are read under a READ
lock, as is a table without a key that won't hold still. Nothing here is remembered: a crash, or an
error, and the chunk is asked for again. What a SELECT refuses may be due to a statement that the
stream hasn't come to: it counts when the stream has passed the log's end of that time.
"""

import queue
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pymysql.err

from mysync_producer import selectlist
from mysync_producer.governor import Governor
from mysync_producer.keyrange import KeyOrder
from mysync_producer.selectimage import RowImages
from mysync_producer.selectreader import ResultReader
from mysync_producer.source import Source
from mysync_producer.state import Learning, Server
from mysync_producer.transferstate import Chunk, Key
from mysync_runtime import mysql
from mysync_runtime.errors import ConfigError, MysyncError, TransientError
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings
from mysync_schemas.charset import Charset
from mysync_schemas.table import TableSchema

__all__ = ["ChunkReaders", "Job", "Plan"]

log = get_logger("chunkread")

_PIECE = 1 << 20
_LOCK_SECONDS = 2
"""For writers that are under way; those that come later wait behind us."""

_HOLD_SECONDS = 5.0
"""How long a lock is held until the stream has come by."""

_ORPHAN_SECONDS = 30
"""After these the server takes a lock from a process that is gone without a word."""


_SESSION = (
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    f"SET SESSION lock_wait_timeout = {_LOCK_SECONDS}",
)
"""Whatever the server's own settings are: no uncommitted rows, and a snapshot of the moment that it
was asked for."""


class TooMuch(Exception):
    """A chunk has more bytes than may be kept; the next try hands them out as it reads."""


@dataclass(frozen=True)
class Plan:
    """How a table of one version is read. `order` is None where it has to be read as a whole."""

    schema: TableSchema
    order: KeyOrder | None
    mariadb: bool
    charsets: Mapping[str, Charset]
    columns: str
    suffix: str
    locked: bool  # its engine can't roll back


@dataclass
class Job:
    """One chunk: asked for at a place of the stream, void when something happened since.

    A table with a key: `chunk` is planned first if it is None, `limit` rows at most behind `after`.
    `stream`: the rows aren't kept, `reader` gives what the SELECT shows. It does so for a table
    without a key, of which everything is read (`chunk` is None). `passed` is set when the stream
    came by, which ends a lock."""

    plan: Plan
    server: Server  # the stream's
    seen: str | None  # the stream's GTID set, of MySQL
    open: bool  # what the stream passes from here on may not be in the rows
    after: Key | None = None
    limit: int = 0
    most_bytes: int = 0
    chunk: Chunk | None = None
    stream: bool = False
    lock: bool = False
    void: bool = False
    high: Learning | None = None
    images: list[bytes] = field(default_factory=list)
    rows: int = 0
    seconds: float = 0.0
    reader: ResultReader | None = None
    source: Source | None = None  # that `reader` reads
    passed: threading.Event = field(default_factory=threading.Event)
    error: MysyncError | None = None
    too_much: bool = False
    read: bool = False  # as far as that goes aside, and taken note of

    def close(self) -> None:
        """Gives up what it holds of the source."""
        self.void = True
        self.passed.set()
        if self.reader is not None:
            self.reader.close()
        if self.source is not None:
            self.source.close()


class ChunkReaders:
    """Threads, each with a connection of its own. `found` gets jobs that are read or have failed;
    `planned` those that know their chunk now, with its end."""

    def __init__(self, settings: Settings, governor: Governor) -> None:
        self.found: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.planned: queue.SimpleQueue[tuple[Job, Key | None]] = queue.SimpleQueue()
        self._settings = settings
        self._governor = governor
        self._stop = Stop()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, args=(n,), name=f"transfer-{n}", daemon=True)
            for n in range(settings.transfer.streams)
        ]

    def ask(self, job: Job) -> None:
        if self._threads[0].ident is None:
            for thread in self._threads:
                thread.start()
        self._jobs.put(job)

    def close(self) -> None:
        """Ends the threads; what is under way is cut."""
        self._stop.request()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(2.0)

    def _run(self, number: int) -> None:
        connection: Connection | None = None
        while not self._stop.requested and (job := self._jobs.get()) is not None:
            try:
                if connection is None:
                    connection = Connection(self._settings, number, self._stop)
                self._read(connection, job)
            except (MysyncError, pymysql.err.Error, OSError) as error:
                job.error = mysql.error_of(
                    error, f"read {job.plan.schema.table_id}", self._settings.source.address
                )
                if connection is not None:
                    connection.close()
                connection = None
                if not job.error.retriable:
                    job.high = self._end()
            except TooMuch:
                job.too_much = True
                if connection is not None:
                    connection.close()
                connection = None
            except Exception as error:  # nobody would see the thread end
                log.exception("a chunk can't be read", table=str(job.plan.schema.table_id))
                job.error = MysyncError(f"can't read {job.plan.schema.table_id}: {error!r}")
                job.high = self._end()
                if connection is not None:
                    connection.close()
                connection = None
            if connection is not None and connection.lent:
                connection = None
            self.found.put(job)
        if connection is not None:
            connection.close()

    def _end(self) -> Learning | None:
        """The log's end, when that can be told."""
        try:
            with closing(Source.connect(self._settings.source)) as source:
                return place_of(source, source.server())
        except MysyncError:
            return None

    def _read(self, connection: "Connection", job: Job) -> None:
        self._governor.wait(connection.source, self._stop)
        if connection.server != job.server:
            raise TransientError(
                f"the source is {connection.server.identity} here, the log that is followed is "
                f"that of {job.server.identity}"
            )
        if job.void:
            return
        if job.stream:
            connection.read_on(job)
            return
        if job.chunk is None:
            upto = connection.boundary(job)
            job.chunk = Chunk(after=job.after, upto=upto)
            self.planned.put((job, upto))
        try:
            connection.read(job)
        finally:
            self._governor.took(job.seconds, job.rows)


class Connection:
    """A thread's connection to the source."""

    def __init__(self, settings: Settings, number: int, stop: Stop) -> None:
        self._settings = settings
        self._number = number
        self._stop = stop
        self.lent = False  # a reader goes on with it
        self._has_watermark = False
        self.source = Source.connect(settings.source)
        try:
            self.server = self.source.server()
            with self.source.connection.cursor() as cursor:
                for statement in selectlist.SESSION:
                    cursor.execute(statement)
                for statement in _SESSION:
                    cursor.execute(statement)
            self._waters = self.source.flavor.is_mariadb or not self.source.uses_gtids()
        except BaseException:
            self.source.close()
            raise

    def close(self) -> None:
        self.source.close()

    # -- chunks

    def boundary(self, job: Job) -> Key | None:
        """The key of the last row of a chunk of `limit` rows; None when the table ends in it."""
        order, table = job.plan.order, job.plan.schema
        assert order is not None
        where = f" WHERE {order.after(_values(job.after))}" if job.after is not None else ""
        row = self._raw_row(
            f"SELECT {order.columns_sql} FROM {_name(table)}{job.plan.suffix}{where}"
            f" ORDER BY {order.order_by} LIMIT 1 OFFSET {job.limit - 1}"
        )
        return None if row is None else tuple(value.hex() for value in row)

    def _raw_row(self, sql: str) -> list[bytes] | None:
        """One row, its values as they are on the wire."""
        connection: Any = self.source.connection
        before = connection.use_unicode, connection.decoders
        connection.use_unicode, connection.decoders = False, {}
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                row = cursor.fetchone()
        finally:
            connection.use_unicode, connection.decoders = before
        return None if row is None else [_raw(value) for value in row]

    def read(self, job: Job) -> None:
        """Fills in the images. Raises TooMuch."""
        self._show(job)
        began = time.monotonic()
        if job.plan.locked:
            # An error ends the connection, and with it the lock.
            self.source.connection.query(f"LOCK TABLES {_name(job.plan.schema)} READ")
        reader = self._select(job)
        size = 0
        while (piece := reader.read(_PIECE)) is not None:
            job.images.append(piece)
            size += len(piece)
            if size > job.most_bytes:
                job.images.clear()
                reader.close()
                raise TooMuch
        job.rows = reader.rows
        job.seconds = time.monotonic() - began
        job.high = place_of(self.source, self.server)
        if job.plan.locked:
            self.source.connection.query("UNLOCK TABLES")

    def read_on(self, job: Job) -> None:
        """Begins to read rows as they are at `high`; the job's reader goes on with this connection.

        Under a lock all that was written to the table stands before `high`, and is shown."""
        self._show(job)
        locker = Source.connect(self._settings.source) if job.lock else None
        try:
            if locker is not None:
                with locker.connection.cursor() as cursor:
                    cursor.execute(
                        f"SET SESSION lock_wait_timeout = {_LOCK_SECONDS},"
                        f" wait_timeout = {_ORPHAN_SECONDS}"
                    )
                    # Had only when no transaction is left that wrote the table.
                    cursor.execute(f"LOCK TABLES {_name(job.plan.schema)} READ")
            self.source.connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            job.high = place_of(self.source, self.server)
            job.reader = self._select(job)
            job.source = self.source
            self.lent = True
        except BaseException:
            if locker is not None:
                locker.close()
            raise
        if locker is not None:
            threading.Thread(target=_hold, args=(locker, job), daemon=True).start()

    def _select(self, job: Job) -> ResultReader:
        plan, chunk, conditions = job.plan, job.chunk, []
        if chunk is not None and chunk.after is not None:
            assert plan.order is not None
            conditions.append(plan.order.after(_values(chunk.after)))
        if chunk is not None and chunk.upto is not None:
            assert plan.order is not None
            conditions.append(plan.order.upto(_values(chunk.upto)))
        where = f" WHERE {' AND '.join(f'({c})' for c in conditions)}" if conditions else ""
        sql = f"SELECT {plan.columns} FROM {_name(plan.schema)}{plan.suffix}{where}"
        images = RowImages(plan.schema, mariadb=plan.mariadb, charsets=plan.charsets)
        return ResultReader(self.source.connection, sql, images)

    # -- what the source shows

    def _show(self, job: Job) -> None:
        """Returns when a SELECT shows all that the log held when this was called, or, where the
        source has MySQL's GTIDs, what the stream had passed when the job was asked for."""
        seen = job.seen
        if self._waters or seen is None:
            self._make_watermark()
            # What was passed before stands in the log before our own row: it is shown.
            job.open = True
            with self.source.connection.cursor() as cursor:
                cursor.execute(
                    f"INSERT INTO {self._watermark} (id, n) VALUES (%s, 1)"
                    " ON DUPLICATE KEY UPDATE n = n + 1",
                    (self._number,),
                )
            return
        while not self.source.scalar("SELECT GTID_SUBSET(%s, @@GLOBAL.gtid_executed)", (seen,)):
            if self._stop.requested or job.void:
                raise TransientError("the rows aren't wanted any more")
            self._stop.wait(0.005)

    @property
    def _watermark(self) -> str:
        return mysql.quote_table(*self._settings.transfer.watermark_table.split(".", 1))

    def _make_watermark(self) -> None:
        if self._has_watermark:
            return
        if self.source.variable("binlog_order_commits") == "OFF":
            raise ConfigError(
                "the source's commits become visible in another order than they are logged in",
                where=self.source.address,
                mend="SET GLOBAL binlog_order_commits=ON, or give the source GTIDs.",
            )
        database = mysql.quote(self._settings.transfer.watermark_table.split(".", 1)[0])
        with self.source.connection.cursor() as cursor:
            if self.source.rows("SHOW DATABASES LIKE %s", (database.strip("`"),)) == []:
                cursor.execute(f"CREATE DATABASE IF NOT EXISTS {database}")
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {self._watermark}"
                " (id INT NOT NULL PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB"
            )
        self._has_watermark = True


def _hold(locker: Source, job: Job) -> None:
    """Keeps the lock until the stream has come by, or for as long as it may take."""
    with closing(locker):
        job.passed.wait(_HOLD_SECONDS)


def place_of(source: Source, server: Server) -> Learning:
    """The end of the log now, by its position alone: a GTID set may be older than it."""
    position = source.position()
    return Learning(server=server, file=position.file, pos=position.pos)


def _name(table: TableSchema) -> str:
    return mysql.quote_table(table.db, table.table)


def _values(key: Key | None) -> list[bytes]:
    return [bytes.fromhex(part) for part in key or ()]


def _raw(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
