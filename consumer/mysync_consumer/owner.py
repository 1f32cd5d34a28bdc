"""The owner of the control partition: one process of the pipeline, which executes statements.

It claims the checkpoint's row -1 as workers claim theirs, and so is known and fenced alike. It
takes the statements, and the begins and ends of transfers, in their order: waits until every
partition has applied all that came before the line, executes the statement once (`ddlonce`) or
changes the table's state (`transferring`), then moves the row's frontier to the line's seq, on
which all workers wait. Definitions that became certain are compared on both sides, before the
next statement changes them.

A crash between the execution and the frontier leaves a statement that the next owner finds done. A
zombie that goes on with an old statement finds it done too.
"""

import threading
import time
from dataclasses import replace

import pymysql

from mysync_consumer import checkpoint, metrics
from mysync_consumer.checkpoint import Claimed, Progress
from mysync_consumer.claim import claim
from mysync_consumer.comparison import Comparison
from mysync_consumer.context import Context
from mysync_consumer.control import Work
from mysync_consumer.errors import ClaimLost, Revoked, StoppedByInstruction
from mysync_consumer.execution import Execution
from mysync_consumer.frontier import Frontier
from mysync_consumer.poller import Poller
from mysync_consumer.session import Session
from mysync_consumer.tables import CONTROL_PARTITION
from mysync_consumer.telling import stop_everyone
from mysync_consumer.tenure import Tenure
from mysync_runtime import crash, mysql
from mysync_runtime.errors import DataError, MysyncError
from mysync_runtime.log import get_logger
from mysync_schemas.control import Ddl

LOOK_SECONDS = 1.0
"""How often the owner looks whether it still is, while there is nothing to execute."""

DUE = crash.declare(
    "owner.statement_due", "all partitions are at a line of the owner's, nothing of it is done"
)
DONE = crash.declare(
    "owner.statement_done", "what the line asks for is done, the owner's frontier stands before it"
)
MOVED = crash.declare(
    "owner.frontier_moved", "the frontier is the line's seq; no worker was told of it yet"
)


class ControlOwner:
    """A thread that holds row -1 while the control partition is assigned to this process."""

    def __init__(self, context: Context, poller: Poller) -> None:
        self._context = context
        self._poller = poller
        self._tenure = Tenure()
        self._execution = Execution(context, self._tenure)
        self._comparison = Comparison(context)
        self._log = get_logger("owner")
        self._thread = threading.Thread(target=self._run, name="control-owner", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Ends it; a statement under way is left to the server, and found by the next owner."""
        self._tenure.end()
        self._execution.abort()
        self._thread.join(5.0)

    def _run(self) -> None:
        where = self._context.settings.target.address
        try:
            while True:
                self._tenure.check()
                try:
                    self._hold()
                except (MysyncError, pymysql.err.Error, OSError) as error:
                    found = mysql.error_of(error, "own the control partition", where)
                    if not found.retriable:
                        raise found from error
                    metrics.count(found)
                    self._log.warning("claiming again", reason=str(found))
                self._tenure.back_off()
        except Revoked:
            self._log.debug("given back")
        except StoppedByInstruction as error:
            self._context.fail(error)
        except DataError as error:
            stop_everyone(self._context, error, CONTROL_PARTITION)
            self._context.fail(error)
        except Exception as error:  # noqa: BLE001 (ends the process)
            self._context.fail(error)

    def _hold(self) -> None:
        """Claims the row and executes statements, until something ends it."""
        context = self._context
        session = Session.open(context.settings.target, context.settings.apply)
        try:
            # The connection before it may have been lost with a target that forgot commits: what
            # partitions have reached is read anew, from this one.
            context.frontiers.forget()
            mine = claim(
                session,
                context.settings.pipeline,
                CONTROL_PARTITION,
                context.owner,
                self._tenure,
                self._poller.commit_offset,
            )
            context.obedience.adopt(session.connection, mine.control_version)
            context.bindings.control.catch_up(self._tenure.check)
            self._publish(session, mine)
            self._tenure.succeeded()
            while True:
                mine = self._next(session, mine)
        finally:
            self._execution.close()
            self._comparison.forget()
            session.close()

    def _next(self, session: Session, mine: Claimed) -> Claimed:
        """One statement or transfer record, if there is one; what became certain before it is
        compared first."""
        control = self._context.bindings.control
        # In this order: all statements before what is known now are seen then.
        known = control.knowledge.newest_seq
        work = control.next_work(mine.progress.frontier, LOOK_SECONDS)
        self._tenure.check()
        self._still_mine(session, mine)
        self._comparison.compare(session, mine.progress.frontier, known, work)
        if work is None:
            return mine
        if self._context.goal.behind(work.seq):
            self._tenure.sleep(LOOK_SECONDS)
            return mine
        waited = self._wait(session, work.seq)
        crash.crash_point(DUE)
        self._still_mine(session, mine)
        began = time.monotonic()
        if isinstance(work, Ddl):
            outcome = self._execution.execute(session, mine, work)
        else:
            outcome = self._execution.transfer(session, mine, work)
        seconds = time.monotonic() - began
        crash.crash_point(DONE)
        new = reached(mine.progress, work)
        checkpoint.advance(session.connection, mine, new)
        crash.crash_point(MOVED)
        mine = mine.advanced(new)
        self._publish(session, mine)
        self._tell(work, outcome, waited, seconds)
        return mine

    def _tell(self, work: Work, outcome: str, waited: float, seconds: float) -> None:
        spent = {"waited": round(waited, 3), "seconds": round(seconds, 3)}
        if isinstance(work, Ddl):
            metrics.STATEMENTS.labels(outcome).inc()
            metrics.STATEMENT_SECONDS.observe(seconds)
            self._log.info(
                "statement",
                ddl=work.id,
                seq=work.seq,
                verb=work.verb,
                tables=list(work.tables),
                outcome=outcome,
                **spent,
            )
            return
        metrics.TRANSFERS.labels(work.phase).inc()
        self._log.info(
            "transfer",
            transfer=work.id,
            seq=work.seq,
            phase=work.phase,
            table=f"{work.db}.{work.table}",
            outcome=outcome,
            **spent,
        )

    def _wait(self, session: Session, seq: int) -> float:
        """Until all partitions have applied what came before a line; returns seconds."""
        frontiers, server = self._context.frontiers, session.identity.server

        def tick() -> None:
            self._tenure.check()
            session.keep_alive()

        return frontiers.wait(lambda: not frontiers.behind(seq - 1, server), tick)

    def _still_mine(self, session: Session, mine: Claimed) -> None:
        """Raises ClaimLost when another process claimed the row since; reads instructions."""
        pipeline = self._context.settings.pipeline
        row = checkpoint.read(session.connection, pipeline, CONTROL_PARTITION)
        if row is None or row.epoch != mine.epoch:
            raise ClaimLost("the control partition has another owner")
        self._context.obedience.check(session.connection, row.control_version)

    def _publish(self, session: Session, mine: Claimed) -> None:
        self._context.frontiers.publish(
            CONTROL_PARTITION,
            Frontier(mine.progress.frontier, session.identity.server, mine.epoch),
        )


def reached(before: Progress, work: Work) -> Progress:
    """Where the owner stands when this is done."""
    if isinstance(work, Ddl):
        gtid, source_us = work.gtid, work.context.timestamp_us or 0
    else:
        gtid, source_us = None, work.ts_us
    return replace(
        before,
        frontier=work.seq,
        last_seq=work.seq,
        file=work.file,
        pos=work.pos,
        gtid=gtid,
        source_us=source_us,
    )
