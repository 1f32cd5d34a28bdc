"""What a SELECT has to ask for, so that the text protocol shows each value exactly.

Most columns are asked for as they are: with character_set_results=NULL text comes in the column's
own character set, byte by byte, and BIT, GEOMETRY and VECTOR as their bytes. The others:

- FLOAT and DOUBLE times 1e0: a double, shown with as many digits as give it back (and -0 as such);
- ENUM and SET as numbers: two labels may look alike, and the error value looks like an empty one.
  Where the definition may show a label wrongly, its text is asked for too and compared;
- MariaDB's INET4, INET6 and UUID as the bytes that it stores;
- MySQL's JSON as its text and, as a second expression, the types of all its values (`selectjson`).
"""

from collections.abc import Iterator
from typing import Final

from mysync_producer.rowerrors import NotReadable
from mysync_producer.selectmap import octets_of
from mysync_runtime.mysql import quote
from mysync_schemas.longunique import is_hash
from mysync_schemas.table import Column, TableSchema
from mysync_schemas.types import Kind, kind_of

__all__ = ["SESSION", "doubtful_labels", "from_suffix", "select_list", "typed_json"]

_SETTINGS: Final = (
    "sql_mode = 'ALLOW_INVALID_DATES'",
    "time_zone = '+00:00'",
    "character_set_results = NULL",
    "group_concat_max_len = 4294967295",
    "net_write_timeout = 31536000",
)
# Each server passes over the other's comment.
_NO_TIMEOUT: Final = "/*M!100000 , max_statement_time = 0 */ /*!80000 , max_execution_time = 0 */"
SESSION: Final = (f"SET SESSION {', '.join(_SETTINGS)} {_NO_TIMEOUT}",)
"""Statements that a session needs before it reads rows. A query that nobody fetches from for a
while isn't cut off by the server, nor is one that takes long."""


def select_list(schema: TableSchema, *, mariadb: bool) -> str:
    """The expressions for all columns, in their order; some columns have two.

    Raises NotReadable for what no SELECT shows.
    """
    columns = sorted(schema.columns, key=lambda column: column.ordinal)
    return ", ".join(
        expression for column in columns for expression in _expressions(schema, column, mariadb)
    )


def from_suffix(schema: TableSchema) -> str:
    """What stands behind the table's name in FROM: all versions of a system-versioned table."""
    return " FOR SYSTEM_TIME ALL" if schema.table_type == "SYSTEM VERSIONED" else ""


def typed_json(column: Column, *, mariadb: bool) -> bool:
    """Whether the column has a second expression."""
    return column.data_type == "json" and not mariadb


def doubtful_labels(column: Column) -> bool:
    """Whether the column has a second expression: information_schema shows `?` for what isn't text,
    which only the values tell from a label with that sign."""
    return any("?" in label for label in column.labels)


def _expressions(schema: TableSchema, column: Column, mariadb: bool) -> Iterator[str]:
    name = quote(column.name)
    if is_hash(column.name, column.expression):
        raise NotReadable(
            str(schema.table_id),
            column.name,
            "the hidden hash of a long unique key (USING HASH), which no SELECT shows",
        )
    match kind_of(column):
        case Kind.FLOAT | Kind.DOUBLE:
            yield f"{name} * 1e0"
        case Kind.ENUM | Kind.SET:
            # MySQL makes a DOUBLE of a SET plus 0, MariaDB warns of a CAST of 64 labels.
            yield f"{name} + 0" if mariadb else f"CAST({name} AS UNSIGNED)"
            if doubtful_labels(column):
                yield name
        case Kind.JSON if typed_json(column, mariadb=mariadb):
            yield name
            yield _types(name, holes=not schema.identity)
        case _ if column.data_type in ("inet4", "inet6", "uuid"):
            yield f"CAST({name} AS BINARY({octets_of(column)}))"
        case _:
            yield name


def _types(name: str, *, holes: bool) -> str:
    """The types of the document, of its objects' members and of its arrays' elements; of a DECIMAL
    also how many bytes it takes; with `holes` how many bytes of the document are. `selectjson`
    reads it."""
    inner = (
        f"IFNULL((SELECT GROUP_CONCAT({_type('v')} ORDER BY n) FROM JSON_TABLE({name}, '{path}'"
        " COLUMNS (n FOR ORDINALITY, v JSON PATH '$')) AS t), '')"
        for path in ("$**.*", "$**[*]")
    )
    free = f", JSON_STORAGE_FREE({name})" if holes else ""
    return f"CONCAT_WS(';', {_type(name)}, {', '.join(inner)}{free})"


def _type(value: str) -> str:
    sized = f"CONCAT('DECIMAL ', JSON_STORAGE_SIZE({value}))"
    return f"IF(JSON_TYPE({value}) = 'DECIMAL', {sized}, JSON_TYPE({value}))"
