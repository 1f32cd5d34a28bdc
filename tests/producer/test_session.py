"""What a session numbers by itself, and when it may not."""

from types import SimpleNamespace
from typing import Any

import pytest

from mysync_producer.heartbeat import Pulse
from mysync_producer.session import Session
from mysync_producer.transaction import Resume, SourceTransaction, TakenBack
from mysync_schemas.position import BinlogPosition


@pytest.mark.parametrize("rows", [0, 932])
def test_nothing_is_numbered_before_a_half_committed_transaction_has_begun_again(rows: int) -> None:
    """A line or heartbeat would stand within it, and its commit would forget what is done."""
    session = Session.__new__(Session)
    learning: Any = SimpleNamespace(passed=lambda *_: True)
    state: Any = SimpleNamespace(learning=learning)
    session.state = state
    session._pulse = Pulse(0.0)
    transaction = SourceTransaction(
        BinlogPosition("log.000001", 4), None, TakenBack(), Resume(rows, 5, "a:1")
    )
    capture: Any = SimpleNamespace(transaction=transaction, source_us=0)
    session.adopt_when_due(capture)  # has neither a publisher nor a sequencer to do it with
    session.beat_when_due(capture, 100.0, behind=True)
    assert transaction.resume is not None
