"""Threads that run a workload's transactions on a server, at a bounded rate, until told to stop.

A statement that the server refuses for what the rows are (a duplicate, a foreign key, a check) is a
rolled-back statement: part of the traffic, the transaction goes on. A deadlock or a lock timeout
ends the transaction. A lost connection is made again: the server may be killed meanwhile.
"""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import pymysql

from mysync_lab.errors import LabError
from mysync_lab.tables import Session
from mysync_lab.workload.threads import Threads

# Duplicate key, foreign keys, CHECK of MySQL and MariaDB: the statement had no effect.
_REFUSED = frozenset({1062, 1451, 1452, 1761, 3819, 4025})
# Lock wait timeout, deadlock, MariaDB's "record has changed": the transaction had none. So it is,
# though rarely, when a savepoint is gone: MySQL then undid everything at a refused statement.
_GIVEN_UP = frozenset({1205, 1213, 1020, 1305})
# Shutdown in progress, killed, can't connect, gone away, lost.
LOST = frozenset({0, 1053, 1152, 1317, 1927, 2002, 2003, 2006, 2013, 2014, 3169})
_RECONNECT_SECONDS = 60.0


class Workload(Protocol):
    """An endless source of transactions."""

    def session(self) -> Sequence[str]:
        """Statements that a new session runs first."""

    def transaction(self, random_: random.Random) -> Sequence[str]:
        """The statements of the next transaction, its BEGIN and COMMIT or ROLLBACK included."""


@dataclass
class Counts:
    """What the writers have done so far. Read without a lock: a moment old at worst."""

    transactions: int = 0
    statements: int = 0
    rows: int = 0
    refused: int = 0
    given_up: int = 0
    reconnects: int = 0


class Writers:
    """Some threads over one workload, each with a session and a random generator of its own."""

    def __init__(
        self,
        connect: Callable[[], Session],
        workload: Workload,
        *,
        seed: int | str,
        threads: int = 1,
        rate: float | None = None,
        transactions: int | None = None,
    ) -> None:
        """`rate` in transactions a second and `transactions` in all, both over all threads."""
        self._connect = connect
        self._workload = workload
        self._period = threads / rate if rate else 0.0
        self._limits = (
            [None] * threads
            if transactions is None
            else [transactions // threads + (n < transactions % threads) for n in range(threads)]
        )
        self._counts = [Counts() for _ in range(threads)]
        self._threads = Threads()
        for n in range(threads):
            random_ = random.Random(f"{seed}/{n}")
            counts, limit = self._counts[n], self._limits[n]
            self._threads.add(self._run, random_, counts, limit, name=f"writer-{n}")

    def start(self) -> "Writers":
        self._threads.start()
        return self

    def wait(self, seconds: float = 600) -> Counts:
        """Waits until all transactions are done; LabError when that takes longer or one failed."""
        if not self._threads.ended(seconds):
            self._threads.stopping.set()
            raise LabError(f"the workload isn't done after {seconds:g} s")
        return self.stop()

    def stop(self) -> Counts:
        """Lets each thread finish its transaction; raises what made one fail."""
        self._threads.stop()
        return self.counts

    @property
    def running(self) -> bool:
        return self._threads.running

    @property
    def counts(self) -> Counts:
        """The sum over the threads."""
        total = Counts()
        for counts in self._counts:
            for name, value in vars(counts).items():
                setattr(total, name, getattr(total, name) + value)
        return total

    def __enter__(self) -> "Writers":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self, random_: random.Random, counts: Counts, limit: int | None) -> None:
        session, stopping = self._open(), self._threads.stopping
        due = time.monotonic()
        while not stopping.is_set() and (limit is None or counts.transactions < limit):
            statements = self._workload.transaction(random_)
            try:
                _execute(session, statements, counts)
            except pymysql.err.MySQLError as error:
                if error.args[0] not in LOST:
                    raise
                counts.reconnects += 1
                session = self._open()
            counts.transactions += 1
            due = self._threads.pace(due, self._period)
        with contextlib.suppress(pymysql.err.MySQLError):
            session.close()

    def _open(self) -> Session:
        return reopened(self._connect, self._workload.session(), self._threads.stopping)


def reopened(
    connect: Callable[[], Session], statements: Sequence[str], stop: threading.Event
) -> Session:
    """A session that has run these statements, when the server is there again: it may be killed."""
    deadline = time.monotonic() + _RECONNECT_SECONDS
    while True:
        try:
            session = connect()
            with session.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
            return session
        except pymysql.err.MySQLError as error:
            if error.args[0] not in LOST or time.monotonic() > deadline:
                raise
            if stop.wait(0.1):
                deadline = 0.0


def _execute(session: Session, statements: Sequence[str], counts: Counts) -> None:
    with session.cursor() as cursor:
        for statement in statements:
            try:
                counts.rows += max(0, cursor.execute(statement))
                counts.statements += 1
            except pymysql.err.MySQLError as error:
                if error.args[0] in _REFUSED:
                    counts.refused += 1
                elif error.args[0] in _GIVEN_UP:
                    counts.given_up += 1
                    cursor.execute("ROLLBACK")
                    return
                else:
                    raise
