"""Statements that give the target what the source has: databases and tables, and all that is read
with them for a new pipeline (`schemaobjects`).

They are what the source says of itself (SHOW CREATE), so they are read by it and nobody else: only
IF NOT EXISTS is put in, because a target may have some of it. A reading is of one moment, and holds
for the stream's place where nothing was changed since that moment.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import pymysql.err

from mysync_producer.filters import Filters
from mysync_producer.made import Made, context_in
from mysync_producer.schemaobjects import read_others
from mysync_producer.source import Source
from mysync_producer.state import Learning
from mysync_producer.statements import dialect_of
from mysync_runtime import mysql
from mysync_runtime.settings import DdlSettings
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId, TableSchema

__all__ = ["Objects", "create", "drop", "empty", "estimates", "read_objects"]

_CREATE = re.compile(r"CREATE (TABLE|SEQUENCE) ")
_CREATE_DATABASE = re.compile(r"CREATE DATABASE (?:/\*!32312 )?IF NOT EXISTS ?(?:\*/ )?")


@dataclass
class Objects:
    """What the source has beside tables, and the end of its log after that was read.

    `before` has to exist before tables do, `behind` goes after them."""

    before: list[Made]
    behind: list[Made]
    server_version: int
    end: Learning
    estimates: dict[TableId, int] = field(default_factory=dict)  # rows, as the source guesses


def create(table: TableSchema) -> list[Made]:
    """Makes the table where it isn't there. A system-versioned one is made anew: it can't be
    emptied."""
    name = table.table_id
    made = [drop(name)] if table.table_type == "SYSTEM VERSIONED" else []
    sql = _CREATE.sub(r"CREATE \1 IF NOT EXISTS ", table.create_sql, count=1)
    return [*made, _about(name, sql, Verb.CREATE_TABLE)]


def drop(table: TableId) -> Made:
    """Removes the table where it is there."""
    sql = f"DROP TABLE IF EXISTS {mysql.quote(table.table)}"
    return _about(table, sql, Verb.DROP_TABLE)


def empty(table: TableSchema) -> list[Made]:
    """Takes all rows out of the table."""
    if table.row_by_row:
        return []
    name = table.table_id
    return [_about(name, f"TRUNCATE TABLE {mysql.quote(name.table)}", Verb.TRUNCATE_TABLE)]


def read_objects(
    source: Source, filters: Filters, tables: Iterable[TableId], settings: DdlSettings
) -> Objects:
    """Of the databases that have these tables. Raises what `mysql.error_of` makes of an error."""
    wanted = set(tables)
    databases = sorted({table.db for table in wanted})
    try:
        before = [made for db in databases for made in _database(source, db)]
        behind = read_others(source, filters, wanted, databases, settings)
    except (pymysql.err.Error, OSError) as error:
        raise mysql.error_of(error, "read the schema", source.address) from error
    version = dialect_of(source.flavor.text).version
    end = Learning.after(source.server(), source.end())
    return Objects(before, behind, version, end, estimates(source, wanted))


def _about(table: TableId, sql: str, verb: Verb) -> Made:
    return Made(sql.encode(), verb, context_in(table.db), (table,))


def _database(source: Source, db: str) -> list[Made]:
    """One that is there already gets the source's defaults: later tables may rest on them."""
    row = mysql.rows(source.connection, f"SHOW CREATE DATABASE IF NOT EXISTS {mysql.quote(db)}")[0]
    sql = str(row["Create Database"])
    changed = _CREATE_DATABASE.sub("ALTER DATABASE ", sql, count=1)
    context = context_in(None)
    return [
        Made(sql.encode(), Verb.CREATE_DATABASE, context),
        Made(changed.encode(), Verb.ALTER_DATABASE, context),
    ]


def estimates(source: Source, tables: Iterable[TableId]) -> dict[TableId, int]:
    """Rows of each table, as the source guesses."""
    wanted = set(tables)
    found = {}
    for db in sorted({table.db for table in wanted}):
        for row in source.rows(
            "SELECT TABLE_NAME AS name, TABLE_ROWS AS guess FROM information_schema.TABLES"
            " WHERE TABLE_SCHEMA = %s",
            (db,),
        ):
            table = TableId(db, str(row["name"]))
            if table in wanted:
                found[table] = int(row["guess"] or 0)
    return found
