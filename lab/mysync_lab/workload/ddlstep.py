"""A step of random DDL, and what its makers draw from: names, tables as they are, settings."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import pymysql

from mysync_lab.tables import Session, TableName, quote
from mysync_lab.workload.ddlshape import Shape, names_of, read_shape, table_names

AUDIT = "audit"
"""Filled by triggers; never altered, moved or dropped."""

_GONE = 1146


@dataclass(frozen=True)
class Step:
    """Statements run one after the other; what they are counted as.

    `fails` are errors that the last of them is meant to end with.
    """

    statements: tuple[str, ...]
    fails: frozenset[int] = frozenset()


@dataclass
class Drawing:
    """What one step may draw from. Made anew for each, with the tables that exist then."""

    session: Session
    random: Random
    mariadb: bool
    first: str
    second: str
    numbers: "itertools.count[int]"
    tables: list[TableName]
    has_second: bool

    @classmethod
    def now(
        cls,
        session: Session,
        r: Random,
        *,
        mariadb: bool,
        databases: tuple[str, str],
        numbers: "itertools.count[int]",
    ) -> "Drawing":
        first, second = databases
        with session.cursor() as cursor:
            cursor.execute("SHOW DATABASES LIKE %s", (second.replace("_", r"\_"),))
            has_second = bool(cursor.fetchall())
        tables = [table for table in table_names(session, databases) if table.table != AUDIT]
        return cls(session, r, mariadb, first, second, numbers, tables, has_second)

    def fresh(self, letter: str) -> str:
        """A name that nothing has, now and then an odd one."""
        number = next(self.numbers)
        if letter in "tc" and self.random.random() < 0.06:
            return self.random.choice(
                (f"{letter} {number}", f"{letter}ü{number}", f"{number}{letter}")
            )
        return f"{letter}{number}"

    def database(self) -> str:
        return self.second if self.has_second and self.random.random() < 0.25 else self.first

    def fresh_table(self, db: str | None = None) -> TableName:
        return TableName(db or self.database(), self.fresh("t"))

    def name(self, table: TableName) -> str:
        """In the default database the name alone, half of the time."""
        if table.db == self.first and self.random.random() < 0.5:
            return quote(table.table)
        return table.quoted

    def shape(self, wanted: Callable[[Shape], bool] = lambda _: True) -> Shape | None:
        """A random table that is like this; None when none of the first few is."""
        for table in self.random.sample(self.tables, min(len(self.tables), 8)):
            try:
                shape = read_shape(self.session, table)
            except pymysql.err.ProgrammingError as error:
                if error.args[0] != _GONE:
                    raise
                continue
            if wanted(shape):
                return shape
        return None

    def names(self, what: str) -> list[tuple[str, str]]:
        """(database, name) of all views, triggers or sequences."""
        databases = (self.first, self.second) if self.has_second else (self.first,)
        return [(db, name) for db in databases for name in names_of(self.session, what, db)]


def step(*statements: str, fails: Sequence[int] = ()) -> Step:
    return Step(statements, frozenset(fails))


def disguised(r: Random, sql: str, *, mariadb: bool) -> str:
    """The same statement between comments, in a versioned one, with other white space."""
    wrapped = [
        f"/* it's; a `comment` */ {sql}",
        f"-- a 'comment'; DROP TABLE x\n{sql}",
        f"# another\n\t{sql}\n",
        f"{sql} /* the end */",
        f"{sql} ;",
        f" \n\t {sql}",
        f"/*+ no hint here */ {sql}",
    ]
    if "/*" not in sql and "*/" not in sql:
        wrapped += [f"/*!50100 {sql} */", f"/*!50100 {sql}*/ -- done"]
        if mariadb:
            wrapped += [f"/*M!100100 {sql} */"]
    if mariadb:
        wrapped += [f"SET STATEMENT max_statement_time = 600 FOR {sql}"]
    return r.choice(wrapped)


def settings(r: Random, *, mariadb: bool) -> tuple[str, ...]:
    """Session variables that decide what a statement means, all carried by the binary log."""
    choices: list[tuple[str, ...]] = [
        ("SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_TRANS_TABLES'",),
        ("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,PIPES_AS_CONCAT'",),
        ("SET SESSION sql_mode = ''",),
        ("SET SESSION time_zone = '+05:30'",),
        ("SET SESSION timestamp = 1600000000.123456", "SET SESSION time_zone = '-08:00'"),
        ("SET SESSION foreign_key_checks = 0",),
        ("SET SESSION unique_checks = 0",),
        ("SET NAMES latin1",),
        ("SET NAMES gbk",),
        ("SET SESSION collation_server = 'latin1_swedish_ci'",),
        ("SET SESSION collation_connection = 'utf8mb4_bin'",),
        ("SET SESSION auto_increment_increment = 3, auto_increment_offset = 2",),
        ("SET SESSION explicit_defaults_for_timestamp = 0",),
        ("SET SESSION lc_time_names = 'de_DE'",),
    ]
    if mariadb:
        choices += [("SET SESSION binlog_alter_two_phase = ON",)] * 4
    else:
        choices += [
            ("SET SESSION sql_generate_invisible_primary_key = 1",),
            ("SET SESSION default_collation_for_utf8mb4 = 'utf8mb4_general_ci'",),
        ]
    return r.choice(choices)
