"""Nothing that would end another producer happens before the coordinator's present word."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from mysync_producer import service as service_module
from mysync_producer import session as session_module
from mysync_producer import start as start_module
from mysync_producer.errors import LeadershipLost
from mysync_producer.filters import Filters
from mysync_producer.service import Producer
from mysync_producer.session import Session
from mysync_producer.start import start
from mysync_runtime.http import Ticker
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings

SETTINGS = Settings(pipeline="p")
ANY: Any = SimpleNamespace()


def refused() -> None:
    raise LeadershipLost("another producer of this pipeline was elected")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the start path's Publisher was told."""
    found: list[str] = []

    class Publisher:
        def __init__(self, *_: Any) -> None:
            pass

        def take_over(self) -> None:
            found.append("take over")

        def close(self) -> None:
            found.append("close")

    monkeypatch.setattr(start_module, "Publisher", Publisher)
    return found


def test_a_start_takes_over_only_after_the_election_was_confirmed(calls: list[str]) -> None:
    topics: Any = {SETTINGS.rows_topic: SimpleNamespace(partitions=8)}
    with pytest.raises(LeadershipLost):
        start(SETTINGS, Filters(["*.*"]), topics, ANY, Stop(), lambda: None, refused)
    assert calls == ["close"]


def test_a_start_that_is_tried_again_ticks_and_ends_when_another_was_elected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unexpected(*_: Any) -> None:
        raise AssertionError("it went on")

    monkeypatch.setattr(service_module, "prepare_topics", unexpected)
    ticker = Ticker()
    ticker._last -= 1000
    producer = Producer(SETTINGS, Filters(["*.*"]), Stop(), ticker)
    producer._admin = ANY
    leader: Any = SimpleNamespace(check=refused)
    producer._leader = leader
    begin: Callable[[], object] = producer._start
    with pytest.raises(LeadershipLost):
        begin()
    assert ticker.alive


def test_a_dump_is_asked_for_only_after_the_election_was_confirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unexpected(*_: Any) -> None:
        raise AssertionError("the source was asked for its log")

    source = SimpleNamespace(server=lambda: None, close=lambda: None)
    monkeypatch.setattr(session_module.Source, "connect", lambda _: source)
    monkeypatch.setattr(session_module, "verify_source", lambda *_: None)
    monkeypatch.setattr(session_module, "open_dump", unexpected)
    session = Session.__new__(Session)
    session.settings, session.stop = SETTINGS, Stop()
    state: Any = None
    session.state = state
    info: Any = SimpleNamespace(uuid="00000001-0000-0000-0000-000000000000")
    session.info = info
    session.alive, session.confirm = (lambda: None), refused
    with pytest.raises(LeadershipLost):
        session.open()
