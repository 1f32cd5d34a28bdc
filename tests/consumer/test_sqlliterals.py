"""Values as SQL: the server makes of our words what its replication applier makes of the image.

Both ways write the same records into twin tables of one server; the row events are compared with
the source elsewhere. What a JSON document is, its bytes in the binary log say.
"""

import dataclasses
import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mysync_schemas
from fix_images import imported
from image_rig import Records, Target
from mysync_consumer.errors import TooLarge
from mysync_consumer.rowerrors import UnwritableValue
from mysync_schemas import jsonb
from pure import load_pure
from sql_rig import SqlTarget

# What makes the parts of documents isn't seen from outside of the compiled module.
_jsonwrite = load_pure(mysync_schemas, "jsonwrite")["jsonwrite"]
container, integer, sized = _jsonwrite.container, _jsonwrite.integer, _jsonwrite.sized

DAY = 86_400_000_000
SOME = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Twins:
    """Two tables of one definition: `by_events` and `by_sql`."""

    def __init__(self, events: Target, by_sql: SqlTarget) -> None:
        self.events, self.by_sql = events, by_sql
        self.mariadb = events.mariadb

    def create(self, columns: str) -> None:
        for target in (self.events, self.by_sql):
            target.sql(
                "DROP TABLE IF EXISTS twin",
                f"CREATE TABLE twin (id INT PRIMARY KEY, {columns}) CHARACTER SET utf8mb4",
            )

    def write(self, op: str, rows: list[dict[str, Any]]) -> None:
        for target in (self.events, self.by_sql):
            schema = target.schema("twin")
            records, writer = Records(schema), target.writer()
            events = [
                records.encode(op, row if op != "c" else None, row if op != "d" else None)
                for row in rows
            ]
            target.add(writer, target.plan(schema, "twin"), events)
            target.apply(writer)

    def empty(self) -> None:
        for target in (self.events, self.by_sql):
            target.sql("DELETE FROM twin")

    def assert_equal(self) -> None:
        mine, theirs = self.by_sql.exact("twin"), self.events.exact("twin")
        assert len(mine) == len(theirs)
        for row, other in zip(mine, theirs, strict=True):
            differing = {k: (v, other[k]) for k, v in row.items() if v != other[k]}
            assert not differing, f"(by SQL, by row events): {differing}"

    def images(self, target: Target) -> list[bytes]:
        """The rows as the server's own log holds them."""
        target.sql("DROP TABLE IF EXISTS copied", "CREATE TABLE copied LIKE twin")
        copy = "INSERT INTO copied SELECT * FROM twin ORDER BY id"
        return [event.buf[event.start : event.end] for event in target.source.capture(copy)]


@pytest.fixture(scope="module", params=["mysql_b", "mariadb_a"])
def twins(request: pytest.FixtureRequest) -> Iterator[Twins]:
    server = request.getfixturevalue(request.param)
    events = Target(server, "literals_events", imported())
    by_sql = SqlTarget(server, "literals_sql", imported())
    yield Twins(events, by_sql)
    by_sql.close()
    events.close()


def unscaled(number: Decimal) -> bytes:
    digits = int(number.scaleb(30))
    return digits.to_bytes((digits + (digits < 0)).bit_length() // 8 + 1, "big", signed=True)


def huge(number: int) -> int | bytes:
    return number if number < 1 << 63 else number.to_bytes(9, "big")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "f FLOAT": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "d DOUBLE": st.floats(allow_nan=False, allow_infinity=False),
    "n DECIMAL(65,30)": st.decimals(
        -(10**34), 10**34, places=30, allow_nan=False, allow_infinity=False
    ).map(unscaled),
    "i BIGINT": st.integers(-(1 << 63), (1 << 63) - 1),
    "u BIGINT UNSIGNED": st.integers(0, (1 << 64) - 1).map(huge),
    "y YEAR": st.sampled_from([0, 1901, 2000, 2155]),
    "dt DATETIME(6)": st.integers(-719162 * DAY, 2932897 * DAY - 1),
    "ts TIMESTAMP(6)": st.integers(1_000_000, 2147483647_999_999),
    "t TIME(6)": st.integers(-3020398_999_999, 3020398_999_999),
    "s VARCHAR(20) CHARACTER SET utf8mb4": TEXT,
    "l VARCHAR(20) CHARACTER SET latin1": st.text("ab'\\\x00é€ÿ\x81", max_size=20),
    "v VARBINARY(20)": st.binary(max_size=20),
    "b BINARY(5)": st.binary(min_size=5, max_size=5),
    "bits BIT(64)": st.binary(min_size=8, max_size=8),
    f"m SET({', '.join(repr(f's{i}') for i in range(64))})": st.integers(-(1 << 63), (1 << 63) - 1),
    "e ENUM('', 'a', '2', 'ü')": st.integers(1, 4),
}


