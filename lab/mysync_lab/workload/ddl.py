"""Random DDL among random DML: one thread changes the schema, others the rows meanwhile.

Two databases: the first one stays, the second one is created, altered and dropped with what is in
it. Every statement is drawn for the tables that exist at that moment (`ddlshape`), so few are
refused; those that are had no effect and are counted, as are those that were meant to fail. All of
it can be replicated: no expression depends on the session or on chance, all tables are InnoDB.

With one seed and no writers the statements are the same in every run. A lost connection is made
again: the statement that was under way may have happened or not, the next is drawn from what is.
"""

import contextlib
import itertools
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pymysql

from mysync_lab.errors import LabError
from mysync_lab.tables import Session, execute, quote
from mysync_lab.workload.ddlcreate import audit_table
from mysync_lab.workload.ddlkinds import CREATING, DROPPING, kinds
from mysync_lab.workload.ddlrows import GIVEN_UP, REFUSED, STALE, RowTraffic, number_of
from mysync_lab.workload.ddlstep import Drawing, Step, disguised, settings
from mysync_lab.workload.threads import Threads
from mysync_lab.workload.writers import LOST, reopened

_FEW, _MANY = 10, 24
_WRITER_SESSION = (
    "SET SESSION innodb_lock_wait_timeout = 5, lock_wait_timeout = 30",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'",
)
_DDL_SESSION = ("SET SESSION lock_wait_timeout = 30",)
_CHANGING = re.compile(r"\s*(CREATE|ALTER|DROP|RENAME|TRUNCATE)\b")
_COUNTED = re.compile(r"\s*(CREATE|ALTER|DROP|RENAME|TRUNCATE|ANALYZE|OPTIMIZE|FLUSH)\b")


@dataclass
class DdlCounts:
    """What has been done so far; DDL by kind, rows and transactions over all writers.

    A statement that failed on purpose is among the statements of its kind. `log` has those that
    were not refused, in order, with the settings before them: what a difference may come from.
    """

    statements: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    on_purpose: int = 0
    settings: int = 0
    disguised: int = 0
    transactions: int = 0
    rows: int = 0
    stale: int = 0
    rows_refused: int = 0
    given_up: int = 0
    reconnects: int = 0
    refusals: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Statements of the schema's thread that weren't refused, changes of rows aside."""
        return self.statements.total()

    def __str__(self) -> str:
        return (
            f"{self.total} statements of {len(self.statements)} kinds ({self.refused.total()}"
            f" refused, {self.on_purpose} failed on purpose, {self.settings} with settings,"
            f" {self.disguised} disguised), {self.transactions} transactions of"
            f" {self.rows} rows ({self.stale} met a changed table)"
        )


def _readable(statements: Sequence[str], charset: str) -> bool:
    """Whether names can be told from what is logged of them by a client of this character set: of
    a table LIKE a temporary one they are in the server's, which nothing says."""
    text = " ".join(statements)
    return text.isascii() or (charset == "latin1" and " TEMPORARY " not in text)


def marked(db: str, number: int, statement: str) -> str:
    """The statement with a comment before it, which both servers' logs keep."""
    return f"/* {db} ddl {number} */ {statement}"


