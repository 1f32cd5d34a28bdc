"""What a COMPRESSED column stores; what servers really store is compared in the codecs' tests."""

import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysync_schemas.columncompression import compress, decompress, is_compressed
from mysync_schemas.errors import BadCompression


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=20).map(lambda part: part * 40)))
def test_a_value_comes_back(value: bytes) -> None:
    assert decompress(compress(value), len(value)) == value
    assert len(compress(value)) <= len(value) + (1 if value else 0)


@given(st.binary(max_size=400), st.integers(0, 300))
def test_garbage_is_refused_or_is_a_value_within_the_limit(stored: bytes, limit: int) -> None:
    try:
        value = decompress(stored, limit)
    except BadCompression:
        return
    assert len(value) <= max(limit, len(stored))


@pytest.mark.parametrize("wrapped", [False, True])
def test_both_forms_of_zlib_data_are_read(wrapped: bool) -> None:
    value = b"abc" * 100
    deflate = zlib.compressobj(wbits=15 if wrapped else -15)
    data = deflate.compress(value) + deflate.flush()
    assert decompress(bytes([0x82 if wrapped else 0x8A]) + b"\x01\x2c" + data, 300) == value


@pytest.mark.parametrize(
    ("stored", "what"),
    [
        (b"\x10abc", "begins with 10616263"),
        (b"\x80abc", "begins with"),
        (b"\x8dabcdefgh", "begins with"),
        (b"\x8a\x01", "begins with"),
        (compress(b"a" * 500)[:-1], "isn't the 500 bytes"),
        (compress(b"a" * 500) + b"\0", "isn't the 500 bytes"),
        (b"\x89\xc8" + compress(b"a" * 150)[2:], "isn't the 200 bytes"),
        (b"\x89\x64" + compress(b"a" * 150)[2:], "isn't the 100 bytes"),
        (b"\x89\x64\xff\xff\xff", "can't be read"),
        (compress(b"a" * 1001), "1001 bytes in a column of at most 1000"),
    ],
)
def test_what_no_server_stores_is_refused(stored: bytes, what: str) -> None:
    with pytest.raises(BadCompression, match=what):
        decompress(stored, 1000)


def test_a_bomb_takes_no_more_memory_than_the_value_may() -> None:
    stored = bytearray(compress(bytes(50_000_000)))
    stored[1:5] = (100).to_bytes(4, "big")
    tracemalloc.start()
    try:
        with pytest.raises(BadCompression):
            decompress(bytes(stored), 1000)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_only_the_attribute_says_that_a_column_is_compressed() -> None:
    assert is_compressed("varchar(9) /*M!100301 COMPRESSED*/")
    assert not is_compressed("varchar(9)")
    assert not is_compressed("enum('/*M!100301 COMPRESSED*/')")
