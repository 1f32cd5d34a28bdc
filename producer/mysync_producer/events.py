"""Binary log events: their header, and the bodies the producer reads by itself.

Formats: MySQL source documentation, "Binary log event structures" (libs/mysql/binlog/event);
MariaDB knowledge base, "Replication protocol"; tagged GTIDs use MySQL's field serialization
(libs/mysql/serialization/readme.md). TABLE_MAP and row images have modules of their own.

Everything here is pure: bytes in, values out. A body that is too short or contradicts itself
raises `CorruptEvent`; nothing is guessed.
"""

import struct
import uuid
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from mysync_producer.xid import parse_gtid_xid
from mysync_runtime.errors import CorruptEvent
from mysync_schemas.errors import BadPosition
from mysync_schemas.gtid import MariadbGtidSet
from mysync_schemas.position import FIRST, BinlogPosition

__all__ = [
    "ARTIFICIAL",
    "HEADER_SIZE",
    "IGNORABLE",
    "Event",
    "EventType",
    "FormatDescription",
    "GtidEvent",
    "RowsHeader",
    "event_name",
    "gtid_of",
    "parse_format_description",
    "parse_gtid",
    "parse_gtid_list",
    "parse_incident",
    "parse_mariadb_gtid",
    "parse_rotate",
    "parse_rows_header",
    "parse_tagged_gtid",
]

HEADER_SIZE = 19

# Flags of the event header.
ARTIFICIAL = 0x20  # made up by the dump thread, not in the file
IGNORABLE = 0x80  # a reader that doesn't know the type may skip it


class EventType(IntEnum):
    """Every type that MySQL 9.7 or MariaDB 10.11 may write."""

    STOP = 3
    ROTATE = 4
    QUERY = 2
    INTVAR = 5
    RAND = 13
    USER_VAR = 14
    FORMAT_DESCRIPTION = 15
    XID = 16
    BEGIN_LOAD_QUERY = 17
    EXECUTE_LOAD_QUERY = 18
    TABLE_MAP = 19
    WRITE_ROWS_V1 = 23
    UPDATE_ROWS_V1 = 24
    DELETE_ROWS_V1 = 25
    INCIDENT = 26
    HEARTBEAT = 27
    IGNORABLE = 28
    ROWS_QUERY = 29
    WRITE_ROWS = 30
    UPDATE_ROWS = 31
    DELETE_ROWS = 32
    GTID = 33
    ANONYMOUS_GTID = 34
    PREVIOUS_GTIDS = 35
    TRANSACTION_CONTEXT = 36
    VIEW_CHANGE = 37
    XA_PREPARE = 38
    PARTIAL_UPDATE_ROWS = 39
    TRANSACTION_PAYLOAD = 40
    HEARTBEAT_V2 = 41
    GTID_TAGGED = 42
    MARIADB_ANNOTATE_ROWS = 160
    MARIADB_BINLOG_CHECKPOINT = 161
    MARIADB_GTID = 162
    MARIADB_GTID_LIST = 163
    MARIADB_START_ENCRYPTION = 164
    MARIADB_QUERY_COMPRESSED = 165
    MARIADB_WRITE_ROWS_COMPRESSED_V1 = 166
    MARIADB_UPDATE_ROWS_COMPRESSED_V1 = 167
    MARIADB_DELETE_ROWS_COMPRESSED_V1 = 168
    MARIADB_WRITE_ROWS_COMPRESSED = 169
    MARIADB_UPDATE_ROWS_COMPRESSED = 170
    MARIADB_DELETE_ROWS_COMPRESSED = 171


def event_name(kind: int) -> str:
    """`WRITE_ROWS (30)`, or `type 77` for one that no server we know writes."""
    try:
        return f"{EventType(kind).name} ({kind})"
    except ValueError:
        return f"type {kind}"


class Event(NamedTuple):
    """One event as it came: the header's fields and the body without header and checksum."""

    type: int
    timestamp: int  # seconds
    server_id: int
    log_pos: int  # end of the event in its file, 32 bits; 0 = made up by the server
    flags: int
    body: bytes


