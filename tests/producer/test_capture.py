"""What a capture holds after an event that can't be carried, and of rows that were taken back."""

from types import SimpleNamespace
from typing import Any

import pytest

from capture_rig import MemoryLog, Statements
from mysync_producer import capture as module
from mysync_producer import rowbatch
from mysync_producer import tables as tables_module
from mysync_producer.capture import Capture
from mysync_producer.errors import RowsTakenBack
from mysync_producer.events import Event, EventType, GtidEvent
from mysync_producer.filters import Filters
from mysync_producer.rowcodec import Sequencer
from mysync_producer.rowerrors import CorruptRow
from mysync_producer.tables import Mode, PlanSettings, Tables
from mysync_producer.transaction import Resume, SourceTransaction, TakenBack
from mysync_producer.xa import XaTransactions
from mysync_runtime.errors import TransactionTorn
from mysync_runtime.settings import DdlSettings
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
    monkeypatch.setattr(rowbatch, "encode_rows", one_row_and_a_bad_one)
    transaction = SourceTransaction(BinlogPosition("log.000001", 4), None, TakenBack())
    transaction.rotate("log.000001", 4)
    sequencer = Sequencer(7, [6, 7])
    tables: Any = SimpleNamespace()
    xa = XaTransactions(MemoryLog(()), {}, 1_000)
    capture = Capture(
        tables,
        Filters(["*.*"]),
        sequencer,
        transaction,
        2,
        xa,
        Statements(sequencer, []),
        DdlSettings(),
    )
    table: Any = SimpleNamespace(
        plan=SimpleNamespace(table="app.t", keys_changed=0),
        transactional=True,
        mode=Mode(),
        withheld=False,
        snapshot="false",
    )
    capture._open_tables[5] = table
    transaction.begin(GtidEvent("a:1", 0), 10)
    with pytest.raises(CorruptRow):
        list(capture.take(ROWS))
    assert capture.batch == [[], []]
    assert (sequencer.seq, sequencer.prev) == (7, [6, 7])
    assert not transaction.sent


@pytest.mark.parametrize("kind", [EventType.HEARTBEAT_V2, EventType.INTVAR, EventType.RAND])
def test_events_without_rows_move_the_place_and_nothing_else(kind: EventType) -> None:
    """Servers send a HEARTBEAT_V2 past four gigabytes only, INTVAR and RAND before statements."""
    transaction = SourceTransaction(BinlogPosition("log.000001", 4), None, TakenBack())
    transaction.rotate("log.000001", 4)
    tables: Any = SimpleNamespace()
    sequencer = Sequencer(7, [7])
    capture = Capture(
        tables,
        Filters(["*.*"]),
        sequencer,
        transaction,
        1,
        XaTransactions(MemoryLog(()), {}, 1_000),
        Statements(sequencer, []),
        DdlSettings(),
    )
    assert list(capture.take(Event(kind, 0, 1, 200, 0, b"\x01\x0alog.000001"))) == []
    assert capture.batch == [[]]
    assert transaction.boundary == BinlogPosition("log.000001", 4)
    assert capture.where == "log.000001:200"


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


def partly(taken_back: TakenBack, resume: Resume | None) -> SourceTransaction:
    """A transaction that begins at 4 and holds 1 row, SAVEPOINT a, 2 rows; its end is at 400."""
    transaction = SourceTransaction(BinlogPosition("log.000001", 4), None, taken_back, resume)
    transaction.rotate("log.000001", 4)
    transaction.begin(GtidEvent("a:1", 0), 10)
    transaction.at(100)
    transaction.took(1, True)
    transaction.at(200)
    transaction.savepoint("a")
    transaction.at(300)
    if transaction.left_out(True):
        transaction.leave_out(2)
    else:
        transaction.took(2, True)
    transaction.at(400)
    return transaction


@pytest.mark.parametrize("more", [0, 1])
def test_rows_taken_back_that_a_predecessor_left_out_are_left_out_again(more: int) -> None:
    """Whether it committed right after them or a row later."""
    taken_back = TakenBack()
    with pytest.raises(RowsTakenBack):
        partly(taken_back, None).rollback_to("a")
    first = partly(taken_back, None)
    first.rollback_to("a")
    first.took(more, True)
    first.committed()
    resume = Resume(first.rows_done, 1, "a:1", first.left_out_done)
    assert (resume.rows, resume.left_out) == (3 + more, 2)
    known_again = TakenBack()
    with pytest.raises(RowsTakenBack):
        partly(known_again, resume).rollback_to("a")
    second = partly(known_again, resume)
    second.rollback_to("a")
    assert second.skip == more
    assert second.left_out_done == 2


@pytest.mark.parametrize("rows", [2, 3])
def test_rows_taken_back_that_a_predecessor_committed_are_torn(rows: int) -> None:
    transaction = partly(TakenBack(), Resume(rows, 1, "a:1"))
    with pytest.raises(TransactionTorn, match=f"of which {rows - 1} are committed"):
        transaction.rollback_to("a")


def test_a_row_that_cannot_roll_back_may_be_committed_before_others_are_taken_back() -> None:
    transaction = SourceTransaction(BinlogPosition("log.000001", 4), None, TakenBack())
    transaction.rotate("log.000001", 4)
    transaction.begin(GtidEvent("a:1", 0), 10)
    transaction.took(1, False)
    transaction.committed()
    transaction.took(1, True)
    with pytest.raises(RowsTakenBack):
        transaction.rollback()


def test_places_that_were_taken_back_are_forgotten_once_they_are_passed() -> None:
    taken_back = TakenBack()
    taken_back.add("log.000001", (100, 0), (1 << 62, 5), all_tables=True)
    taken_back.add("log.000002", (200, 0), (300, 5), all_tables=False)
    taken_back.add("log.000002", (400, 0), (500, 5), all_tables=False)
    taken_back.forget(BinlogPosition("log.000002", 300))
    assert list(taken_back) == [("log.000002", (400, 0), (500, 5), False)]
