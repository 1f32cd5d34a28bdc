"""The Confluent wire format: magic byte 0x00, schema id (4 bytes, big-endian), Avro body.

Source: Confluent Platform documentation, "Schema Registry: wire format". Keys and values alike.
"""

from __future__ import annotations

import struct
from typing import Final

from mysync_schemas.errors import FramingError

__all__ = ["BODY", "MAX_SCHEMA_ID", "frame", "unframe"]

BODY: Final = 5  # where the Avro body starts
MAX_SCHEMA_ID: Final = 2**31 - 1  # readers hold it in a signed 32-bit integer

_HEADER: Final = struct.Struct(">bI")


def frame(schema_id: int, body: bytes | bytearray) -> bytes:
    """`body` behind its 5-byte header. Raises `FramingError` for an id out of range."""
    if not 0 <= schema_id <= MAX_SCHEMA_ID:
        raise FramingError(f"schema id {schema_id} is outside of 0..{MAX_SCHEMA_ID}")
    return _HEADER.pack(0, schema_id) + body


def unframe(value: bytes) -> tuple[int, int]:
    """(schema id, start of the body). Raises `FramingError` if it isn't the wire format."""
    if len(value) < BODY:
        raise FramingError(f"{len(value)} bytes: too short for a magic byte and a schema id")
    magic, schema_id = _HEADER.unpack_from(value)
    if magic != 0:
        raise FramingError(f"magic byte 0x{value[0]:02x}, expected 0x00")
    if schema_id > MAX_SCHEMA_ID:
        raise FramingError(f"schema id {schema_id} is outside of 0..{MAX_SCHEMA_ID}")
    return schema_id, BODY
