"""Threads that run until told to stop. What makes one of them fail ends all, and is raised where
they are stopped."""

import threading
import time
from collections.abc import Callable

__all__ = ["Threads"]

_BEHIND_SECONDS = 1.0
"""How much lateness is made up for by a burst."""


class Threads:
    """`stopping` is what each of them looks at, and waits with."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failures: list[Exception] = []

    def add(self, run: Callable[..., None], *arguments: object, name: str | None = None) -> None:
        thread = threading.Thread(target=self._guarded, args=(run, *arguments), name=name)
        self._threads.append(thread)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def ended(self, seconds: float) -> bool:
        """Waits until all have ended by themselves; says whether they did within that time."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not self.running

    def stop(self) -> None:
        """Lets each finish what it does; raises what made one fail."""
        self.stopping.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        if self._failures:
            raise self._failures[0]

    def pace(self, due: float, period: float) -> float:
        """Waits for the next turn, `period` seconds after the one that was `due`."""
        if period:
            due = max(due + period, time.monotonic() - _BEHIND_SECONDS)
            self.stopping.wait(due - time.monotonic())
        return due

    def _guarded(self, run: Callable[..., None], *arguments: object) -> None:
        try:
            run(*arguments)
        except Exception as error:  # noqa: BLE001 -- given to whoever stops the threads
            self._failures.append(error)
            self.stopping.set()
