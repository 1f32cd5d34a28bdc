"""MySQL's JSON read by SELECT: every document as the log has it, byte by byte."""

import random
from collections.abc import Callable

import pytest

from binlog_rows import Source
from mysync_producer.rowerrors import BadValue
from mysync_producer.selectjson import Inexact, document
from mysync_schemas.jsonb import to_text
from producer.select_rig import assert_same

Literal = Callable[[random.Random], str]


def quoted(text: str) -> str:
    return f"CONVERT(X'{text.encode().hex()}' USING utf8mb4)"


def string(r: random.Random) -> str:
    odd = ("base64:type15:AP8=", "2020-01-01", "10:11:12.000000", "1.5", "null", "")
    text = "".join(r.choices('abcäß€😀"\\/\n\t\0 ,:[]{}1', k=r.randint(0, 12)))
    return quoted(r.choice((text, text, r.choice(odd), "x" * r.choice((127, 128, 300)))))


def integer(r: random.Random) -> str:
    bits = r.choice((1, 8, 15, 16, 17, 31, 32, 33, 63))
    return f"CAST({r.choice((-1, 1)) * r.randrange(1 << bits)} AS SIGNED)"


def unsigned(r: random.Random) -> str:
    return f"CAST({r.randrange(1 << r.choice((1, 8, 16, 17, 32, 33, 63, 64)))} AS UNSIGNED)"


def real(r: random.Random) -> str:
    value = r.choice((0.0, 1.0, 1e15, -1e16, 0.1, r.gauss(0, 1), r.uniform(0, 1) * 1e-200))
    return f"CAST('{value!r}' AS DOUBLE)"


def decimal(r: random.Random) -> str:
    """As a literal, without leading zeros: those SQL doesn't show."""
    whole = str(r.randrange(10 ** r.choice((1, 2, 9, 10, 18, 30))))
    return f"{r.choice(('', '-'))}{whole}.{r.randrange(10**4):04}"


def moment(r: random.Random) -> str:
    day = f"{r.randint(0, 9999):04}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"
    clock = (
        f"{r.randrange(24):02}:{r.randrange(60):02}:{r.randrange(60):02}.{r.randrange(10**6):06}"
    )
    span = f"{r.choice(('', '-'))}{r.randrange(838):02}{clock[2:]}"
    return r.choice(
        (
            f"CAST('{day}' AS DATE)",
            f"CAST('{day} {clock}' AS DATETIME(6))",
            f"CAST('{span}' AS TIME(6))",
        )
    )


def opaque(r: random.Random) -> str:
    return f"X'{r.randbytes(r.choice((0, 1, 3, 57, 58, 130, 300))).hex()}'"


PLAIN = (
    string,
    integer,
    real,
    lambda _: "NULL",
    lambda r: r.choice(("CAST('true' AS JSON)", "CAST('false' AS JSON)", "CAST('null' AS JSON)")),
)
TYPED = (unsigned, decimal, moment, opaque)


def any_document(r: random.Random, leaves: tuple[Literal, ...], depth: int = 0) -> str:
    """An expression."""
    kind = r.random()
    if depth > 4 or kind < 0.15 + depth * 0.15:
        return r.choice(leaves)(r)
    count = r.choice((0, 1, 2, 3, 5))
    inner = [any_document(r, leaves, depth + 1) for _ in range(count)]
    if kind < 0.5:
        return f"JSON_ARRAY({', '.join(inner)})"
    names = [quoted("".join(r.choices("abcä,;'\"$*. []", k=r.randint(0, 4)))) for _ in inner]
    return f"JSON_OBJECT({', '.join(f'{n}, {v}' for n, v in zip(names, inner, strict=True))})"


@pytest.mark.parametrize("seed", [3])
@pytest.mark.parametrize("leaves", [PLAIN, PLAIN + TYPED], ids=["plain", "typed"])
def test_random_documents(mysql_source: Source, leaves: tuple[Literal, ...], seed: int) -> None:
    r = random.Random(seed)
    source = mysql_source
    source.sql("SET sql_mode = ''", "DROP TABLE IF EXISTS t")
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, j JSON)")
    rows = ", ".join(
        f"({i}, JSON_EXTRACT(JSON_ARRAY({any_document(r, leaves)}), '$[0]'))" for i in range(600)
    )
    assert_same(source, "t", source.capture(f"INSERT INTO t VALUES {rows}"), "ORDER BY id")


