"""What a statement may change on the target, and what it looks like now.

A table is told by its definition and by the numbers that InnoDB gave it and its partitions: those
differ after TRUNCATE, EXCHANGE PARTITION, an exchange of names and any rebuild, whose definitions
are the same before and after. The counter of AUTO_INCREMENT is left out (a restart may move it),
and so are an event's last run and a table's own name (a rename moves the rest).

InnoDB's numbers can be read with PROCESS only. MySQL says them by the name of the table's file,
whose letters beyond ASCII are known here only by their form: where two tables' names have the same,
their numbers count as unknown.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import pymysql

from mysync_runtime.mysql import (
    Connection,
    ErrorClass,
    Flavor,
    classify,
    code_of,
    message_of,
    quote,
    quote_table,
    rows,
    scalar,
)
from mysync_schemas.table import TableId


@dataclass(frozen=True)
class Objects:
    """What a statement may change, by names on the target. `tables`: views and sequences too;
    `renames`: the pairs of a RENAME TABLE, in their order, whose names are among `tables` too.
    Triggers, routines and events by database and name."""

    tables: tuple[TableId, ...] = ()
    triggers: tuple[TableId, ...] = ()
    routines: tuple[TableId, ...] = ()
    events: tuple[TableId, ...] = ()
    databases: tuple[str, ...] = ()
    renames: tuple[tuple[TableId, TableId], ...] = ()


@dataclass(frozen=True)
class Thing:
    """`text`: its definition. `ids`: InnoDB's numbers, in order of the partitions' names; empty
    where it is none of InnoDB's, None where they can't be read."""

    text: str
    ids: tuple[int, ...] | None = ()

    @property
    def is_torn(self) -> bool:
        """Whether it can't be opened: a crash of the server left parts of it."""
        return self.text.startswith(TORN)

    @property
    def identity(self) -> object:
        """What goes with it when it is renamed."""
        return self.ids or self.text


Things = Mapping[str, Thing | None]
"""By name; None: it doesn't exist."""