class SchemaChanges:
    """The threads. `create` makes the first database; then like `Writers`: start, wait, stop."""

    def __init__(
        self,
        connect: Callable[..., Session],
        db: str,
        *,
        seed: int | str,
        mariadb: bool,
        steps: int | None = None,
        rate: float | None = None,
        writers: int = 2,
        writes: float | None = 60,
        marked: bool = False,
        only: frozenset[str] | None = None,
    ) -> None:
        """`steps` DDL statements at `rate` a second, `writes` transactions a second of all writers.

        With `marked`, each statement bears its number in a comment, `/* shop ddl 17 */` of the
        database shop. `only` limits the kinds.
        """
        self.databases = (db, f"{db}_b")
        self.counts = DdlCounts()
        self._connect = connect
        self._mariadb = mariadb
        self._seed = seed
        self._steps = steps
        self._period = 1 / rate if rate else 0.0
        self._write_period = writers / writes if writes and writers else 0.0
        self._marked = marked
        self._kinds = {
            name: kind
            for name, kind in kinds(mariadb=mariadb).items()
            if only is None or name in only
        }
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._going = threading.Event()
        self._going.set()
        self._ended = threading.Event()  # all statements are done
        self._threads = Threads()
        self._threads.add(self._run_statements)
        for number in range(writers):
            self._threads.add(self._write, number)

    def create(self, session: Session) -> None:
        """The first database with some tables, all empty; what a copy is made of."""
        db = self.databases[0]
        execute(session, f"CREATE DATABASE {quote(db)} CHARACTER SET utf8mb4", f"USE {quote(db)}")
        execute(session, audit_table(db))
        random_ = random.Random(f"{self._seed}/first")
        for name in itertools.islice(itertools.cycle(CREATING), _FEW):
            _, make = kinds(mariadb=self._mariadb)[name]
            step = make(self._drawing(session, random_))
            if step:
                with contextlib.suppress(pymysql.err.MySQLError):
                    execute(session, *step.statements)

    def start(self) -> "SchemaChanges":
        self._threads.start()
        return self

    def wait(self, seconds: float = 600) -> DdlCounts:
        """Waits until all statements are done; LabError if that takes longer or one failed."""
        late = not self._ended.wait(seconds)
        counts = self.stop()
        if late:
            raise LabError(f"the schema changes aren't done after {seconds:g} s: {counts}")
        return counts

    def stop(self) -> DdlCounts:
        """Lets each thread finish what it does; raises what made one fail."""
        self._threads.stopping.set()
        self._going.set()
        self._threads.stop()
        return self.counts

    @property
    def running(self) -> bool:
        return self._threads.running and not self._ended.is_set()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """No statement is begun meanwhile; one that is under way may still end."""
        self._going.clear()
        try:
            yield
        finally:
            self._going.set()

    def __enter__(self) -> "SchemaChanges":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _pace(self, due: float, period: float) -> float:
        """Waits for the next turn."""
        self._going.wait()
        return self._threads.pace(due, period)

    # DDL

    def _run_statements(self) -> None:
        try:
            self._change_schema()
        finally:
            self._ended.set()

    def _change_schema(self) -> None:
        random_ = random.Random(f"{self._seed}/ddl")
        session = self._ddl_session()
        due = time.monotonic()
        done = 0
        while not self._threads.stopping.is_set() and (self._steps is None or done < self._steps):
            try:
                kind, made = self._draw(session, random_)
                set_before = random_.random() < 0.25
                done += self._run(session, kind, made, random_, set_before=set_before)
                if set_before:
                    session.close()
                    session = self._ddl_session()
            except pymysql.err.MySQLError as error:
                if number_of(error) not in LOST:
                    raise
                self.counts.reconnects += 1
                session = self._ddl_session()
            due = self._pace(due, self._period)
        with contextlib.suppress(pymysql.err.MySQLError):
            session.close()

    def _ddl_session(self) -> Session:
        use = f"USE {quote(self.databases[0])}"
        return reopened(self._connect, (use, *_DDL_SESSION), self._threads.stopping)

    def _drawing(self, session: Session, random_: random.Random) -> Drawing:
        return Drawing.now(
            session,
            random_,
            mariadb=self._mariadb,
            databases=self.databases,
            numbers=self._numbers,
        )

    def _draw(self, session: Session, random_: random.Random) -> tuple[str, Step]:
        """A kind that has something to do; many or few tables decide too."""
        drawing = self._drawing(session, random_)
        if len(drawing.tables) < _FEW:
            wanted: tuple[str, ...] = CREATING
        elif len(drawing.tables) > _MANY:
            wanted = DROPPING
        else:
            wanted = tuple(self._kinds)
        while True:
            pool = [name for name in wanted if name in self._kinds] or list(self._kinds)
            weights = [self._kinds[name][0] for name in pool]
            (name,) = random_.choices(pool, weights)
            step = self._kinds[name][1](drawing)
            if step is not None:
                return name, step
            wanted = tuple(self._kinds)

    def _run(
        self, session: Session, kind: str, step: Step, random_: random.Random, *, set_before: bool
    ) -> int:
        """How many schema-changing statements were taken or refused."""
        said = settings(random_, mariadb=self._mariadb) if set_before else ()
        for statement in said:
            charset = re.fullmatch(r"SET NAMES (\w+)", statement)
            if charset and not _readable(step.statements, charset.group(1)):
                continue
            if charset:
                session.set_character_set(charset.group(1))
            else:
                execute(session, statement)
        self.counts.settings += bool(said)
        done = 0
        last = len(step.statements) - 1
        for number, statement in enumerate(step.statements):
            is_ddl = bool(_CHANGING.match(statement))
            counted = bool(_COUNTED.match(statement))
            if is_ddl and self._marked:
                statement = marked(self.databases[0], next(self._numbers), statement)
            elif is_ddl and random_.random() < 0.2 and "TRIGGER" not in statement:
                statement = disguised(random_, statement, mariadb=self._mariadb)
                self.counts.disguised += 1
            fails = step.fails if number == last else frozenset()
            try:
                execute(session, statement)
            except pymysql.err.MySQLError as error:
                code = number_of(error)
                if code in LOST:
                    raise
                if code in fails:
                    self.counts.on_purpose += 1
                    self.counts.statements[kind] += 1
                    return done + 1
                self.counts.refused[kind] += 1
                self.counts.refusals.append(f"{kind}: {error.args}: {' | '.join(said)} {statement}")
                with contextlib.suppress(pymysql.err.MySQLError):
                    execute(session, "ROLLBACK")
                return done + 1
            except UnicodeEncodeError:
                return done  # this character set hasn't got the statement's characters
            self.counts.log.append(f"{kind}: {' | '.join((*said, statement))}")
            if counted:
                self.counts.statements[kind] += 1
                done += 1
        return max(done, 1)

    # DML

    def _write(self, number: int) -> None:
        random_ = random.Random(f"{self._seed}/{number}")
        session = self._writer_session()
        traffic = RowTraffic(self.databases, random_)
        due = time.monotonic()
        while not (self._threads.stopping.is_set() or self._ended.is_set()):
            try:
                self._transaction(session, traffic)
            except pymysql.err.MySQLError as error:
                if number_of(error) not in LOST:
                    raise
                with self._lock:
                    self.counts.reconnects += 1
                session = self._writer_session()
            due = self._pace(due, self._write_period)
        with contextlib.suppress(pymysql.err.MySQLError):
            session.close()

    def _writer_session(self) -> Session:
        return reopened(self._connect, _WRITER_SESSION, self._threads.stopping)

    def _transaction(self, session: Session, traffic: RowTraffic) -> None:
        changed = stale = refused = given_up = 0
        statement = ""
        with session.cursor() as cursor:
            for statement in traffic.statements(session):
                try:
                    changed += max(0, cursor.execute(statement))
                except pymysql.err.MySQLError as error:
                    code = number_of(error)
                    if code in STALE:
                        stale += 1
                        traffic.forget()
                    elif code in REFUSED:
                        refused += 1
                    elif code in GIVEN_UP:
                        given_up += 1
                        cursor.execute("ROLLBACK")
                        break
                    elif code in LOST:
                        raise
                    else:
                        raise LabError(f"{error.args}: {statement}") from error
        with self._lock:
            self.counts.transactions += 1
            self.counts.rows += changed
            self.counts.stale += stale
            self.counts.rows_refused += refused
            self.counts.given_up += given_up
