"""What a capture holds after an event that can't be carried."""

from types import SimpleNamespace
from typing import Any

import pytest

from capture_rig import MemoryLog
from mysync_producer import capture as module
from mysync_producer import tables as tables_module
from mysync_producer.capture import Capture
from mysync_producer.events import Event, EventType, GtidEvent
from mysync_producer.filters import Filters
from mysync_producer.rowcodec import Sequencer
from mysync_producer.rowerrors import CorruptRow
from mysync_producer.tables import PlanSettings, Tables
from mysync_producer.transaction import SourceTransaction, TakenBack
from mysync_producer.xa import XaTransactions
from mysync_schemas.position import BinlogPosition

ROWS = Event(EventType.WRITE_ROWS, 0, 1, 200, 0, bytes([5, 0, 0, 0, 0, 0, 1, 0, 2, 0]) + b"rows")


def test_a_bad_row_after_a_good_one_leaves_neither_a_record_nor_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the commit of what came before would name a last record that was never sent."""

    def one_row_and_a_bad_one(_plan: Any, _context: Any, sequencer: Sequencer, *rest: Any) -> None:
        seq, _ = sequencer.take(1)
        rest[-1][1].append((None, str(seq).encode()))
        raise CorruptRow("t", "log:4", 2, None, "its bytes end early")

    monkeypatch.setattr(module, "columns_present", lambda *_: 0)
    monkeypatch.setattr(module, "encode_rows", one_row_and_a_bad_one)
    transaction = SourceTransaction(BinlogPosition("log.000001", 4), None, TakenBack())
    transaction.rotate("log.000001", 4)
    sequencer = Sequencer(7, [6, 7])
    tables: Any = SimpleNamespace()
    xa = XaTransactions(MemoryLog(()), {}, 1_000)
    capture = Capture(tables, Filters(["*.*"]), sequencer, transaction, 2, xa)
    table: Any = SimpleNamespace(plan=SimpleNamespace(table="app.t"), transactional=True)
    capture._open_tables[5] = table
    transaction.begin(GtidEvent("a:1", 0), 10)
    with pytest.raises(CorruptRow):
        list(capture.take(ROWS))
    assert capture.batch == [[], []]
    assert (sequencer.seq, sequencer.prev) == (7, [6, 7])
    assert not transaction.sent


def test_tables_that_are_not_replicated_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tables_module, "_LEFT_OUT_MOST", 10)
    tables = Tables(Filters(["app.*"]), PlanSettings("p", "1", "mysql", 1, 1000, 7))
    for number in range(100):
        name = b"t%d" % number
        body = bytes(8) + b"\x05other\x00" + bytes([len(name)]) + name + b"\x00rest"
        assert tables.table_of(body, "log:4") is None
    assert len(tables._known) + len(tables._left_out) <= 10


def test_places_that_were_taken_back_are_forgotten_once_they_are_passed() -> None:
    taken_back = TakenBack()
    taken_back.add("log.000001", (100, 0), (1 << 62, 5), all_tables=True)
    taken_back.add("log.000002", (200, 0), (300, 5), all_tables=False)
    taken_back.add("log.000002", (400, 0), (500, 5), all_tables=False)
    taken_back.forget(BinlogPosition("log.000002", 300))
    assert list(taken_back) == [("log.000002", (400, 0), (500, 5), False)]
