"""The hashes of keys, compiled and not."""

from types import ModuleType

import confluent_kafka
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mysync_schemas.avro import encode_long

TWICE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@TWICE
@given(st.binary(max_size=300), st.integers(1, 1000))
def test_the_partition_is_kafkas(hashing_form: ModuleType, key: bytes, partitions: int) -> None:
    assert hashing_form.partition_of(key, partitions) == confluent_kafka.murmur2(key, partitions)


def test_murmur2_gives_the_values_of_kafkas_own_tests(hashing_form: ModuleType) -> None:
    # org.apache.kafka.common.utils.UtilsTest.testMurmur2
    cases = {
        b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536,
        b"a-little-bit-longer-string": -1486304829,
        b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
        b"abc": 479470107,
    }  # fmt: skip
    for key, signed in cases.items():
        assert hashing_form.murmur2(key) == signed % 2**32


@TWICE
@given(st.binary(max_size=300))
def test_the_key_hash_is_xxh3_64_as_a_signed_long(hashing_form: ModuleType, key: bytes) -> None:
    found = hashing_form.key_hash(key)
    assert found % 2**64 == xxhash.xxh3_64_intdigest(key)
    assert encode_long(found)


def test_the_format_of_version_1_never_changes(hashing_form: ModuleType) -> None:
    assert hashing_form.key_hash(b"shop.orders\x00\x02\x02\x0e") == 5394885508325074936
    assert hashing_form.partition_of(b"shop.orders\x00\x02\x02\x0e", 8) == 7
