"""A server's side of a binary log dump, as bytes: what no real server can be made to send.

Formats: MySQL manual, "MySQL Packets"; source documentation, "Binary log event structures".
"""

import socket
import struct
import threading
import zlib
from collections.abc import Iterable, Sequence

from mysync_producer.events import ARTIFICIAL, HEADER_SIZE, Event, EventType
from mysync_producer.stream import BinlogStream
from mysync_runtime.errors import MysyncError

LARGEST = 0xFFFFFF
HEADER = struct.Struct("<IBIIIH")  # time, type, server id, size, end position, flags
PATIENCE = 30.0
_SOCKET_BUFFER = 100_000


def event(
    kind: int,
    body: bytes,
    *,
    checksum: bool = True,
    when: int = 1_700_000_000,
    server_id: int = 7,
    end: int = 0,
    flags: int = 0,
) -> bytes:
    """An event with its header and checksum."""
    size = HEADER_SIZE + len(body) + 4 * checksum
    data = HEADER.pack(when, kind, server_id, size, end, flags) + body
    return data + zlib.crc32(data).to_bytes(4, "little") if checksum else data


def format_description(*, checksum: bool = True) -> bytes:
    """Its trailer is there even if no later event has one."""
    body = struct.pack("<H50sIB", 4, b"9.7.4", 0, HEADER_SIZE) + bytes(42) + bytes((checksum,))
    return event(EventType.FORMAT_DESCRIPTION, body, end=126)


def beginning(*, checksum: bool = True) -> list[bytes]:
    """What every dump begins with."""
    rotate = struct.pack("<Q", 4) + b"binlog.000001"
    return [
        event(EventType.ROTATE, rotate, checksum=checksum, when=0, flags=ARTIFICIAL),
        format_description(checksum=checksum),
    ]


def dump(bodies: Sequence[tuple[int, bytes]], *, checksum: bool = True) -> list[bytes]:
    """The events of a dump, one behind the other in their file; `bodies` with their types."""
    found = beginning(checksum=checksum)
    end = 126
    for kind, body in bodies:
        end += HEADER_SIZE + len(body) + 4 * checksum
        found.append(event(kind, body, checksum=checksum, end=end))
    return found


def packet(content: bytes, number: int) -> bytes:
    return struct.pack("<I", len(content))[:3] + bytes((number & 0xFF,)) + content


def packets(events: Iterable[bytes], *, number: int = 1, largest: int = LARGEST) -> bytes:
    """Each event behind its 0x00, in as many packets as it takes."""
    parts = []
    for each in events:
        content = b"\0" + each
        while True:
            piece, content = content[:largest], content[largest:]
            parts.append(packet(piece, number))
            number += 1
            if len(piece) < largest:
                break
    return b"".join(parts)


def read_all(
    data: bytes, *, ends: bool = True, patience: float = PATIENCE
) -> tuple[list[Event], MysyncError]:
    """The events that a stream of this data gives, and the error that it ends with. Any other
    exception than ours is the caller's.

    `ends`: the server closes the connection; else it falls silent.
    """
    ours, theirs = socket.socketpair()
    writer = None
    with ours, theirs:
        if len(data) <= _SOCKET_BUFFER:
            theirs.sendall(data)
            if ends:
                theirs.close()
        else:
            writer = threading.Thread(target=_write, args=(theirs, data, ends))
            writer.start()
        stream = BinlogStream(ours, patience=patience, liveness=patience)
        found: list[Event] = []
        try:
            while True:
                found.append(stream.read())
        except MysyncError as error:
            return found, error
        finally:
            ours.close()
            if writer is not None:
                writer.join()


def _write(sock: socket.socket, data: bytes, ends: bool) -> None:
    try:
        sock.sendall(data)
        if ends:
            sock.close()
    except OSError:
        pass  # the reader has seen enough
