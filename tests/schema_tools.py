"""Online schema changes as gh-ost and pt-online-schema-change do them, statement by statement.

Only the tools' statements and their order are taken over: nothing is throttled, no option exists.
What they say is from their own documents and from what they send to a server:

- gh-ost: github.com/github/gh-ost, doc/cut-over.md, doc/triggerless-design.md,
  go/logic/applier.go and go/sql/builder.go.
- pt-online-schema-change: docs.percona.com/percona-toolkit/pt-online-schema-change.html, and its
  `--print` output.

Both may be run while others write. A migration ends with the table altered and nothing left behind.
"""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pymysql
from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.event import RotateEvent
from pymysqlreplication.row_event import DeleteRowsEvent, UpdateRowsEvent, WriteRowsEvent

from mysync_lab.layout import wait_until
from mysync_lab.sql import SqlServer
from mysync_lab.tables import Session, execute, quote, rows

CHUNK = 200
# Lock wait timeout, deadlock: the tools try such a chunk again.
_AGAIN = (1205, 1213)
PATIENCE = 60
TABLE = "migrated"

CREATE = (
    f"CREATE TABLE {TABLE} (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,"
    " name VARCHAR(40) NOT NULL, amount DECIMAL(10,2) NULL, note TEXT,"
    " changed TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),"
    " KEY by_name (name))"
)
ALTER = (
    "ADD COLUMN added INT NOT NULL DEFAULT 7, MODIFY amount DECIMAL(12,4) NULL, DROP KEY by_name,"
    " ADD KEY by_both (name, amount)"
)


class Load:
    """What a session writes into the table before, during and after a migration (a `Workload`).

    It names its columns, so that it goes on whatever the migration adds.
    """

    def __init__(self, db: str, keys: int = 3_000) -> None:
        self.db = db
        self.keys = keys

    def session(self) -> Sequence[str]:
        return [f"USE {quote(self.db)}", "SET SESSION innodb_lock_wait_timeout = 20"]

    def transaction(self, random_: random.Random) -> Sequence[str]:
        r = random_
        changes = []
        for _ in range(r.choice((1, 1, 3, 10))):
            key, other = r.randint(1, self.keys), r.randint(1, self.keys)
            changes.append(
                r.choices(
                    (
                        (
                            f"INSERT INTO {TABLE} (id, name, amount, note) VALUES ({key},"
                            f" 'n{other}', {r.randrange(9_999)}.25, REPEAT('ä', {r.randrange(40)}))"
                            " ON DUPLICATE KEY UPDATE name = 'again'"
                        ),
                        f"INSERT INTO {TABLE} (name) VALUES ('new {key}'), ('new {other}')",
                        f"UPDATE {TABLE} SET amount = amount + 1, note = NULL WHERE id = {key}",
                        f"UPDATE {TABLE} SET id = {other} WHERE id = {key}",
                        f"DELETE FROM {TABLE} WHERE id = {key}",
                        f"DELETE FROM {TABLE} WHERE id > {self.keys} ORDER BY id LIMIT 2",
                        f"REPLACE INTO {TABLE} (id, name) VALUES ({key}, 'replaced')",
                    ),
                    (30, 10, 30, 8, 10, 6, 6),
                )[0]
            )
        return ["BEGIN", *changes, r.choices(("COMMIT", "ROLLBACK"), (95, 5))[0]]


def fill(session: Session, count: int) -> None:
    """Rows from the beginning."""
    for start in range(1, count + 1, 500):
        listed = ", ".join(
            f"({key}, 'n{key % 97}', {key}.5)" for key in range(start, min(start + 500, count + 1))
        )
        execute(session, f"INSERT INTO {TABLE} (id, name, amount) VALUES {listed}")


def is_migrated(session: Session, db: str) -> bool:
    """Whether the table has what ALTER adds, and no table or trigger of the tools is left."""
    tables = rows(
        session,
        "SELECT table_name FROM information_schema.tables WHERE table_schema = %s",
        [db],
    )
    columns = rows(
        session,
        "SELECT column_name FROM information_schema.columns WHERE table_schema = %s"
        " AND table_name = %s",
        [db, TABLE],
    )
    triggers = rows(
        session,
        "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = %s",
        [db],
    )
    left = [name for (name,) in tables if str(name).startswith(f"_{TABLE}_")]
    return ("added",) in columns and not left and not triggers


def columns_of(session: Session, db: str, table: str) -> list[str]:
    """Those that a tool copies: none that is generated."""
    found = rows(
        session,
        "SELECT column_name FROM information_schema.columns WHERE table_schema = %s"
        " AND table_name = %s AND COALESCE(generation_expression, '') = ''"
        " ORDER BY ordinal_position",
        [db, table],
    )
    return [str(name) for (name,) in found]


