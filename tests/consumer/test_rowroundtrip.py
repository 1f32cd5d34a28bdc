"""From one server's binlog to another server's tables, by the producer's codec and our images."""

import dataclasses
import random
from collections.abc import Iterator, Mapping

import pytest

from binlog_rows import Source
from image_rig import Hot, Target
from mysync_lab.workload import values
from mysync_schemas.charset import Charset, CharsetTable
from roundtrip import as_target, transcoded
from sql_rig import SqlTarget

PAIRS = [
    ("mysql_a", "mysql_b"),
    ("mariadb_a", "mariadb_b"),
    ("mysql_a", "mariadb_a"),
    ("mariadb_a", "mysql_b"),
    ("mysql_a", "mysql_b", "sql"),
    ("mariadb_a", "mariadb_b", "sql"),
]


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: "-to-".join(pair))
def pair(request: pytest.FixtureRequest, hot: Hot) -> Iterator[tuple[Source, Target]]:
    from_name, to_name, *sql = request.param
    source = Source(request.getfixturevalue(from_name), "images_source")
    target = (SqlTarget if sql else Target)(request.getfixturevalue(to_name), "images_copy", hot)
    yield source, target
    target.close()
    source.close()


def test_random_rows_of_every_type_are_equal_afterwards(pair: tuple[Source, Target]) -> None:
    source, target = pair
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    columns = values.columns(mariadb=source.mariadb)
    if not target.row_events:
        columns = [with_labels_only(column) for column in columns]
    if source.mariadb != target.mariadb:
        columns = [column for column in columns if column.definition != "JSON NULL"]
    # The servers' default collations differ.
    utf8mb4 = "CHARACTER SET utf8mb4"
    listed = ", ".join(f"{column.name} {column.definition}" for column in columns)
    listed = listed.replace(utf8mb4, f"{utf8mb4} COLLATE utf8mb4_bin")
    options = f"{utf8mb4} COLLATE utf8mb4_bin ROW_FORMAT=DYNAMIC"
    create = f"CREATE TABLE t (id INT PRIMARY KEY, {listed}) {options}"
    mode = f"SET sql_mode='{values.SQL_MODE}'"
    source.sql("DROP TABLE IF EXISTS t", mode, create)
    target.sql("DROP TABLE IF EXISTS t", mode, create)
    schema = source.describe("t")

    def literals() -> list[str]:
        return [values.nullable(column.literal)(rng) for column in columns]

    rows = ", ".join(f"({i}, {', '.join(literals())})" for i in range(60))
    insert = transcoded(source, schema, f"INSERT IGNORE INTO t VALUES {rows}")
    changes = []
    for i in range(0, 60, 3):
        sets = ", ".join(f"{c.name} = {v}" for c, v in zip(columns, literals(), strict=True))
        changes.append(f"UPDATE IGNORE t SET {sets} WHERE id = {i}")
    update = transcoded(source, schema, *changes, "UPDATE t SET id = id + 1000 WHERE id < 10")
    delete = transcoded(source, schema, "DELETE FROM t WHERE id % 7 = 0")
    assert len(insert) == 60
    assert len(update) >= 20
    assert delete

    writer = target.writer()
    target.add(writer, target.plan(schema, "t"), insert + update + delete)
    target.apply(writer)
    there = Target.exact(as_target(source), "t")
    here = target.exact("t")
    assert len(there) == len(here)
    for row, other in zip(there, here, strict=True):
        differing = {k: (v, other[k]) for k, v in row.items() if v != other[k]}
        assert not differing, f"(source, target): {differing}"


def with_labels_only(column: values.TypedColumn) -> values.TypedColumn:
    """SQL can't write the error value of an ENUM in strict mode: it is refused."""
    if column.name != "labels":
        return column
    return dataclasses.replace(column, literal=lambda r: r.choice(("1", "2", "'ä'", "4")))


