"""What of a source's statement is executed on the target: pure.

The text stays as it is but for names, where the settings rename, for an IF EXISTS that MariaDB
leaves out of its log, and for events, which a replica mustn't run. What isn't executed is said with
its reason; what can't be, too.
"""

from dataclasses import dataclass

from mysync_consumer.bindings import renamed
from mysync_consumer.errors import StatementRefused
from mysync_runtime.settings import RenameSettings, Settings
from mysync_schemas import rewrite
from mysync_schemas.control import Ddl, DdlContext, PipelineInfo
from mysync_schemas.effects import Effects, effects
from mysync_schemas.rewrite import Unrewritable
from mysync_schemas.sqltokens import Dialect
from mysync_schemas.statement import Verb, read_statement
from mysync_schemas.table import TableId

BY_HAND = (
    "Make the same change on the target by hand and say so: `mysync-consumer ddl done {0}`; or go"
    " on without it: `mysync-consumer ddl skip {0}`."
)
_TRIGGERS = frozenset({Verb.CREATE_TRIGGER, Verb.DROP_TRIGGER})
_PROGRAMS = _TRIGGERS | {Verb.CREATE_VIEW, Verb.ROUTINE, Verb.EVENT}


@dataclass(frozen=True)
class TargetStatement:
    """`source`: the source's names of all tables that it is about, triggers' among them. `there`
    and `effects`: what it changes, by the source's names and by the target's. `skip`: why it isn't
    executed, if it needn't be; `refusal`: why it can't be."""

    ddl: Ddl
    verb: Verb
    sql: bytes
    context: DdlContext
    source: frozenset[TableId]
    there: Effects
    effects: Effects
    skip: str = ""
    refusal: StatementRefused | None = None

    @property
    def place(self) -> str:
        """Where it stands on the source, for people."""
        gtid = f", GTID {self.ddl.gtid}" if self.ddl.gtid else ""
        return f"statement {self.ddl.id}, {self.ddl.file}:{self.ddl.pos}{gtid}"

    @property
    def shown(self) -> str:
        """Its text, for people."""
        text = " ".join(self.sql.decode("utf-8", "replace").split())
        return text if len(text) <= 300 else f"{text[:300]}…"


def target_statement(
    ddl: Ddl, info: PipelineInfo, settings: Settings, flavor: str, *, by_sql: bool
) -> TargetStatement:
    """`flavor`: of the target; `by_sql`: all rows are written by SQL, under which triggers fire."""
    dialect = Dialect(
        mariadb=info.connector == "mariadb",
        version=ddl.server_version,
        sql_mode=ddl.context.sql_mode or 0,
        collation=ddl.context.client_collation or 0,
    )
    database = ddl.context.database or ""
    statement = read_statement(ddl.sql, dialect)
    there = effects(statement, database)
    source = there.tables | {t.table for t in there.triggers if t.table is not None}
    sql, here = ddl.sql, renamed_database(database, settings.rename)
    skip, refusal = "", None
    if statement.verb in _TRIGGERS and (by_sql or settings.ddl.triggers == "skip"):
        skip = "triggers would fire again" if by_sql else "ddl.triggers is skip"
    elif info.connector != flavor and settings.ddl.across_flavors == "refuse":
        refusal = StatementRefused(
            f"a statement of {info.connector} is not executed on {flavor}",
            mend=f"{BY_HAND.format(ddl.id)} Or set `ddl.across_flavors: forward`.",
        )
    else:
        try:
            sql = rewrite.renamed(
                sql,
                statement,
                dialect,
                database,
                lambda table: renamed(table, settings.rename),
                lambda db: renamed_database(db, settings.rename),
            )
        except Unrewritable as error:
            refusal = StatementRefused(
                f"its names can't be changed to the target's: {error}",
                mend=BY_HAND.format(ddl.id),
            )
            if not ddl.server_id and statement.verb in _PROGRAMS:
                # Of a new target's schema: what isn't a table needn't be there for rows.
                skip, refusal = refusal.what, None
        sql = rewrite.disabled(sql, read_statement(sql, dialect), dialect)
        if statement.verb is Verb.DROP_TABLE and dialect.mariadb:
            # Logged as done even where it failed for one of its tables, the others being gone.
            sql = rewrite.with_if_exists(sql, read_statement(sql, dialect))
    return TargetStatement(
        ddl=ddl,
        verb=statement.verb,
        sql=sql,
        context=ddl.context.model_copy(update={"database": here or None}),
        source=frozenset(source),
        there=there,
        effects=effects(read_statement(sql, dialect), here),
        skip=skip,
        refusal=refusal,
    )


def renamed_database(database: str, rename: RenameSettings) -> str:
    """A database's name on the target."""
    return rename.databases.get(database, database)