@dataclass(frozen=True)
class Fingerprint:
    """`server`: its version; another one may word the same definitions otherwise."""

    server: str
    tables: Things = field(default_factory=dict)
    triggers: Things = field(default_factory=dict)
    routines: Things = field(default_factory=dict)
    events: Things = field(default_factory=dict)
    databases: Things = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(
            {
                "server": self.server,
                **{
                    kind: {
                        name: None if thing is None else [thing.text, thing.ids]
                        for name, thing in getattr(self, kind).items()
                    }
                    for kind in KINDS
                },
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> "Fingerprint":
        found = json.loads(text)
        return cls(found["server"], **{kind: _things(found[kind]) for kind in KINDS})


KINDS: Final = ("tables", "triggers", "routines", "events", "databases")

TORN: Final = "can't be opened: "
BROKEN_CODES: Final = frozenset({1033, 1696, 1812, 1932})
"""Of a table that a crash has torn: a wrong .frm, no .par, no tablespace, not in the engine."""

UNKNOWN_DATABASE, UNKNOWN_TABLE, INVALID_VIEW = 1049, 1146, 1356

_COUNTER: Final = re.compile(r"(?<=\n\) )(.*?)AUTO_INCREMENT=\d+ ")
_OWN_NAME: Final = re.compile(r"\ACREATE (TABLE|SEQUENCE) `(?:[^`]|``)*` ")
_OTHER_THAN_BY_EVENTS: Final = {"LAST_EXECUTED", "STATUS"}


def read(connection: Connection, flavor: Flavor, objects: Objects) -> Fingerprint:
    """What the objects are now. Raises PyMySQL's errors."""
    return Fingerprint(
        flavor.text,
        tables=_tables(connection, flavor, objects.tables),
        triggers=_rows_of(connection, "TRIGGERS", "TRIGGER", objects.triggers),
        routines=_rows_of(connection, "ROUTINES", "ROUTINE", objects.routines),
        events=_rows_of(connection, "EVENTS", "EVENT", objects.events),
        databases={db: _database(connection, db) for db in objects.databases},
    )


def _things(found: Mapping[str, Sequence[object] | None]) -> Things:
    things: dict[str, Thing | None] = {}
    for name, thing in found.items():
        if thing is None:
            things[name] = None
            continue
        text, ids = thing
        things[name] = Thing(str(text), tuple(ids) if isinstance(ids, list) else None)
    return things


def _tables(connection: Connection, flavor: Flavor, names: Sequence[TableId]) -> Things:
    texts = {name: _definition(connection, name) for name in names}
    there = [name for name, text in texts.items() if text is not None]
    ids = innodb_ids(connection, flavor, there)
    return {
        str(name): None if text is None else Thing(text, ids[name]) for name, text in texts.items()
    }


def _definition(connection: Connection, name: TableId) -> str | None:
    """A table's, sequence's or view's without its name; None if there is none."""
    try:
        found = rows(connection, f"SHOW CREATE TABLE {quote_table(name.db, name.table)}")[0]
    except pymysql.err.Error as error:
        if code_of(error) in (UNKNOWN_DATABASE, UNKNOWN_TABLE):
            return None
        if code_of(error) in BROKEN_CODES:
            return f"{TORN}{message_of(error)}"
        if code_of(error) != INVALID_VIEW:
            raise
        found = {"View": name.table}
    if "View" in found:
        view = rows(
            connection,
            "SELECT * FROM information_schema.VIEWS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
            (name.db, name.table),
        )
        return _text(view, but=("TABLE_SCHEMA", "TABLE_NAME"))
    text = _OWN_NAME.sub(r"CREATE \1 ", str(found["Create Table"]))
    return _COUNTER.sub(r"\1", text)


def _rows_of(connection: Connection, view: str, kind: str, names: Sequence[TableId]) -> Things:
    things: dict[str, Thing | None] = {}
    for name in names:
        found = rows(
            connection,
            f"SELECT * FROM information_schema.{view}"
            f" WHERE {kind}_SCHEMA = %s AND {kind}_NAME = %s ORDER BY 1, 2, 3, 4, 5",
            (name.db, name.table),
        )
        things[str(name)] = Thing(_text(found, but=_OTHER_THAN_BY_EVENTS)) if found else None
    return things


def _text(found: Sequence[Mapping[str, object]], but: Sequence[str] | set[str]) -> str:
    return json.dumps(
        [{k: str(v) for k, v in row.items() if k.upper() not in but} for row in found],
        ensure_ascii=False,
    )


def _database(connection: Connection, name: str) -> Thing | None:
    try:
        return Thing(str(rows(connection, f"SHOW CREATE DATABASE {quote(name)}")[0]))
    except pymysql.err.Error as error:
        if code_of(error) == UNKNOWN_DATABASE:
            return None
        raise


# -- InnoDB's numbers


def innodb_ids(
    connection: Connection, flavor: Flavor, names: Sequence[TableId]
) -> dict[TableId, tuple[int, ...] | None]:
    """Of each table that exists; None where they can't be told."""
    ids: dict[TableId, tuple[int, ...] | None] = {}
    for name, files in innodb_files(connection, flavor, names).items():
        if files is None or len({file.table for file in files}) > 1:
            ids[name] = None
        else:
            ids[name] = tuple(file.number for file in files)
    return ids


class File(NamedTuple):
    """What InnoDB has of a table: all of it, or a partition. `name`: the file's, without the
    database's; `table`: the table's part of it."""

    number: int
    name: str
    table: str


def innodb_files(
    connection: Connection, flavor: Flavor, names: Sequence[TableId]
) -> dict[TableId, list[File] | None]:
    """Those whose names are a table's, in order; None without the privilege to see them."""
    if not names:
        return {}
    view = "INNODB_SYS_TABLES" if flavor.is_mariadb else "INNODB_TABLES"
    try:
        found = rows(
            connection,
            f"SELECT TABLE_ID AS id, NAME AS name FROM information_schema.{view}"
            " WHERE NAME NOT LIKE 'mysql/%%' AND NAME LIKE '%%/%%' ORDER BY NAME",
        )
    except pymysql.err.Error as error:
        if classify(error) is not ErrorClass.CREDENTIALS:
            raise
        return dict.fromkeys(names)
    fold = re.IGNORECASE if scalar(connection, "SELECT @@lower_case_table_names") else re.NOFLAG
    files: dict[TableId, list[File] | None] = {}
    for name in names:
        if flavor.is_mariadb:
            db, table = (re.escape(_file_name(connection, n)) for n in (name.db, name.table))
        else:
            db, table = _file_pattern(name.db), _file_pattern(name.table)
        pattern = re.compile(f"{db}/(({table})(?:#[pP]#.*)?)", fold)
        files[name] = [
            File(int(row["id"]), m[1], m[2])
            for row in found
            if (m := pattern.fullmatch(row["name"]))
        ]
    return files


def drop_orphans(
    connection: Connection, flavor: Flavor, objects: Objects, now: Fingerprint
) -> list[str]:
    """Drops what InnoDB has of tables that don't exist, and returns its names. A MariaDB that is
    killed while it creates a partitioned table may leave partitions without their table, which
    stand in the way of the next attempt.

    Raises PyMySQL's errors. A crash between two leaves the others, for the next attempt."""
    if not flavor.is_mariadb:
        return []
    missing = [name for name in objects.tables if now.tables[str(name)] is None]
    dropped = []
    for name, files in innodb_files(connection, flavor, missing).items():
        for file in files or ():
            # Such a name is a file's; MariaDB Knowledge Base "Identifier to File Name Mapping".
            where = quote_table(name.db, f"#mysql50#{file.name}")
            connection.query(f"DROP TABLE IF EXISTS {where}")
            dropped.append(f"{name.db}/{file.name}")
    return dropped


def _file_name(connection: Connection, name: str) -> str:
    """As MariaDB itself says it."""
    text = "SELECT CONVERT(CAST(CONVERT(%s USING filename) AS BINARY) USING utf8mb4)"
    return str(scalar(connection, text, (name,)))


# Where a letter has a short code, and may not: MySQL Reference Manual "Mapping of Identifiers to
# File Names".
_SHORT: Final = re.compile(
    "[\u00c0-\u0587\u1e00-\u1fff\u2160-\u217f\u24b6-\u24e9\uff21-\uff3a\uff41-\uff5a]"
)


def _file_pattern(name: str) -> str:
    """A pattern for the name that MySQL gives the table's file."""
    parts = []
    for letter in name:
        if re.fullmatch(r"\w", letter, re.ASCII):
            parts.append(letter)
        elif _SHORT.fullmatch(letter):
            parts.append(f"@(?:[0-9A-Za-z@]{{2}}|{ord(letter):04x})")
        else:
            parts.append(f"@{ord(letter):04x}")
    return "".join(parts)
