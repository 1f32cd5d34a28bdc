"""Tables as a server has them now: what a generator of valid statements has to know of each.

Nothing is remembered from the statements that were run: a statement that failed, half or whole,
leaves no wrong belief behind. Reading costs some milliseconds a table.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mysync_lab.tables import Session, TableName, quote, rows

# Collations whose columns hold any character, and those whose characters latin1 has as well: a
# column may be converted from one to the next within its group without losing a character.
WIDE = ("utf8mb4_bin", "utf8mb4_unicode_ci", "utf8mb4_general_ci")
NARROW = ("latin1_swedish_ci", "latin1_bin", "utf8mb3_general_ci", "utf8mb4_unicode_520_ci")

_NUMBERS = ("tinyint", "smallint", "mediumint", "int", "bigint")


@dataclass(frozen=True)
class Column:
    """`type` is COLUMN_TYPE, `kind` the bare word of it; `definition` as SHOW CREATE prints it."""

    name: str
    type: str
    kind: str
    nullable: bool
    defaulted: bool
    collation: str | None
    generated: bool
    invisible: bool
    definition: str

    @property
    def is_integer(self) -> bool:
        return self.kind in _NUMBERS

    @property
    def is_text(self) -> bool:
        return self.kind in ("char", "varchar", "text", "mediumtext")


@dataclass(frozen=True)
class Index:
    """A part that is an expression has the name ''."""

    name: str
    unique: bool
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Partition:
    """`bound` is what PARTITIONS prints for RANGE and LIST."""

    name: str
    bound: str


@dataclass(frozen=True)
class Shape:
    """One base table."""

    name: TableName
    text: str
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...]
    method: str
    partitions: tuple[Partition, ...]
    foreign_keys: tuple[str, ...]
    referenced: bool
    triggers: tuple[str, ...]
    trigger_text: str
    versioned: bool

    @property
    def primary(self) -> tuple[str, ...]:
        return next((index.columns for index in self.indexes if index.name == "PRIMARY"), ())

    @property
    def plain(self) -> bool:
        """Not tied to another table, not partitioned, not versioned."""
        return not (self.foreign_keys or self.referenced or self.partitions or self.versioned)

    @property
    def stored(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if not column.generated)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def is_free(self, column: Column) -> bool:
        """Whether no key, expression, constraint, partitioning or trigger names the column."""
        uses = self.text.count(quote(column.name)) + self.trigger_text.count(column.name)
        return uses == 1

    def free(self) -> list[Column]:
        return [column for column in self.columns if self.is_free(column)]


def table_names(session: Session, databases: Sequence[str]) -> list[TableName]:
    """Base tables of these databases, versioned ones too, no sequences."""
    listed = ", ".join(["%s"] * len(databases))
    found = rows(
        session,
        "SELECT table_schema, table_name FROM information_schema.tables"
        f" WHERE table_schema IN ({listed}) AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')"
        " ORDER BY 1, 2",
        databases,
    )
    return [TableName(str(db), str(table)) for db, table in found]


def names_of(session: Session, what: str, db: str) -> list[str]:
    """The database's views, triggers or sequences, by name."""
    query = {
        "view": "SELECT table_name FROM information_schema.views WHERE table_schema = %s",
        "trigger": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = %s",
        "sequence": (
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
            " AND table_type = 'SEQUENCE'"
        ),
    }[what]
    return sorted(str(name) for (name,) in rows(session, query, [db]))


def read_columns(session: Session, table: TableName, text: str = "") -> tuple[Column, ...]:
    """Without `text` (SHOW CREATE TABLE) the columns' definitions are empty."""
    found = rows(
        session,
        "SELECT column_name, column_type, data_type, is_nullable, column_default, extra,"
        " collation_name FROM information_schema.columns WHERE table_schema = %s"
        " AND table_name = %s ORDER BY ordinal_position",
        [table.db, table.table],
    )
    columns = []
    for name, type_, kind, nullable, default, extra, collation in found:
        said = str(extra or "").upper()
        line = re.search(rf"^\s*{re.escape(quote(str(name)))} (.*?),?$", text, re.MULTILINE)
        columns.append(
            Column(
                name=str(name),
                type=str(type_),
                kind=str(kind).lower(),
                nullable=nullable == "YES",
                defaulted=default is not None or "AUTO_INCREMENT" in said,
                collation=None if collation is None else str(collation),
                generated="VIRTUAL GENERATED" in said or "STORED GENERATED" in said,
                invisible="INVISIBLE" in said,
                definition=line.group(1) if line else "",
            )
        )
    return tuple(columns)


def read_shape(session: Session, table: TableName) -> Shape:
    """Raises what the server says if the table is gone."""
    text = str(rows(session, f"SHOW CREATE TABLE {table.quoted}")[0][1])
    arguments = [table.db, table.table]
    indexes: dict[str, tuple[bool, list[str]]] = {}
    for name, non_unique, column in rows(
        session,
        "SELECT index_name, non_unique, column_name FROM information_schema.statistics"
        " WHERE table_schema = %s AND table_name = %s ORDER BY index_name, seq_in_index",
        arguments,
    ):
        indexes.setdefault(str(name), (not int(non_unique), []))[1].append(str(column or ""))
    partitions = rows(
        session,
        "SELECT partition_name, partition_method, partition_description"
        " FROM information_schema.partitions WHERE table_schema = %s AND table_name = %s"
        " AND partition_name IS NOT NULL ORDER BY partition_ordinal_position",
        arguments,
    )
    referenced = rows(
        session,
        "SELECT 1 FROM information_schema.referential_constraints"
        " WHERE unique_constraint_schema = %s AND referenced_table_name = %s LIMIT 1",
        arguments,
    )
    triggers = rows(
        session,
        "SELECT trigger_name, action_statement FROM information_schema.triggers"
        " WHERE event_object_schema = %s AND event_object_table = %s ORDER BY 1",
        arguments,
    )
    return Shape(
        name=table,
        text=text,
        columns=read_columns(session, table, text),
        indexes=tuple(Index(n, unique, tuple(cs)) for n, (unique, cs) in indexes.items()),
        method=str(partitions[0][1]) if partitions else "",
        partitions=tuple(Partition(str(n), str(bound)) for n, _, bound in partitions),
        foreign_keys=tuple(re.findall(r"CONSTRAINT `([^`]+)` FOREIGN KEY", text)),
        referenced=bool(referenced),
        triggers=tuple(str(name) for name, _ in triggers),
        trigger_text=" ".join(str(body) for _, body in triggers),
        versioned="SYSTEM VERSIONING" in text,
    )
