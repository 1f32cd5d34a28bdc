"""Character sets as bijections."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysync_schemas.charset import (
    COMMON,
    TABLED,
    UNICODE,
    CharsetTable,
    linear_code,
    linear_point,
)
from mysync_schemas.collations import charset_of
from mysync_schemas.errors import BadCharset

ASCII = {code: bytes((code,)) for code in range(128)}
WIDE = CharsetTable("wide", {**ASCII, 0x4E00: b"\x81\x40", 0x4E01: b"\x8f\xa1\xa1", 0xE4: b"\xe4"})
EIGHT = CharsetTable("eight", {**ASCII, 0x20AC: b"\xa4", 0xE4: b"\xe4"})
ALL = CharsetTable("all", {**ASCII, 0x4E00: b"\x81\x40", 0x80: b"\x81\x30\x81\x30"},
                   supplementary=True)  # fmt: skip


@pytest.mark.parametrize("table", [WIDE, EIGHT, ALL], ids=lambda table: table.name)
def test_what_becomes_text_becomes_the_same_bytes_again(table: CharsetTable) -> None:
    @given(st.lists(st.sampled_from(sorted(table.codes.values())) | st.binary(max_size=3)))
    def check(parts: list[bytes]) -> None:
        value = b"".join(parts)
        text = table.decode(value)
        if text is not None:
            assert table.encode(text) == value
        elif set(parts) <= set(table.codes.values()):
            pytest.fail("codes of the set aren't text")

    check()


@given(st.binary(max_size=12))
def test_unicode_sets_are_exact_too(value: bytes) -> None:
    for charset in UNICODE.values():
        text = charset.decode(value)
        if text is not None:
            assert charset.encode(text) == value


@given(st.text(max_size=6))
def test_any_text_is_a_utf16_and_a_utf32_value(text: str) -> None:
    for name in ("utf16", "utf16le", "utf32"):
        value = UNICODE[name].encode(text)
        assert value is not None
        assert UNICODE[name].decode(value) == text


def test_what_a_set_lacks_is_no_value_of_it() -> None:
    assert UNICODE["ucs2"].encode("😀") is None
    assert UNICODE["ucs2"].decode(b"\xd8\x00") is None  # a lone surrogate
    assert UNICODE["ucs2"].decode("😀".encode("utf-16-be")) is None
    assert UNICODE["utf16"].encode("\ud800") is None
    assert EIGHT.encode("你") is None
    assert EIGHT.decode(b"\x80") is None
    assert WIDE.encode("你") is None
    assert WIDE.decode(b"\x81") is None
    assert ALL.encode("你") is None


def test_the_four_byte_codes_are_counted() -> None:
    assert linear_code(0x10000) == b"\x90\x30\x81\x30"
    assert linear_code(0x10FFFF) == b"\xe3\x32\x9a\x35"
    for point in random.sample(range(0x10000, 0x110000), 1000):
        assert linear_point(linear_code(point)) == point
        assert ALL.decode(linear_code(point) + b"a") == chr(point) + "a"
        assert ALL.encode("a" + chr(point)) == b"a" + linear_code(point)
    for code in (
        b"",
        b"\x90\x30\x81",
        b"\xe3\x32\x9a\x36",
        b"\x8f\x30\x81\x30",
        b"\x90\x3a\x81\x30",
    ):
        assert linear_point(code) is None


def test_ascii_is_recognised() -> None:
    assert EIGHT.ascii
    assert not CharsetTable("swe", {**ASCII, 0x5B: b"\xff"}).ascii


def test_codes_that_cant_be_told_apart_are_refused() -> None:
    with pytest.raises(BadCharset, match="one code"):
        CharsetTable("twice", {1: b"a", 2: b"a"})
    with pytest.raises(BadCharset, match="begins with"):
        CharsetTable("heads", {1: b"a", 2: b"ab"})
    with pytest.raises(BadCharset, match="without a code"):
        CharsetTable("nothing", {1: b"a", 2: b""})


@pytest.mark.parametrize("table", [WIDE, EIGHT, ALL], ids=lambda table: table.name)
def test_a_table_travels(table: CharsetTable) -> None:
    again = CharsetTable.from_bytes(table.to_bytes())
    assert (again.name, again.codes) == (table.name, table.codes)
    assert again.supplementary == table.supplementary


def test_a_damaged_table_is_refused() -> None:
    whole = WIDE.to_bytes()
    rng = random.Random(1)
    refused = 0
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            CharsetTable.from_bytes(bytes(damaged[: rng.randrange(len(damaged)) + 1]))
        except BadCharset:
            refused += 1
    assert refused > 2900


def test_collation_ids_belong_to_sets_that_are_known() -> None:
    names = {charset_of(number) for number in range(4000)} - {None}
    assert names == COMMON | TABLED | UNICODE.keys() | {"binary"}
    assert charset_of(255) == "utf8mb4"
    assert charset_of(1069) == "utf8mb4"  # utf8mb4_general_nopad_ci
    assert charset_of(2304) == "utf8mb4"  # utf8mb4_uca1400_ai_ci
    assert charset_of(5000) is None