def chunks(session: Session, table: str) -> list[tuple[int, int]]:
    """First and last key of each chunk, over the table's range as it is at the beginning."""
    ((low, high),) = rows(session, f"SELECT MIN(id), MAX(id) FROM {table}")
    return [
        (start, min(start + CHUNK - 1, int(high)))
        for start in range(int(low or 1), int(high or 0) + 1, CHUNK)
    ]


def _connect(**settings: Any) -> Any:
    """The library says `db`, which PyMySQL warns of."""
    database = settings.pop("db", None)
    return pymysql.connect(**settings, database=database)


@dataclass
class GhOst:
    """gh-ost's way: no triggers; what is written meanwhile is read from the binary log."""

    server: SqlServer
    db: str
    table: str = TABLE
    applied: int = 0
    swapped: bool = False
    _log: tuple[str, int] = ("", 0)
    _shared: list[str] = field(default_factory=list)

    @property
    def ghost(self) -> str:
        return f"{quote(self.db)}.{quote(f'_{self.table}_gho')}"

    @property
    def changelog(self) -> str:
        return f"{quote(self.db)}.{quote(f'_{self.table}_ghc')}"

    @property
    def old(self) -> str:
        return f"{quote(self.db)}.{quote(f'_{self.table}_del')}"

    @property
    def original(self) -> str:
        return f"{quote(self.db)}.{quote(self.table)}"

    def run(self, alter: str = ALTER) -> None:
        """The whole migration; the changelog and the old table are dropped at its end."""
        with self.server.connect() as session:
            execute(session, "SET SESSION time_zone = '+00:00'", f"USE {quote(self.db)}")
            self._prepare(session, alter)
            for first, last in chunks(session, self.original):
                self._copy(session, first, last)
                self._heartbeat(session)
                self._apply(session)
            self._hint(session, "state", "AllEventsUpToLockProcessed")
            self._cut_over(session)
            execute(session, f"drop /* gh-ost */ table if exists {self.changelog}")
            execute(session, f"drop /* gh-ost */ table if exists {self.old}")

    def _prepare(self, session: Session, alter: str) -> None:
        for name in (self.ghost, self.old, self.changelog):
            execute(session, f"drop /* gh-ost */ table if exists {name}")
        execute(
            session,
            f"create /* gh-ost */ table {self.changelog} (id bigint unsigned auto_increment,"
            " last_update timestamp not null DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,"
            " hint varchar(64) charset ascii not null, value varchar(4096) charset ascii not null,"
            " primary key(id), unique key hint_uidx(hint)) auto_increment=256"
            " comment='gh-ost changelog'",
            f"create /* gh-ost */ table {self.ghost} like {self.original}",
            f"alter /* gh-ost */ table {self.ghost} {alter}",
        )
        # A transaction may be in the log before others see its rows. Once the hint, later in the
        # log, is committed, they see those of all that aren't read from the log.
        self._log = self._end(session)
        self._hint(session, "state", "GhostTableMigrated")
        ours, theirs = (columns_of(session, self.db, t) for t in (self.table, f"_{self.table}_gho"))
        self._shared = [name for name in ours if name in theirs]

    def _hint(self, session: Session, hint: str, value: str) -> None:
        number = {"heartbeat": 1, "state": 2, "throttle": 3}[hint]
        execute(
            session,
            f"insert /* gh-ost */ into {self.changelog} (id, hint, value) values"
            f" (NULLIF({number}, 0), '{hint}', '{value}') on duplicate key update"
            " last_update=NOW(), value=VALUES(value)",
        )

    def _heartbeat(self, session: Session) -> None:
        self._hint(session, "heartbeat", f"{time.time_ns()}")

    def _copy(self, session: Session, first: int, last: int) -> None:
        listed = ", ".join(map(quote, self._shared))
        while True:
            try:
                execute(
                    session,
                    "BEGIN",
                    f"insert /* gh-ost {self.original} */ ignore into {self.ghost} ({listed})"
                    f" (select {listed} from {self.original} force index (`PRIMARY`)"
                    f" where (((`id` > {first}) or ((`id` = {first}))) and ((`id` < {last}) or"
                    f" ((`id` = {last})))) lock in share mode)",
                    "COMMIT",
                )
            except pymysql.err.OperationalError as error:
                if error.args[0] not in _AGAIN:
                    raise
            else:
                return

    def _end(self, session: Session) -> tuple[str, int]:
        word = "MASTER" if self.server.kind == "mariadb" else "BINARY LOG"
        file, pos, *_ = rows(session, f"SHOW {word} STATUS")[0]
        return str(file), int(pos)

    def _apply(self, session: Session) -> None:
        """What the log says of the table since the last look, up to now."""
        end = self._end(session)
        stream = BinLogStreamReader(
            connection_settings={
                "host": self.server.host,
                "port": self.server.port,
                "user": self.server.user,
                "password": self.server.password,
                "charset": "utf8mb4",
                "ssl_disabled": True,
            },
            server_id=random.randrange(10_000, 2**31),
            log_file=self._log[0],
            log_pos=self._log[1],
            only_events=[RotateEvent, WriteRowsEvent, UpdateRowsEvent, DeleteRowsEvent],
            only_schemas=[self.db],
            only_tables=[self.table],
            resume_stream=True,
            pymysql_wrapper=_connect,
            enable_logging=False,
        )
        try:
            with session.cursor() as cursor:
                cursor.execute("BEGIN")
                for event in stream:
                    if isinstance(event, RotateEvent):
                        # Comes before each file, the first too; `end` is a place in its own.
                        if event.next_binlog == end[0]:
                            stream.end_log_pos = end[1]
                            stream.is_past_end_log_pos = event.position >= end[1]
                        continue
                    for row in event.rows:
                        for statement, values in self._statements(event, row):
                            cursor.execute(statement, values)
                            self.applied += 1
                cursor.execute("COMMIT")
            self._log = (str(stream.log_file), int(stream.log_pos))
        finally:
            stream.close()

    def _statements(self, event: Any, row: dict[str, Any]) -> list[tuple[str, list[Any]]]:
        """An insert replaces; an update that changes the key is a delete and an insert."""
        delete = f"delete /* gh-ost {self.ghost} */ from {self.ghost} where ((`id` = %s))"
        listed = ", ".join(map(quote, self._shared))
        places = ", ".join(["%s"] * len(self._shared))
        replace = (
            f"replace /* gh-ost {self.ghost} */ into {self.ghost} ({listed}) values ({places})"
        )

        def inserted(values: dict[str, Any]) -> tuple[str, list[Any]]:
            return replace, [values[name] for name in self._shared]

        if isinstance(event, WriteRowsEvent):
            return [inserted(row["values"])]
        if isinstance(event, DeleteRowsEvent):
            return [(delete, [row["values"]["id"]])]
        before, after = row["before_values"], row["after_values"]
        if before["id"] != after["id"]:
            return [(delete, [before["id"]]), inserted(after)]
        sets = ", ".join(f"{quote(name)}=%s" for name in self._shared)
        update = f"update /* gh-ost {self.ghost} */ {self.ghost} set {sets} where ((`id` = %s))"
        return [(update, [*(after[name] for name in self._shared), before["id"]])]

    def _cut_over(self, session: Session) -> None:
        """The atomic swap: RENAME waits behind the locks until the sentry is dropped."""
        failures: list[BaseException] = []
        with self.server.connect() as locker, self.server.connect() as renamer:
            ((number,),) = rows(locker, "select /* gh-ost */ connection_id()")
            execute(
                locker,
                f"select /* gh-ost */ get_lock('gh-ost.{number}.lock', 0)",
                "set /* gh-ost */ session lock_wait_timeout:=60",
            )
            execute(
                session,
                f"create /* gh-ost */ table {self.old} (id int auto_increment primary key)"
                " engine=InnoDB comment='ghost-cut-over-sentry'",
            )
            execute(
                locker,
                f"lock /* gh-ost */ tables {self.original} write, {self.old} write",
            )
            self._hint(session, "state", f"AllEventsUpToLockProcessed:{time.time_ns()}")
            self._apply(session)
            execute(renamer, "set /* gh-ost */ session lock_wait_timeout:=30")
            ((other,),) = rows(renamer, "select /* gh-ost */ connection_id()")

            def rename() -> None:
                try:
                    execute(
                        renamer,
                        f"rename /* gh-ost */ table {self.original} to {self.old},"
                        f" {self.ghost} to {self.original}",
                    )
                except Exception as error:  # noqa: BLE001 -- raised by the main thread
                    failures.append(error)

            swap = threading.Thread(target=rename)
            swap.start()
            wait_until(
                lambda: (
                    bool(
                        rows(
                            session,
                            "select /* gh-ost */ id from information_schema.processlist where"
                            " id = %s and state like concat('%%', 'metadata lock', '%%')"
                            " and info like concat('%%', 'rename', '%%')",
                            [other],
                        )
                    )
                    or bool(failures)
                ),
                "the rename to be blocked",
                PATIENCE,
            )
            execute(locker, f"drop /* gh-ost */ table if exists {self.old}")
            execute(session, "SET SESSION lock_wait_timeout = 1")
            wait_until(
                lambda: self._is_wanted(session) or bool(failures),
                "the rename to be the next at the original",
                PATIENCE,
            )
            execute(session, "SET SESSION lock_wait_timeout = DEFAULT")
            execute(locker, "unlock /* gh-ost */ tables")
            swap.join(PATIENCE)
        if failures:
            raise failures[0]
        self.swapped = True

    def _is_wanted(self, session: Session) -> bool:
        """Whether somebody waits to have the original for himself.

        RENAME takes its locks by the tables' names, so it waited for the sentry's and comes to the
        original's only now: unlocked before, the original would be written once more by those who
        wait, and lose that (gh-ost did: github.com/github/gh-ost/issues/887). gh-ost looks into
        `performance_schema`, which the lab's servers don't have. To prepare a statement takes a
        lock that LOCK TABLES lets pass, but not one who waits for the exclusive one.
        """
        try:
            execute(session, f"PREPARE probe FROM 'SELECT 1 FROM {self.original}'")
        except pymysql.err.OperationalError as error:
            if error.args[0] not in _AGAIN:
                raise
            return True
        return False


