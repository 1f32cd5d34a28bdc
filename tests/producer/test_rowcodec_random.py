"""Random values of every type, through a server and back."""

import datetime as dt
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from binlog_rows import Source
from producer.rig import Rig, table

Literal = st.SearchStrategy[str]


def integers(bits: int, signed: bool) -> Literal:
    low = -(2 ** (bits - 1)) if signed else 0
    return st.integers(low, low + 2**bits - 1).map(str)


def decimals(precision: int, scale: int) -> Literal:
    def literal(unscaled: int) -> str:
        digits = f"{abs(unscaled):0{scale + 1}}"
        whole, fraction = digits[: len(digits) - scale], digits[len(digits) - scale :]
        return ("-" if unscaled < 0 else "") + whole + ("." + fraction if scale else "")

    most = 10**precision - 1
    return st.one_of(st.integers(-most, most), st.integers(-1000, 1000)).map(literal)


def hexed(charset: str, values: st.SearchStrategy[bytes]) -> Literal:
    return values.map(lambda value: f"{charset} x'{value.hex()}'")


def texts(size: int, last: int) -> Literal:
    letters = st.characters(max_codepoint=last, exclude_categories=["Cs"])
    return hexed("_utf8mb4", st.text(letters, max_size=size).map(str.encode))


def quoted(values: st.SearchStrategy[Any]) -> Literal:
    return values.map(lambda value: f"'{value}'")


DAYS = st.builds(
    "{:04}-{:02}-{:02}".format, st.integers(0, 9999), st.integers(0, 12), st.integers(0, 31)
)
CLOCKS = st.times().map(dt.time.isoformat)
SPANS = st.integers(-3_020_399_000_000, 3_020_399_000_000).map(
    lambda micros: (
        f"{'-' if micros < 0 else ''}{abs(micros) // 3_600_000_000}"
        f":{abs(micros) // 60_000_000 % 60:02}:{abs(micros) // 1_000_000 % 60:02}"
        f".{abs(micros) % 1_000_000:06}"
    )
)
MOMENTS = st.datetimes(
    dt.datetime.fromisoformat("1970-01-01 00:00:01"),
    dt.datetime.fromisoformat("2038-01-19 03:14:06"),
)

COLUMNS: dict[str, Literal] = {
    "TINYINT": integers(8, True),
    "SMALLINT UNSIGNED": integers(16, False),
    "MEDIUMINT": integers(24, True),
    "INT UNSIGNED": integers(32, False),
    "INT": integers(32, True),
    "BIGINT": integers(64, True),
    "BIGINT UNSIGNED": integers(64, False),
    "DECIMAL(12,4)": decimals(12, 4),
    "DECIMAL(19,9)": decimals(19, 9),
    "DECIMAL(65,30)": decimals(65, 30),
    "FLOAT": st.floats(width=32, allow_nan=False, allow_infinity=False).map("{:e}".format),
    "DOUBLE": st.floats(allow_nan=False, allow_infinity=False).map("{:.17e}".format),
    "DATE": quoted(DAYS),
    "DATETIME(6)": quoted(st.builds("{} {}".format, DAYS, CLOCKS)),
    "DATETIME(1)": quoted(st.builds("{} {}".format, DAYS, CLOCKS)),
    "TIMESTAMP(4)": quoted(MOMENTS),
    "TIME": quoted(SPANS),
    "TIME(3)": quoted(SPANS),
    "TIME(6)": quoted(SPANS),
    "YEAR": st.one_of(st.just("0000"), st.integers(1901, 2155).map(str)),
    "BIT(37)": integers(37, False),
    "CHAR(20)": texts(20, 0x10FFFF),
    "VARCHAR(90) CHARACTER SET utf8mb3": texts(90, 0xFFFF),
    "TEXT CHARACTER SET latin1": hexed("_latin1", st.binary(max_size=300)),
    "VARBINARY(300)": hexed("_binary", st.binary(max_size=300)),
    "BINARY(9)": hexed("_binary", st.binary(max_size=9)),
    "ENUM('a','b','')": st.integers(0, 3).map(str),
    "SET('a','b','c')": st.integers(0, 7).map(str),
}
VALUES = st.tuples(*(st.one_of(st.just("NULL"), values) for values in COLUMNS.values()))
ROWS = st.lists(VALUES, min_size=5, max_size=20)


@pytest.fixture(scope="module")
def filled(source: Source) -> Source:
    columns = ", ".join(f"c{i} {definition} NULL" for i, definition in enumerate(COLUMNS))
    source.sql("SET sql_mode = 'ALLOW_INVALID_DATES'")
    table(source, f"id INT PRIMARY KEY, {columns}")
    return source


@settings(
    max_examples=15,
    deadline=None,
    print_blob=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(rows=ROWS)
def test_random_values_are_what_the_server_shows(
    filled: Source, rowcodec: ModuleType, rows: list[tuple[str, ...]]
) -> None:
    filled.sql("TRUNCATE TABLE t")
    values = ", ".join(f"({i}, {', '.join(row)})" for i, row in enumerate(rows))
    events = filled.capture(f"INSERT INTO t VALUES {values}")
    schema = filled.describe("t")
    shown = filled.shown(schema, "id")
    records = Rig(rowcodec, schema, events[0]).all(*events)
    assert len(records) == len(shown)
    for (_, _, envelope), expected in zip(records, shown, strict=True):
        Rig(rowcodec, schema, events[0]).decoder.assert_shows(envelope["after"][1], expected)
