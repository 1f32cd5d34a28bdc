"""One active time of a producer, from a start to whatever ends it.

It holds what lives in memory only, and none of it outlives an aborted Kafka transaction. `state` is
the last committed one: a dump is always opened from there.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from typing import Any

from mysync_producer import metrics, points
from mysync_producer.capture import Capture
from mysync_producer.catalog import read_catalog
from mysync_producer.changes import Changes
from mysync_producer.commands import Commands
from mysync_producer.connection import Identity, open_dump
from mysync_producer.failover import verify_last
from mysync_producer.filters import Filters
from mysync_producer.heartbeat import Pulse
from mysync_producer.history import verify_file
from mysync_producer.knowledge import Knowledge
from mysync_producer.lag import lag
from mysync_producer.loading import Loading
from mysync_producer.publisher import Record
from mysync_producer.rowcodec import Sequencer
from mysync_producer.schemacopy import drop
from mysync_producer.source import Source, verify_source
from mysync_producer.start import Started
from mysync_producer.state import Learning, Server, State
from mysync_producer.statements import dialect_of
from mysync_producer.stream import BinlogStream
from mysync_producer.tables import PlanSettings, Tables
from mysync_producer.transaction import Resume, SourceTransaction, TakenBack
from mysync_producer.xa import XaTransactions
from mysync_producer.xatopic import XaTopic
from mysync_runtime.crash import crash_point
from mysync_runtime.errors import (
    ConnectionLost,
    MysyncError,
    PositionLost,
    PreflightError,
    SourceDiverged,
)
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.metrics import version
from mysync_runtime.settings import Settings
from mysync_schemas.framing import frame
from mysync_schemas.markers import Heartbeat

__all__ = ["Session", "identity_of"]

log = get_logger("session")

_WAKE_SECONDS = 0.5
_SHORT_SECONDS = 0.05  # while something else than the source's log is waited for
# Derived server ids: 30 bits of the pipeline's uuid, above any that people give out by hand.
_SERVER_ID_BASE = 0x40000000


def identity_of(settings: Settings, pipeline_uuid: str) -> Identity:
    """How the pipeline presents itself to the source, the same at every start."""
    derived = _SERVER_ID_BASE | int(pipeline_uuid[:8], 16) & (_SERVER_ID_BASE - 1)
    return Identity(settings.source.server_id or derived, pipeline_uuid, settings.pipeline)


class Session:
    """See the module. `alive` and `confirm` raise when another producer was elected: the first by
    what is known here, the second asks."""

    def __init__(
        self,
        settings: Settings,
        filters: Filters,
        started: Started,
        taken_back: TakenBack,
        stop: Stop,
        alive: Callable[[], None],
        confirm: Callable[[], None],
        commands: Commands,
    ) -> None:
        self.settings = settings
        self.filters = filters
        self.info = started.info
        self.definitions = started.definitions
        self.publisher = started.publisher
        self.state = started.state
        self.taken_back = taken_back
        self.stop = stop
        self.alive = alive
        self.confirm = confirm
        self.streaming = False
        self.commits = 0
        self._sequencer = Sequencer(self.state.seq, list(self.state.last_seqs))
        self._tables = Tables(
            filters,
            PlanSettings(
                pipeline=settings.pipeline,
                version=version(),
                connector=self.state.server.flavor,
                partitions=self.info.partitions,
                max_message_bytes=settings.topics.max_message_bytes,
                part_schema_id=self.info.ids()["Part"],
            ),
        )
        self._asking: Source | None = None
        self._knowledge = Knowledge(
            settings, filters, started, self._tables, self._sequencer, self._asked
        )
        self._changes = Changes(self._knowledge, self.state)
        self._loading = Loading(
            settings,
            filters,
            started,
            self._tables,
            self._knowledge,
            self._changes,
            commands,
            self._asked,
        )
        self._xa = XaTransactions(
            XaTopic(settings, self.publisher, stop, alive),
            started.prepared,
            settings.topics.max_message_bytes,
        )
        self._heartbeat_id = self.info.ids()["Heartbeat"]
        self._pulse = Pulse(time.monotonic())
        self._server: Server = self.state.server
        lag.waits(self.state.ts_us or time.time_ns() // 1000)

    # -- the source

    def open(self) -> tuple[BinlogStream, Capture]:
        """Verifies that the source has what follows the committed state and opens the dump there.

        The source ends whatever else reads with our identity, so the election is asked for first.
        Raises PositionLost, SourceDiverged, LeadershipLost, and ConnectionLost to be tried again.
        """
        self.alive()
        source = Source.connect(self.settings.source)
        try:
            begin = verify_source(source, self.state, self.stop)
            self._server = source.server()
        finally:
            source.close()
        crash_point(points.BEFORE_DUMP)
        identity = identity_of(self.settings, self.info.uuid)
        self.confirm()
        if self._server != self.state.server:
            verify_last(self.settings.source, begin, self.state.last, identity, self.stop)
        else:
            verify_file(self.settings.source, self.state, identity, self.stop, self.alive)
        stream = open_dump(self.settings.source, begin, identity)
        state = self.state
        resume = None
        if state.rows_done or state.txn_seq:
            resume = Resume(state.rows_done, state.txn_seq, state.open_gtid, state.left_out)
        transaction = SourceTransaction(
            state.position,
            state.gtid_set(),
            self.taken_back,
            resume,
            foreign=self._server != state.server,
        )
        self._knowledge.transaction = transaction
        self._xa.drop()
        log.info("streaming", position=str(state.position), gtids=state.gtids)
        self.streaming = True
        return stream, Capture(
            self._tables, self.filters, self._sequencer, transaction, self.info.partitions,
            self._xa, self._changes, self.settings.ddl,
        )  # fmt: skip

    def _asked(self) -> Source:
        """A connection for questions while the log is read."""
        if self._asking is not None and not self._asking.alive():
            self._asking.close()
            self._asking = None
        if self._asking is None:
            self._asking = Source.connect(self.settings.source)
        return self._asking

    def lost(self, capture: Capture, error: ConnectionLost) -> None:
        """After the source's connection broke: keeps what is whole, or raises `error` to begin anew
        when a transaction is half sent."""
        self.streaming = False
        metrics.RECONNECTS.inc()
        lag.waits(time.time_ns() // 1000)
        if self.publisher.open:
            if capture.transaction.sent:
                raise error
            self.commit(capture)
        log.warning("the source's connection was lost", error=str(error))
        crash_point(points.RECONNECT)

    @property
    def joining(self) -> bool:
        """Whether the target has no tables yet."""
        return self._loading.waits_for is not None

    def transfers(self) -> dict[str, Any]:
        """For `/status`."""
        return self._loading.status()

    def begin_again(self, lost: MysyncError) -> None:
        """The source can't continue what was committed: begins at the present end of its log, as a
        new pipeline does, and with all tables to be made anew. The session is over then.

        Raises `lost` for a server of the other flavour: its rows are of other types."""
        source = self._asked()
        server, begin = source.server(), source.end()
        if server.flavor != self.info.connector:
            raise lost
        log.error("all tables are transferred again", reason=str(lost))
        catalog = read_catalog(source.connection, source.flavor, self.filters)
        if catalog.refused:
            raise PreflightError("the source has tables that can't be replicated", catalog.refused)
        version = dialect_of(source.flavor.text).version
        # First: until they are made again, nobody compares them with what is known from now on.
        tables = {*self.definitions.schemas, *(table.table_id for table in catalog.tables)}
        for table in sorted(tables):
            self._changes.issue(drop(table), begin.position, version)
        self._knowledge.begin_again(catalog.tables, Learning.after(server, source.end()))
        crash_point(points.BEGUN_AGAIN)
        self._commit(
            {
                "server": server,
                "file": begin.position.file,
                "pos": begin.position.pos,
                "gtids": None if begin.gtids is None else str(begin.gtids),
                "log_created": 0,
                "last": None,
                "rows_done": 0,
                "left_out": 0,
                "open_gtid": None,
                "txn_seq": 0,
                "initial": "again",
            }
        )

    def explain(self) -> None:
        """After the log couldn't be read on: raises PositionLost or SourceDiverged where that is
        why. A RESET under a running dump of MySQL looks like a damaged file."""
        try:
            with closing(Source.connect(self.settings.source)) as source:
                verify_source(source, self.state, self.stop)
                same = source.server() == self.state.server
            if same:
                identity = identity_of(self.settings, self.info.uuid)
                verify_file(self.settings.source, self.state, identity, self.stop, self.alive)
        except (PositionLost, SourceDiverged):
            raise
        except MysyncError as error:
            log.warning("the source can't be asked for the reason", error=str(error))

    # -- Kafka

    def keep_whole(self, capture: Capture) -> None:
        """Before the end: commits what came before the open transaction, if none of that one was
        sent."""
        if self.publisher.open and not capture.transaction.sent:
            self.commit(capture)

    def commit(self, capture: Capture) -> None:
        """Commits everything sent with the place that `capture` has reached."""
        transaction = capture.transaction
        if transaction.open:
            crash_point(points.MID_TRANSACTION)
        began = time.monotonic()
        in_part = transaction.open and bool(transaction.rows_done or transaction.txn_seq)
        gtids = transaction.gtids
        state = self._commit(
            {
                "server": self.state.server if transaction.foreign else self._server,
                "file": transaction.boundary.file,
                "pos": transaction.boundary.pos,
                "gtids": None if gtids is None else str(gtids),
                "log_created": transaction.created_or(self.state.file, self.state.log_created),
                "last": transaction.last or self.state.last,
                "rows_done": transaction.rows_done,
                "left_out": transaction.left_out_done,
                "open_gtid": transaction.gtid if in_part else None,
                "txn_seq": transaction.txn_seq if in_part else 0,
                "initial": self._loading.waits_for,
            }
        )
        transaction.committed()
        self._loading.committed()
        self.state = state
        self.taken_back.forget(state.position)
        metrics.COMMITS.inc()
        metrics.COMMIT_SECONDS.observe(time.monotonic() - began)
        metrics.SEQ.set(state.seq)
        if capture.source_us:
            lag.committed(capture.source_us)

    def _commit(self, place: Mapping[str, Any]) -> State:
        """Commits everything sent, with the state at this place of the source."""
        numbered = {
            "seq": self._sequencer.seq,
            "last_seqs": tuple(self._sequencer.prev),
            "offsets": tuple(self.publisher.offsets),
            "ts_us": time.time_ns() // 1000,
        }
        known = self._knowledge.state_fields | self._changes.state_fields
        state = self.state.model_copy(update={**place, **numbered, **known})
        self.publisher.commit(state, self._loading.unsaved())
        self.commits += 1
        return state

    def adopt_when_due(self, capture: Capture) -> None:
        """Between two transactions: new knowledge of tables, at a line of its own."""
        transaction = capture.transaction
        if not transaction.between or transaction.foreign:
            return
        if self._knowledge.adopt_when_due(self._server, transaction):
            self.commit(capture)

    def load_when_due(self, capture: Capture) -> None:
        """Between two transactions: what whole tables have to be sent."""
        transaction = capture.transaction
        if not transaction.between or transaction.foreign:
            return
        if self._loading.due(self._server, capture, partial(self._between_rows, capture)):
            self.commit(capture)

    def _between_rows(self, capture: Capture) -> None:
        """While a table's rows are sent, of which there may be any number. Raises Stopped."""
        self.alive()
        now = time.monotonic()
        self.beat_when_due(capture, now, behind=True)
        if self.publisher.full or self.publisher.overdue(now) or self.stop.requested:
            self.commit(capture)
        self.stop.raise_if_requested()

    def beat_when_due(self, capture: Capture, now: float, *, behind: bool) -> None:
        """A heartbeat in every partition. `behind`: the log goes on after what was taken. Until the
        tables join it names no place at which the target could be as the source was: it says that
        a transaction is open."""
        transaction = capture.transaction
        place = transaction.boundary, transaction.rows
        if not self._pulse.due(now, place):
            return
        self._pulse.beat(now, place)
        if not (transaction.open or transaction.between):
            return
        seq, prev = self._sequencer.take_all()
        txn_seq = seq
        if transaction.open:
            txn_seq = transaction.txn_seq = transaction.txn_seq or seq
        gtids = None if transaction.gtids is None else str(transaction.gtids)
        source_us = capture.source_us if behind and capture.source_us else time.time_ns() // 1000
        crash_point(points.HEARTBEAT)
        self._send(
            [
                (
                    None,
                    frame(
                        self._heartbeat_id,
                        Heartbeat(
                            seq,
                            before,
                            txn_seq,
                            source_us,
                            transaction.boundary.file,
                            transaction.boundary.pos,
                            gtids,
                            transaction.open or self.joining,
                        ).encode(),
                    ),
                )
                for before in prev
            ]
        )

    def patience(self, capture: Capture, now: float) -> float:
        """Seconds that nothing has to be done by itself."""
        if self.publisher.open or self._loading.active:
            return _SHORT_SECONDS
        place = capture.transaction.boundary, capture.transaction.rows
        return min(_WAKE_SECONDS, self._pulse.patience(now, place))

    def close(self) -> None:
        """Gives up what isn't committed."""
        self.streaming = False
        self._loading.close()
        self.publisher.close()
        if self._asking is not None:
            self._asking.close()
        lag.nothing_waits()

    def _send(self, copies: list[tuple[None, bytes]]) -> None:
        """One record to each partition."""
        batch: list[list[Record]] = [[record] for record in copies]
        self.publisher.send(batch, sum(len(value) for _, value in copies))
