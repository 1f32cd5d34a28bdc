"""What is under way of one table's transfer; nothing here outlives the session. Pure."""

from mysync_producer.chunkread import Job, Plan
from mysync_producer.state import Learning, Server
from mysync_producer.tables import Table
from mysync_producer.transaction import SourceTransaction
from mysync_producer.transferstate import Chunk
from mysync_runtime.settings import TransferSettings
from mysync_schemas.position import BinlogPosition

__all__ = ["Running", "comparable", "ready"]

_FIRST_ROWS, _FEWEST_ROWS, _MOST_ROWS = 500, 100, 100_000


class Running:
    """`touched`: the message keys that the stream had while chunks are under way. `again`: chunks
    to be read again, `large` those of them that aren't kept when they are read. `limit`: rows of
    the next chunk. `tries`, `locks`, `failures`: since something was sent. `carried`: its events
    are, so the target may have rows of it."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.table: Table | None = None
        self.touched: set[bytes | None] = set()
        self.jobs: list[Job] = []
        self.again: list[Chunk] = []
        self.large: set[Chunk] = set()
        self.planning = False
        self.carried = False
        self.limit = _FIRST_ROWS
        self.tries = 0
        self.locks = 0
        self.failures = 0
        self.not_before = 0.0

    def void(self) -> None:
        """What is under way is no good any more."""
        for job in self.jobs:
            job.void = True
            job.passed.set()
        self.touched.clear()

    def close(self) -> None:
        """Nothing of it is wanted any more."""
        for job in self.jobs:
            job.void = True
            job.close()

    def adapt(self, job: Job, settings: TransferSettings) -> None:
        """So many rows that a chunk takes about as long, and is about as large, as it should."""
        if job.stream or not job.rows or job.rows < job.limit // 2:
            return
        size = sum(map(len, job.images))
        by_time = job.rows * settings.chunk_seconds / max(job.seconds, 0.001)
        by_size = job.rows * settings.chunk_bytes * 0.7 / max(size, 1)
        wanted = min(by_time, by_size, self.limit * 2.0)
        least = min(_FEWEST_ROWS, by_size)
        self.limit = int(max(1, least, min(_MOST_ROWS, max(wanted, self.limit / 2))))


def ready(job: Job, server: Server, transaction: SourceTransaction) -> bool:
    """Whether the stream has come by the place that a chunk is good for."""
    return (
        job.read
        and not job.void
        and job.high is not None
        and job.high.passed(server, transaction.boundary, transaction.gtids)
    )


def comparable(high: Learning, boundary: BinlogPosition) -> bool:
    """Not across a change of the log's name."""
    return BinlogPosition(high.file, high.pos).base == boundary.base
