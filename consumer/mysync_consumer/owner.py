"""The owner of the control partition: one process of the pipeline.

It claims the checkpoint's row -1 as workers claim theirs, and so is known and fenced alike. What it
is for, executing what lines ask for, this release doesn't do yet."""

import threading

import pymysql

from mysync_consumer import checkpoint, metrics
from mysync_consumer.claim import claim
from mysync_consumer.context import Context
from mysync_consumer.errors import ClaimLost, Revoked
from mysync_consumer.poller import Poller
from mysync_consumer.session import Session
from mysync_consumer.tables import CONTROL_PARTITION
from mysync_consumer.tenure import Tenure
from mysync_runtime import mysql
from mysync_runtime.errors import MysyncError
from mysync_runtime.log import get_logger

LOOK_SECONDS = 2.0
"""How often the owner looks whether it still is."""


class ControlOwner:
    """A thread that holds row -1 while the control partition is assigned to this process."""

    def __init__(self, context: Context, poller: Poller) -> None:
        self._context = context
        self._poller = poller
        self._tenure = Tenure()
        self._thread = threading.Thread(target=self._run, name="control-owner", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._tenure.end()
        self._thread.join(5.0)

    def _run(self) -> None:
        log = get_logger("control-owner")
        try:
            while True:
                try:
                    self._hold()
                except (MysyncError, pymysql.err.Error, OSError) as error:
                    where = self._context.settings.target.address
                    found = mysql.error_of(error, "own the control partition", where)
                    if not found.retriable:
                        raise found from error
                    metrics.count(found)
                    log.warning("claiming again", reason=str(found))
                self._tenure.back_off()
        except Revoked:
            log.debug("given back")
        except Exception as error:  # noqa: BLE001 (ends the process)
            self._context.fail(error)

    def _hold(self) -> None:
        context = self._context
        pipeline = context.settings.pipeline
        session = Session.open(context.settings.target, context.settings.apply)
        try:
            mine = claim(
                session,
                pipeline,
                CONTROL_PARTITION,
                context.owner,
                self._tenure,
                self._poller.commit_offset,
            )
            self._tenure.succeeded()
            while True:
                self._tenure.sleep(LOOK_SECONDS)
                row = checkpoint.read(session.connection, pipeline, CONTROL_PARTITION)
                if row is None or row.epoch != mine.epoch:
                    raise ClaimLost("the control partition has another owner")
        finally:
            session.close()
