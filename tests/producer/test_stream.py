"""Frames of the replication stream, sound and broken, through the code that reads them."""

import random
import struct

import pytest

from dumpstream import LARGEST, dump, event, packet, packets
from dumpstream import read_all as read
from mutator import mutations
from mysync_producer import stream
from mysync_producer.events import HEADER_SIZE, Event, EventType
from mysync_runtime.errors import ConnectionLost, CorruptEvent, Fenced, MysyncError, PositionLost

BODIES = (
    (EventType.GTID, bytes(range(60))),
    (EventType.QUERY, b"\0" * 13 + b"\0BEGIN"),
    (EventType.WRITE_ROWS, b"rows" * 40),
    (EventType.XID, bytes(8)),
)
EVENTS = dump(BODIES)
LAST = len(EVENTS)
MUTATIONS = 3_000


def altered(at: int, data: bytes) -> bytes:
    """The whole dump with another event in one place."""
    return packets([*EVENTS[:at], data, *EVENTS[at + 1 :]])


def resized(data: bytes, size: int) -> bytes:
    """An event that says it has another size."""
    return data[:9] + struct.pack("<I", size) + data[13:]


def without_checksum_byte(data: bytes) -> bytes:
    """A format description that says that later events have no checksum."""
    return data[:-5] + b"\0" + data[-4:]


@pytest.mark.parametrize("checksum", [True, False])
def test_events_come_as_they_were_sent_until_the_connection_ends(checksum: bool) -> None:
    found, error = read(packets(dump(BODIES, checksum=checksum)))
    assert [(each.type, each.body) for each in found[2:]] == list(BODIES)
    assert isinstance(error, ConnectionLost)


def test_a_packet_number_begins_again_after_255() -> None:
    found, _ = read(packets(dump(BODIES * 200)))
    assert [(each.type, each.body) for each in found[2:]] == list(BODIES) * 200


@pytest.mark.parametrize("more", [-1, 0, 1, LARGEST])
def test_an_event_of_several_packets_comes_as_one(more: int) -> None:
    """A packet of the largest size is followed by another one, be it empty."""
    body = b"x" * (LARGEST + more - 1 - HEADER_SIZE - 4)
    found, error = read(packets(dump([(EventType.WRITE_ROWS, body), *BODIES])))
    assert found[2].body == body
    assert len(found) == 3 + len(BODIES)
    assert isinstance(error, ConnectionLost)


BROKEN = {
    "a changed body": (2, altered(2, EVENTS[2][:-9] + b"\xaa" + EVENTS[2][-8:])),
    "a changed header": (2, altered(2, b"\xaa" + EVENTS[2][1:])),
    "a changed checksum": (4, altered(4, EVENTS[4][:-1] + b"\xaa")),
    "a size over the packet's": (3, altered(3, resized(EVENTS[3], len(EVENTS[3]) + 1))),
    "a size under the packet's": (3, altered(3, resized(EVENTS[3], len(EVENTS[3]) - 1))),
    "a size of nothing": (3, altered(3, resized(EVENTS[3], 0))),
    "a size of 4 GB": (3, altered(3, resized(EVENTS[3], 0xFFFFFFFF))),
    "a shorter event of that size": (4, altered(4, resized(EVENTS[4], 100)[:100])),
    "an event without a body": (4, altered(4, resized(EVENTS[4], HEADER_SIZE)[:HEADER_SIZE])),
    "an event of a header's part": (4, altered(4, EVENTS[4][:10])),
    "no event": (4, altered(4, b"")),
    "an empty packet": (2, packets(EVENTS[:2]) + packet(b"", 3)),
    "an unknown first byte": (2, packets(EVENTS[:2]) + packet(b"\x37" + EVENTS[2], 3)),
    "a long packet that begins with 0xfe": (
        2,
        packets(EVENTS[:2]) + packet(b"\xfe" + EVENTS[2], 3),
    ),
    "a short error": (2, packets(EVENTS[:2]) + packet(b"\xff\x04", 3)),
    "a packet out of turn": (2, packets(EVENTS[:2]) + packet(b"\0" + EVENTS[2], 4)),
    "a packet twice": (2, packets(EVENTS[:2]) + packet(b"\0" + EVENTS[1], 2)),
    "a continuation out of turn": (
        2,
        packets(EVENTS[:2]) + packet(b"\0" * LARGEST, 3) + packet(b"", 3),
    ),
    "a file name with its checksum changed": (0, altered(0, EVENTS[0][:-1] + b"\xaa")),
    "a file name that is none": (
        0,
        altered(0, event(EventType.ROTATE, b"\4" + bytes(7) + b"binlog", when=0)),
    ),
    "a format description with its checksum changed": (1, altered(1, EVENTS[1][:-1] + b"\xaa")),
    # It may be true: only what follows shows that it isn't.
    "a format description that denies checksums": (
        2,
        altered(1, without_checksum_byte(EVENTS[1])),
    ),
    "a format description of an unknown checksum": (
        1,
        altered(1, EVENTS[1][:-5] + b"\2" + EVENTS[1][-4:]),
    ),
}


