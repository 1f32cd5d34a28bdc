"""What is kept of XA transactions, record by record."""

import pytest

from capture_rig import MemoryLog
from mysync_producer.errors import PreparedRowsUnknown
from mysync_producer.events import Event, EventType
from mysync_producer.heldevents import pack, unpack
from mysync_producer.xa import XaTransactions, known
from mysync_producer.xid import parse_gtid_xid, parse_xa, parse_xa_prepare
from mysync_runtime.errors import CorruptEvent, StateLost

EVENTS = [
    Event(EventType.WRITE_ROWS, 0, 7, 0, n, bytes([n]) * size)
    for n, size in enumerate((10, 0, 5_000, 1, 900, 2_500))
]
WHERE = "binlog.000003:77"


def prepared(log: MemoryLog, name: str, events: list[Event] = EVENTS) -> XaTransactions:
    xa = XaTransactions(log, known(log.records, ""), 2_000)
    xa.begin(name, None)
    for event in events:
        xa.add(event, "app.t")
    xa.prepare(name, WHERE, "gtid")
    return xa


@pytest.mark.parametrize("size", [1, 3, 19, 100, 100_000])
def test_events_come_back_however_the_bytes_are_cut(size: int) -> None:
    data = b"".join(map(pack, EVENTS))
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert list(unpack(pieces)) == EVENTS
    with pytest.raises(CorruptEvent):
        list(unpack([*pieces[:-1], pieces[-1][:-1]]))


def test_a_successor_finds_what_was_prepared_and_nothing_that_was_forgotten() -> None:
    log = MemoryLog(())
    prepared(log, "one")
    prepared(log, "two", EVENTS[:1]).forget("two")
    prepared(log, "three", EVENTS[:1])
    prepared(log, "four", [])
    found = known(log.records, "")
    assert {name: each.chunks for name, each in found.items()} == {"one": 9, "three": 1, "four": 0}
    assert found["three"].data is not None
    xa = XaTransactions(log, found, 2_000)
    for name, events in (("one", EVENTS), ("three", EVENTS[:1]), ("four", [])):
        each = xa.find(name, WHERE)
        assert (list(xa.events(each, WHERE)), each.place, each.gtid) == (events, WHERE, "gtid")
        xa.forget(name)
    assert {k for k, v in {key: v for _, key, v in log.records}.items() if v is not None} == set()


def test_chunks_of_an_attempt_that_was_never_prepared_do_not_count() -> None:
    log = MemoryLog(())
    crashed = XaTransactions(log, {}, 2_000)
    crashed.begin("one", None)
    for event in reversed(EVENTS):
        crashed.add(event, "app.t")
    assert known(log.records, "") == {}
    prepared(log, "one")
    xa = XaTransactions(log, known(log.records, ""), 2_000)
    assert list(xa.events(xa.find("one", WHERE), WHERE)) == EVENTS


def test_rows_that_are_gone_stop_it_and_name_the_tables() -> None:
    log = MemoryLog(())
    prepared(log, "one")
    log.records = [record for record in log.records if not record[1].endswith(b"/4")]
    xa = XaTransactions(log, known(log.records, ""), 2_000)
    with pytest.raises(PreparedRowsUnknown, match=r"4 of its 9 pieces. It changed app\.t"):
        list(xa.events(xa.find("one", WHERE), WHERE))
    with pytest.raises(PreparedRowsUnknown, match="never seen"):
        xa.find("another", WHERE)
    with pytest.raises(StateLost):
        known([(0, b"one", b"garbage")], "t")
    with pytest.raises(StateLost, match="format"):
        known([(0, b"one", b'{"format": 2}')], "t")


def test_names_are_the_same_wherever_the_log_has_them() -> None:
    gtrid, bqual = b"ab", b"\x00'"
    name = "X'6162',X'0027',4294967295"
    head = b"\x00" + b"\xff" * 4 + (2).to_bytes(4, "little") * 2
    assert parse_xa_prepare(head + gtrid + bqual) == (False, name)
    for verb in ("START", "COMMIT", "ROLLBACK", "END"):
        assert parse_xa(f"XA {verb} X'6162',X'0027',-1".encode()) == (verb, name)
    assert parse_xa(b"XA SOMETHING") is None
    tail = b"\xff" * 4 + b"\x02\x02" + gtrid + bqual
    for flags, between in ((0x4C, b""), (0x4E, bytes(8))):
        assert parse_gtid_xid(bytes(12) + bytes([flags]) + between + tail) == name
        with pytest.raises(CorruptEvent):
            parse_gtid_xid(bytes(12) + bytes([flags]) + between + tail[:-1])
    assert parse_gtid_xid(bytes(12) + b"\x8c" + tail) is None
    with pytest.raises(CorruptEvent):
        parse_xa_prepare(head + gtrid)
