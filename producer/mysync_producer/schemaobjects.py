"""Statements for what a database holds beside tables: routines, views, triggers, events.

They are what the source says of itself (SHOW CREATE), with the session around them that it had when
each was made: SQL mode, character set, collation, an event's time zone. Only OR REPLACE and what
removes an older one are put in, because a target may have some of it. What isn't copied is told in
the log, with the reason: it is the settings' wish, or the target would refuse it, as a view of what
isn't replicated.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pymysql.err

from mysync_producer.filters import NEVER_REPLICATED, Filters
from mysync_producer.made import UTF8MB4, Made, context_in
from mysync_producer.source import Source
from mysync_producer.transfergrants import hidden
from mysync_runtime import mysql
from mysync_runtime.errors import Failure, PreflightError
from mysync_runtime.log import get_logger
from mysync_runtime.settings import DdlSettings
from mysync_schemas.control import DdlContext
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId

__all__ = ["read_others"]

log = get_logger("schemacopy")

_NAME = re.compile(r"(?:`((?:[^`]|``)+)`\.)?`((?:[^`]|``)+)`(\()?")
_BROKEN_VIEW, _DENIED = 1356, 1142
_EVERYWHERE = NEVER_REPLICATED - {"mysync"}  # databases that every server has
_UTF8 = ("utf8mb4", "utf8mb3", "utf8")
_ROUTINES = ("PACKAGE", "PACKAGE BODY", "FUNCTION", "PROCEDURE")  # one may need those before it
# Bits of sql_mode (sql/system_variables.h of both servers); TIME_… and the last two are one's own.
_MODES = (
    *("REAL_AS_FLOAT", "PIPES_AS_CONCAT", "ANSI_QUOTES", "IGNORE_SPACE"),
    *("IGNORE_BAD_TABLE_OPTIONS", "ONLY_FULL_GROUP_BY", "NO_UNSIGNED_SUBTRACTION"),
    *("NO_DIR_IN_CREATE", "POSTGRESQL", "ORACLE", "MSSQL", "DB2", "MAXDB", "NO_KEY_OPTIONS"),
    *("NO_TABLE_OPTIONS", "NO_FIELD_OPTIONS", "MYSQL323", "MYSQL40", "ANSI"),
    *("NO_AUTO_VALUE_ON_ZERO", "NO_BACKSLASH_ESCAPES", "STRICT_TRANS_TABLES"),
    *("STRICT_ALL_TABLES", "NO_ZERO_IN_DATE", "NO_ZERO_DATE", "ALLOW_INVALID_DATES"),
    *("ERROR_FOR_DIVISION_BY_ZERO", "TRADITIONAL", "NO_AUTO_CREATE_USER"),
    *("HIGH_NOT_PRECEDENCE", "NO_ENGINE_SUBSTITUTION", "PAD_CHAR_TO_FULL_LENGTH"),
    *("EMPTY_STRING_IS_NULL", "SIMULTANEOUS_ASSIGNMENT", "TIME_ROUND_FRACTIONAL"),
)
_MYSQL_MODES = {"TIME_TRUNCATE_FRACTIONAL": 32}

Row = dict[str, Any]


def read_others(
    source: Source,
    filters: Filters,
    tables: set[TableId],
    databases: Sequence[str],
    settings: DdlSettings,
) -> list[Made]:
    """In an order in which each finds what it needs. Raises PyMySQL's errors and OSError."""
    kinds = [kind for kind, policy in settings if policy == "apply"]
    for failure in hidden(source, databases, kinds):
        log.warning("not copied, as far as there is any", reason=failure.cause, mend=failure.mend)
    reader = _Reader(source, filters, tables, databases, settings)
    return [*reader.routines(), *reader.views(), *reader.triggers(), *reader.events()]


