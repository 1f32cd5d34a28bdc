"""Retries with exponential backoff, jitter and a cap; a requested stop ends every wait at once.

`tenacity` (which stamina wraps) is used directly, because its sleep can be our interruptible wait.
"""

import random
from collections.abc import Callable
from typing import TypeVar

import tenacity

from mysync_runtime import metrics
from mysync_runtime.errors import MysyncError, Unreachable
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger

T = TypeVar("T")

START_PATIENCE = 30.0
"""Seconds that a start waits for servers that don't answer."""

INITIAL = 0.1
CAP = 5.0
"""Seconds of the first wait, and of the longest one, before jitter takes up to half of it away."""


def retriable(error: BaseException) -> bool:
    """Whether trying again can help: the error's class says so."""
    return isinstance(error, MysyncError) and error.retriable


def retry_forever(
    call: Callable[[], T], stop: Stop, *, doing: str, initial: float = INITIAL, cap: float = CAP
) -> T:
    """Calls until it succeeds, retrying retriable errors.

    Raises Stopped when a stop is requested, and at once whatever isn't retriable.
    """
    return _retrying(stop, doing, tenacity.stop_never, initial, cap)(call)


def retry_for(
    call: Callable[[], T],
    stop: Stop,
    *,
    doing: str,
    seconds: float = START_PATIENCE,
    initial: float = INITIAL,
    cap: float = CAP,
) -> T:
    """`retry_forever` that gives up after `seconds` and raises the last error."""
    return _retrying(stop, doing, tenacity.stop_after_delay(seconds), initial, cap)(call)


def reach(call: Callable[[], T], stop: Stop, *, what: str, seconds: float = START_PATIENCE) -> T:
    """Makes the first contact at a start. Raises Unreachable after `seconds` without an answer."""
    try:
        return retry_for(call, stop, doing=f"reach {what}", seconds=seconds)
    except MysyncError as error:
        if not error.retriable:
            raise
        raise Unreachable(f"{what} did not answer for {seconds:g} s: {error.what}") from error


class _EqualJitter(tenacity.wait_exponential):
    """Between half and all of the exponential wait, at the cap as well."""

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        return super().__call__(retry_state) * random.uniform(0.5, 1.0)


def _retrying(
    stop: Stop,
    doing: str,
    until: tenacity.stop.stop_base,
    initial: float,
    cap: float,
) -> tenacity.Retrying:
    log = get_logger("backoff")

    def before_sleep(state: tenacity.RetryCallState) -> None:
        outcome = state.outcome
        error = outcome.exception() if outcome is not None else None
        wait = state.next_action.sleep if state.next_action is not None else 0.0
        if error is not None:
            metrics.count_error(error)
        log.warning(
            "retrying",
            doing=doing,
            attempt=state.attempt_number,
            wait=round(wait, 3),
            error=str(error),
        )

    return tenacity.Retrying(
        sleep=stop.sleep,
        stop=until,
        wait=_EqualJitter(multiplier=initial, max=cap),
        retry=tenacity.retry_if_exception(retriable),
        before_sleep=before_sleep,
        reraise=True,
    )
