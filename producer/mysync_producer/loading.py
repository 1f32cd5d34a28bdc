"""What brings whole tables to the target, beside the stream: a new pipeline's tables join once,
then single ones are transferred whenever somebody asks.

Until the tables have joined no row is carried and no statement, and no command is taken.
"""

from collections.abc import Callable
from typing import Any

from mysync_producer import points
from mysync_producer.capture import Capture
from mysync_producer.changes import Changes
from mysync_producer.chunkread import ChunkReaders
from mysync_producer.commands import Commands
from mysync_producer.consumerlag import ConsumerLag
from mysync_producer.filters import Filters
from mysync_producer.governor import Governor
from mysync_producer.joining import Joining
from mysync_producer.knowledge import Knowledge
from mysync_producer.source import Source
from mysync_producer.start import Started
from mysync_producer.state import Initial, Server
from mysync_producer.tables import Tables
from mysync_producer.transaction import SourceTransaction
from mysync_producer.transfers import Transfers
from mysync_runtime.crash import crash_point
from mysync_runtime.settings import Settings

__all__ = ["Loading"]


class Loading:
    """`ask` gives a connection for questions to the source."""

    def __init__(
        self,
        settings: Settings,
        filters: Filters,
        started: Started,
        tables: Tables,
        knowledge: Knowledge,
        changes: Changes,
        commands: Commands,
        ask: Callable[[], Source],
    ) -> None:
        self._tables = tables
        self._knowledge = knowledge
        self._changes = changes
        self._commands = commands
        commands.begin()
        self._lag = ConsumerLag(settings, started.info.partitions)
        self._governor = Governor(settings.transfer, self._lag.records)
        readers = ChunkReaders(settings, self._governor)
        records = started.transfers.values()
        self._transfers = Transfers(settings, records, tables, knowledge, changes, readers, ask)
        self._initial = started.state.initial
        self._joining: Joining | None = None
        if self._initial is not None:
            self._joining = joining = Joining(
                settings, filters, self._initial, knowledge, changes, self._transfers, ask
            )
            tables.hold_all(True)
            changes.held = True
            changes.followed = lambda _change: joining.forget()

    @property
    def waits_for(self) -> Initial | None:
        """What the target is still to be given of the tables: until then it has none."""
        return None if self._joining is None else self._initial

    @property
    def active(self) -> bool:
        """Whether anything is to be done soon."""
        return self._joining is not None or self._transfers.active

    def due(self, server: Server, capture: Capture, between: Callable[[], None]) -> bool:
        """Between two transactions: sends what is due; says whether something has to be committed,
        after which `committed` is called. `between` is called while much is sent."""
        boundary = capture.transaction.boundary
        if self._joining is not None:
            return self._join_when_due(self._joining, server, capture.transaction)
        known = self._knowledge.definitions.schemas
        asked = self._commands.take(self._transfers, known, boundary)
        return self._transfers.advance(server, capture, between) or asked

    def unsaved(self) -> list[tuple[bytes, bytes | None]]:
        """Records of the state topic that have to be committed with what was sent."""
        return self._transfers.unsaved()

    def committed(self) -> None:
        self._commands.committed()

    def status(self) -> dict[str, Any]:
        """For `/status`."""
        return {
            "waiting_to_join": self.waits_for,
            "transfers_wait_because": self._governor.waiting or None,
            "transfers": self._transfers.status(),
        }

    def close(self) -> None:
        self._transfers.close()
        self._lag.close()

    def _join_when_due(
        self, joining: Joining, server: Server, transaction: SourceTransaction
    ) -> bool:
        objects = joining.due(server, transaction)
        if objects is None:
            return False
        self._changes.held = False
        self._changes.followed = self._transfers.followed
        joining.join(objects, transaction.boundary)
        self._tables.hold_all(False)
        self._joining = None
        crash_point(points.JOINED)
        return True