def test_texts_of_every_character_set_keep_their_bytes(pair: tuple[Source, Target]) -> None:
    source, target = pair
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    names = sorted(known(source) & known(target))
    assert len(names) >= 37
    kinds = (("c", "VARCHAR(12)"), ("t", "TEXT"))
    # Default collations differ between the servers.
    listed = ", ".join(
        f"{c}_{n} {kind} CHARACTER SET {n} COLLATE {n}_bin" for n in names for c, kind in kinds
    )
    for each in (source, target):
        each.sql("DROP TABLE IF EXISTS sets", "SET sql_mode=''")
        each.sql(f"CREATE TABLE sets (id INT PRIMARY KEY, {listed})")
    schema = source.describe("sets")
    charsets = source.charsets(schema)
    # MariaDB holds bytes that aren't text in the set, which MySQL refuses, and so does its SQL.
    junk = source.mariadb <= target.mariadb and target.row_events
    rows = [
        ", ".join(literals_of(name, charsets, rng, junk=junk) for name in names) for _ in range(80)
    ]
    inserts = [f"INSERT IGNORE INTO sets VALUES ({i}, {row})" for i, row in enumerate(rows)]
    records = transcoded(source, schema, *inserts)
    assert len(records) == len(rows)
    writer = target.writer()
    target.add(writer, target.plan(schema, "sets", charsets), records)
    target.apply(writer)
    columns = ", ".join(f"HEX(c_{name}), HEX(t_{name})" for name in names)
    query = f"SELECT id, {columns} FROM sets ORDER BY id"
    assert target.sql(query) == source.sql(query)


def test_nulls_arrive_whatever_the_padding_of_their_bitmap(pair: tuple[Source, Target]) -> None:
    """Its unused bits are 0 on MySQL and 1 on MariaDB. Without a key before images have it too."""
    source, target = pair
    for columns in (1, 7, 8, 9):
        names = [f"c{i}" for i in range(columns)]
        listed = ", ".join(f"{name} INT" for name in names)
        for each in (source, target):
            each.sql("DROP TABLE IF EXISTS n", f"CREATE TABLE n ({listed})")
        schema = source.describe("n")
        records = transcoded(
            source,
            schema,
            f"INSERT INTO n ({names[0]}) VALUES (NULL), (NULL)",
            f"INSERT INTO n ({names[0]}) VALUES (7)",
            f"INSERT INTO n ({names[-1]}) VALUES (8)",
            f"UPDATE n SET {names[0]} = 9 WHERE {names[-1]} = 8",
            f"DELETE FROM n WHERE {names[0]} IS NULL LIMIT 1",
        )
        writer = target.writer()
        target.add(writer, target.plan(schema, "n"), records)
        target.apply(writer)
        query = f"SELECT * FROM n ORDER BY {', '.join(names)}"
        assert target.sql(query) == source.sql(query)
        assert len(source.sql(query)) == 3


def known(server: Source | Target) -> set[str]:
    """The character sets of a server."""
    return {row[0] for row in server.sql("SHOW CHARACTER SET")} - {"binary"}


def literals_of(
    name: str, charsets: Mapping[str, Charset], rng: random.Random, *, junk: bool
) -> str:
    """A text of the set's characters, and bytes that may or may not be one (or the same again)."""
    table = charsets.get(name)
    if isinstance(table, CharsetTable):
        chars = "".join(map(chr, rng.choices(sorted(table.codes), k=rng.randrange(12))))
        if table.supplementary and rng.random() < 0.3:
            chars = chars[:5] + chr(rng.randrange(0x10000, 0x110000))
    else:
        chars = "".join(rng.choices("aäß€ж你😀\0\\ \uffff\U0010ffff", k=rng.randrange(12)))
    text = f"CONVERT(_utf8mb4 x'{chars.encode().hex()}' USING {name})"
    if not junk:
        return f"{text}, {text}"
    odd = bytes(rng.choices((*range(256), *(0x81, 0x40, 0xD8) * 99), k=rng.randrange(9)))
    return f"{text}, CONVERT(x'{odd.hex()}' USING {name})"
