"""Looks around for the whole process: frontiers of other processes, instructions, the topics.

Every 20 ms while a worker waits, else every second. Losing the connection only makes waits longer.
"""

import threading
import time
from contextlib import suppress

import pymysql

from mysync_consumer import checkpoint
from mysync_consumer.context import Context
from mysync_consumer.frontier import IDLE_POLL_SECONDS, POLL_SECONDS, Frontier
from mysync_consumer.session import Session
from mysync_runtime import mysql
from mysync_runtime.errors import MysyncError
from mysync_runtime.log import get_logger

RECONNECT_SECONDS = 0.5
TOPICS_SECONDS = 3.0
"""How often the topics are looked at: a topic that was deleted gives no error of its own."""


class Watch:
    """A thread with a session of its own."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._topics_at = time.monotonic() + TOPICS_SECONDS
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._watch()
            except (MysyncError, pymysql.err.Error, OSError) as error:
                where = self._context.settings.target.address
                found = mysql.error_of(error, "watch the checkpoint", where)
                if not found.retriable:
                    self._context.fail(found)
                    return
                get_logger("watch").debug("again", error=str(found))
                self._ended.wait(RECONNECT_SECONDS)
            except Exception as error:  # noqa: BLE001 (ends the process)
                self._context.fail(error)
                return

    def _watch(self) -> None:
        context = self._context
        settings = context.settings
        forgotten = context.frontiers.forgotten
        session = Session.open(settings.target, settings.apply)
        try:
            while not self._ended.is_set():
                found = checkpoint.read_all(session.connection, settings.pipeline)
                if context.frontiers.forgotten != forgotten:
                    # Somebody lost the target: behind the same address there may be another one.
                    return
                context.frontiers.update(
                    {
                        partition: Frontier(
                            row.progress.frontier, session.identity.server, row.epoch
                        )
                        for partition, row in found.items()
                    }
                )
                context.goal.look(found)
                newest = max((row.control_version for row in found.values()), default=0)
                context.obedience.check(session.connection, newest)
                self._check_topics()
                self._pause()
        finally:
            with suppress(MysyncError):
                session.close()

    def _check_topics(self) -> None:
        now = time.monotonic()
        if now < self._topics_at:
            return
        self._topics_at = now + TOPICS_SECONDS
        try:
            self._context.topics.check()
        except MysyncError as error:
            if not error.retriable:
                raise
            get_logger("watch").debug("topics unknown", reason=str(error))

    def _pause(self) -> None:
        waiting = self._context.frontiers.waiting
        if waiting:
            self._ended.wait(POLL_SECONDS)
        else:
            self._context.frontiers.wait_for_waiters(IDLE_POLL_SECONDS)
