"""What a capture holds after an event that can't be carried."""

from types import SimpleNamespace
from typing import Any

import pytest

from mysync_producer import capture as module
from mysync_producer.capture import Capture
from mysync_producer.events import Event, EventType, GtidEvent
from mysync_producer.filters import Filters
from mysync_producer.rowcodec import Sequencer
from mysync_producer.rowerrors import CorruptRow
from mysync_producer.transaction import SourceTransaction, TakenBack
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
    capture = Capture(tables, Filters(["*.*"]), sequencer, transaction, 2)
    table: Any = SimpleNamespace(plan=SimpleNamespace(table="app.t"))
    capture._open_tables[5] = table
    transaction.begin(GtidEvent("a:1", 0), 10)
    with pytest.raises(CorruptRow):
        list(capture.take(ROWS))
    assert capture.batch == [[], []]
    assert (sequencer.seq, sequencer.prev) == (7, [6, 7])
    assert not transaction.sent
