"""Statements that give the target what the source has: databases, tables, views, triggers.

They are what the source says of itself (SHOW CREATE), so they are read by it and nobody else: only
IF NOT EXISTS and OR REPLACE are put in, because a target may have some of it. What they say
completely needs no context; the rest is that of the session that made the object. A reading is of
one moment, and holds for the stream's place where nothing was changed since that moment.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pymysql.err

from mysync_producer.filters import Filters
from mysync_producer.source import Source
from mysync_producer.state import Learning
from mysync_producer.statements import dialect_of
from mysync_runtime import mysql
from mysync_runtime.errors import Failure, PreflightError
from mysync_runtime.log import get_logger
from mysync_runtime.settings import DdlSettings
from mysync_schemas.control import DdlContext
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId, TableSchema

__all__ = ["Made", "Objects", "create", "drop", "empty", "estimates", "read_objects"]

log = get_logger("schemacopy")

_INVALID_DATES = 1 << 25  # sql_mode's ALLOW_INVALID_DATES: whatever the source took as a default
_UTF8MB4 = 45  # utf8mb4_general_ci: both flavours have it under this id
_CREATE = re.compile(r"CREATE (TABLE|SEQUENCE) ")
_NAME = re.compile(r"`((?:[^`]|``)+)`\.`((?:[^`]|``)+)`")
_BROKEN_VIEW = 1356
# Bits of sql_mode (sql/system_variables.h of both servers); TIME_… and the last two are one's own.
_MODES: Mapping[str, int] = {
    "REAL_AS_FLOAT": 0,
    "PIPES_AS_CONCAT": 1,
    "ANSI_QUOTES": 2,
    "IGNORE_SPACE": 3,
    "IGNORE_BAD_TABLE_OPTIONS": 4,
    "ONLY_FULL_GROUP_BY": 5,
    "NO_UNSIGNED_SUBTRACTION": 6,
    "NO_DIR_IN_CREATE": 7,
    "POSTGRESQL": 8,
    "ORACLE": 9,
    "MSSQL": 10,
    "DB2": 11,
    "MAXDB": 12,
    "NO_KEY_OPTIONS": 13,
    "NO_TABLE_OPTIONS": 14,
    "NO_FIELD_OPTIONS": 15,
    "MYSQL323": 16,
    "MYSQL40": 17,
    "ANSI": 18,
    "NO_AUTO_VALUE_ON_ZERO": 19,
    "NO_BACKSLASH_ESCAPES": 20,
    "STRICT_TRANS_TABLES": 21,
    "STRICT_ALL_TABLES": 22,
    "NO_ZERO_IN_DATE": 23,
    "NO_ZERO_DATE": 24,
    "ALLOW_INVALID_DATES": 25,
    "ERROR_FOR_DIVISION_BY_ZERO": 26,
    "TRADITIONAL": 27,
    "NO_AUTO_CREATE_USER": 28,
    "HIGH_NOT_PRECEDENCE": 29,
    "NO_ENGINE_SUBSTITUTION": 30,
    "PAD_CHAR_TO_FULL_LENGTH": 31,
    "EMPTY_STRING_IS_NULL": 32,
    "TIME_TRUNCATE_FRACTIONAL": 32,
    "SIMULTANEOUS_ASSIGNMENT": 33,
    "TIME_ROUND_FRACTIONAL": 34,
}


@dataclass(frozen=True)
class Made:
    """A statement of ours: its text, its context, the tables that it names."""

    sql: str
    verb: Verb
    context: DdlContext
    tables: tuple[TableId, ...] = ()


@dataclass
class Objects:
    """What the source has beside tables, and the end of its log after that was read.

    `before` has to exist before tables do, `behind` goes after them."""

    before: list[Made]
    behind: list[Made]
    server_version: int
    end: Learning
    estimates: dict[TableId, int] = field(default_factory=dict)  # rows, as the source guesses


def context_in(database: str | None, **others: Any) -> DdlContext:
    """Of a statement that says everything itself. No foreign key is checked: a parent may be made
    after its child, and rows come in no order."""
    return DdlContext(
        **{
            "database": database,
            "sql_mode": _INVALID_DATES,
            "client_collation": _UTF8MB4,
            "connection_collation": _UTF8MB4,
            "server_collation": _UTF8MB4,
            "foreign_key_checks": False,
            "explicit_defaults_for_timestamp": True,
            "sql_require_primary_key": False,
            "generate_invisible_primary_key": False,
            **others,
        }
    )


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
        before = [_database(source, db) for db in databases]
        behind = []
        if settings.views == "apply":
            behind += _in_order(list(_views(source, filters, databases)))
        if settings.triggers == "apply":
            behind += list(_triggers(source, wanted, databases))
    except (pymysql.err.Error, OSError) as error:
        raise mysql.error_of(error, "read the schema", source.address) from error
    version = dialect_of(source.flavor.text).version
    end = Learning.after(source.server(), source.end())
    return Objects(before, behind, version, end, estimates(source, wanted))


def _about(table: TableId, sql: str, verb: Verb) -> Made:
    return Made(sql, verb, context_in(table.db), (table,))


def _database(source: Source, db: str) -> Made:
    row = mysql.rows(source.connection, f"SHOW CREATE DATABASE IF NOT EXISTS {mysql.quote(db)}")[0]
    return Made(str(row["Create Database"]), Verb.CREATE_DATABASE, context_in(None))


def _views(
    source: Source, filters: Filters, databases: Sequence[str]
) -> Iterator[tuple[TableId, Made]]:
    for db in databases:
        names = mysql.rows(
            source.connection,
            "SELECT TABLE_NAME AS name FROM information_schema.VIEWS WHERE TABLE_SCHEMA = %s"
            " ORDER BY 1",
            (db,),
        )
        for view in (TableId(db, str(row["name"])) for row in names):
            if not filters.includes(*view):
                continue
            try:
                (row,) = mysql.rows(
                    source.connection, f"SHOW CREATE VIEW {mysql.quote_table(*view)}"
                )
            except pymysql.err.Error as error:
                if mysql.code_of(error) != _BROKEN_VIEW:
                    raise
                log.warning("a view isn't copied: what it names isn't there", view=str(view))
                continue
            sql = str(row["Create View"]).replace("CREATE ", "CREATE OR REPLACE ", 1)
            yield view, Made(sql, Verb.CREATE_VIEW, context_in(db))


def _in_order(views: list[tuple[TableId, Made]]) -> list[Made]:
    """Views after those that they name."""
    left = dict(views)
    names = {
        view: {
            TableId(*(part.replace("``", "`") for part in found))
            for found in _NAME.findall(made.sql)
        }
        for view, made in views
    }
    ordered = []
    while left:
        ready = [v for v in left if not (names[v] - {v}) & left.keys()] or list(left)
        ordered += [left.pop(view) for view in ready]
    return ordered


def _named(sql: str) -> set[TableId]:
    """All that stands in the text as a table does."""
    return {TableId(*(part.replace("``", "`") for part in found)) for found in _NAME.findall(sql)}


def _triggers(source: Source, tables: set[TableId], databases: Sequence[str]) -> Iterator[Made]:
    """In the order in which those of one event fire."""
    for db in databases:
        listed = mysql.rows(
            source.connection,
            "SELECT TRIGGER_NAME AS name, EVENT_OBJECT_SCHEMA AS db, EVENT_OBJECT_TABLE AS tbl"
            " FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = %s"
            " ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER",
            (db,),
        )
        for row in listed:
            table = TableId(str(row["db"]), str(row["tbl"]))
            if table not in tables:
                continue
            name = mysql.quote_table(db, str(row["name"]))
            (shown,) = mysql.rows(source.connection, f"SHOW CREATE TRIGGER {name}")
            context = context_in(db, sql_mode=_mode(str(shown["sql_mode"])))
            gone = f"DROP TRIGGER IF EXISTS {name}"
            yield Made(gone, Verb.DROP_TRIGGER, context, (table,))
            sql = str(shown["SQL Original Statement"])
            yield Made(sql, Verb.CREATE_TRIGGER, context, (table,))


def _mode(words: str) -> int:
    """The bits of a sql_mode that is given by its words."""
    bits = 0
    for word in filter(None, words.split(",")):
        if word not in _MODES:
            raise PreflightError(
                "the source has triggers that can't be copied",
                [Failure(f"sql_mode {word} isn't known", "set `ddl.triggers: skip`")],
            )
        bits |= 1 << _MODES[word]
    return bits


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
