"""Binary JSON against MySQL itself: the documents it writes into its binlog, the text it prints."""

import json
import random
import string
import struct
from collections.abc import Iterable, Iterator
from typing import Any

import pymysql
import pytest

from binlog_rows import Source
from mysync_lab.sql import SqlServer
from mysync_schemas import jsonb


class Documents:
    """A table with a JSON column, whose row images are read back from the binlog."""

    def __init__(self, server: SqlServer) -> None:
        self.source = Source(server, "jsonb_documents")
        self.source.sql("CREATE TABLE t (id INT PRIMARY KEY, j JSON)")

    def stored(self, expressions: Iterable[str]) -> Iterator[tuple[bytes, str]]:
        """The server's binary document and its text for each SQL expression."""
        values = ", ".join(f"({i}, {text})" for i, text in enumerate(expressions))
        self.source.sql("DELETE FROM t")
        images = list(self.images(f"INSERT INTO t VALUES {values}"))
        texts = [text for (text,) in self.source.sql("SELECT CAST(j AS CHAR) FROM t ORDER BY id")]
        return zip(images, texts, strict=True)

    def images(self, statement: str) -> Iterator[bytes]:
        """The documents in all row images that a statement writes."""
        for event in self.source.capture(statement):
            # The column count, and a bitmap or two, each of one byte.
            pos = event.start + (3 if event.op == "u" else 2)
            while pos < event.end:
                length = int.from_bytes(event.buf[pos + 5 : pos + 9], "little")
                yield event.buf[pos + 9 : pos + 9 + length]
                pos += 9 + length

    def assert_same(self, texts: Iterable[str]) -> None:
        """We write what the server writes, and print what it prints."""
        texts = list(texts)
        for text, (data, printed) in zip(texts, self.stored(map(literal, texts)), strict=True):
            assert jsonb.from_text(text) == data, text[:200]
            assert jsonb.to_text(data) == (printed, True), text[:200]
            assert jsonb.from_text(printed) == data, text[:200]


@pytest.fixture(scope="module")
def documents(mysql_a: SqlServer) -> Iterator[Documents]:
    documents = Documents(mysql_a)
    yield documents
    documents.source.close()


def literal(text: str) -> str:
    return f"CONVERT(X'{text.encode().hex()}' USING utf8mb4)"


def test_small_documents_are_byte_for_byte_the_servers(documents: Documents) -> None:
    scalars = ["null", "true", "false", "0", "-1", "1.5", '""', '"x"', "[]", "{}"]
    pairs = [f"[{a},{b}]" for a in scalars for b in scalars]
    objects = [f'{{"b":{a},"a":{b}}}' for a in scalars for b in scalars]
    documents.assert_same([*scalars, *pairs, *objects, *(f"[[{p}]]" for p in pairs)])


def test_integers_have_the_width_and_type_that_the_server_gives_them(documents: Documents) -> None:
    edges = [1 << bits for bits in (7, 8, 15, 16, 31, 32, 53, 62, 63, 64)]
    numbers = sorted({sign * edge + d for edge in edges for sign in (1, -1) for d in (-1, 0, 1)})
    documents.assert_same([str(n) for n in numbers])
    documents.assert_same([f"[{n}]" for n in numbers])
    documents.assert_same([f'{{"k":{n},"filler":"{"x" * 70000}"}}' for n in numbers])
    documents.assert_same(["-0", "[-0]", "123456789012345678901234567890", "1" * 400 + "e-390"])


def test_keys_are_ordered_as_the_server_orders_them(documents: Documents) -> None:
    keys = ["", "a", "B", "b", "aa", "ab", "é", "zz", "😀", "abc", "\x7f", "中", "\x01"]
    rng = random.Random(1)
    texts = []
    for _ in range(50):
        chosen = rng.sample(keys, rng.randrange(len(keys)))
        texts.append(json.dumps({key: i for i, key in enumerate(chosen)}, ensure_ascii=False))
    documents.assert_same([*texts, '{"a":1,"b":2,"a":3}', '{"a":{"x":1},"a":{"y":2}}'])


