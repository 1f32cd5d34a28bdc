"""Rows that were read by SELECT become records, as if they stood at one place of the log.

A chunk is sent between two source transactions; the Kafka transaction may be committed in its
midst: then the chunk is still open, and its rows come again, which the target knows.
"""

import time
from collections.abc import Callable, Iterator

from mysync_producer.capture import Capture
from mysync_producer.chunkread import Job
from mysync_producer.knowledge import Knowledge
from mysync_producer.rowbatch import encode_whole
from mysync_producer.rowcodec import EventContext
from mysync_producer.tables import Table
from mysync_schemas.envelope import NO_FOREIGN_KEY_CHECKS

__all__ = ["ChunkSender"]

_R = ord("r")
_PIECE = 1 << 20


class ChunkSender:
    """Numbers and publishes with `knowledge`'s sequencer and publisher."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._context = EventContext()

    def send(self, table: Table, job: Job, capture: Capture, between: Callable[[], None]) -> int:
        """All rows of a chunk whose keys the stream didn't have; returns how many records.

        `between` is called often, and does what else has to be done meanwhile. Raises what that,
        reading on, and a row that can't be carried, raise: what was sent before is right where it
        stands."""
        high, context, sequencer = job.high, self._context, self._knowledge.sequencer
        assert high is not None
        context.file, context.pos = high.file, high.pos
        context.flags = NO_FOREIGN_KEY_CHECKS
        context.snapshot = "true"
        row = sent = 0
        for images in _pieces(job):
            now_ns = time.time_ns()
            context.ts_ms, context.ts_us = now_ns // 1_000_000, now_ns // 1000
            at = 0
            while at < len(images):
                before = sequencer.seq
                rows, size, at = encode_whole(
                    table.plan, context, sequencer, _R, images, at, len(images), row, 0, _PIECE,
                    capture.batch,
                )  # fmt: skip
                row += rows
                sent += sequencer.seq - before
                if size:
                    self._knowledge.publisher.send(capture.batch, size)
                between()
        return sent


def _pieces(job: Job) -> Iterator[bytes]:
    """A chunk's images."""
    if job.reader is None:
        yield from job.images
        return
    while (piece := job.reader.read(_PIECE)) is not None:
        yield piece
