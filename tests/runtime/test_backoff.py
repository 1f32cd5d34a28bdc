"""What is retried, for how long, and what a stop does to it."""

import threading
import time

import pytest

from mysync_runtime.backoff import reach, retry_for, retry_forever
from mysync_runtime.errors import ConnectionLost, CredentialsError, Unreachable
from mysync_runtime.lifecycle import Stop, Stopped


class Flaky:
    """Fails `times` times, then answers; remembers when it was called."""

    def __init__(self, times: float, error: Exception | None = None) -> None:
        self.times = times
        self.error = error or ConnectionLost("gone")
        self.calls: list[float] = []

    def __call__(self) -> str:
        self.calls.append(time.monotonic())
        if len(self.calls) <= self.times:
            raise self.error
        return "answer"


def test_a_retriable_error_is_retried_until_it_passes() -> None:
    call = Flaky(5)
    assert retry_forever(call, Stop(), doing="x", initial=0.001, cap=0.002) == "answer"
    assert len(call.calls) == 6


@pytest.mark.parametrize("error", [CredentialsError("no"), ValueError("defect")])
def test_what_retrying_cant_mend_is_raised_at_once(error: Exception) -> None:
    call = Flaky(5, error)
    with pytest.raises(type(error)):
        retry_forever(call, Stop(), doing="x")
    assert len(call.calls) == 1


def test_waits_grow_to_a_cap_and_are_never_equal() -> None:
    waits: list[float] = []

    class Unhurried(Stop):
        def sleep(self, seconds: float) -> None:
            waits.append(seconds)

    retry_forever(Flaky(12), Unhurried(), doing="x", initial=0.002, cap=0.02)
    assert 0.001 <= waits[0] <= 0.002
    assert all(0.01 <= wait <= 0.02 for wait in waits[-5:])
    assert len({round(wait, 6) for wait in waits[-5:]}) == 5


def test_a_stop_ends_a_long_wait_at_once() -> None:
    stop = Stop()
    threading.Timer(0.05, stop.request).start()
    before = time.monotonic()
    with pytest.raises(Stopped):
        retry_forever(Flaky(float("inf")), stop, doing="x", initial=60, cap=60)
    assert time.monotonic() - before < 5


def test_limited_patience_ends_in_the_last_error() -> None:
    with pytest.raises(ConnectionLost, match="gone"):
        retry_for(Flaky(float("inf")), Stop(), doing="x", seconds=0.05, initial=0.01, cap=0.01)


def test_a_start_gives_up_with_what_was_not_reached_and_why() -> None:
    with pytest.raises(Unreachable) as caught:
        reach(Flaky(float("inf")), Stop(), what="the source (db:3306)", seconds=0.05)
    assert caught.value.exit_code == 1
    assert "the source (db:3306) did not answer for 0.05 s: gone" in str(caught.value)


def test_a_refusal_is_not_mistaken_for_silence() -> None:
    with pytest.raises(CredentialsError):
        reach(Flaky(1, CredentialsError("wrong password")), Stop(), what="the source")
