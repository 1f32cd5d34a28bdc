"""Statements of a pretended source, executed on a target of the tests' own."""

import itertools
import uuid
from typing import Any

from mysync_consumer import tables
from mysync_consumer.ddlfingerprint import Objects
from mysync_consumer.ddlonce import Outcome, Pipeline, execute
from mysync_consumer.ddlsession import StatementSession
from mysync_consumer.tenure import Tenure
from mysync_lab.sql import SqlServer
from mysync_runtime.settings import ApplySettings, TargetSettings
from mysync_schemas.control import Ddl, DdlContext
from mysync_schemas.sqltokens import Dialect
from mysync_schemas.statement import Statement, Verb, read_statement
from mysync_schemas.table import TableId

UTF8MB4 = 45


def objects_of(statement: Statement, db: str) -> Objects:
    """What it may change, under the names that it has itself."""
    names = tuple(TableId(n.database or db, n.name) for n in statement.objects)
    others = tuple(TableId(n.database or db, n.name) for n in statement.others)
    match statement.verb:
        case Verb.CREATE_TRIGGER | Verb.DROP_TRIGGER:
            return Objects(triggers=names)
        case Verb.ROUTINE:
            return Objects(routines=names)
        case Verb.EVENT:
            return Objects(events=names)
        case Verb.CREATE_DATABASE | Verb.ALTER_DATABASE | Verb.DROP_DATABASE:
            return Objects(databases=(statement.database or db,))
        case Verb.RENAME_TABLE:
            pairs = tuple(zip(names[::2], names[1::2], strict=True))
            return Objects(tables=tuple(dict.fromkeys(names)), renames=pairs)
        case Verb.ALTER_TABLE:
            return Objects(tables=tuple(dict.fromkeys(names + others)))
    return Objects(tables=names)


class Target:
    """A server, and one pipeline's statements on it. Every database is new."""

    def __init__(self, server: SqlServer, user: str | None = None, **apply: Any) -> None:
        self.server = server
        new = uuid.uuid4()
        self.pipeline = Pipeline(f"p_{new.hex}", str(new))
        self.settings = TargetSettings(
            host=server.host,
            port=server.port,
            user=user or server.user,
            password=server.password,  # type: ignore[arg-type]
        )
        self.apply = ApplySettings(**apply)
        self._ids = itertools.count(1)
        self.tenure = Tenure()
        self.new_database()
        with server.connect() as connection:
            tables.create(connection, self.pipeline.name)

    def new_database(self) -> None:
        """A crash may have left the last one so that it can't even be dropped."""
        self.db = f"once_{uuid.uuid4().hex[:12]}"
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {self.db}")

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """As root, not as the consumer; the rows of the last."""
        found: list[tuple[Any, ...]] = []
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"USE {self.db if self._exists(cursor) else 'mysql'}")
            for statement in statements:
                cursor.execute(statement)
                found = list(cursor.fetchall())
        return found

    def _exists(self, cursor: Any) -> bool:
        return bool(cursor.execute(f"SHOW DATABASES LIKE '{self.db}'"))

    def ddl(self, sql: str | bytes, context: DdlContext | None = None, **fields: Any) -> Ddl:
        """A statement of the source, numbered anew."""
        sql = sql.encode() if isinstance(sql, str) else sql
        if context is None:
            context = DdlContext(
                database=self.db, client_collation=UTF8MB4, timestamp_us=1_700_000_000_000_000
            )
        mariadb = self.server.kind == "mariadb"
        dialect = Dialect(mariadb, 0, context.sql_mode or 0, context.client_collation or 0)
        number = next(self._ids)
        told = {"file": "binlog.000001", "pos": 4 * number} | fields
        verb = read_statement(sql, dialect).verb.name
        return Ddl(id=number, seq=10 * number, sql=sql, context=context, verb=verb, **told)

    def objects(self, ddl: Ddl) -> Objects:
        mariadb = self.server.kind == "mariadb"
        context = ddl.context
        dialect = Dialect(mariadb, 0, context.sql_mode or 0, context.client_collation or 0)
        return objects_of(read_statement(ddl.sql, dialect), self.db)

    def session(self) -> StatementSession:
        return StatementSession.open(self.settings, self.apply)

    def execute(self, ddl: Ddl, session: StatementSession | None = None) -> Outcome:
        """Once more, in a session of its own unless it is given one."""
        mine = session or self.session()
        try:
            return execute(mine, self.pipeline, ddl, self.objects(ddl), self.tenure)
        finally:
            if session is None:
                mine.close()

    def state(self, ddl: Ddl) -> str:
        """Of its row in mysync.ddl_log, empty without one."""
        found = self.sql(
            f"SELECT state FROM mysync.ddl_log WHERE pipeline = '{self.pipeline.name}'"
            f" AND id = {ddl.id}"
        )
        return str(found[0][0]) if found else ""

    def mark(self, ddl: Ddl, state: str) -> None:
        """As a crash, or a hand, leaves the row."""
        self.sql(
            f"UPDATE mysync.ddl_log SET state = '{state}' WHERE pipeline = '{self.pipeline.name}'"
            f" AND id = {ddl.id}"
        )
