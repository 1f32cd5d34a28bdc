"""What a server may write into its log, kind by kind: the statements that make it do so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from mysync_producer.events import EventType

Flavor = Literal["mysql", "mariadb"]

TABLES = (
    "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(2000), n BIGINT)",
    "CREATE TABLE others (id INT PRIMARY KEY, item INT, name VARCHAR(200), KEY (item))",
    "CREATE TABLE plain (id INT PRIMARY KEY, n INT) ENGINE=MyISAM",
    "CREATE TABLE docs (id INT PRIMARY KEY, doc JSON, more JSON)",
)


@dataclass(frozen=True)
class Kind:
    """`before` are run once in the session, `of(n)` make its nth transactions, `after` put back
    what `before` set for all."""

    name: str
    flavors: tuple[Flavor, ...]
    of: Callable[[int], Sequence[str]]
    before: Sequence[str]
    after: Sequence[str]
    types: frozenset[int]
    """Kinds of events that must come, or the statements don't make what they should."""

    def __str__(self) -> str:
        return self.name


def ordinary(n: int) -> Sequence[str]:
    """Inserts, updates, deletes and a key change; each nth has its own keys."""
    first = n * 10
    return (
        "BEGIN",
        f"INSERT INTO items VALUES ({first}, REPEAT('ab', 300), 1), ({first + 1}, 'two', 2)",
        f"INSERT INTO items VALUES ({first + 2}, NULL, NULL), ({first + 3}, 'gone', 4)",
        f"UPDATE items SET n = n + 1 WHERE id BETWEEN {first} AND {first + 2}",
        f"UPDATE items SET id = {first + 5} WHERE id = {first + 1}",
        f"DELETE FROM items WHERE id = {first + 3}",
        "COMMIT",
        f"INSERT INTO others VALUES ({first}, {first}, 'by itself')",
    )


def documents(n: int) -> Sequence[str]:
    """Updates of documents in part: several differences, several columns, some rows in full."""
    first = n * 10
    document = (
        """'{"a": [1, 2, 3], "b c": {"x": "a string of some length"}, "é": 1.5, "z": [[], {}]}'"""
    )
    update = "UPDATE docs SET"
    member = "'$.\"b c\".x'"
    return (
        f"INSERT INTO docs VALUES ({first}, {document}, NULL), ({first + 2}, '{{}}', {document})",
        f"INSERT INTO docs VALUES ({first + 1}, {document}, '[1, [2]]')",
        "BEGIN",
        f"{update} doc = JSON_SET(doc, '$.a[1]', 'x', {member}, 's', '$.new', true)",
        f"{update} more = JSON_REMOVE(more, '$[0]'), doc = JSON_SET(doc, '$.z[0][0]', 'in')",
        (
            f"{update} doc = JSON_REMOVE(JSON_SET(doc, '$.a[9]', JSON_ARRAY(1)), '$.a[0]'), "
            "more = JSON_REPLACE(more, '$[last]', 9)"
        ),
        f"{update} doc = '[]', more = JSON_ARRAY_APPEND(more, '$', 'y') WHERE id = {first}",
        f"{update} id = {first + 7}, doc = JSON_SET(doc, '$.é', 2) WHERE id = {first + 1}",
        "COMMIT",
    )


_BOTH: tuple[Flavor, ...] = ("mysql", "mariadb")


def kind(
    name: str,
    of: Callable[[int], Sequence[str]],
    flavors: tuple[Flavor, ...] = _BOTH,
    before: Sequence[str] = (),
    types: Sequence[int] = (),
    after: Sequence[str] = (),
) -> Kind:
    return Kind(name, flavors, of, before, after, frozenset(types))


KINDS: tuple[Kind, ...] = (
    kind("ordinary transactions", ordinary),
    kind(
        "compressed transactions",
        ordinary,
        ("mysql",),
        ["SET SESSION binlog_transaction_compression = ON"],
        [EventType.TRANSACTION_PAYLOAD],
    ),
    kind(
        "partial JSON updates",
        documents,
        ("mysql",),
        ["SET SESSION binlog_row_value_options = 'PARTIAL_JSON'"],
        [EventType.PARTIAL_UPDATE_ROWS],
    ),
    kind(
        "compressed partial JSON updates",
        documents,
        ("mysql",),
        [
            "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'",
            "SET SESSION binlog_transaction_compression = ON",
        ],
        [EventType.TRANSACTION_PAYLOAD],
    ),
    kind(
        "compressed events",
        lambda n: (
            *ordinary(n),
            f"ANALYZE TABLE items /* {'which may be a long statement' * 9} */",
        ),
        ("mariadb",),
        ["SET GLOBAL log_bin_compress = ON", "SET GLOBAL log_bin_compress_min_len = 10"],
        [
            EventType.MARIADB_QUERY_COMPRESSED,
            EventType.MARIADB_WRITE_ROWS_COMPRESSED_V1,
            EventType.MARIADB_UPDATE_ROWS_COMPRESSED_V1,
            EventType.MARIADB_DELETE_ROWS_COMPRESSED_V1,
        ],
        after=["SET GLOBAL log_bin_compress = OFF"],
    ),
)