def named(definition: str) -> str:
    return definition.partition(" ")[0]


def rows_of(columns: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    row = st.fixed_dictionaries({named(c): st.none() | kind for c, kind in columns.items()})
    return st.lists(row, min_size=1, max_size=20).map(
        lambda rows: [{"id": i} | row for i, row in enumerate(rows)]
    )


@pytest.mark.parametrize("key", ["id", "none"])
def test_any_value_arrives_and_is_found_again(twins: Twins, key: str) -> None:
    """With a key as the old value of an update, without one as what the row is found by."""
    twins.create(", ".join(COLUMNS))
    if key == "none":
        for target in (twins.events, twins.by_sql):
            target.sql("ALTER TABLE twin DROP PRIMARY KEY")

    @SOME
    @given(rows_of(COLUMNS), st.integers(1, 5))
    def arrives(rows: list[dict[str, Any]], step: int) -> None:
        if twins.mariadb:
            for row in rows:
                row |= {c: 0.0 for c in "fd" if row[c] == 0.0}
        twins.empty()
        twins.write("c", rows)
        twins.write("u", rows)
        twins.assert_equal()
        twins.write("d", rows[::step])
        twins.assert_equal()

    arrives()


@pytest.mark.parametrize("column", [*COLUMNS, "c CHAR(9)", "g DATE", "p VARCHAR(20)"])
def test_rows_are_found_by_a_key_of_any_type(twins: Twins, column: str) -> None:
    """Alone, and as one of two columns; of a text the key has a prefix only."""
    name = named(column)
    texts = st.text("aAäß\\'b", min_size=1, max_size=9)
    more = {"c": texts, "p": texts, "g": st.sampled_from([0, 19000, "0000-00-00", "2023-02-31"])}
    kind = COLUMNS.get(column, more.get(name, texts))
    part = f"{name}(3)" if name == "p" else name
    collation = "COLLATE utf8mb4_bin" if name in "cps" else ""
    cut = {"p": 3}.get(name)
    for key in (part, f"{part}, id"):
        for target in (twins.events, twins.by_sql):
            target.sql(
                "DROP TABLE IF EXISTS twin",
                f"CREATE TABLE twin (id INT NOT NULL, {column} {collation} NOT NULL,"
                f" w INT, PRIMARY KEY ({key}))",
            )

        @settings(SOME, max_examples=2)
        @given(st.lists(kind, min_size=1, max_size=9, unique_by=repr))
        def found(keys: list[Any]) -> None:
            if twins.mariadb:
                keys = [0.0 if value == 0.0 and name in "fd" else value for value in keys]
            distinct = {v[:cut].rstrip(" ") if isinstance(v, str) else v: v for v in keys}
            rows = [{"id": i, name: v, "w": 1} for i, v in enumerate(distinct.values())]
            twins.empty()
            twins.write("c", rows)
            twins.write("u", [row | {"w": 2} for row in rows])
            twins.assert_equal()
            twins.write("d", rows)
            assert twins.by_sql.sql("SELECT * FROM twin") == []

        found()


@pytest.mark.parametrize("column", ["f FLOAT", "d DOUBLE"])
def test_the_sign_of_zero_is_kept_or_refused(twins: Twins, column: str) -> None:
    twins.create(column)
    row = {"id": 1, named(column): -0.0}
    if twins.mariadb:
        with pytest.raises(UnwritableValue, match=r"-0\.0"):
            twins.write("c", [row])
    else:
        twins.write("c", [row])
        assert twins.by_sql.exact("twin")[0][named(column)] == "0000000000000080"
        twins.assert_equal()


def test_the_error_value_of_an_enum_is_refused(twins: Twins) -> None:
    twins.create("e ENUM('a')")
    with pytest.raises(UnwritableValue, match="column e: the error value of an ENUM"):
        twins.write("c", [{"id": 1, "e": 0}])
    assert twins.by_sql.sql("SELECT * FROM twin") == []


def test_a_time_past_the_end_of_mysqls_is_refused(twins: Twins) -> None:
    """Rows of MariaDB may hold it, and MySQL's row events too."""
    twins.create("t TIME(6)")
    end = (838 * 3600 + 59 * 60 + 59) * 1_000_000
    twins.write("c", [{"id": 1, "t": end}, {"id": 2, "t": -end}])
    past = [{"id": 3, "t": end + 999_999}, {"id": 4, "t": -end - 1}]
    if twins.mariadb:
        twins.write("c", past)
        twins.assert_equal()
        return
    for row in past:
        with pytest.raises(UnwritableValue, match="column t: a TIME past 838:59:59"):
            twins.write("c", [row])


def test_a_row_that_no_packet_holds_is_too_large_and_others_share_packets(twins: Twins) -> None:
    twins.create("b LONGBLOB")
    applier = twins.by_sql.applier
    known = applier.identity
    applier.identity = dataclasses.replace(known, max_allowed_packet=1 << 20)
    try:
        rows = [{"id": i, "b": bytes([i]) * 150_000} for i in range(9)]
        twins.write("c", rows)
        twins.write("u", rows)
        twins.assert_equal()
        with pytest.raises(TooLarge, match="max_allowed_packet is 1048576"):
            twins.write("c", [{"id": 10, "b": bytes(520_000)}])
    finally:
        applier.identity = known


# -- JSON ------------------------------------------------------------------------------------------

Node = tuple[int, bytes]


def opaque(field_type: int, data: bytes) -> Node:
    return 0x0F, bytes((field_type,)) + sized(data)


def packed(micros: int, whole: int) -> bytes:
    return (whole << 24 | micros).to_bytes(8, "little", signed=True)


def decimal(text: str) -> Node:
    """As the server stores a literal: no digit more."""
    number = Decimal(text)
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    scale = -exponent
    whole = max(1, len(digits) - scale)
    padded = "".join(map(str, digits)).zfill(whole + scale)
    groups = [padded[:whole][: whole % 9]] if whole % 9 else []
    rest = padded[:whole][whole % 9 :]
    groups += [rest[i : i + 9] for i in range(0, len(rest), 9)]
    tail = padded[whole:]
    groups += [tail[i : i + 9] for i in range(0, len(tail), 9)]
    sizes = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
    data = b"".join(int(g).to_bytes(sizes[len(g)], "big") for g in groups)
    data = bytes((data[0] ^ 0x80,)) + data[1:]
    if sign:
        data = bytes(b ^ 0xFF for b in data)
    return opaque(246, bytes((whole + scale, scale)) + data)


def unsigned(number: int) -> Node:
    for kind, width in ((0x06, 2), (0x08, 4), (0x0A, 8)):
        if number < 1 << 8 * width:
            return kind, number.to_bytes(width, "little")
    raise AssertionError(number)


LEAVES: list[st.SearchStrategy[Node]] = [
    st.integers(-(1 << 63), (1 << 63) - 1).map(
        lambda n: (0x09, n.to_bytes(8, "little", signed=True)) if n >> 32 > 0 else integer(n)
    ),
    st.integers(0, (1 << 64) - 1).map(unsigned),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: (0x0B, struct.pack("<d", x))),
    TEXT.map(lambda text: (0x0C, sized(text.encode()))),
    st.sampled_from([(4, b"\0"), (4, b"\1"), (4, b"\2")]),
    st.decimals(-(10**20), 10**20, places=3).map(lambda d: decimal(f"{d:f}")),
    st.integers(0, 999_999).map(lambda us: opaque(12, packed(us, (2024 * 13 + 2) << 22 | 5 << 17))),
    st.just(opaque(7, packed(5, (2024 * 13 + 2) << 22 | 29 << 17 | 7 << 12))),
    st.just(opaque(10, packed(0, (2023 * 13 + 2) << 22 | 31 << 17))),
    st.integers(0, 999_999).map(lambda us: opaque(11, packed(us, 12 << 12 | 5))),
    st.just(opaque(11, (-(12 << 36 | 5)).to_bytes(8, "little", signed=True))),
    *(st.binary(max_size=20).map(lambda b, t=t: opaque(t, b)) for t in (15, 250, 251, 252)),
    st.binary(min_size=1, max_size=8).map(lambda b: opaque(16, b)),
]


