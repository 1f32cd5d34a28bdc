"""Canonical keys, partitions and routing."""

import io
import struct
from collections.abc import Callable
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mysync_schemas.errors import UnsupportedColumn
from mysync_schemas.fold import FoldTable
from mysync_schemas.hashing import key_hash, murmur2, partition_of
from mysync_schemas.partition import (
    CanonicalKey,
    anchor_partition,
    identity_of,
    part_bytes,
    routing_of,
    table_prefix,
)
from mysync_schemas.table import Column, ForeignKey, Key, KeyPart, Routing, TableId, TableSchema
from mysync_schemas.types import Kind

MakeColumn = Callable[..., Column]
MakeTable = Callable[..., TableSchema]
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

# A collation of our own: no case, NUL ignored, ß is ss, trailing spaces don't count.
CI = FoldTable(
    "utf8mb4_0900_ai_ci",
    pad_space=True,
    unit=2,
    space=b"\x00\x20",
    single={
        code: b"" if not code
        else b"\0s\0s" if chr(code) == "ß"
        else struct.pack(">H", ord(chr(code).lower()))
        for code in range(256)
    },
)  # fmt: skip
BIN = FoldTable("utf8mb4_bin", pad_space=True, exact=True)
FOLDS = {CI.collation: CI, BIN.collation: BIN}


def avro(kind: str, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, kind, value)
    return out.getvalue()


def test_a_key_is_the_table_then_typed_parts_with_their_lengths(
    column: MakeColumn, table: MakeTable
) -> None:
    key = CanonicalKey(
        table([column("a", "bigint"), column("b", "varchar(9)")], primary=("b", "a")), FOLDS
    )
    found = key.of([(avro("string", "Ärß "), False), (avro("long", -3), False)])
    assert found == (
        b"shop.orders\0"
        + bytes([Kind.STRING, len(CI.fold("ärß")) << 1]) + CI.fold("ärß")
        + bytes([Kind.INT64, 1 << 1]) + b"\x05"
    )  # fmt: skip


@SHARED
@given(
    st.lists(st.text("aAbß\0 ", max_size=4), min_size=2, max_size=2),
    st.lists(st.text("aAbß\0 ", max_size=4), min_size=2, max_size=2),
)
def test_keys_are_equal_exactly_if_all_parts_are(
    column: MakeColumn, table: MakeTable, one: list[str], other: list[str]
) -> None:
    key = CanonicalKey(
        table([column("a", "varchar(9)"), column("b", "varchar(9)")], primary=("a", "b")), FOLDS
    )

    def canonical(values: list[str]) -> bytes:
        return key.of([(avro("string", value), False) for value in values])

    def plain(values: list[str]) -> list[str]:
        return [v.lower().replace("\0", "").replace("ß", "ss").rstrip(" ") for v in values]

    assert (canonical(one) == canonical(other)) == (plain(one) == plain(other))


@given(st.sampled_from([("float", Kind.FLOAT), ("double", Kind.DOUBLE)]), st.floats(width=32))
def test_the_two_zeros_are_one_and_no_other_numbers(case: tuple[str, Kind], value: float) -> None:
    name, kind = case
    data = avro(name, value)
    found = part_bytes(kind, data, False, None, None)
    assert found == (avro(name, 0.0) if value == 0 else data)


def test_a_prefix_is_cut_in_characters_of_text_and_in_bytes_of_bytes() -> None:
    text = avro("string", "ÄÖÜß")
    assert part_bytes(Kind.STRING, text, False, 2, CI) == CI.fold("äö")
    assert part_bytes(Kind.STRING, text, False, 9, CI) == CI.fold("äöüß")
    data = avro("bytes", b"abcdef")
    assert part_bytes(Kind.BYTES, data, False, 3, None) == avro("bytes", b"abc")
    assert part_bytes(Kind.BYTES, data, False, 9, None) == data


def test_a_space_that_a_prefix_leaves_at_the_end_doesnt_count() -> None:
    assert part_bytes(Kind.STRING, avro("string", "a bc"), False, 2, CI) == CI.fold("a")


def test_text_thats_invalid_in_its_character_set_is_one_for_all() -> None:
    for data in (b"\xed\xa0\x80", b"\xff", b"A\xff"):
        assert part_bytes(Kind.STRING, avro("bytes", data), True, None, CI) == b"\x01"


def test_an_exceptional_value_is_marked() -> None:
    zero = avro("string", "0000-00-00")
    assert part_bytes(Kind.DATE, zero, True, None, None) == b"\x01" + zero


def test_equal_bytes_of_different_tables_and_types_are_different_keys(
    column: MakeColumn, table: MakeTable
) -> None:
    keys = {
        CanonicalKey(table([column("a", kind)], primary=("a",), name=name), FOLDS).of(
            [(b"\x02", False)]
        )
        for kind in ("int", "bigint", "time")
        for name in ("t", "u")
    }
    assert len(keys) == 6