@dataclass(frozen=True)
class FormatDescription:
    """What a FORMAT_DESCRIPTION event says of the events after it."""

    server_version: str
    checksum: bool  # a CRC-32 stands at the end of each later event


def parse_format_description(body: bytes) -> FormatDescription:
    """`body` includes the checksum that this event always carries (4 bytes)."""
    if len(body) < 2 + 50 + 4 + 1 + 5:
        raise CorruptEvent(f"a FORMAT_DESCRIPTION event of {len(body)} bytes is too short")
    version, server = struct.unpack_from("<H50s", body)
    if version != 4:
        raise CorruptEvent(f"binary log format {version}: only format 4 exists in these servers")
    if body[56] != HEADER_SIZE:
        raise CorruptEvent(f"event headers of {body[56]} bytes")
    algorithm = body[-5]
    if algorithm not in (0, 1):
        raise CorruptEvent(f"checksum algorithm {algorithm} is not known")
    return FormatDescription(server.rstrip(b"\0").decode("ascii", "replace"), algorithm == 1)


def parse_rotate(body: bytes) -> tuple[str, int]:
    """The next file and the position in it."""
    if len(body) < 9:
        raise CorruptEvent("a ROTATE event without a file name")
    file, position = body[8:].decode("utf-8", "replace"), int.from_bytes(body[:8], "little")
    try:
        BinlogPosition(file, position)
    except BadPosition as error:
        raise CorruptEvent(f"a ROTATE event: {error}") from None
    # The first one of a stream may have no checksum: another one, damaged, looks like that.
    if position < FIRST or min(file) < " ":
        raise CorruptEvent(f"a ROTATE event to {file!r}, position {position}")
    return file, position


_ANOTHER_TIME = 1 << 55


class GtidEvent(NamedTuple):
    """The start of a transaction."""

    gtid: str | None  # None: anonymous
    commit_us: int  # commit time on the server that we read, µs since 1970; 0 = not said
    standalone: bool = False  # MariaDB: one statement follows and no COMMIT
    xid: str | None = None  # MariaDB: name of the XA transaction that it prepares
    original_us: int = 0  # commit time on the server that it comes from, on all replicas the same


def parse_gtid(body: bytes, anonymous: bool = False) -> GtidEvent:
    """GTID (33) and ANONYMOUS_GTID (34)."""
    if len(body) < 25:
        raise CorruptEvent(f"a GTID event of {len(body)} bytes is too short")
    commit = original = 0
    # flags 1, uuid 16, number 8, then logical clock type 1 = 2, two numbers of 8, the time 7, and
    # with the time's last bit set another 7: that of the origin.
    if len(body) >= 49 and body[25] == 2:
        time = int.from_bytes(body[42:49], "little")
        commit = original = time & ~_ANOTHER_TIME
        if time & _ANOTHER_TIME and len(body) >= 56:
            original = int.from_bytes(body[49:56], "little")
    if anonymous:
        return GtidEvent(None, commit)
    number = int.from_bytes(body[17:25], "little")
    if number < 1:
        raise CorruptEvent(f"a GTID event with number {number}")
    return GtidEvent(f"{uuid.UUID(bytes=body[1:17])}:{number}", commit, original_us=original)


def gtid_of(event: Event) -> GtidEvent:
    """Any event that begins a transaction."""
    if event.type == EventType.MARIADB_GTID:
        found = parse_mariadb_gtid(event.body, event.server_id)
        return found._replace(original_us=event.timestamp * 1_000_000)
    if event.type == EventType.GTID_TAGGED:
        return parse_tagged_gtid(event.body)
    return parse_gtid(event.body, event.type == EventType.ANONYMOUS_GTID)


def parse_mariadb_gtid(body: bytes, server_id: int) -> GtidEvent:
    """MariaDB's GTID (162); the server id of the GTID is the event's."""
    if len(body) < 13:
        raise CorruptEvent(f"a MariaDB GTID event of {len(body)} bytes is too short")
    sequence, domain, flags = struct.unpack_from("<QIB", body)
    name = f"{domain}-{server_id}-{sequence}"
    return GtidEvent(name, 0, bool(flags & 0x01), parse_gtid_xid(body))


