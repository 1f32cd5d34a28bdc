"""How long a worker may work on its partition, and how it waits meanwhile."""

import random
import threading

from mysync_consumer.errors import Revoked

FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
"""Seconds between claims that fail for a passing reason; doubled each time, with jitter."""


class Tenure:
    """Ends when the partition is revoked or the process stops. `queue` wakes up when it does."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._failures = 0

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def end(self) -> None:
        self._ended.set()

    def check(self) -> None:
        """Raises Revoked when the tenure has ended."""
        if self._ended.is_set():
            raise Revoked

    def sleep(self, seconds: float) -> None:
        """Waits; raises Revoked when the tenure ends."""
        if self._ended.wait(seconds):
            raise Revoked

    def back_off(self) -> None:
        """Waits longer after each failure in a row; raises Revoked when the tenure ends."""
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        self.sleep(delay * random.uniform(0.5, 1.0))

    def succeeded(self) -> None:
        """Something worked: the next failure is a first one."""
        self._failures = 0
