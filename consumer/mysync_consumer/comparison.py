"""Definitions that became certain, compared on both sides before the next statement changes them.

What was compared is remembered by one owner only; after a crash the next one compares again what
lies behind its frontier.
"""

from functools import partial

from mysync_consumer import ddllog, drift
from mysync_consumer.bindings import renamed
from mysync_consumer.context import Context
from mysync_consumer.control import Work
from mysync_consumer.session import Session
from mysync_consumer.telling import set_aside
from mysync_runtime.errors import MysyncError
from mysync_schemas.control import Ddl, Transfer
from mysync_schemas.table import TableId, TableSchema


class Comparison:
    """Of one owner. `compare` raises what keeps the pipeline from going on."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._compared = -1

    def forget(self) -> None:
        """Between two claims."""
        self._compared = -1

    def compare(self, session: Session, frontier: int, known: int, following: Work | None) -> None:
        """Compares the definitions that became certain behind `frontier`, the seq of the last
        statement or transfer, and before the one that follows, which would change them; up to seq
        `known` if none does. (Who knows a statement knows every version before it.)"""
        context = self._context
        control = context.bindings.control
        upto = known if following is None else following.seq - 1
        after = max(frontier, self._compared)
        versions = {v.table_id: v for v in control.knowledge.between(after, upto)}
        self._compared = max(upto, after)
        due = [
            version
            for table, version in versions.items()
            if version.state == "defined" and control.stated(table, upto)
        ]
        if not due:
            return
        context.quarantine.refresh(session.connection)
        due = [
            version
            for version in due
            if not context.quarantine.holds(version.table_id)
            and not _begins(following, version.table_id)
        ]
        found = drift.compare(
            session,
            due,
            partial(renamed, rename=context.settings.rename),
            words=context.info.connector == session.identity.flavor.kind,
        )
        if found and isinstance(following, Ddl) and self._begun(session, following):
            return  # by an owner that died before it could say so: these aren't what is there now
        for version, error in found:
            self._differs(version, error)

    def _begun(self, session: Session, ddl: Ddl) -> bool:
        """Whether a statement was begun before, as far as is known; one that failed wasn't."""
        entry = ddllog.read(session.connection, self._context.settings.pipeline, ddl.id)
        return entry is not None and entry.state != "failed"

    def _differs(self, version: TableSchema, error: MysyncError) -> None:
        if self._context.settings.ddl.on_failure == "stop":
            raise error
        set_aside(self._context, [version.table_id], error)


def _begins(work: Work | None, table: TableId) -> bool:
    """Whether that is the begin of the table's transfer, behind which it is made: an owner that
    died may have taken it out of quarantine already."""
    return (
        isinstance(work, Transfer)
        and work.phase == "begin"
        and (work.db, work.table) == (table.db, table.table)
    )