@dataclass
class PtOsc:
    """pt-online-schema-change's way: three triggers carry what is written meanwhile."""

    server: SqlServer
    db: str
    table: str = TABLE
    copied: int = 0

    @property
    def original(self) -> str:
        return f"{quote(self.db)}.{quote(self.table)}"

    @property
    def new(self) -> str:
        return f"{quote(self.db)}.{quote(f'_{self.table}_new')}"

    @property
    def old(self) -> str:
        return f"{quote(self.db)}.{quote(f'_{self.table}_old')}"

    def _trigger(self, event: str) -> str:
        return f"{quote(self.db)}.{quote(f'pt_osc_{self.db}_{self.table}_{event}')}"

    def run(self, alter: str = ALTER) -> None:
        """The whole migration."""
        with self.server.connect() as session:
            execute(
                session,
                f"USE {quote(self.db)}",
                "SET SESSION innodb_lock_wait_timeout=20",
                "SET SESSION lock_wait_timeout=60",
            )
            ((_, definition),) = rows(session, f"SHOW CREATE TABLE {self.original}")
            create = str(definition).replace(f"CREATE TABLE {quote(self.table)}", "", 1)
            execute(session, f"CREATE TABLE {self.new}{create}", f"ALTER TABLE {self.new} {alter}")
            ours, theirs = (
                columns_of(session, self.db, table) for table in (self.table, f"_{self.table}_new")
            )
            columns = [name for name in ours if name in theirs]
            self._create_triggers(session, columns)
            for first, last in chunks(session, self.original):
                self._copy(session, columns, first, last)
            execute(
                session,
                f"ANALYZE TABLE {self.new} /* pt-online-schema-change */",
                f"RENAME TABLE {self.original} TO {self.old}, {self.new} TO {self.original}",
                f"DROP TABLE IF EXISTS {self.old}",
            )
            for event in ("del", "upd", "ins"):
                execute(session, f"DROP TRIGGER IF EXISTS {self._trigger(event)}")

    def _create_triggers(self, session: Session, columns: Sequence[str]) -> None:
        listed = ", ".join(map(quote, columns))
        values = ", ".join(f"NEW.{quote(name)}" for name in columns)
        replace = f"REPLACE INTO {self.new} ({listed}) VALUES ({values})"
        delete = f"DELETE IGNORE FROM {self.new} WHERE"
        moved = f"{delete} !(OLD.`id` <=> NEW.`id`) AND {self.new}.`id` <=> OLD.`id`"
        execute(
            session,
            f"CREATE TRIGGER {self._trigger('del')} AFTER DELETE ON {self.original} FOR EACH ROW"
            f" {delete} {self.new}.`id` <=> OLD.`id`",
            f"CREATE TRIGGER {self._trigger('upd')} AFTER UPDATE ON {self.original} FOR EACH ROW"
            f" BEGIN {moved}; {replace}; END",
            f"CREATE TRIGGER {self._trigger('ins')} AFTER INSERT ON {self.original} FOR EACH ROW"
            f" {replace}",
        )

    def _copy(self, session: Session, columns: Sequence[str], first: int, last: int) -> None:
        listed = ", ".join(map(quote, columns))
        while True:
            try:
                with session.cursor() as cursor:
                    self.copied += cursor.execute(
                        f"INSERT LOW_PRIORITY IGNORE INTO {self.new} ({listed}) SELECT {listed}"
                        f" FROM {self.original} FORCE INDEX(`PRIMARY`) WHERE ((`id` >= {first}))"
                        f" AND ((`id` <= {last})) LOCK IN SHARE MODE"
                        " /*pt-online-schema-change 1 copy nibble*/"
                    )
            except pymysql.err.OperationalError as error:
                if error.args[0] not in _AGAIN:
                    raise
            else:
                return
