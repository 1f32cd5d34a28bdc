"""Events in a string of bytes, as they wait in the topic of prepared XA transactions.

Each is its type, server id, flags and the length of its body, then the body. The string may be cut
anywhere.
"""

import struct
from collections.abc import Iterable, Iterator

from mysync_producer.events import Event
from mysync_runtime.errors import CorruptEvent

__all__ = ["pack", "unpack"]

_HEAD = struct.Struct("<BIHI")  # type, server id, flags, size of the body


def pack(event: Event) -> bytes:
    return _HEAD.pack(event.type, event.server_id, event.flags, len(event.body)) + event.body


def unpack(pieces: Iterable[bytes]) -> Iterator[Event]:
    """The events in the pieces of a string; time and position are 0. Raises CorruptEvent."""
    held: list[bytes] = []
    have = 0
    wanted = _HEAD.size
    for piece in pieces:
        held.append(piece)
        have += len(piece)
        if have < wanted:
            continue
        data, at = b"".join(held), 0
        while have - at >= _HEAD.size:
            kind, server_id, flags, size = _HEAD.unpack_from(data, at)
            end = at + _HEAD.size + size
            if end > have:
                break
            yield Event(kind, 0, server_id, 0, flags, data[at + _HEAD.size : end])
            at = end
        wanted = _HEAD.size
        if have - at >= _HEAD.size:
            wanted += size
        held, have = [data[at:]], have - at
    if have:
        raise CorruptEvent("what is kept of an XA transaction ends within an event")
