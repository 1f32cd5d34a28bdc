"""What mysync knows about a table at one point of the binlog: one version of its definition."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

__all__ = [
    "PASSIVE",
    "UNKNOWN_ACTION",
    "CharsetRef",
    "Column",
    "FoldRef",
    "ForeignKey",
    "Key",
    "KeyPart",
    "Routing",
    "TableId",
    "TableSchema",
    "TableState",
    "TableType",
]

# TABLE_TYPE of information_schema.tables. Rows of the last two have to be written as row events,
# one by one in the source's order: a row of a sequence replaces the one that is there, and rows of
# a system-versioned table hold their own history. SQL can express neither.
TableType = Literal["BASE TABLE", "SEQUENCE", "SYSTEM VERSIONED"]

TableState = Literal["defined", "inferred", "dropped"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TableId(NamedTuple):
    """A table by its name on the source."""

    db: str
    table: str

    def __str__(self) -> str:
        return f"{self.db}.{self.table}"


class Column(_Frozen):
    """A column, as information_schema.columns has it.

    `avro_name` and `kind` are filled in by `types.complete`.
    """

    name: str
    ordinal: int  # 1-based
    column_type: str  # COLUMN_TYPE verbatim: "int unsigned", "enum('a','b')"
    data_type: str  # DATA_TYPE in lower case: "int", "enum"
    nullable: bool
    unsigned: bool = False
    char_length: int | None = None  # CHARACTER_MAXIMUM_LENGTH
    octet_length: int | None = None  # CHARACTER_OCTET_LENGTH
    precision: int | None = None  # NUMERIC_PRECISION
    scale: int | None = None  # NUMERIC_SCALE
    fsp: int = 0  # DATETIME_PRECISION: digits of a second's fraction, 0..6
    charset: str | None = None
    collation: str | None = None
    labels: tuple[str, ...] = ()  # of ENUM and SET, in their order
    generated: Literal["", "VIRTUAL", "STORED"] = ""
    expression: str | None = None  # GENERATION_EXPRESSION; "ROW START", "ROW END"
    invisible: bool = False
    default: str | None = None
    extra: str = ""
    avro_name: str = ""
    kind: int = 0  # types.Kind; 0 = not yet known
    srs_id: int | None = None


class KeyPart(_Frozen):
    """A column of a key, or an expression; `prefix_length` in characters (bytes of binary ones)."""

    column: str | None
    prefix_length: int | None = None
    expression: str | None = None


class Key(_Frozen):
    """An index. The primary key is the unique one named PRIMARY."""

    name: str
    unique: bool
    columns: tuple[KeyPart, ...]


UNKNOWN_ACTION = "UNKNOWN"

PASSIVE = frozenset({"NO ACTION", "RESTRICT", ""})
"""Actions of a foreign key that write no rows."""


class ForeignKey(_Frozen):
    """A foreign key of this table; the actions as information_schema words them ("SET NULL").

    One that a statement may have made has `UNKNOWN_ACTION` and no columns until the definition is
    known."""

    name: str
    columns: tuple[str, ...]
    referenced_db: str
    referenced_table: str
    referenced_columns: tuple[str, ...]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"

    @property
    def parent(self) -> TableId:
        return TableId(self.referenced_db, self.referenced_table)

    @property
    def acts(self) -> bool:
        """Whether it writes rows by itself; one whose actions aren't known may."""
        return not {self.on_delete, self.on_update} <= PASSIVE


class Routing(_Frozen):
    """How rows find their partition: each by its key, or the whole table by the name `anchor`."""

    mode: Literal["key", "whole"]
    anchor: str = ""  # "db.table"


class FoldRef(_Frozen):
    """The fold table (by its id on the control topic) of an identity column."""

    column: str
    collation: str
    fold_id: int


class CharsetRef(_Frozen):
    """The table (by its id on the control topic) of a character set that needs one."""

    charset: str
    charset_id: int


class TableSchema(_Frozen):
    """A version of a table. `identity` names the columns that identify a row; () = keyless.

    It holds from `seq` on, a line's or that of the first row that has its Avro schema. An
    *inferred* version is what the log itself tells of a table between a statement that changed it
    and the moment at which its definition is known for certain: from its TABLE_MAP columns and
    primary key (or the unique one that both servers log in its place), from the statements what
    foreign keys may join it with; not what columns are generated from, which other unique keys
    there are. Before the first TABLE_MAP it has no columns
    and no Avro schema (`value_schema_id` 0). A *dropped* table has nothing but its name.
    """

    id: int
    db: str
    table: str
    table_type: TableType = "BASE TABLE"
    create_sql: str
    ddl: str | None = None  # the statement that made this version; null: found as it is
    columns: tuple[Column, ...]
    keys: tuple[Key, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    engine: str = "InnoDB"
    charset: str | None = None
    collation: str | None = None
    identity: tuple[str, ...] = ()
    routing: Routing = Routing(mode="whole")
    key_schema_id: int | None = None
    value_schema_id: int = 0
    key_schema: str | None = None  # Avro, JSON
    value_schema: str = ""  # Avro, JSON
    folds: tuple[FoldRef, ...] = ()
    charsets: tuple[CharsetRef, ...] = ()
    seq: int = 0
    state: TableState = "defined"

    @property
    def row_by_row(self) -> bool:
        """Whether its rows are passed on one by one, in the source's order (`TableType`)."""
        return self.table_type != "BASE TABLE"

    @property
    def table_id(self) -> TableId:
        """The table that this is a version of."""
        return TableId(self.db, self.table)

    def column(self, name: str) -> Column:
        """The column of this name. Raises `KeyError`."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def identity_key(self) -> Key | None:
        """The key that `identity` names the columns of; None for a keyless table."""
        if not self.identity:
            return None
        for key in self.keys:
            if key.unique and tuple(part.column for part in key.columns) == self.identity:
                return key
        raise KeyError(f"{self.table_id} has no unique key over its identity {self.identity}")
