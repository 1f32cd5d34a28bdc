"""What a server may write into its log, kind by kind: the statements that make it do so."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
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


def xa(n: int) -> Sequence[str]:
    """Each end that an XA transaction may have, small and in several pieces."""
    first = n * 10
    made: list[str] = []

    def during(name: str, *statements: str) -> None:
        made.extend((f"XA START {name}", *statements, f"XA END {name}", f"XA PREPARE {name}"))

    name = f"'it\\'s {n}', X'00ff{n:02x}', {n + 1}"
    during(name, *ordinary(n)[1:-2])
    made += [f"XA COMMIT {name}", f"INSERT INTO others VALUES ({first}, 1, 'between')"]
    rows = [
        f"UPDATE items SET n = 100 WHERE id >= {first}",
        f"DELETE FROM others WHERE id = {first}",
    ]
    during("'back'", *rows)
    made.append("XA ROLLBACK 'back'")
    long = "REPEAT('long', 400)"
    made += [
        "XA START 'one'",
        f"UPDATE items SET name = {long} WHERE id >= {first}",
        f"UPDATE others SET name = 'one phase' WHERE id = {first}",
        "XA END 'one'",
        "XA COMMIT 'one' ONE PHASE",
    ]
    during("'empty'")
    made.append("XA COMMIT 'empty'")
    during(
        "'sp'",
        f"INSERT INTO others VALUES ({first + 1}, 1, 'kept')",
        "SAVEPOINT s",
        f"INSERT INTO others VALUES ({first + 2}, 1, 'not')",
        "ROLLBACK TO s",
    )
    made.append("XA COMMIT 'sp'")
    during("'long'", *(f"UPDATE items SET name = CONCAT(name, {i}), n = n + 1" for i in range(3)))
    made.append("XA COMMIT 'long'")
    return made


def several_tables(n: int) -> Sequence[str]:
    """One statement, rows of more than one table."""
    first = n * 10
    pairs = f"items JOIN others ON others.item = items.id AND items.id >= {first}"
    return (
        *ordinary(n),
        f"INSERT INTO others VALUES ({first + 1}, {first + 2}, 'two'), ({first + 2}, {first}, '3')",
        f"UPDATE {pairs} SET items.n = 7, others.name = 'joined', others.id = others.id + 5",
        f"DELETE items, others FROM {pairs} WHERE others.id = {first + 5}",
    )


def not_transactional(n: int) -> Sequence[str]:
    """A table that can't roll back, by itself."""
    first = n * 10
    return (
        f"INSERT INTO plain VALUES ({first}, 1), ({first + 1}, 2)",
        f"UPDATE plain SET n = n + 1, id = id + 5 WHERE id >= {first}",
        f"DELETE FROM plain WHERE id = {first + 5}",
    )


def mixed(n: int) -> Sequence[str]:
    """With tables that can roll back in one transaction, in one statement, and taken back."""
    first = n * 10
    both = (
        "UPDATE items, plain SET items.n = items.n + 1, plain.n = plain.n + 1 "
        f"WHERE items.id >= {first}"
    )
    return (
        *ordinary(n),
        f"INSERT INTO plain VALUES ({first}, 0)",
        both,
        "BEGIN",
        f"INSERT INTO others VALUES ({first + 1}, 1, 'kept')",
        f"INSERT INTO plain VALUES ({first + 1}, 0)",
        "SAVEPOINT here",
        f"INSERT INTO others VALUES ({first + 2}, 2, 'taken back')",
        f"INSERT INTO plain VALUES ({first + 2}, 0)",
        both,
        "ROLLBACK TO SAVEPOINT here",
        f"INSERT INTO others VALUES ({first + 3}, 3, 'kept')",
        "COMMIT",
        "BEGIN",
        f"INSERT INTO others VALUES ({first + 4}, 4, 'taken back')",
        both,
        "CREATE TEMPORARY TABLE brief (i INT) ENGINE=InnoDB",
        f"INSERT INTO plain VALUES ({first + 4}, 0)",
        "DROP TEMPORARY TABLE brief",
        "ROLLBACK",
    )


def loaded(n: int) -> Sequence[str]:
    """LOAD DATA, from a file of the client's."""
    rows = [f"{n * 10 + row}\tloaded {'x' * 100}\t{row}" for row in range(9)]
    file = Path(tempfile.gettempdir()) / f"mysync-load-{os.getpid()}.txt"
    file.write_text("\n".join(rows) + "\n")
    return (
        f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE items",
        f"LOAD DATA LOCAL INFILE '{file}' REPLACE INTO TABLE items (id, name, n) SET n = n + 1",
    )


def other_checksums(n: int) -> Sequence[str]:
    """Each change begins a new file."""
    return (*ordinary(n), f"SET GLOBAL binlog_checksum = '{('NONE', 'CRC32')[n % 2]}'")


_DOWN = ("ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF")
_UP = ("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")


def modes(*names: str) -> list[str]:
    return [f"SET GLOBAL gtid_mode = {name}" for name in names]


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
    kind("statements on several tables", several_tables),
    kind("tables that can't roll back", not_transactional),
    kind("transactions that can roll back in part", mixed, ("mariadb",)),
    kind(
        "anonymous transactions that can roll back in part",
        mixed,
        ("mysql",),
        [*modes(*_DOWN), "SET GLOBAL enforce_gtid_consistency = OFF"],
        [EventType.ANONYMOUS_GTID],
        ["SET GLOBAL enforce_gtid_consistency = ON", *modes(*_UP)],
    ),
    kind(
        "transactions of which some have GTIDs",
        lambda n: (*ordinary(n), *modes(*(_UP[:2] if n % 2 else _UP[1::-1]))[1:]),
        ("mysql",),
        modes(*_DOWN[:2]),
        [EventType.GTID, EventType.ANONYMOUS_GTID],
        modes(*_UP),
    ),
    kind(
        "tagged GTIDs",
        ordinary,
        ("mysql",),
        ["SET SESSION gtid_next = 'AUTOMATIC:some_tag'"],
        [EventType.GTID_TAGGED],
        ["SET SESSION gtid_next = 'AUTOMATIC'"],
    ),
    kind("loaded files", loaded, before=["SET GLOBAL local_infile = ON"]),
    kind(
        "the text of statements",
        ordinary,
        ("mysql",),
        ["SET SESSION binlog_rows_query_log_events = ON"],
        [EventType.ROWS_QUERY],
    ),
    kind(
        "other checksums in each file",
        other_checksums,
        after=["SET GLOBAL binlog_checksum = 'CRC32'"],
    ),
    kind("XA transactions", xa, types=[EventType.XA_PREPARE]),
    kind(
        "compressed XA transactions",
        xa,
        ("mysql",),
        ["SET SESSION binlog_transaction_compression = ON"],
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
