"""What a session numbers by itself, and when it may not; what has its turn in the main loop."""

import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from mysync_producer import service
from mysync_producer.heartbeat import Pulse
from mysync_producer.service import Producer
from mysync_producer.session import Session
from mysync_producer.transaction import Resume, SourceTransaction, TakenBack
from mysync_runtime.lifecycle import Stop, Stopped
from mysync_schemas.markers import Heartbeat
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


@pytest.mark.parametrize(
    ("waits_for", "open_", "said"),
    [(None, False, False), (None, True, True), ("again", False, True), ("full", False, True)],
)
def test_until_its_tables_join_no_heartbeat_names_a_place_to_stand_at(
    waits_for: str | None, open_: bool, said: bool
) -> None:
    """A cut there would show a target without its tables."""
    session, sent = Session.__new__(Session), []
    loading: Any = SimpleNamespace(waits_for=waits_for)
    sequencer: Any = SimpleNamespace(take_all=lambda: (7, [5, 6]))
    session._loading, session._sequencer = loading, sequencer
    session._pulse, session._heartbeat_id = Pulse(0.0), 3
    session._send = sent.extend  # type: ignore[method-assign]
    transaction = SimpleNamespace(
        boundary=BinlogPosition("log.000001", 4), rows=0, open=open_, between=not open_, txn_seq=0,
        gtids=None,
    )  # fmt: skip
    capture: Any = SimpleNamespace(transaction=transaction, source_us=0)
    session.beat_when_due(capture, 100.0, behind=False)
    beats = [Heartbeat.decode(value) for _, value in sent]
    assert [beat.in_transaction for beat in beats] == [said, said]


class Endless:
    """A dump in which events come faster than they are taken; a transaction has three."""

    def __init__(self, transaction: Any) -> None:
        self.taken = 0
        self._transaction = transaction

    def queued(self) -> Iterator[None]:
        while True:
            self.taken += 1
            self._transaction.between = self.taken % 3 == 0
            yield None


def test_a_turn_of_the_main_loop_ends_between_two_transactions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However much is queued: heartbeats, commands, transfers and a stop have to have theirs."""
    clock = iter(range(1_000_000))
    monkeypatch.setattr(service, "time", SimpleNamespace(monotonic=lambda: next(clock) / 100))
    monkeypatch.setattr(Producer, "_take", lambda *_: None)
    producer, transaction = Producer.__new__(Producer), SimpleNamespace(between=True)
    session: Any = None
    stream: Any = Endless(transaction)
    capture: Any = SimpleNamespace(transaction=transaction)
    producer._turn(session, stream, capture)
    assert stream.taken == 21  # the first end of a transaction after 0.2 s
    monkeypatch.setattr(Endless, "queued", lambda self: itertools.repeat(None))
    transaction.between = False
    producer._turn(session, stream, capture)  # in a transaction without an end


def test_while_a_table_is_sent_the_rest_goes_on() -> None:
    """A stop, too: what was sent is committed first."""
    session, done = Session.__new__(Session), []
    stop = Stop()
    publisher: Any = SimpleNamespace(full=False, overdue=lambda _now: False)
    session.stop, session.publisher = stop, publisher
    session.alive = lambda: done.append("alive")
    session.beat_when_due = lambda *_, **__: done.append("beat")  # type: ignore[method-assign]
    session.commit = lambda _: done.append("commit")  # type: ignore[method-assign]
    capture: Any = None
    session._between_rows(capture)
    assert done == ["alive", "beat"]
    publisher.overdue = lambda _now: True
    session._between_rows(capture)
    assert done[2:] == ["alive", "beat", "commit"]
    publisher.overdue = lambda _now: False
    stop.request()
    with pytest.raises(Stopped):
        session._between_rows(capture)
    assert done[5:] == ["alive", "beat", "commit"]
