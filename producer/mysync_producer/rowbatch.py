"""Rows of one event, or of a piece of a table, into a batch of records: all of them or none."""

from mysync_producer.publisher import Record
from mysync_producer.rowcodec import EventContext, Sequencer, TablePlan, encode_rows

__all__ = ["encode_whole"]


def encode_whole(
    plan: TablePlan,
    context: EventContext,
    sequencer: Sequencer,
    operation: int,
    images: bytes,
    at: int,
    end: int,
    row: int,
    skip: int,
    limit: int,
    batch: list[list[Record]],
) -> tuple[int, int, int]:
    """As `rowcodec.encode_rows`. A row that can't be carried leaves nothing: the rows before it
    were numbered, but nobody will send them."""
    seq, prev = sequencer.seq, sequencer.prev.copy()
    try:
        return encode_rows(
            plan, context, sequencer, operation, images, at, end, row, skip, limit, batch
        )
    except BaseException:
        sequencer.seq, sequencer.prev = seq, prev
        for records in batch:
            records.clear()
        raise