def test_large_documents(mysql_source: Source) -> None:
    """With offsets of four bytes, and as deep as can be."""
    source = mysql_source
    source.sql("DROP TABLE IF EXISTS t", "CREATE TABLE t (id INT PRIMARY KEY, j JSON)")
    rows = (
        "(1, JSON_ARRAY(REPEAT('x', 70000), 1, CAST(7 AS UNSIGNED), 70000, X'00'))",
        "(2, JSON_OBJECT('a', REPEAT('x', 70000), 'b', CAST(5000000000 AS SIGNED), 'c', 1.5))",
        "(3, CAST(CONCAT(REPEAT('[', 99), '5000000000', REPEAT(']', 99)) AS JSON))",
        "(4, CAST(CONCAT('[', REPEAT('5000000000,{\"a\":[1]},', 9000), '1]') AS JSON))",
    )
    assert_same(source, "t", source.capture(f"INSERT INTO t VALUES {', '.join(rows)}"))


@pytest.mark.parametrize("decimal", ["0", "1.5", "-1.50", "12345678.9", "123456789012.5", "0.001"])
def test_decimals_of_columns_keep_value_type_and_size(mysql_source: Source, decimal: str) -> None:
    """But for the number of leading zeros, which SQL shows only roughly."""
    source = mysql_source
    for column in ("DECIMAL(20,4)", "DECIMAL(65,30)", "DECIMAL(30,3)"):
        source.sql(
            "DROP TABLE IF EXISTS t, d",
            f"CREATE TABLE d (d {column})",
            f"INSERT INTO d VALUES ({decimal})",
            "CREATE TABLE t (id INT PRIMARY KEY, j JSON)",
        )
        events = source.capture("INSERT INTO t SELECT 1, JSON_ARRAY(d) FROM d")
        event = events[0]
        logged = event.buf[event.start : event.end]
        logged = logged[logged.index(b"\x02\x01\x00") :]
        ((text, size),) = source.sql("SELECT j, JSON_STORAGE_SIZE(j->'$[0]') FROM t")
        found = document(text.encode(), f"ARRAY;;DECIMAL {size}".encode())
        assert to_text(found) == (text, False)
        assert len(found) == len(logged)
        differing = [i for i in range(len(found)) if found[i] != logged[i]]
        assert len(differing) <= 1, (found, logged)


WRONG = (
    (b"[1]", b"ARRAY;;UNSIGNED INTEGER,INTEGER"),
    (b"[1, 2]", b"ARRAY;;UNSIGNED INTEGER"),
    (b"[1]", b"ARRAY;;DATE"),
    (b"[1]", b"OBJECT;;UNSIGNED INTEGER"),
    (b"[-1]", b"ARRAY;;UNSIGNED INTEGER"),
    (b"[1.5]", b"ARRAY;;UNSIGNED INTEGER"),
    (b"[18446744073709551616]", b"ARRAY;;UNSIGNED INTEGER"),
    (b"[1.5]", b"ARRAY;;DECIMAL"),
    (b"[1.5]", b"ARRAY;;DECIMAL 99"),
    (b"[1e5]", b"ARRAY;;DECIMAL 9"),
    (b'["2020-01-01"]', b"ARRAY;;TIME"),
    (b'["2020-01-01 x"]', b"ARRAY;;DATETIME"),
    (b'["x"]', b"ARRAY;;BLOB"),
    (b'["base64:type15:A"]', b"ARRAY;;BLOB"),
    (b'["base64:type999:AA=="]', b"ARRAY;;BLOB"),
    (b'{"b": 1, "a": 2}', b"OBJECT;UNSIGNED INTEGER,UNSIGNED INTEGER;"),
    (b"[NaN]", b"ARRAY;;DATE"),
    (b"[1", b"ARRAY;;UNSIGNED INTEGER"),
    (b"\xff", b"STRING;;"),
    (b"[]", b""),
    (b"[1]", b"ARRAY;UNSIGNED INTEGER"),
)


@pytest.mark.parametrize(("text", "types"), WRONG)
def test_what_does_not_fit_its_types_is_no_document(text: bytes, types: bytes) -> None:
    with pytest.raises(BadValue):
        document(text, types)


def test_bytes_that_matter_and_are_not_shown() -> None:
    with pytest.raises(Inexact):
        document(b"[1.5]", b"ARRAY;;DECIMAL 7;0", strict=True)
    with pytest.raises(Inexact):
        document(b"[1]", b"ARRAY;;UNSIGNED INTEGER;4", strict=True)
    # This one travels as text.
    document(b"[5000000000]", b"ARRAY;;UNSIGNED INTEGER;4", strict=True)
