"""Statements into the stream.

A statement goes to the control topic with its context, in the Kafka transaction that puts a line
into every partition: so it stands between the rows before it and those after, and both are there or
neither is. With it go the versions of the tables that hold from its line on. A crash before the
commit leaves nothing of it; after it, the position stands behind the statement (within a
transaction: it counts as one of its rows).
"""

from typing import Any

from mysync_producer import metrics, points
from mysync_producer.knowledge import Knowledge
from mysync_producer.statements import Change
from mysync_producer.transaction import SourceTransaction
from mysync_runtime.crash import crash_point
from mysync_runtime.log import get_logger
from mysync_schemas import control
from mysync_schemas.control import Ddl, DdlContext
from mysync_schemas.markers import Line

__all__ = ["Changes"]

log = get_logger("changes")


class Changes:
    """Numbers statements from `next_id` on and sends them."""

    def __init__(self, knowledge: Knowledge, next_id: int) -> None:
        self._knowledge = knowledge
        self._next_id = next_id

    @property
    def state_fields(self) -> dict[str, Any]:
        """What of it stands in the state record."""
        return {"next_ddl_id": self._next_id}

    def carry(
        self, change: Change, context: DdlContext, transaction: SourceTransaction, server_id: int
    ) -> int:
        """Sends a statement and its line; returns the line's seq."""
        knowledge = self._knowledge
        seq, prev = knowledge.sequencer.take_all()
        versions = knowledge.follow(change, seq)
        ddl = Ddl(
            id=self._next_id,
            seq=seq,
            sql=change.sql,
            context=context,
            tables=tuple(sorted(map(str, change.effects.tables))),
            schema_ids=tuple(version.id for version in versions),
            server_id=server_id,
            gtid=transaction.gtid,
            file=transaction.file,
            pos=transaction.at(0),
            verb=change.verb.name,
            server_version=change.server_version,
        )
        self._next_id += 1
        # The statement first: who knows a version knows every statement before it.
        knowledge.publisher.control([control.encode(ddl, knowledge.info.ids())])
        knowledge.tell(versions)
        crash_point(points.STATEMENT)
        knowledge.line(Line(seq, 0, transaction.txn_seq or seq, ddl.id, Line.DDL), prev)
        crash_point(points.STATEMENT_LINE)
        metrics.STATEMENTS.labels(ddl.verb).inc()
        log.info(
            "statement",
            ddl=ddl.id,
            seq=seq,
            verb=ddl.verb,
            tables=list(ddl.tables),
            at=f"{ddl.file}:{ddl.pos}",
        )
        return seq