class _Reader:
    def __init__(
        self,
        source: Source,
        filters: Filters,
        tables: set[TableId],
        databases: Sequence[str],
        settings: DdlSettings,
    ) -> None:
        self._source = source
        self._filters = filters
        self._tables = tables
        self._databases = databases
        self._settings = settings
        self._collation_ids: dict[str, int] = {}

    def _rows(self, sql: str, *arguments: str) -> list[Row]:
        return mysql.rows(self._source.connection, sql, arguments)

    # -- one kind after the other

    def routines(self) -> Iterator[Made]:
        """Packages of MariaDB too, each before its body."""
        for db in self._databases:
            listed = self._rows(
                "SELECT ROUTINE_NAME AS name, ROUTINE_TYPE AS kind FROM"
                " information_schema.ROUTINES WHERE ROUTINE_SCHEMA = %s ORDER BY 1",
                db,
            )
            if self._left_out("routines", db, listed):
                continue
            for row in sorted(listed, key=lambda row: _ROUTINES.index(row["kind"])):
                kind, name = str(row["kind"]), mysql.quote_table(db, str(row["name"]))
                (shown,) = self._rows(f"SHOW CREATE {kind} {name}")
                sql = shown[f"Create {kind.capitalize()}" if " " not in kind else _BODY]
                if sql is None:
                    log.warning(
                        "a routine isn't copied: its text may not be seen",
                        name=name,
                        mend="GRANT SHOW_ROUTINE ON *.* TO the source's account",
                    )
                    continue
                gone = f"DROP {kind} IF EXISTS {name}"
                yield from self._anew(db, gone, str(sql), Verb.ROUTINE, Verb.ROUTINE, shown)

    def views(self) -> Iterator[Made]:
        """Each after those that it names."""
        found = {}
        for db in self._databases:
            names = self._rows(
                "SELECT TABLE_NAME AS name FROM information_schema.VIEWS WHERE TABLE_SCHEMA = %s"
                " ORDER BY 1",
                db,
            )
            listed = [row for row in names if self._filters.includes(db, str(row["name"]))]
            if self._left_out("views", db, listed):
                continue
            for row in listed:
                view = TableId(db, str(row["name"]))
                if (made := self._view(view)) is not None:
                    found[view] = made
        return iter(self._in_order(found))

    def triggers(self) -> Iterator[Made]:
        """In the order in which those of one event fire."""
        for db in self._databases:
            rows = self._rows(
                "SELECT TRIGGER_NAME AS name, EVENT_OBJECT_SCHEMA AS db, EVENT_OBJECT_TABLE AS tbl"
                " FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = %s"
                " ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER",
                db,
            )
            listed = [row for row in rows if TableId(row["db"], row["tbl"]) in self._tables]
            if self._left_out("triggers", db, listed):
                continue
            for row in listed:
                name = mysql.quote_table(db, str(row["name"]))
                (shown,) = self._rows(f"SHOW CREATE TRIGGER {name}")
                yield from self._anew(
                    db,
                    f"DROP TRIGGER IF EXISTS {name}",
                    str(shown["SQL Original Statement"]),
                    Verb.DROP_TRIGGER,
                    Verb.CREATE_TRIGGER,
                    shown,
                    TableId(str(row["db"]), str(row["tbl"])),
                )

    def events(self) -> Iterator[Made]:
        """As the source has them: consumers disable them."""
        for db in self._databases:
            listed = self._rows(
                "SELECT EVENT_NAME AS name FROM information_schema.EVENTS WHERE EVENT_SCHEMA = %s"
                " ORDER BY 1",
                db,
            )
            if self._left_out("events", db, listed):
                continue
            for row in listed:
                name = mysql.quote_table(db, str(row["name"]))
                (shown,) = self._rows(f"SHOW CREATE EVENT {name}")
                gone = f"DROP EVENT IF EXISTS {name}"
                yield from self._anew(
                    db, gone, str(shown["Create Event"]), Verb.EVENT, Verb.EVENT, shown
                )

    def _left_out(self, setting: str, db: str, listed: Sequence[Row]) -> bool:
        """Whether the settings leave out what is there; says so."""
        if not listed or getattr(self._settings, setting) == "apply":
            return False
        names = [str(row["name"]) for row in listed]
        log.warning(
            "not copied, as the settings say",
            setting=f"ddl.{setting}: skip",
            database=db,
            number=len(names),
            names=names[:10],
        )
        return True

    # -- views

    def _view(self, view: TableId) -> Made | None:
        try:
            (row,) = self._rows(f"SHOW CREATE VIEW {mysql.quote_table(*view)}")
        except pymysql.err.Error as error:
            if mysql.code_of(error) not in (_BROKEN_VIEW, _DENIED):
                raise
            reason = mysql.message_of(error)
            log.warning("a view isn't copied: it can't be shown", view=str(view), reason=reason)
            return None
        sql = str(row["Create View"])
        if lacks := self._lacks(sql, view.db):
            log.warning(
                "a view isn't copied: what it names isn't replicated", view=str(view), names=lacks
            )
            return None
        sql = sql.replace("CREATE ", "CREATE OR REPLACE ", 1)
        return self._made(view.db, sql, Verb.CREATE_VIEW, row)

    def _lacks(self, sql: str, home: str) -> list[str]:
        """What the text names that the target isn't given by this pipeline."""
        lacks = []
        for db, name, called in _named(sql, home):
            if db.lower() in _EVERYWHERE:
                continue
            if called:
                given = db in self._databases and self._settings.routines == "apply"
                known = "ROUTINES WHERE ROUTINE_SCHEMA = %s AND ROUTINE_NAME = %s"
            else:
                given = self._filters.includes(db, name)
                known = "TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s"
            if not given and self._rows(f"SELECT 1 FROM information_schema.{known}", db, name):
                lacks.append(f"{db}.{name}")
        return sorted(lacks)

    def _in_order(self, views: dict[TableId, Made]) -> list[Made]:
        left = dict(views)
        names = {
            view: {TableId(*name[:2]) for name in _named(made.sql.decode(), view.db)}
            for view, made in views.items()
        }
        ordered = []
        while left:
            ready = [v for v in left if not (names[v] - {v}) & left.keys()] or list(left)
            ordered += [left.pop(view) for view in ready]
        return ordered

    # -- the session that each had

    def _anew(
        self,
        db: str,
        gone: str,
        sql: str,
        dropping: Verb,
        making: Verb,
        shown: Row,
        *tables: TableId,
    ) -> Iterator[Made]:
        made = self._made(db, sql, making, shown, *tables)
        # MariaDB knows packages in its mode ORACLE only.
        context = context_in(db, sql_mode=made.context.sql_mode)
        yield Made(gone.encode(), dropping, context, tables)
        yield made

    def _made(self, db: str, sql: str, verb: Verb, shown: Row, *tables: TableId) -> Made:
        charset = str(shown["character_set_client"])
        text, client = self._written(sql, charset)
        others: dict[str, Any] = {
            "client_collation": client,
            "connection_collation": self._collation_id(str(shown["collation_connection"])),
        }
        if "sql_mode" in shown:
            others["sql_mode"] = _mode(str(shown["sql_mode"]))
        if "time_zone" in shown:
            others["time_zone"] = str(shown["time_zone"])
        context: DdlContext = context_in(db, **others)
        return Made(text, verb, context, tables)

    def _written(self, sql: str, charset: str) -> tuple[bytes, int]:
        """The text in the character set that its client had, if that has all its letters, and a
        collation of the set."""
        if charset in _UTF8[:1]:
            return sql.encode(), UTF8MB4
        number = self._collation_id(self._default_collation(charset))
        if sql.isascii() or charset in _UTF8:
            return sql.encode(), number
        (row,) = self._rows(
            f"SELECT CAST(CONVERT(%s USING {charset}) AS BINARY) AS text,"
            f" CONVERT(CONVERT(%s USING {charset}) USING utf8mb4) AS back",
            sql,
            sql,
        )
        if row["back"] != sql:
            return sql.encode(), UTF8MB4
        return bytes(row["text"]), number

    def _default_collation(self, charset: str) -> str:
        (row,) = self._rows(
            "SELECT DEFAULT_COLLATE_NAME AS name FROM information_schema.CHARACTER_SETS"
            " WHERE CHARACTER_SET_NAME = %s",
            charset,
        )
        return str(row["name"])

    def _collation_id(self, name: str) -> int:
        if not self._collation_ids:
            flavor = self._source.flavor
            applicable = flavor.is_mariadb and flavor.version >= (10, 10, 1)
            # MariaDB's uca1400 have ids for each character set, which this view alone tells.
            rows = self._rows(
                "SELECT ID AS id, FULL_COLLATION_NAME AS name FROM"
                " information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
                if applicable
                else "SELECT ID AS id, COLLATION_NAME AS name FROM information_schema.COLLATIONS"
            )
            self._collation_ids = {
                str(row["name"]): int(row["id"]) for row in rows if row["id"] is not None
            }
        return self._collation_ids[name]


_BODY = "Create Package Body"


def _named(sql: str, home: str) -> set[tuple[str, str, bool]]:
    """All that stands in the text as a table or, called, a function does. MySQL leaves out the
    database of functions that stand in the view's own."""
    return {
        (db.replace("``", "`") or home, name.replace("``", "`"), bool(called))
        for db, name, called in _NAME.findall(sql)
        if db or called
    }


def _mode(words: str) -> int:
    """The bits of a sql_mode that is given by its words."""
    bits = 0
    for word in filter(None, words.split(",")):
        if word in _MYSQL_MODES:
            bits |= 1 << _MYSQL_MODES[word]
        elif word in _MODES:
            bits |= 1 << _MODES.index(word)
        else:
            raise PreflightError(
                "the source has programs that can't be copied",
                [Failure(f"sql_mode {word} isn't known", "set `ddl.triggers: skip` and the like")],
            )
    return bits
