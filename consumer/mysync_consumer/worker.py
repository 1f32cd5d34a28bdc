"""One partition's worker: a thread that claims the partition and streams it, again after any
failure.

There is one way back from everything that passes (a lost connection, another claim, a deadlock that
stays, an answer to COMMIT that never came): close the session, wait a little, claim again, and read
from the checkpoint where the partition stands. What doesn't pass stops every process of the
pipeline by an instruction, so that none of them retries the same event in turn. Where the policy is
`quarantine`, what is wrong with one table is tried a few times more, in the same way; then an
instruction sets the table aside, and the partition goes on behind its row."""

import threading

import pymysql

from mysync_consumer import metrics, report, telling
from mysync_consumer.batchlimit import BatchLimit
from mysync_consumer.checkpoint import Progress
from mysync_consumer.claim import claim
from mysync_consumer.context import Context
from mysync_consumer.errors import (
    Revoked,
    StoppedByInstruction,
    TableFailed,
    TargetUnavailable,
)
from mysync_consumer.failures import Failures
from mysync_consumer.poller import Poller
from mysync_consumer.session import Session
from mysync_consumer.stream import Stream
from mysync_consumer.tenure import Tenure
from mysync_runtime import mysql
from mysync_runtime.errors import (
    ConnectionLost,
    DataError,
    LogHole,
    MysyncError,
    RecordsDeleted,
)
from mysync_runtime.log import get_logger


class Worker:
    """A thread for one partition, from assignment to revocation."""

    def __init__(self, context: Context, poller: Poller, partition: int, assignment: int) -> None:
        self.partition = partition
        self._assignment = assignment
        self._context = context
        self._poller = poller
        self._tenure = Tenure()
        self._limit = BatchLimit(context.settings.apply.batch_rows)
        self._failures = Failures()
        self._lost = False
        self._session: Session | None = None
        self._stream: Stream | None = None
        self._log = get_logger("worker", partition=partition)
        self._thread = threading.Thread(target=self._run, name=f"worker-{partition}", daemon=True)

    @property
    def streaming(self) -> bool:
        """Whether the partition is claimed."""
        return self._stream is not None

    @property
    def progress(self) -> Progress | None:
        """What is committed under the present claim; None without one."""
        stream = self._stream
        return stream.progress if stream is not None else None

    def standing(self) -> dict[str, object]:
        """What is committed under the present claim; nothing without one."""
        stream = self._stream
        return stream.standing() if stream is not None else {}

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Asks the worker to finish its batch and end."""
        self._tenure.end()

    def join(self, seconds: float) -> bool:
        """Waits for the end; after `seconds` the session is cut. Says whether it ended in time."""
        self._thread.join(seconds)
        if not self._thread.is_alive():
            return True
        self._log.warning("the batch is not finished in time: its connection is cut")
        session = self._session
        if session is not None:
            session.abort()
        return False

    def _run(self) -> None:
        try:
            while True:
                self._tenure.check()
                try:
                    self._hold_or_set_aside()
                except (MysyncError, pymysql.err.Error, OSError) as error:
                    found = mysql.error_of(
                        error,
                        f"work on partition {self.partition}",
                        self._context.settings.target.address,
                    )
                    if not found.retriable:
                        raise found from error
                    self._retry(found)
        except Revoked:
            self._log.debug("partition given back")
        except StoppedByInstruction as error:
            self._context.fail(error)
        except DataError as error:
            telling.stop_everyone(self._context, error, self.partition)
            self._context.fail(error)
        except Exception as error:  # noqa: BLE001 (ends the process)
            self._context.fail(error)

    def _retry(self, error: MysyncError) -> None:
        metrics.count(error)
        self._lost = self._lost or isinstance(error, (ConnectionLost, TargetUnavailable))
        self._log.warning("claiming again", reason=str(error))
        self._tenure.back_off()

    def _hold_or_set_aside(self) -> None:
        try:
            self._hold()
        except TableFailed as failed:
            if self._context.settings.apply.on_divergence == "stop":
                raise failed.error from None
            self._table_failed(failed)

    def _table_failed(self, failed: TableFailed) -> None:
        """Once more, or the table is quarantined. Raises what keeps the target from taking that."""
        context, error = self._context, failed.error
        most = context.settings.apply.max_failures
        metrics.count(error)
        count = self._failures.count(failed.table, failed.offset)
        self._log.warning(
            "a table can't be written",
            table=str(failed.table),
            reason=str(error),
            failures=count,
            of=most,
        )
        if count < most:
            self._tenure.back_off()
            return
        telling.keep(context, error)
        event = getattr(error, "report", None)
        detail = {
            "class": error.label,
            "error": str(error),
            "place": failed.place,
            "event": report.shortened(event) if event is not None else None,
        }
        telling.write(
            context,
            lambda sql: context.quarantine.quarantine(
                sql, context.info.partitions, [failed.table], error.what, detail, context.owner
            ),
        )

    def _hold(self) -> None:
        """Claims and streams, until something ends it."""
        context = self._context
        settings = context.settings
        self._session = session = Session.open(settings.target, settings.apply)
        try:
            if self._lost:
                context.frontiers.forget()
                self._lost = False
            claimed = claim(
                session,
                settings.pipeline,
                self.partition,
                context.owner,
                self._tenure,
                self._poller.commit_offset,
            )
            context.obedience.adopt(session.connection, claimed.control_version)
            # Whoever had it before may have passed lines that aren't known here yet.
            context.bindings.control.catch_up(self._tenure.check)
            metrics.CLAIMS.labels(str(self.partition)).inc()
            at = claimed.progress
            self._log.info("claimed", epoch=claimed.epoch, offset=at.next_offset, seq=at.last_seq)
            queue = self._poller.flow(self.partition, at.next_offset, self._assignment)
            self._stream = Stream(context, self._tenure, session, claimed, queue, self._limit)
            self._stream.run()
        except (LogHole, RecordsDeleted):
            context.topics.check_now()
            raise
        finally:
            self._stream = None
            session.close()
