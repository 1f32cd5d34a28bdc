"""From the first signal to the exit code.

The first SIGTERM or SIGINT asks for a clean stop, the second ends the process at once; neither can
lose anything, because nothing of importance lives in memory only. Whoever waits, waits with
`Stop.wait`, so that a stop is noticed at once.
"""

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from mysync_runtime import crash, log, metrics
from mysync_runtime.errors import MysyncError

EXIT_CLEAN = 0
EXIT_ERROR = 1
EXIT_SIGNAL = 128
"""A process that a signal ends at once exits with 128 + its number, as shells do."""


class Stopped(Exception):
    """A stop was asked for while something waited. Ends a service cleanly, with exit code 0."""


class Stop:
    """The wish to stop, shared by all threads of a process.

    A pipe instead of an Event: a signal handler may write to it whatever lock the interrupted code
    holds, and a thread can wait for it together with a socket (`fileno`). Once readable, it stays
    readable. `grace_seconds` is what the whole clean stop may take, counted from the request.
    `before_abort` is called in the signal handler when a second signal ends the process at once.
    """

    def __init__(self, grace_seconds: float = 25.0) -> None:
        self.grace_seconds = grace_seconds
        self.reason = ""
        self.before_abort: Callable[[], None] = lambda: None
        self._requested_at: float | None = None
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)

    @property
    def requested(self) -> bool:
        return self._requested_at is not None

    def request(self, reason: str = "") -> None:
        """Asks for a clean stop; only the first call counts. Safe in a signal handler."""
        if self._requested_at is None:
            self._requested_at = time.monotonic()
            self.reason = reason
            with contextlib.suppress(BlockingIOError):
                os.write(self._write_end, b"x")

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until a stop is requested or `seconds` have passed; says whether it is."""
        if not self.requested:
            poll = select.poll()
            poll.register(self._read_end, select.POLLIN)
            poll.poll(None if seconds is None else max(0.0, seconds * 1000))
        return self.requested

    def sleep(self, seconds: float) -> None:
        """`wait` that raises Stopped when a stop is requested."""
        if self.wait(seconds):
            raise Stopped(self.reason)

    def raise_if_requested(self) -> None:
        if self.requested:
            raise Stopped(self.reason)

    def remaining(self) -> float:
        """Seconds left for the clean stop: all of `grace_seconds` before it is requested."""
        if self._requested_at is None:
            return self.grace_seconds
        return max(0.0, self._requested_at + self.grace_seconds - time.monotonic())

    def fileno(self) -> int:
        """Becomes readable when a stop is requested; never read from it."""
        return self._read_end

    def install(self, *, interrupt: bool = True) -> None:
        """Takes SIGTERM and SIGINT of this process; without `interrupt` SIGINT is ignored: a parent
        takes it. Only in the main thread."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal if interrupt else signal.SIG_IGN)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.requested:
            self.before_abort()
            abort(number)
        self.request(signal.Signals(number).name)


def abort(number: int) -> NoReturn:
    """Ends the process at once: no handlers, no flushing, no waiting for threads."""
    os._exit(EXIT_SIGNAL + number)


def run_main(main: Callable[[], int | None], *, service: str = "mysync") -> int:
    """Runs a service's main function and returns its exit code.

    A MysyncError becomes one paragraph on stderr, without a traceback. Anything else is a defect of
    ours: its traceback is logged, and the code is 1.
    """
    # Until the settings are read; structlog's own default would write to stdout.
    log.configure(service=service)
    try:
        crash.check_armed()
        return main() or EXIT_CLEAN
    except Stopped:
        return EXIT_CLEAN
    except MysyncError as error:
        metrics.count_error(error)
        say(f"{error.label}: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_SIGNAL + signal.SIGINT
    except BrokenPipeError:
        # The reader of our stdout went away (`| head`); Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLEAN
    except Exception as error:  # noqa: BLE001 -- the last resort of a process
        metrics.count_error(error)
        log.get_logger().exception("unexpected error")
        say(f"{type(error).__name__}: {error}. This is a defect in mysync: please report it.")
        return EXIT_ERROR


def say(paragraph: str) -> None:
    """One paragraph on stderr, whatever happened to stderr."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"mysync: {paragraph}\n")
        sys.stderr.flush()
