"""A wait for other partitions can be seen while it lasts."""

import pytest
from structlog.testing import capture_logs

from mysync_consumer import waits
from mysync_consumer.frontier import Frontier, Frontiers
from mysync_consumer.metrics import WAITING
from mysync_consumer.waits import Waits


def test_a_long_wait_is_shown_and_told_and_then_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "WARN_SECONDS", 0.05)
    frontiers = Frontiers(3)
    frontiers.publish(0, Frontier(9, "a", 1))
    seen: list[dict[str, object] | None] = []

    def tick() -> None:
        seen.append(waiting.shown())
        if WAITING.labels("0")._value.get() > 0.2:
            frontiers.publish(1, Frontier(9, "a", 1))
            frontiers.publish(2, Frontier(9, "a", 1))

    waiting = Waits(0, frontiers, "a", tick)
    assert waiting.shown() is None
    with capture_logs() as logs:
        waiting.for_all(9, "line")
    first = seen[0]
    assert first is not None
    assert (first["reason"], first["seq"], first["partitions"]) == ("line", 9, [1, 2])
    told = [entry for entry in logs if entry["log_level"] == "warning"]
    assert 1 <= len(told) <= 3
    assert told[0]["partitions"] == [1, 2]
    assert waiting.shown() is None
    assert WAITING.labels("0")._value.get() == 0


def test_a_wait_with_patience_ends_without_the_others() -> None:
    waiting = Waits(0, Frontiers(2), "a", lambda: None)
    waiting.for_all(1, "conflict", patience=0.05)
    assert waiting.unreached([(1, 5)]) == [1]
