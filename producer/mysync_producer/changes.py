"""Statements into the stream.

A statement goes to the control topic with its context, in the Kafka transaction that puts a line
into every partition: so it stands between the rows before it and those after, and both are there or
neither is. With it go the versions of the tables that hold from its line on. A crash before the
commit leaves nothing of it; after it, the position stands behind the statement (within a
transaction: it counts as one of its rows).
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

from mysync_producer import metrics, points
from mysync_producer.knowledge import Knowledge
from mysync_producer.made import Made
from mysync_producer.state import State
from mysync_producer.statements import Change
from mysync_producer.transaction import SourceTransaction
from mysync_runtime.crash import crash_point
from mysync_runtime.log import get_logger
from mysync_schemas import control
from mysync_schemas.control import Ddl, DdlContext, Transfer
from mysync_schemas.markers import Line
from mysync_schemas.position import BinlogPosition
from mysync_schemas.table import TableSchema

__all__ = ["Changes"]

log = get_logger("changes")

Phase = Literal["begin", "end", "cancelled"]


class Changes:
    """Numbers statements and transfers as `state` says, and sends them.

    `held`: the target has no tables yet, so that what statements leave is all that matters.
    `unchecked`: statements check no foreign keys, because the target may lack rows. `followed` is
    told of each of the source's statements."""

    def __init__(self, knowledge: Knowledge, state: State) -> None:
        self.held = False
        self.unchecked = False
        self.followed: Callable[[Change], None] = lambda _change: None
        self._knowledge = knowledge
        self._next_id = state.next_ddl_id
        self._next_transfer_id = state.next_transfer_id

    @property
    def state_fields(self) -> dict[str, Any]:
        """What of it stands in the state record."""
        return {"next_ddl_id": self._next_id, "next_transfer_id": self._next_transfer_id}

    def carry(
        self, change: Change, context: DdlContext, transaction: SourceTransaction, server_id: int
    ) -> int:
        """Sends a statement and its line; returns the line's seq."""
        knowledge = self._knowledge
        seq, prev = knowledge.sequencer.take_all()
        versions = knowledge.follow(change, seq)
        txn_seq = transaction.txn_seq or seq
        if self.unchecked:
            context = context.model_copy(update={"foreign_key_checks": False})
        if self.held:
            knowledge.tell(versions)
            last = knowledge.definitions.next_version - 1
            knowledge.line(Line(seq, 0, txn_seq, last, Line.ADOPT), prev)
        else:
            self._send(
                Ddl(
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
                ),
                versions,
                txn_seq,
                prev,
            )
        self.followed(change)
        return seq

    def issue(self, made: Made, boundary: BinlogPosition, server_version: int) -> None:
        """Sends a statement that the source didn't execute, between two of its transactions."""
        seq, prev = self._knowledge.sequencer.take_all()
        ddl = Ddl(
            id=self._next_id,
            seq=seq,
            sql=made.sql,
            context=made.context,
            tables=tuple(map(str, made.tables)),
            file=boundary.file,
            pos=boundary.pos,
            verb=made.verb.name,
            server_version=server_version,
        )
        self._send(ddl, [], seq, prev)

    def transfer(
        self, table: TableSchema, phase: Phase, boundary: BinlogPosition, rows: int | None = None
    ) -> int:
        """Sends the begin or the end of a table's transfer; returns the record's id."""
        knowledge = self._knowledge
        seq, prev = knowledge.sequencer.take_all()
        record = Transfer(
            id=self._next_transfer_id,
            seq=seq,
            db=table.db,
            table=table.table,
            phase=phase,
            schema_id=table.id,
            file=boundary.file,
            pos=boundary.pos,
            rows=rows,
            ts_us=time.time_ns() // 1000,
        )
        self._next_transfer_id += 1
        knowledge.publisher.control([control.encode(record, knowledge.info.ids())])
        action = Line.BEGIN if phase == "begin" else Line.END
        knowledge.line(Line(seq, 0, seq, record.id, action), prev)
        log.info("transfer", table=str(table.table_id), phase=phase, seq=seq, rows=rows)
        return record.id

    def _send(
        self, ddl: Ddl, versions: list[TableSchema], txn_seq: int, prev: Iterable[int]
    ) -> None:
        """The statement first: who knows a version knows every statement before it."""
        knowledge = self._knowledge
        self._next_id += 1
        knowledge.publisher.control([control.encode(ddl, knowledge.info.ids())])
        knowledge.tell(versions)
        crash_point(points.STATEMENT)
        knowledge.line(Line(ddl.seq, 0, txn_seq, ddl.id, Line.DDL), prev)
        crash_point(points.STATEMENT_LINE)
        metrics.STATEMENTS.labels(ddl.verb).inc()
        log.info(
            "statement",
            ddl=ddl.id,
            seq=ddl.seq,
            verb=ddl.verb,
            tables=list(ddl.tables),
            at=f"{ddl.file}:{ddl.pos}",
        )