def test_strings_are_escaped_as_the_server_escapes_them(documents: Documents) -> None:
    every = "".join(map(chr, range(0x250))) + "\u2028\u2029\ufffd\uffff😀"
    texts = [json.dumps(c, ensure_ascii=False) for c in every]
    documents.assert_same([*texts, json.dumps(every), json.dumps(every, ensure_ascii=False)])
    documents.assert_same([json.dumps("x" * n) for n in (126, 127, 128, 16383, 16384, 16385)])


@pytest.mark.parametrize("delta", range(-3, 4))
def test_the_large_format_begins_where_the_servers_does(documents: Documents, delta: int) -> None:
    size = 65535 - 10 + delta
    documents.assert_same(
        [
            json.dumps(["x" * size]),
            json.dumps({"k": "x" * (size - 5)}),
            json.dumps([["x" * (size - 7)], 70000, 1]),
            json.dumps([["x" * (size - 7 - 14)], 70000, 1]),
            json.dumps([70000] * ((65535 - 4 + delta) // 7)),
            json.dumps([None] * ((65535 - 4 + 3 * delta) // 3)),
            json.dumps({"k" * 60000: 1, "l" * (5535 - 18 + delta): 2}),
        ]
    )


@pytest.mark.parametrize("depth", [98, 99, 100, 101])
@pytest.mark.parametrize("inner", ["", "1", "{}", '{"a":1}'])
def test_the_deepest_document_is_the_servers(documents: Documents, depth: int, inner: str) -> None:
    text = "[" * depth + inner + "]" * depth
    try:
        documents.source.sql(f"SELECT JSON_VALID({literal(text)})")
    except pymysql.OperationalError as error:
        assert error.args[0] == 3157  # noqa: PT017 (exceeds the maximum depth)
        with pytest.raises(jsonb.JsonError):
            jsonb.from_text(text)
    else:
        documents.assert_same([text])


def test_what_the_server_calls_invalid_is_refused(documents: Documents) -> None:
    candidates = [
        *("", " ", "nul", "[1,]", "[,1]", '{"a"}', "{1:2}", "NaN", "Infinity", "-", "+1", "01"),
        *("1.", ".5", "1e", '"\t"', '"\\x"', "'a'", "1 2", "[1 2]", '"\\ud800"', '"\\udc00x"'),
        *('"\\ud83d\\ude00"', "1e400", "-1e400", "1e-400", " [1] ", "\t1\n", "\u00a01", "tru"),
        *("\ufeff1", '"\x7f"', "0x10", "1_000", "[1]//", "1E5", "1e+5", "-1.0E-2", '"\\/"', "0e0"),
    ]
    asked = ", ".join(f"JSON_VALID({literal(text)})" for text in candidates)
    (verdicts,) = documents.source.sql(f"SELECT {asked}")
    accepted = [text for text, valid in zip(candidates, verdicts, strict=True) if valid]
    documents.assert_same(accepted)
    for text in set(candidates) - set(accepted):
        with pytest.raises(jsonb.JsonError):
            jsonb.from_text(text)


def test_doubles_are_printed_as_the_server_prints_them(documents: Documents) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    doubles = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 2.2250738585072014e-308]
    for exponent in range(-25, 26):
        doubles += [10.0**exponent, -(10.0**exponent), 1.5 * 10.0**exponent, 10.0**exponent * 3]
        doubles.append(1234567890123456789 * 10.0**exponent)
    while len(doubles) < 3000:
        (number,) = struct.unpack("<d", rng.randbytes(8))
        if number - number == 0:
            doubles.append(number)
    for number in doubles:
        doubles_text = jsonb.double_text(number)
        assert struct.pack("<d", float(doubles_text)) == struct.pack("<d", number)
    # The server's own literals are exact; as JSON text its parser may be off by a unit.
    expressions = [f"JSON_ARRAY({scientific(number)})" for number in doubles]
    for number, (data, printed) in zip(doubles, documents.stored(expressions), strict=True):
        assert jsonb.to_text(data) == (printed, True)
        assert jsonb.from_text(printed) == data, number
        assert data[-8:] == struct.pack("<d", number)


def scientific(number: float) -> str:
    text = repr(number)
    return text if "e" in text else text + "e0"


def anything(rng: random.Random, depth: int = 0) -> Any:
    choice = rng.randrange(9 if depth < 5 else 7)
    if choice == 0:
        return rng.choice([None, True, False])
    if choice < 3:
        return rng.randrange(-(1 << rng.randrange(1, 64)), 1 << rng.randrange(1, 65))
    if choice == 3:
        return round(rng.uniform(-1e6, 1e6), rng.randrange(6))
    if choice < 7:
        letters = string.printable + "éß中😀"
        length = rng.choice([0, 1, 5, 20, 127, 128, 300])
        return "".join(rng.choice(letters) for _ in range(length))
    if choice == 7:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(6))]
    return {
        "".join(rng.choice("abcé😀") for _ in range(rng.randrange(5))): anything(rng, depth + 1)
        for _ in range(rng.randrange(6))
    }


def test_random_documents_are_byte_for_byte_the_servers(documents: Documents) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    documents.assert_same([json.dumps(anything(rng), ensure_ascii=False) for _ in range(1500)])
    big = [json.dumps([anything(rng) for _ in range(400)]) for _ in range(5)]
    documents.assert_same(big)


TYPED = [
    "CAST(CAST(1 AS UNSIGNED) AS JSON)",
    "CAST(CAST(70000 AS UNSIGNED) AS JSON)",
    "CAST(CAST(9223372036854775807 AS UNSIGNED) AS JSON)",
    "CAST(CAST(9223372036854775806 AS SIGNED) AS JSON)",
    "CAST(CAST(4294967296 AS SIGNED) AS JSON)",
    "CAST(CAST(4294967295 AS UNSIGNED) AS JSON)",
    "JSON_ARRAY(CAST(1 AS UNSIGNED), CAST(70000 AS UNSIGNED), CAST(5000000000 AS UNSIGNED))",
    "CAST(CAST('4.56' AS DECIMAL(4,2)) AS JSON)",
    "CAST(CAST('-0.0001' AS DECIMAL(65,30)) AS JSON)",
    f"JSON_ARRAY(CAST('{'9' * 35}.{'9' * 30}' AS DECIMAL(65,30)))",
    "CAST(CAST('-1234567890123' AS DECIMAL(20,0)) AS JSON)",
    "JSON_ARRAY(CAST('2020-01-02' AS DATE))",
    "JSON_ARRAY(CAST('0000-00-00' AS DATE), CAST('9999-12-31' AS DATE))",
    "JSON_ARRAY(TIMESTAMP'2020-01-02 03:04:05.000006', TIMESTAMP'0001-01-01 00:00:00')",
    "JSON_ARRAY(TIME'-00:00:00.000001', TIME'838:59:58.999999', TIME'-838:59:59', TIME'01:02:03')",
    "JSON_ARRAY(CAST('x' AS BINARY(3)))",
    "JSON_OBJECT('blob', REPEAT(X'00FF', 100), 'bit', b'101')",
    "JSON_OBJECT('b', CAST(X'' AS BINARY))",
    "JSON_ARRAY(REPEAT(X'61', 57), REPEAT(X'61', 58), REPEAT(X'61', 114))",
    "JSON_OBJECT('p', ST_GeomFromText('POINT(1 2)'))",
    "JSON_ARRAY(CAST('2020' AS YEAR))",
    "JSON_OBJECT('a', JSON_ARRAY(1, CAST(2 AS UNSIGNED), 3.5, 2.5e0, 'x', NULL, TRUE))",
]


def test_typed_values_print_as_on_the_server_and_are_not_called_exact(
    documents: Documents,
) -> None:
    documents.source.sql("SET sql_mode=''")
    for expression, (data, printed) in zip(TYPED, documents.stored(TYPED), strict=True):
        text, exact = jsonb.to_text(data)
        assert text == printed, expression
        assert exact == ("ST_Geom" in expression or "9223372036854775807" in expression)
        if exact:
            assert jsonb.from_text(text) == data


def test_a_partially_updated_document_reads_as_the_server_reads_it(documents: Documents) -> None:
    documents.source.sql("SET SESSION binlog_row_value_options=''", "TRUNCATE t")
    documents.source.sql(
        'INSERT INTO t VALUES (1, \'{"a": "a long string here", "b": [1, 2, 3], "c": 70000}\')'
    )
    *_, data = documents.images(
        "UPDATE t SET j = JSON_SET(j, '$.a', 'short', '$.b', 7, '$.c', JSON_ARRAY(1))"
    )
    ((text,),) = documents.source.sql("SELECT CAST(j AS CHAR) FROM t")
    assert jsonb.to_text(data) == (text, True)
