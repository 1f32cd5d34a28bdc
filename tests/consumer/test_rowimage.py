"""Row images against real servers: BINLOG must leave what an INSERT of the literals leaves."""

import struct
from typing import Any

import pytest

from image_rig import Records, Target
from mysync_schemas import jsonb

DAY = 86_400_000_000


def decimal(text: str) -> bytes:
    """The unscaled value of a DECIMAL's text, in the bytes Avro wants."""
    number = int(text.replace(".", ""))
    return number.to_bytes((number + (number < 0)).bit_length() // 8 + 1, "big", signed=True)


def ints(*numbers: int) -> list[tuple[Any, str]]:
    return [(n, str(n)) for n in numbers]


def decimals(*texts: str) -> list[tuple[Any, str]]:
    return [(decimal(text), text) for text in texts]


def single(number: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", number))[0])


def scientific(number: float) -> str:
    """A literal that is a DOUBLE to both servers: `-0.0` alone would be a DECIMAL, and 0."""
    text = repr(number)
    return text if "e" in text else text + "e0"


def texts(*values: str) -> list[tuple[Any, str]]:
    return [(v, f"CONVERT(X'{v.encode().hex()}' USING utf8mb4)" if v else "''") for v in values]


def raw(*values: bytes) -> list[tuple[Any, str]]:
    return [(v, f"X'{v.hex()}'" if v else "''") for v in values]


EIGHTEEN = "9" * 18
# type, whether only MySQL has it, (Avro value, SQL literal)
TYPES: list[tuple[str, list[tuple[Any, str]]]] = [
    ("TINYINT", ints(-128, -1, 0, 127)),
    ("TINYINT UNSIGNED", ints(0, 127, 128, 255)),
    ("SMALLINT", ints(-32768, -1, 0, 32767)),
    ("SMALLINT UNSIGNED", ints(0, 32768, 65535)),
    ("MEDIUMINT", ints(-8388608, -1, 0, 8388607)),
    ("MEDIUMINT UNSIGNED", ints(0, 8388608, 16777215)),
    ("INT", ints(-2147483648, -1, 0, 2147483647)),
    ("INT UNSIGNED", ints(0, 2147483648, 4294967295)),
    ("BIGINT", ints(-(1 << 63), -1, 0, (1 << 63) - 1)),
    (
        "BIGINT UNSIGNED",
        [
            *ints(0, (1 << 63) - 1),
            (decimal(str(1 << 63)), str(1 << 63)),
            (decimal(str((1 << 64) - 1)), str((1 << 64) - 1)),
        ],
    ),
    ("YEAR", ints(0, 1901, 2026, 2155)),
    ("DECIMAL(10,2)", decimals("0.00", "-0.01", "99999999.99", "-99999999.99", "1.00")),
    ("DECIMAL(1,0)", decimals("0", "9", "-9")),
    ("DECIMAL(1,1)", decimals("0.0", "0.9", "-0.9")),
    ("DECIMAL(9,9)", decimals("0.000000001", "-0.999999999")),
    ("DECIMAL(19,0)", decimals("9" * 19, "-" + "9" * 19, "1")),
    ("DECIMAL(36,18)", decimals(f"{EIGHTEEN}.{EIGHTEEN}", "0." + "0" * 17 + "1", "-1." + "0" * 18)),
    ("DECIMAL(65,0)", decimals("9" * 65, "-" + "9" * 65, "0", "-1")),
    ("DECIMAL(65,30)", decimals("9" * 35 + "." + "9" * 30, "-" + "0." + "0" * 29 + "1")),
    ("DECIMAL(30,30)", decimals("0." + "9" * 30, "-0." + "9" * 30)),
    (
        "FLOAT",
        [(single(x), scientific(single(x))) for x in (0.0, -0.0, 1.5, 3.4028234e38, -1e-45, 0.1)],
    ),
    (
        "DOUBLE",
        [(x, scientific(x)) for x in (0.0, -0.0, 0.1, 1.7976931348623157e308, -5e-324)],
    ),
    (
        "DATE",
        [
            *((0, "'1970-01-01'"), (-1, "'1969-12-31'"), (11016, "'2000-02-29'")),
            *((2932896, "'9999-12-31'"), (-719162, "'0001-01-01'"), (-719103, "'0001-03-01'")),
            *(("0000-00-00", "'0000-00-00'"), ("2020-00-31", "'2020-00-31'")),
            ("0000-12-31", "'0000-12-31'"),
        ],
    ),
    (
        "DATETIME",
        [
            *((0, "'1970-01-01 00:00:00'"), (-1_000_000, "'1969-12-31 23:59:59'")),
            (2932896 * DAY + DAY - 1_000_000, "'9999-12-31 23:59:59'"),
            ("0000-00-00 00:00:00", "'0000-00-00 00:00:00'"),
            ("2020-00-31 12:34:56", "'2020-00-31 12:34:56'"),
        ],
    ),
    (
        "DATETIME(1)",
        [
            (100_000, "'1970-01-01 00:00:00.1'"),
            ("0000-01-00 00:00:00.9", "'0000-01-00 00:00:00.9'"),
        ],
    ),
    (
        "DATETIME(3)",
        [(-1000, "'1969-12-31 23:59:59.999'"), (-719162 * DAY, "'0001-01-01 00:00:00.000'")],
    ),
    (
        "DATETIME(6)",
        [
            *((-1, "'1969-12-31 23:59:59.999999'"), (1, "'1970-01-01 00:00:00.000001'")),
            ("0000-00-00 00:00:00.000000", "'0000-00-00 00:00:00.000000'"),
        ],
    ),
    (
        "TIMESTAMP",
        [
            *((1_000_000, "'1970-01-01 00:00:01'"), (2147483647_000_000, "'2038-01-19 03:14:07'")),
            ("0000-00-00 00:00:00", "'0000-00-00 00:00:00'"),
        ],
    ),
    ("TIMESTAMP(2)", [(1_990_000, "'1970-01-01 00:00:01.99'")]),
    ("TIMESTAMP(5)", [(1_999_990, "'1970-01-01 00:00:01.99999'")]),
    (
        "TIMESTAMP(6)",
        [
            (1_000_001, "'1970-01-01 00:00:01.000001'"),
            ("0000-00-00 00:00:00.000000", "'0000-00-00 00:00:00.000000'"),
        ],
    ),
    (
        "TIME",
        [(0, "'00:00:00'"), (-1_000_000, "'-00:00:01'"), (-3020399_000_000, "'-838:59:59'")],
    ),
    ("TIME(1)", [(-100_000, "'-00:00:00.1'"), (900_000, "'00:00:00.9'")]),
    ("TIME(2)", [(-10_000, "'-00:00:00.01'"), (-60_000_000, "'-00:01:00.00'")]),
    ("TIME(3)", [(-1000, "'-00:00:00.001'"), (3020398_999_000, "'838:59:58.999'")]),
    ("TIME(4)", [(-100, "'-00:00:00.0001'"), (-3600_000_100, "'-01:00:00.0001'")]),
    ("TIME(6)", [(-1, "'-00:00:00.000001'"), (3020398_999_999, "'838:59:58.999999'")]),
    ("CHAR(5) CHARACTER SET utf8mb4", texts("", "a", "ÄÖÜßé", "😀😀😀😀😀", "a b")),
    ("CHAR(63) CHARACTER SET utf8mb4", texts("", "x" * 63, "😀" * 63)),
    ("CHAR(64) CHARACTER SET utf8mb4", texts("", "x" * 64, "😀" * 64)),
    ("CHAR(255) CHARACTER SET utf8mb4", texts("", "😀" * 255)),
    ("CHAR(255) CHARACTER SET latin1", texts("", "é" * 255)),
    ("VARCHAR(10) CHARACTER SET utf8mb3", texts("", "ÄÖ", "\uffff" * 10, "trailing ")),
    ("VARCHAR(63) CHARACTER SET utf8mb4", texts("", "😀" * 63)),
    ("VARCHAR(64) CHARACTER SET utf8mb4", texts("", "😀" * 64)),
    ("VARCHAR(20) CHARACTER SET ascii", texts("", "ascii ~\x00\x7f")),
    ("VARCHAR(30) CHARACTER SET latin1", texts("", "Ü€„\x81\x8d\x8f\x90\x9dÿ", "plain")),
    ("TINYTEXT CHARACTER SET utf8mb4", texts("", "ü" * 127)),
    ("TEXT CHARACTER SET latin1", texts("", "ü" * 300)),
    ("MEDIUMTEXT CHARACTER SET utf8mb4", texts("", "ü" * 40000)),
    ("LONGTEXT CHARACTER SET utf8mb4", texts("", "x" * 70000)),
    ("BINARY(4)", raw(b"\0\0\0\0", b"ab\0\0", b"\xff\xfe\xfd\xfc")),
    ("BINARY(255)", raw(b"x" * 255, b"\0" * 255)),
    ("VARBINARY(255)", raw(b"", b"\0\xff", b"x" * 255)),
    ("VARBINARY(256)", raw(b"", b"x" * 256)),
    ("TINYBLOB", raw(b"", b"\0" * 255)),
    ("BLOB", raw(b"", b"\xff" * 300)),
    ("MEDIUMBLOB", raw(b"", b"\xff" * 70000)),
    ("LONGBLOB", raw(b"", b"\xff" * 70000)),
    ("BIT(1)", [(b"\0", "0"), (b"\1", "1")]),
    ("BIT(9)", [(b"\0\0", "0"), (b"\1\xff", "511")]),
    ("BIT(64)", [(b"\xff" * 8, str((1 << 64) - 1)), (b"\0" * 8, "0")]),
    ("ENUM('a','it''s','','Ü')", [("a", "1"), ("it's", "2"), ("", "3"), ("Ü", "4")]),
    (
        "ENUM(" + ",".join(f"'v{i}'" for i in range(300)) + ")",
        [("v0", "1"), ("v255", "256"), ("v299", "300")],
    ),
    ("SET('a','b','Ü')", [("", "0"), ("a", "1"), ("a,Ü", "5"), ("b", "2")]),
    ("SET('','x')", [("", "0"), (1, "1"), (3, "3"), ("x", "2")]),
    (
        "SET(" + ",".join(f"'s{i}'" for i in range(33)) + ")",
        [("s0", "1"), ("s32", str(1 << 32))],
    ),
    (
        "SET(" + ",".join(f"'s{i}'" for i in range(64)) + ")",
        [("s63", str(1 << 63)), (-1, str((1 << 64) - 1)), ("s0,s63", str((1 << 63) + 1))],
    ),
    (
        "GEOMETRY",
        [
            (
                bytes(4) + bytes.fromhex("0101000000") + struct.pack("<dd", 1, 2),
                "ST_GeomFromText('POINT(1 2)')",
            ),
        ],
    ),
]  # fmt: skip
MYSQL_TYPES: list[tuple[str, list[tuple[Any, str]]]] = [
    (
        "JSON",
        [
            *(
                ("null", "'null'"),
                ('{"b": [1, 2.5, "x"], "a": null}', """'{"a":null,"b":[1,2.5,"x"]}'"""),
            ),
            (jsonb.from_text("[70000]"), "'[70000]'"),
            (bytes.fromhex("060100"), "CAST(CAST(1 AS UNSIGNED) AS JSON)"),
        ],
    ),
    ("VECTOR(3)", raw(struct.pack("<fff", 1, -2, 0.5))),
]
MARIADB_TYPES: list[tuple[str, list[tuple[Any, str]]]] = [
    ("JSON", texts('{"b": 1,  "a": 2}', "null", '{"a":1,"a":2}')),
    ("INET6", raw(bytes(16), b"\x20\x01" + bytes(13) + b"\x01")),
    ("INET4", raw(bytes(4), b"\x7f\0\0\1")),
    ("UUID", raw(bytes(range(16)), b"\x01" + bytes(15))),
]


def types_for(target: Target) -> list[tuple[str, list[tuple[Any, str]]]]:
    if not target.mariadb:
        return TYPES + MYSQL_TYPES
    return [(type_, [v for v in values if v[1] != "-0.0e0"]) for type_, values in TYPES] + (
        MARIADB_TYPES
    )


def create(target: Target, types: list[tuple[str, list[tuple[Any, str]]]], *names: str) -> None:
    columns = [
        f"c{i} {kind} {'NOT NULL' if i % 2 else 'NULL'}" for i, (kind, _) in enumerate(types)
    ]
    for name in names:
        target.sql(
            f"DROP TABLE IF EXISTS `{name}`",
            f"CREATE TABLE `{name}` (id INT PRIMARY KEY, {', '.join(columns)}) "
            "CHARACTER SET utf8mb4 ROW_FORMAT=DYNAMIC",
        )


def value(types: list[tuple[str, list[tuple[Any, str]]]], column: int, row: int) -> tuple[Any, str]:
    values = types[column][1]
    if column % 2 == 0 and row % (len(values) + 1) == len(values):
        return None, "NULL"
    return values[row % (len(values) + (column % 2 == 0))]


def row_of(
    types: list[tuple[str, list[tuple[Any, str]]]], id_: int, row: int
) -> tuple[dict[str, Any], str]:
    picked = [value(types, i, row) for i in range(len(types))]
    literals = ", ".join(literal for _, literal in picked)
    return {"id": id_} | {f"c{i}": v for i, (v, _) in enumerate(picked)}, f"({id_}, {literals})"


@pytest.mark.parametrize("part", [0, 1])
def test_every_type_arrives_as_an_insert_of_its_literal_would_leave_it(
    target: Target, part: int
) -> None:
    types = types_for(target)[part::2]
    create(target, types, "t", "twin")
    target.sql("SET sql_mode='ALLOW_INVALID_DATES'")
    schema = target.schema("t")
    records, writer, plan = Records(schema), target.writer(), target.plan(schema, "t")
    rows = [row_of(types, i, i) for i in range(10)]
    target.add(writer, plan, [records.encode("c", None, row) for row, _ in rows])
    target.apply(writer)
    for _, literals in rows:
        target.sql(f"INSERT INTO twin VALUES {literals}")
    target.assert_equal("t", "twin")

    writer.clear()
    changed = [row_of(types, i, i + 1) for i in range(0, 10, 2)]
    target.add(
        writer,
        plan,
        [records.encode("u", rows[i * 2][0], row) for i, (row, _) in enumerate(changed)],
    )
    target.add(writer, plan, [records.encode("d", row, None) for row, _ in rows[1::2]])
    target.apply(writer)
    target.sql("DELETE FROM twin WHERE id IN (0,2,4,6,8) OR id % 2")
    for _, literals in changed:
        target.sql(f"INSERT INTO twin VALUES {literals}")
    target.assert_equal("t", "twin")