def an_object(items: dict[str, Node]) -> Node:
    pairs = sorted(
        ((k.encode(), v) for k, v in items.items()), key=lambda pair: (len(pair[0]), pair[0])
    )
    return container(0x00, [k for k, _ in pairs], [v for _, v in pairs])


DOCUMENTS = st.recursive(
    st.one_of(LEAVES),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: container(0x02, [], items))
        | st.dictionaries(TEXT, inner, max_size=4).map(an_object)
    ),
    max_leaves=12,
).map(lambda node: bytes((node[0],)) + node[1])


def document(raw: bytes) -> str | bytes:
    """In the branch that the producer takes."""
    text, exact = jsonb.to_text(raw)
    return text if exact else raw


def test_any_json_document_is_the_same_bytes_afterwards(twins: Twins) -> None:
    if twins.mariadb:
        return  # its JSON is text
    twins.create("doc JSON")

    @SOME
    @given(st.lists(DOCUMENTS, min_size=1, max_size=10))
    def arrives(documents: list[bytes]) -> None:
        twins.empty()
        twins.write("c", [{"id": i, "doc": document(raw)} for i, raw in enumerate(documents)])
        twins.assert_equal()
        assert twins.images(twins.by_sql) == twins.images(twins.events)

    arrives()


def test_a_keyless_row_is_found_by_the_types_inside_its_document(twins: Twins) -> None:
    if twins.mariadb:
        return
    twins.create("doc JSON")
    twins.by_sql.sql("ALTER TABLE twin DROP PRIMARY KEY")
    twins.by_sql.sql(
        "INSERT INTO twin VALUES (1, '[{\"a\": 1}]'),"
        " (1, JSON_ARRAY(JSON_OBJECT('a', CAST(1 AS UNSIGNED))))"
    )
    schema = twins.by_sql.schema("twin")
    records, writer = Records(schema), twins.by_sql.writer()
    doc = bytes((0x02,)) + container(0x02, [], [an_object({"a": (0x06, b"\1\0")})])[1]
    deleted = records.encode("d", {"id": 1, "doc": doc}, None)
    twins.by_sql.add(writer, twins.by_sql.plan(schema, "twin"), [deleted])
    twins.by_sql.apply(writer)
    assert twins.by_sql.sql("SELECT JSON_TYPE(doc->'$[0].a') FROM twin") == [("INTEGER",)]


@pytest.mark.parametrize("raw", [b"", b"\x0f\xfe\x02\x81\xff"], ids=["empty", "BINARY(2)"])
def test_a_document_that_no_expression_makes_is_refused(twins: Twins, raw: bytes) -> None:
    if twins.mariadb:
        return
    twins.create("doc JSON")
    with pytest.raises(UnwritableValue, match=r"column doc: .*SQL can't"):
        twins.write("c", [{"id": 1, "doc": raw}])
