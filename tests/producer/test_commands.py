"""What people ask of transfers, when the main loop can't commit it at once."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from mysync_producer import commands
from mysync_producer.commands import Commands
from mysync_producer.errors import LeadershipLost
from mysync_runtime.errors import TransientError
from mysync_schemas.position import BinlogPosition
from mysync_schemas.table import TableId

TABLE = TableId("app", "t")
HERE = BinlogPosition("log.000001", 4)


class Asked(threading.Thread):
    """Somebody who waits for the answer to a command."""

    def __init__(self, to: Commands) -> None:
        super().__init__()
        self.answer: list[str] | None = None
        self._to = to
        self.start()
        while to._queue.empty():
            pass

    def run(self) -> None:
        self.answer = self._to.ask("start", ("app.*",))


class Transfers(SimpleNamespace):
    """What was done, in this session."""

    def __init__(self, fails: Exception | None = None) -> None:
        super().__init__(records={}, queued=[], fails=fails)

    def queue(self, table: TableId) -> None:
        if self.fails is not None:
            raise self.fails
        self.queued.append(table)


def take(asked: Commands, transfers: Any) -> bool:
    return asked.take(transfers, {TABLE}, HERE)


def test_a_command_is_answered_when_what_it_does_is_committed() -> None:
    to = Commands()
    asked, transfers = Asked(to), Transfers()
    assert take(to, transfers)
    assert asked.is_alive()
    to.committed()
    asked.join(10)
    assert (asked.answer, transfers.queued) == (["app.t"], [TABLE])
    assert not take(to, transfers)


def test_a_command_whose_commit_failed_is_done_again_by_the_next_session() -> None:
    to = Commands()
    asked, lost, transfers = Asked(to), Transfers(), Transfers()
    take(to, lost)
    to.begin()
    assert asked.is_alive()
    assert take(to, transfers)
    to.committed()
    asked.join(10)
    assert (asked.answer, transfers.queued) == (["app.t"], [TABLE])


def test_what_ends_the_session_is_no_answer_to_a_command() -> None:
    """Something may be half sent: the main loop has to know."""
    to = Commands()
    asked, transfers = Asked(to), Transfers()
    with pytest.raises(LeadershipLost):
        take(to, Transfers(LeadershipLost("another one was elected")))
    to.begin()
    take(to, transfers)
    to.committed()
    asked.join(10)
    assert (asked.answer, transfers.queued) == (["app.t"], [TABLE])


def test_a_command_that_was_given_up_is_not_done_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "ANSWER_SECONDS", 0.01)
    to, transfers = Commands(), Transfers()
    with pytest.raises(TransientError, match="busy"):
        to.ask("start", ("app.*",))
    assert not take(to, transfers)
    assert transfers.queued == []
