"""The producer's lag: 0 while nothing waits, else the age of what was committed last."""

import time

import pytest

from mysync_producer.lag import Lag


def ago(seconds: float) -> int:
    """The time so long ago, in µs."""
    return int((time.time() - seconds) * 1e6)


def test_nothing_waits_at_first_and_after_all_was_committed() -> None:
    lag = Lag()
    assert lag.seconds() == 0
    lag.waits(ago(100))
    lag.nothing_waits()
    lag.committed(ago(50))
    assert lag.seconds() == 0


def test_it_is_the_age_of_what_was_committed_last_while_more_waits() -> None:
    lag = Lag()
    lag.waits(ago(100))
    lag.waits(ago(1))
    assert lag.seconds() == pytest.approx(100, abs=1)
    lag.committed(ago(50))
    assert lag.seconds() == pytest.approx(50, abs=1)


def test_a_clock_behind_the_sources_is_no_lag() -> None:
    lag = Lag()
    lag.waits(ago(-100))
    assert lag.seconds() == 0
