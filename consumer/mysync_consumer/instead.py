"""What the target gets in place of a statement, where a table misses some: pure.

A table that is set aside and missed a statement isn't what its definition says, so emptying it for
its transfer isn't enough: what stands behind the transfer's begin, CREATE … IF NOT EXISTS and
TRUNCATE, is replaced by DROP and CREATE. Each keeps its number, by which it takes effect once.

A statement on a table that is set aside isn't executed. But a name that the source has no table
under afterwards, because that was dropped or renamed, is dropped here too.

Names are the source's throughout.
"""

from collections.abc import Iterable, Mapping

from mysync_runtime import mysql
from mysync_schemas.control import Ddl, DdlContext
from mysync_schemas.effects import Effects
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId

_UTF8MB4 = 45  # utf8mb4_general_ci: both flavours have it under this id


def may_be_remade(ddl: Ddl) -> bool:
    """Whether a statement may be one that empties a table for its transfer. Sequences aren't
    emptied, their one row says everything; system-versioned tables are made anew already."""
    verbs = (Verb.CREATE_TABLE.name, Verb.TRUNCATE_TABLE.name)
    return not ddl.server_id and ddl.verb in verbs and len(ddl.tables) == 1


def remaking(ddl: Ddl, table: TableId, statements: Mapping[int, Ddl]) -> Ddl:
    """In place of one that `may_be_remade`, where this table is made anew; itself where it does
    that already, or isn't a part of it. `statements`: at least those before it."""
    before = statements.get(ddl.id - 1)
    follows = before.verb if before is not None and _goes_with(before, ddl) else ""
    if ddl.verb == Verb.TRUNCATE_TABLE.name and follows == Verb.CREATE_TABLE.name:
        assert before is not None
        return ddl.model_copy(
            update={"sql": before.sql, "verb": before.verb, "context": before.context}
        )
    made_by_two = b"CREATE TABLE IF NOT EXISTS " in ddl.sql[:40]
    if ddl.verb == Verb.CREATE_TABLE.name and made_by_two and follows != Verb.DROP_TABLE.name:
        return dropping(ddl, [table])
    return ddl


def _goes_with(one: Ddl, other: Ddl) -> bool:
    return not one.server_id and one.tables == other.tables


def dropping(ddl: Ddl, tables: Iterable[TableId]) -> Ddl:
    """Drops these tables, as far as they are there, in the statement's place. What refers to them
    by foreign keys doesn't keep them."""
    names = ", ".join(mysql.quote_table(*table) for table in sorted(tables))
    context = DdlContext(
        sql_mode=0,
        client_collation=_UTF8MB4,
        connection_collation=_UTF8MB4,
        timestamp_us=ddl.context.timestamp_us,
        foreign_key_checks=False,
    )
    return ddl.model_copy(
        update={
            "sql": f"DROP TABLE IF EXISTS {names}".encode(),
            "verb": Verb.DROP_TABLE.name,
            "context": context,
        }
    )


def gone(effects: Effects) -> frozenset[TableId]:
    """Names under which there is no table after a statement with these effects."""
    names = set(effects.dropped)
    for old, new in effects.renames:
        names.add(old)
        names.discard(new)
    return frozenset(names.difference(effects.made))
