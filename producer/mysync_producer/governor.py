"""How fast tables may be read: the source's own work, and consumers that fall behind, go first.

Each stream reads for a share of the time only; all of them wait while the source has many threads
running, or while the pipeline's consumers are far behind. Both are asked for at most once a second.
"""

import threading
import time
from collections.abc import Callable
from typing import Literal

from mysync_producer import metrics
from mysync_producer.source import Source
from mysync_runtime.errors import MysyncError
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import TransferSettings

__all__ = ["Governor"]

log = get_logger("governor")

_ASK_SECONDS = 1.0
_PAUSE_SECONDS = 0.1

Reason = Literal["", "rate", "source", "consumers"]
"""Why a stream waits: its own share of the time, the source's threads, consumers far behind."""


class Governor:
    """Shared by the streams. `lag` gives how many records the consumers are behind, None where that
    isn't known."""

    def __init__(self, settings: TransferSettings, lag: Callable[[], int | None]) -> None:
        self._settings = settings
        self._lag = lag
        self._lock = threading.Lock()
        self._asked = 0.0
        self._reason: Reason = ""
        self._why = ""
        self._rested: dict[int, float] = {}  # by thread: when it may read again
        self._allowed = 0.0  # by rows: when the next chunk may be read

    @property
    def waiting(self) -> str:
        """Why nothing is read at the moment; empty when something may be."""
        return self._why

    def wait(self, source: Source, stop: Stop) -> None:
        """Returns when a chunk may be read. `source` is asked how busy it is."""
        me = threading.get_ident()
        reason: Reason
        while not stop.requested:
            now = time.monotonic()
            with self._lock:
                due = max(self._rested.get(me, 0.0), self._allowed)
                if now < due:
                    reason, pause = "rate", min(due - now, _PAUSE_SECONDS)
                elif reason := self._busy(source, now):
                    pause = _PAUSE_SECONDS
                else:
                    return
            stop.wait(pause)
            metrics.TRANSFER_WAITED.labels(reason).inc(time.monotonic() - now)

    def took(self, seconds: float, rows: int) -> None:
        """A stream has read for so long, and so many rows: it rests accordingly."""
        rest = seconds * (1 - self._settings.max_load) / self._settings.max_load
        now = time.monotonic()
        with self._lock:
            self._rested[threading.get_ident()] = now + rest
            if self._settings.max_rows_per_second:
                begin = max(self._allowed, now)
                self._allowed = begin + rows / self._settings.max_rows_per_second

    def _busy(self, source: Source, now: float) -> Reason:
        if now - self._asked >= _ASK_SECONDS:
            self._asked = now
            reason, why = self._found(source)
            if reason != self._reason:
                log.info("transfers wait" if why else "transfers go on", why=why or None)
            self._reason, self._why = reason, why
        return self._reason

    def _found(self, source: Source) -> tuple[Reason, str]:
        settings = self._settings
        rows = source.rows("SHOW GLOBAL STATUS LIKE 'Threads\\_running'")
        running = int(rows[0]["Value"]) if rows else 0
        if running > settings.max_threads_running:
            return "source", f"the source has {running} threads running"
        try:
            lag = self._lag()
        except MysyncError as error:
            log.debug("the consumers' lag isn't known", reason=str(error))
            return "", ""
        if lag is not None and lag > settings.max_lag_records:
            return "consumers", f"consumers are {lag} records behind"
        return "", ""