@pytest.mark.parametrize("cause", BROKEN)
def test_what_is_broken_is_refused_and_what_stood_before_it_is_read(cause: str) -> None:
    before, data = BROKEN[cause]
    found, error = read(data)
    assert type(error) is CorruptEvent, error
    assert len(found) == before
    assert str(error)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xfe\0\0\0\0", ConnectionLost),
        (b"\xff\xd4\x04#HY000Could not find first log file name", PositionLost),
        (b"\xff\xd4\x04#HY000same server_uuid", Fenced),
        (b"\xff\xd4\x04\xff\xfe", CorruptEvent),
        (b"\xff\xd4\x04", CorruptEvent),
        (b"\xff\xff\xff#", ConnectionLost),
    ],
)
def test_the_servers_own_words_are_understood(content: bytes, kind: type[MysyncError]) -> None:
    found, error = read(packets(EVENTS) + packet(content, LAST + 1))
    assert len(found) == LAST
    assert type(error) is kind


def test_a_stream_cut_anywhere_is_a_lost_connection_and_gives_whole_events_only() -> None:
    data = packets(EVENTS)
    whole, _ = read(data)
    for size in range(len(data)):
        found, error = read(data[:size])
        assert isinstance(error, ConnectionLost)
        assert found == whole[: len(found)]


@pytest.mark.parametrize("size", [0, 3, 4, 60])
def test_silence_in_the_middle_of_a_packet_is_a_lost_connection(size: int) -> None:
    begun = packets(EVENTS[:2])
    found, error = read(packets(EVENTS)[: len(begun) + size], ends=False, patience=0.05)
    assert len(found) == 2
    assert isinstance(error, ConnectionLost)
    assert "nothing came" in str(error)


def test_a_length_of_more_than_comes_is_waited_for_and_takes_no_memory() -> None:
    claims = struct.pack("<I", LARGEST)[:3] + b"\3\0"
    found, error = read(packets(EVENTS[:2]) + claims, ends=False, patience=0.05)
    assert len(found) == 2
    assert isinstance(error, ConnectionLost)


def test_without_checksums_a_header_that_lies_about_its_size_is_refused() -> None:
    events = dump(BODIES, checksum=False)
    for size in (0, 1, HEADER_SIZE, len(events[3]) - 1, len(events[3]) + 1, 0xFFFFFFFF):
        found, error = read(packets([*events[:3], resized(events[3], size), *events[4:]]))
        assert type(error) is CorruptEvent
        assert len(found) == 3


def test_every_flipped_bit_of_an_event_is_found() -> None:
    """Those of a packet's number too; another length may just be a lost connection."""
    whole, _ = read(packets(EVENTS))
    at = 0
    for number, each in enumerate(EVENTS):
        for place in range(at + 3, at + 5 + len(each)):
            for bit in range(8):
                data = bytearray(packets(EVENTS))
                data[place] ^= 1 << bit
                found, error = read(bytes(data))
                assert type(error) is CorruptEvent
                # That a format description denies checksums is found at the next event.
                denied = len(found) == 2 and number == 1 and found[1].body[-5] == 0
                assert denied or found == whole[:number]
        at += 5 + len(each)


def assert_clean(data: bytes, whole: list[Event]) -> int:
    """Of a dump with checksums: events as they were sent, then a clean error; their number.

    Two of its events may say of themselves that they have no checksum: the first ROTATE and a
    format description. Several changes at once can make such a one, which has to be believed.
    """
    found, _ = read(data)
    sent = set(whole)
    for number, got in enumerate(found):
        if got not in sent:
            assert number < 2
            assert got.type == (EventType.FORMAT_DESCRIPTION if number else EventType.ROTATE)
            assert not number or got.body[-5] == 0
            break
    return len(found)


@pytest.mark.parametrize("largest", [LARGEST, 61])
def test_damaged_frames_give_the_events_that_were_sent_or_a_clean_error(
    largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With packets of at most 61 bytes an event takes several."""
    monkeypatch.setattr(stream, "_LARGEST", largest)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    data = packets(EVENTS, largest=largest)
    whole, _ = read(data)
    for damaged in mutations([data], seed, MUTATIONS):
        assert_clean(damaged, whole)
