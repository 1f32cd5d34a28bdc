"""The two hashes of a canonical key. Hot path: compiled where there is a compiler.

The partition is Kafka's own choice for keyed messages (`Utils.murmur2`, `toPositive`, modulo), here
of the canonical key. `key_hash` is xxh3-64 of the same bytes, as Avro's signed long.
"""

from __future__ import annotations

import cython
from xxhash import xxh3_64_intdigest

__all__ = ["key_hash", "murmur2", "partition_of"]


@cython.locals(
    h=cython.ulonglong,
    k=cython.ulonglong,
    m=cython.ulonglong,
    mask=cython.ulonglong,
    i=cython.Py_ssize_t,
    n=cython.Py_ssize_t,
)
@cython.boundscheck(False)
@cython.wraparound(False)
@cython.cfunc
@cython.returns(cython.ulonglong)
def _murmur2(data: bytes) -> int:
    # Constants in typed variables: as literals past 31 bits they would be Python objects.
    mask = 0xFFFFFFFF
    m = 0x5BD1E995
    h = 0x9747B28C
    n = len(data)
    h = h ^ (n & mask)
    i = 0
    while i + 4 <= n:
        k = data[i + 3]
        k = k << 8 | data[i + 2]
        k = k << 8 | data[i + 1]
        k = k << 8 | data[i]
        k = k * m & mask
        k = k ^ k >> 24
        k = k * m & mask
        h = h * m & mask ^ k
        i += 4
    if n - i == 3:
        k = data[i + 2]
        h = h ^ k << 16
    if n - i >= 2:
        k = data[i + 1]
        h = h ^ k << 8
    if n - i >= 1:
        h = h ^ data[i]
        h = h * m & mask
    h = h ^ h >> 13
    h = h * m & mask
    return h ^ h >> 15


def murmur2(data: bytes) -> int:
    """Kafka's murmur2 (org.apache.kafka.common.utils.Utils), as an unsigned 32-bit number."""
    return _murmur2(data)


@cython.locals(h=cython.ulonglong, n=cython.ulonglong)
def partition_of(canonical: bytes, partitions: int) -> int:
    """The partition of a canonical key among `partitions` (> 0)."""
    h = _murmur2(canonical) & 0x7FFFFFFF
    n = partitions
    return h % n


@cython.locals(digest=cython.ulonglong, most=cython.ulonglong, v=cython.longlong)
def key_hash(canonical: bytes) -> int:
    """xxh3-64 (seed 0) of a canonical key, signed; 1 instead of 0, which means keyless."""
    most = 0xFFFFFFFFFFFFFFFF
    digest = xxh3_64_intdigest(canonical)
    if digest >> 63:
        v = most - digest
        v = -1 - v
    else:
        v = digest
    return v or 1