def test_a_key_without_its_fold_table_is_refused(column: MakeColumn, table: MakeTable) -> None:
    with pytest.raises(KeyError):
        CanonicalKey(table([column("a", "varchar(9)")], primary=("a",)), {})
    with pytest.raises(ValueError, match="no identity"):
        CanonicalKey(table([column("a", "int")]), FOLDS)


def test_the_format_of_version_1_never_changes(column: MakeColumn, table: MakeTable) -> None:
    key = CanonicalKey(table([column("a", "bigint")], primary=("a",)), FOLDS)
    canonical = key.of([(avro("long", 7), False)])
    assert canonical == b"shop.orders\x00\x02\x02\x0e"
    assert (key_hash(canonical), partition_of(canonical, 8)) == (5394885508325074936, 7)


def test_a_whole_table_goes_by_its_anchors_name() -> None:
    assert anchor_partition("shop.orders", 8) == (murmur2(b"shop.orders") & 0x7FFFFFFF) % 8
    assert table_prefix("shop", "größe") == "shop.größe".encode() + b"\0"


def unique(name: str, *columns: str, **more: Any) -> Key:
    return Key(name=name, unique=True, columns=tuple(KeyPart(column=c, **more) for c in columns))


@pytest.fixture
def columns(column: MakeColumn) -> list[Column]:
    return [
        column("id", "bigint"),
        column("code", "varchar(9)"),
        column("maybe", "int", nullable=True),
    ]


def test_a_rows_identity_is_the_primary_key_else_the_first_unique_one_without_nulls(
    columns: list[Column],
) -> None:
    primary, code, maybe = unique("PRIMARY", "id"), unique("u", "code"), unique("m", "maybe")
    plain = Key(name="i", unique=False, columns=code.columns)
    assert identity_of(columns, [maybe, code, primary]) == primary
    assert identity_of(columns, [maybe, plain, code]) == code
    assert identity_of(columns, [maybe, plain]) is None
    assert identity_of(columns, [unique("both", "code", "maybe")]) is None
    expression = Key(name="e", unique=True, columns=(KeyPart(column=None, expression="a+1"),))
    assert identity_of(columns, [expression]) is None
    assert identity_of(columns, []) is None


def foreign(table: str, db: str = "shop") -> tuple[ForeignKey, ...]:
    return (
        ForeignKey(name="f", columns=("id",), referenced_db=db, referenced_table=table,
                   referenced_columns=("id",)),
    )  # fmt: skip


def test_tables_are_routed_by_key_unless_something_else_ties_their_rows(
    columns: list[Column], table: MakeTable
) -> None:
    tables = [
        table(columns, primary=("id",), name="plain"),
        table(columns, primary=("code",), name="text"),
        table(columns, name="keyless"),
        table(columns, primary=("id",), keys=(unique("u", "code"),), name="unique"),
        table(columns, primary=("code",), folds=(), name="unfolded"),
    ]
    assert {str(t): (r.mode, r.anchor) for t, r in routing_of(tables).items()} == {
        "shop.plain": ("key", "shop.plain"),
        "shop.text": ("key", "shop.text"),
        "shop.keyless": ("whole", "shop.keyless"),
        "shop.unique": ("whole", "shop.unique"),
        "shop.unfolded": ("whole", "shop.unfolded"),
    }


def test_tables_tied_by_foreign_keys_go_together_under_the_smallest_name(
    columns: list[Column], table: MakeTable
) -> None:
    tables = [
        table(columns, primary=("id",), name="d", foreign_keys=foreign("c")),
        table(columns, primary=("id",), name="c", foreign_keys=foreign("b")),
        table(columns, primary=("id",), name="b"),
        table(columns, primary=("id",), name="x", foreign_keys=foreign("x")),
        table(columns, primary=("id",), name="y", foreign_keys=foreign("elsewhere", "aaa")),
        table(columns, primary=("id",), name="z"),
    ]
    for order in (tables, tables[::-1]):
        found = routing_of(order)
        assert found == {
            TableId("shop", "b"): Routing(mode="whole", anchor="shop.b"),
            TableId("shop", "c"): Routing(mode="whole", anchor="shop.b"),
            TableId("shop", "d"): Routing(mode="whole", anchor="shop.b"),
            TableId("shop", "x"): Routing(mode="whole", anchor="shop.x"),
            TableId("shop", "y"): Routing(mode="whole", anchor="aaa.elsewhere"),
            TableId("shop", "z"): Routing(mode="key", anchor="shop.z"),
        }


def test_a_column_that_wasnt_completed_is_refused(columns: list[Column], table: MakeTable) -> None:
    made = table(columns, primary=("id",))
    bare = made.model_copy(
        update={"columns": tuple(c.model_copy(update={"kind": 0}) for c in made.columns)}
    )
    with pytest.raises(UnsupportedColumn, match="kind"):
        routing_of([bare])
