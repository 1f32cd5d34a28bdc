"""Chunks of tables, read by threads of their own while the stream goes on.

A chunk is good for the stream's place `high`, the end of the log that was read after the SELECT:
whatever the SELECT showed stands in the log before it. It isn't older than the place at which it
was asked for: first the source has to show all that the stream had passed there. A dump may deliver
a transaction before a SELECT sees it (semi-synchronous replication: by seconds), so MySQL's
`gtid_executed` must hold it, or, without MySQL's GTIDs, a row of our own is committed: commits
become visible in the log's order.

Tables whose engine can't roll back show rows before these are logged, so they are read under a READ
lock, as is a table that has no key to walk by and won't hold still. Nothing here is remembered: a
crash, or an error, and the chunk is asked for again.
"""

import queue
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

import pymysql.err

from mysync_producer import selectlist
from mysync_producer.governor import Governor
from mysync_producer.keyrange import KeyOrder
from mysync_producer.selectimage import RowImages
from mysync_producer.selectreader import ResultReader
from mysync_producer.source import Source
from mysync_producer.state import Learning
from mysync_producer.transferstate import Chunk, Key
from mysync_runtime import mysql
from mysync_runtime.errors import MysyncError, TransientError
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings
from mysync_schemas.table import TableSchema

__all__ = ["ChunkReaders", "Job", "Plan"]

log = get_logger("chunkread")

_PIECE = 1 << 20
_LOCK_SECONDS = 5
_HOLD_SECONDS = 30.0
"""How long a lock is held until the stream has come by."""


class TooMuch(Exception):
    """A chunk has more bytes than it may; the next try asks for fewer rows."""


@dataclass(frozen=True)
class Plan:
    """How a table of one version is read. `order` is None where it has to be read as a whole."""

    schema: TableSchema
    order: KeyOrder | None
    mariadb: bool
    columns: str
    suffix: str
    locked: bool  # its engine can't roll back


@dataclass
class Job:
    """One chunk: asked for at a place of the stream, void when something happened since.

    A table with a key: `chunk` is planned first if it is None, `limit` rows at most behind `after`.
    Without one everything is read: `reader` then gives what the SELECT shows, and `passed` is set
    when the stream came by, which ends a lock."""

    plan: Plan
    seen: str | None  # the stream's GTID set, of MySQL
    open: bool  # what the stream passes from here on may not be in the rows
    after: Key | None = None
    limit: int = 0
    most_bytes: int = 0
    chunk: Chunk | None = None
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
    read: bool = False  # completely, and taken note of

    def close(self) -> None:
        """Gives up what it holds of the source."""
        self.passed.set()
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
            except TooMuch:
                job.too_much = True
                if connection is not None:
                    connection.close()
                connection = None
            if connection is not None and connection.lent:
                connection = None
            self.found.put(job)
        if connection is not None:
            connection.close()

    def _read(self, connection: "Connection", job: Job) -> None:
        self._governor.wait(connection.source, self._stop)
        if job.plan.order is None:
            connection.read_whole(job)
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
        self.source = Source.connect(settings.source)
        try:
            with self.source.connection.cursor() as cursor:
                for statement in selectlist.SESSION:
                    cursor.execute(statement)
                cursor.execute(f"SET SESSION lock_wait_timeout = {_LOCK_SECONDS}")
            self._waters = not (self.source.flavor.kind == "mysql" and self.source.uses_gtids())
            if self._waters:
                self._make_watermark()
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
        order, chunk = job.plan.order, job.chunk
        assert order is not None
        assert chunk is not None
        conditions = []
        if chunk.after is not None:
            conditions.append(order.after(_values(chunk.after)))
        if chunk.upto is not None:
            conditions.append(order.upto(_values(chunk.upto)))
        # What was passed before stands in the log before our own row: it is shown.
        job.open = True
        self._show(job.seen)
        began = time.monotonic()
        if job.plan.locked:
            self._lock(job.plan.schema)
        try:
            reader = self._select(job.plan, conditions)
            size = 0
            while (piece := reader.read(_PIECE)) is not None:
                job.images.append(piece)
                size += len(piece)
                if size > job.most_bytes and job.limit > 1:
                    raise TooMuch
            job.rows = reader.rows
            job.seconds = time.monotonic() - began
            job.high = Learning.after(self.source.server(), self.source.end())
        finally:
            if job.plan.locked:
                self._unlock()

    def read_whole(self, job: Job) -> None:
        """Begins to read a table without a key: its rows as they are at `high`."""
        self._show(job.seen)
        locker = Source.connect(self._settings.source) if job.lock or job.plan.locked else None
        try:
            if locker is not None:
                with locker.connection.cursor() as cursor:
                    cursor.execute(f"SET SESSION lock_wait_timeout = {_LOCK_SECONDS}")
                    # Had only when no transaction is left that wrote the table.
                    cursor.execute(f"LOCK TABLES {_name(job.plan.schema)} READ")
            self.source.connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            job.high = Learning.after(self.source.server(), self.source.end())
            job.reader = self._select(job.plan, [])
            job.source = self.source
            self.lent = True
        except BaseException:
            if locker is not None:
                locker.close()
            raise
        if locker is not None:
            threading.Thread(target=_hold, args=(locker, job), daemon=True).start()

    def _select(self, plan: Plan, conditions: list[str]) -> ResultReader:
        where = f" WHERE {' AND '.join(f'({c})' for c in conditions)}" if conditions else ""
        sql = f"SELECT {plan.columns} FROM {_name(plan.schema)}{plan.suffix}{where}"
        images = RowImages(plan.schema, mariadb=plan.mariadb)
        return ResultReader(self.source.connection, sql, images)

    def _lock(self, table: TableSchema) -> None:
        with self.source.connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLES {_name(table)} READ")

    def _unlock(self) -> None:
        with suppress(pymysql.err.Error, OSError):
            self.source.connection.query("UNLOCK TABLES")

    # -- what the source shows

    def _show(self, seen: str | None) -> None:
        """Returns when a SELECT shows all that the log held when this was called, or, where the
        source has MySQL's GTIDs, these transactions."""
        if self._waters:
            with self.source.connection.cursor() as cursor:
                cursor.execute(
                    f"INSERT INTO {self._watermark} (id, n) VALUES (%s, 1)"
                    " ON DUPLICATE KEY UPDATE n = n + 1",
                    (self._number,),
                )
            return
        while not self.source.scalar(
            "SELECT GTID_SUBSET(%s, @@GLOBAL.gtid_executed)", (seen or "",)
        ):
            if self._stop.requested:
                raise TransientError("the transfer ends")
            time.sleep(0.005)

    @property
    def _watermark(self) -> str:
        return mysql.quote_table(*self._settings.transfer.watermark_table.split(".", 1))

    def _make_watermark(self) -> None:
        database = mysql.quote(self._settings.transfer.watermark_table.split(".", 1)[0])
        with self.source.connection.cursor() as cursor:
            if self.source.rows("SHOW DATABASES LIKE %s", (database.strip("`"),)) == []:
                cursor.execute(f"CREATE DATABASE IF NOT EXISTS {database}")
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {self._watermark}"
                " (id INT NOT NULL PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB"
            )


def _hold(locker: Source, job: Job) -> None:
    """Keeps the lock until the stream has come by, or for as long as it may take."""
    with closing(locker):
        job.passed.wait(_HOLD_SECONDS)


def _name(table: TableSchema) -> str:
    return mysql.quote_table(table.db, table.table)


def _values(key: Key | None) -> list[bytes]:
    return [bytes.fromhex(part) for part in key or ()]


def _raw(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
