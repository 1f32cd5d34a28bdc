"""The two hashes of a canonical key. Hot path: compiled where there is a compiler.

The partition is Kafka's own choice for keyed messages (`Utils.murmur2`, `toPositive`, modulo), here
of the canonical key. `key_hash` is xxh3-64 of the same bytes, as Avro's signed long.
"""

from __future__ import annotations

import cython
from xxhash import xxh3_64_intdigest

__all__ = ["key_hash", "murmur2", "partition_of"]


@cython.locals(h=cython.ulonglong, k=cython.ulonglong, i=cython.Py_ssize_t, n=cython.Py_ssize_t)
@cython.boundscheck(False)
@cython.wraparound(False)
def murmur2(data: bytes) -> int:
    """Kafka's murmur2 (org.apache.kafka.common.utils.Utils), as an unsigned 32-bit number."""
    n = len(data)
    h = 0x9747B28C ^ (n & 0xFFFFFFFF)
    i = 0
    while i + 4 <= n:
        k = data[i + 3]
        k = k << 8 | data[i + 2]
        k = k << 8 | data[i + 1]
        k = k << 8 | data[i]
        k = (k * 0x5BD1E995) & 0xFFFFFFFF
        k ^= k >> 24
        k = (k * 0x5BD1E995) & 0xFFFFFFFF
        h = ((h * 0x5BD1E995) & 0xFFFFFFFF) ^ k
        i += 4
    if n - i == 3:
        h ^= data[i + 2] << 16
    if n - i >= 2:
        h ^= data[i + 1] << 8
    if n - i >= 1:
        h ^= data[i]
        h = (h * 0x5BD1E995) & 0xFFFFFFFF
    h ^= h >> 13
    h = (h * 0x5BD1E995) & 0xFFFFFFFF
    h ^= h >> 15
    return h


def partition_of(canonical: bytes, partitions: int) -> int:
    """The partition of a canonical key among `partitions` (> 0)."""
    return (murmur2(canonical) & 0x7FFFFFFF) % partitions


def key_hash(canonical: bytes) -> int:
    """xxh3-64 (seed 0) of a canonical key, signed; 1 instead of 0, which means keyless."""
    digest: int = xxh3_64_intdigest(canonical)
    if digest >= 1 << 63:
        digest -= 1 << 64
    return digest or 1
