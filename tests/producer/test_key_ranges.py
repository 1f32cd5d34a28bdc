"""Tables are walked in ranges of any key: every row once, in the index's order, by the index."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from binlog_rows import Source
from mysync_lab.workload import values
from mysync_producer.keyrange import KeyOrder
from mysync_producer.rowerrors import CorruptResult
from producer.select_rig import reading
from producer.type_values import DAYS
from type_literals import any_of

ROWS = 700
WORDS = "_{charset} X'{hex}'"


def words(charset: str, r: random.Random) -> str:
    """Short strings that differ in case, accents, trailing spaces and control characters."""
    alphabet = "aAbBsß äÄé zZ\t!" if charset == "latin1" else "aAbBsßß äÄéあアｱ中\u0301😀𐍈 zZ\t!"
    if charset == "utf8mb3":
        alphabet = alphabet.replace("😀", "").replace("𐍈", "")
    text = "".join(r.choices(alphabet, k=r.randint(0, 4))) + r.choice(("", " ", "  "))
    encoded = text.encode("cp1252" if charset == "latin1" else "utf-8")
    return f"_{charset} X'{encoded.hex()}'"


def of(definition: str, r: random.Random, mariadb: bool) -> str:
    if "CHARACTER SET" in definition:
        return words(definition.split("CHARACTER SET ")[1].split(" ")[0], r)
    if definition == "DATE":
        return f"'{r.choice(DAYS)}'" if r.random() < 0.2 else any_of(definition, mariadb=mariadb)(r)
    if definition.startswith("VARBINARY"):
        return f"X'{r.randbytes(r.randint(0, 2)).hex()}{r.choice(('', '00', '20'))}'"
    if definition == "UUID":
        # Of the variant of RFC 9562 and the two special ones: others confuse MariaDB's own index.
        version, rest = r.choice("1234567"), r.randbytes(16).hex()
        return f"X'{r.choice((rest[:12] + version + rest[13:16] + 'a' + rest[17:], '0' * 32))}'"
    if definition.startswith("BINARY") or definition in ("INET6", "INET4"):
        size = 4 if definition == "INET4" else 16
        value = r.randbytes(size - 2) + r.choice((b"\0\0", b"  ", r.randbytes(2)))
        return f"X'{value.hex()}'"
    return any_of(definition, mariadb=mariadb)(r)


COMMON = (
    *("INT", "BIGINT UNSIGNED", "SMALLINT", "INT(8) UNSIGNED ZEROFILL"),
    *("DECIMAL(20,5)", "DECIMAL(65,30)", "DOUBLE", "BIT(9)", "BIT(64)", "YEAR"),
    *("DATE", "DATETIME(6)", "DATETIME", "TIMESTAMP(3)", "TIME", "TIME(6)"),
    *("BINARY(16)", "VARBINARY(40)"),
    "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
    "CHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci",
    "CHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci",
    "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci",
    "VARCHAR(20) CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci",
)
MYSQL = (
    "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci",
    "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_as_cs",
    "CHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
    "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_ja_0900_as_cs_ks",
)
MARIADB = (
    *("UUID", "INET6", "INET4"),
    "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_ai_ci",
    "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
)
COMPOSITE = (
    ("INT", "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "DATETIME(6)"),
    ("VARCHAR(9) CHARACTER SET latin1 COLLATE latin1_swedish_ci", "BIGINT UNSIGNED"),
    ("BIT(2)", "DECIMAL(5,2)", "BINARY(16)"),
)


@pytest.fixture(scope="module")
def mode(source: Source) -> Source:
    source.sql(f"SET sql_mode = '{values.SQL_MODE}'")
    return source


def walk(source: Source, definitions: Sequence[str], r: random.Random) -> None:
    names = [f"k{i}" for i in range(len(definitions))]
    listed = ", ".join(f"{n} {d} NOT NULL" for n, d in zip(names, definitions, strict=True))
    source.sql(
        "DROP TABLE IF EXISTS walked",
        f"CREATE TABLE walked ({listed}, n INT, PRIMARY KEY ({', '.join(names)}))",
    )
    few = len(definitions) > 1
    pools = [[of(d, r, source.mariadb) for _ in range(12 if few else ROWS)] for d in definitions]
    rows = [f"({', '.join(r.choice(pool) for pool in pools)}, {i})" for i in range(ROWS)]
    source.sql(f"INSERT IGNORE INTO walked VALUES {', '.join(rows)}", "ANALYZE TABLE walked")
    schema = source.describe("walked")
    order = KeyOrder.of(schema, mariadb=source.mariadb)
    assert order is not None
    assert order.whole
    explain = "EXPLAIN" if source.mariadb else "EXPLAIN FORMAT=TRADITIONAL"
    with reading(source) as connection, connection.cursor() as cursor:
        connection.use_unicode = False
        connection.decoders.clear()

        def ask(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql)
            return list(cursor.fetchall())

        whole = ask(f"SELECT n FROM walked ORDER BY {order.order_by}")
        assert len(whole) > 2
        found: list[tuple[Any, ...]] = []
        low: Sequence[bytes] | None = None
        while True:
            count = r.choice((1, 2, 3, 10, 50))
            after = f"WHERE {order.after(low)}" if low else ""
            high = ask(
                f"SELECT {order.columns_sql} FROM walked {after} ORDER BY {order.order_by}"
                f" LIMIT 1 OFFSET {count - 1}"
            )
            conditions = [order.after(low)] if low else []
            conditions += [order.upto(high[0])] if high else []
            where = " WHERE " + " AND ".join(conditions) if conditions else ""
            query = f"SELECT n FROM walked FORCE INDEX (PRIMARY){where} ORDER BY {order.order_by}"
            chunk = ask(query)
            assert not high or len(chunk) == count, (query, len(chunk), count)
            if conditions and r.random() < 0.1:
                (plan,) = ask(f"{explain} {query}")
                assert b"range" in plan or b"const" in plan, (plan, query)
                assert not any(b"filesort" in (each or b"") for each in plan), (plan, query)
            found += chunk
            if not high:
                break
            low = high[0]
        assert found == whole


@pytest.mark.parametrize("seed", [1])
def test_every_row_comes_once_and_in_order(mode: Source, seed: int) -> None:
    r = random.Random(seed)
    alone = (*COMMON, *(MARIADB if mode.mariadb else MYSQL))
    for definitions in (*((definition,) for definition in alone), *COMPOSITE):
        walk(mode, definitions, r)


NOT_WALKED = (
    *("FLOAT", "ENUM('b','a')", "SET('b','a')"),
    "CHAR(9) CHARACTER SET tis620 COLLATE tis620_thai_ci",
)


@pytest.mark.parametrize("definition", NOT_WALKED)
def test_what_compares_otherwise_than_it_is_ordered(mode: Source, definition: str) -> None:
    """Ends what is walked: rows that share what is before it stay together."""
    mode.sql(
        "DROP TABLE IF EXISTS first, later, part",
        f"CREATE TABLE first (a {definition} NOT NULL, b INT NOT NULL, PRIMARY KEY (a, b))",
        f"CREATE TABLE later (a {definition} NOT NULL, b INT NOT NULL, PRIMARY KEY (b, a))",
        "CREATE TABLE part (a INT, b TEXT, PRIMARY KEY (a, b(3)))",
    )
    assert KeyOrder.of(mode.describe("first"), mariadb=mode.mariadb) is None
    for table, column in (("later", "b"), ("part", "a")):
        order = KeyOrder.of(mode.describe(table), mariadb=mode.mariadb)
        assert order is not None
        assert (order.columns, order.whole) == ((column,), False)


def test_a_padded_char_of_a_collation_that_does_not_pad(mariadb_source: Source) -> None:
    mariadb_source.sql(
        "DROP TABLE IF EXISTS walked",
        "CREATE TABLE walked (a CHAR(9) COLLATE utf8mb4_nopad_bin PRIMARY KEY)",
    )
    assert KeyOrder.of(mariadb_source.describe("walked"), mariadb=True) is None


def test_what_cannot_be_a_key_is_refused(mode: Source) -> None:
    mode.sql(
        "DROP TABLE IF EXISTS walked", "CREATE TABLE walked (a INT, b DATE, PRIMARY KEY (a, b))"
    )
    order = KeyOrder.of(mode.describe("walked"), mariadb=mode.mariadb)
    assert order is not None
    assert order.literals([b"-5", b"2024-02-31"]) == ("-5", "'2024-02-31'")
    for wrong in ([b"1"], [b"1 OR 1", b"2024-02-29"], [b"1", b"2024"], [b"", b"2024-02-29"]):
        with pytest.raises(CorruptResult, match="key"):
            order.literals(wrong)


def test_keyless_tables_are_not_walked(mode: Source) -> None:
    mode.sql("DROP TABLE IF EXISTS walked", "CREATE TABLE walked (a INT, UNIQUE KEY (a))")
    assert KeyOrder.of(mode.describe("walked"), mariadb=mode.mariadb) is None