def parse_gtid_list(body: bytes) -> MariadbGtidSet:
    """MariaDB's GTID_LIST (163): where the domains stood when the file began. It lists every server
    that wrote to a domain, the last one last."""
    count = int.from_bytes(body[:4], "little") & 0x0FFFFFFF
    if len(body) < 4 or len(body) < 4 + 16 * count:
        raise CorruptEvent(f"a GTID_LIST event of {count} GTIDs in {len(body)} bytes")
    found = MariadbGtidSet()
    for domain, server_id, number in struct.iter_unpack("<IIQ", body[4 : 4 + 16 * count]):
        found.domains[domain] = (server_id, number)
    return found


def parse_tagged_gtid(body: bytes) -> GtidEvent:
    """GTID_TAGGED (42): fields 1 uuid, 2 number, 3 tag, 6 commit time, 7 that of the origin (if it
    differs) of MySQL's serialization."""
    reader = _Serialized(body)
    version = reader.unsigned()
    if version != 1:
        raise CorruptEvent(f"a tagged GTID event in serialization version {version}")
    size, _last_required = reader.unsigned(), reader.unsigned()
    if size > len(body):
        raise CorruptEvent("a tagged GTID event is cut short")
    number = commit = original = 0
    source, tag = b"", ""
    while reader.at < size:
        field = reader.unsigned()
        if field == 0:
            reader.fixed(1)
        elif field == 1:
            source = reader.fixed(16)
        elif field == 2:
            number = reader.signed()
        elif field == 3:
            tag = reader.string()
        elif field in (4, 5):
            reader.signed()
        elif field == 6:
            commit = original = reader.unsigned()
        elif field == 7:
            original = reader.unsigned()
        else:
            break  # length, versions: nothing that is needed here
    if len(source) != 16 or number < 1:
        raise CorruptEvent("a tagged GTID event without uuid or number")
    name = str(uuid.UUID(bytes=source))
    gtid = f"{name}:{tag}:{number}" if tag else f"{name}:{number}"
    return GtidEvent(gtid, commit, original_us=original)


class _Serialized:
    """Reads MySQL's variable-length integers: the number of trailing one bits of the first byte
    is the number of bytes that follow it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def unsigned(self) -> int:
        if self.at >= len(self.data):
            raise CorruptEvent("a tagged GTID event is cut short")
        first = self.data[self.at]
        extra = (first ^ (first + 1)).bit_length() - 1  # trailing ones
        end = self.at + 1 + extra
        if end > len(self.data):
            raise CorruptEvent("a tagged GTID event is cut short")
        value = int.from_bytes(self.data[self.at : end], "little")
        self.at = end
        return value >> min(extra + 1, 8)

    def signed(self) -> int:
        value = self.unsigned()
        return -(value >> 1) - 1 if value & 1 else value >> 1

    def fixed(self, count: int) -> bytes:
        values = [self.unsigned() for _ in range(count)]
        if max(values) > 255:
            raise CorruptEvent("a byte above 255 in a tagged GTID event")
        return bytes(values)

    def string(self) -> str:
        size = self.unsigned()
        end = self.at + size
        if end > len(self.data):
            raise CorruptEvent("a tagged GTID event is cut short")
        value = self.data[self.at : end]
        self.at = end
        return value.decode("ascii", "replace")


class RowsHeader(NamedTuple):
    """The head of a rows event."""

    table_id: int
    flags: int
    start: int  # where the column count stands in the body


def parse_rows_header(body: bytes, version: int) -> RowsHeader:
    """`version` 1 (MariaDB) or 2 (MySQL)."""
    if len(body) < 8:
        raise CorruptEvent("a rows event is too short")
    start = 8
    if version == 2:
        start += int.from_bytes(body[8:10], "little")
        if start < 10:
            raise CorruptEvent("a rows event with an impossible length of its extra data")
    if start > len(body):
        raise CorruptEvent("a rows event is cut short")
    return RowsHeader(
        int.from_bytes(body[:6], "little"), int.from_bytes(body[6:8], "little"), start
    )


def parse_incident(body: bytes) -> str:
    """INCIDENT (26): the message."""
    size = body[2] if len(body) > 2 else 0
    return body[3 : 3 + size].decode("utf-8", "replace")
