"""The active producer takes what is queued on the source's log, publishes it, and never waits.

Topics are there → elected → the start path → stream. An aborted Kafka transaction, lost leadership,
Kafka's fencing, and rows that the source took back begin anew at the election; a connection that
broke between two source transactions only opens the dump again.
"""

import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from confluent_kafka.admin import AdminClient

from mysync_producer import metrics, points, preflight
from mysync_producer.capture import COMMIT_FIRST, Capture
from mysync_producer.commands import Commands
from mysync_producer.errors import LeadershipLost
from mysync_producer.events import Event
from mysync_producer.filters import Filters
from mysync_producer.lag import lag
from mysync_producer.leader import Leader
from mysync_producer.session import Session
from mysync_producer.source import Source
from mysync_producer.start import start
from mysync_producer.status import state_fields
from mysync_producer.stream import BinlogStream
from mysync_producer.topics import prepare_topics
from mysync_producer.transaction import TakenBack
from mysync_runtime import kafka
from mysync_runtime.backoff import reach, retry_forever
from mysync_runtime.crash import crash_point
from mysync_runtime.errors import (
    ConfigError,
    ConnectionLost,
    CorruptEvent,
    DataError,
    PositionLost,
    SourceDiverged,
    TransientError,
)
from mysync_runtime.http import Readiness, Ticker
from mysync_runtime.lifecycle import Stop, Stopped
from mysync_runtime.log import get_logger
from mysync_runtime.metrics import count_error
from mysync_runtime.settings import Settings
from mysync_schemas.errors import SchemaError

__all__ = ["Producer"]

log = get_logger("producer")

# A process that wasn't elected for so many session timeouts is a standby: somebody else is active.
_STANDBY_TIMEOUTS = 3
_LONGEST_PAUSE = 5.0  # seconds
_TURN_SECONDS = 0.2  # of a turn, and within one event between two signs of life


class Producer:
    """One process. `run` returns when a stop was requested, and raises what ends it otherwise."""

    def __init__(self, settings: Settings, filters: Filters, stop: Stop, ticker: Ticker) -> None:
        self.settings = settings
        self.filters = filters
        self.stop = stop
        self.ticker = ticker
        self.session: Session | None = None
        self.commands = Commands()
        self._admin: AdminClient | None = None
        self._leader: Leader | None = None
        self._taken_back = TakenBack()
        self._waiting_since = time.monotonic()
        self._failures = 0
        self._progress: tuple[Session | None, int] = (None, 0)

    def run(self) -> None:
        """Everything, until a stop."""
        self._admin = kafka.connect_at_start(self.settings.kafka, self.stop)
        self._preflight()
        prepare_topics(self._admin, self.settings, self.stop)
        self._leader = Leader(self.settings)
        try:
            while not self.stop.requested:
                try:
                    self._lead()
                except (LeadershipLost, TransientError) as error:
                    count_error(error)
                    log.warning("starting over", error=str(error))
                    self.stop.sleep(self._pause())
        except Stopped:
            pass
        finally:
            self._leader.resign()

    def _preflight(self) -> None:
        """Reaches the source and refuses one that isn't set up."""
        source = reach(
            lambda: Source.connect(self.settings.source),
            self.stop,
            what=f"the source ({self.settings.source.address})",
        )
        with closing(source):
            preflight.require(source, self.settings, self.filters)

    def _lead(self) -> None:
        """From the election to whatever ends being active."""
        assert self._leader is not None
        self._waiting_since = time.monotonic()
        self._leader.wait(self.stop, self.ticker.tick)
        crash_point(points.ELECTED)
        log.info("elected")
        with (
            closing(retry_forever(self._start, self.stop, doing="start")) as self.session,
            metrics.ACTIVE.track_inprogress(),
        ):
            self._serve(self.session)

    def _start(self) -> Session:
        """The start path. Reads everything; keeps nothing of an earlier session."""
        assert self._admin is not None
        self._alive()
        topics = prepare_topics(self._admin, self.settings, self.stop)
        with closing(Source.connect(self.settings.source)) as source:
            filters = self.filters.folded(source.folds_names())
            started = start(
                self.settings, filters, topics, source, self.stop, self._alive, self._confirm
            )
        try:
            # Not before: of a topic that was made again, that has to be said first.
            kafka.check_configs(self._admin, kafka.topic_specs(self.settings))
            return Session(
                self.settings,
                filters,
                started,
                self._taken_back,
                self.stop,
                self._alive,
                self._confirm,
                self.commands,
            )
        except BaseException:
            started.publisher.close()
            raise

    def _serve(self, session: Session) -> None:
        """Streams, and opens the dump again when the source's connection breaks."""
        while not self.stop.requested:
            try:
                stream, capture = retry_forever(session.open, self.stop, doing="open the dump")
                with closing(stream):
                    self._follow(session, stream, capture)
            except (PositionLost, SourceDiverged) as error:
                if self.settings.transfer.on_lost_position == "stop":
                    raise
                # What is half sent is aborted first: the same is found again.
                if not session.publisher.open:
                    session.begin_again(error)
                return

    def _follow(self, session: Session, stream: BinlogStream, capture: Capture) -> None:
        """One dump, to whatever ends it; keeps what is whole."""
        try:
            self._stream(session, stream, capture)
        except ConnectionLost as error:
            session.lost(capture, error)
            self.stop.wait(self._pause())
        except DataError as error:
            session.keep_whole(capture)
            if isinstance(error, CorruptEvent):
                session.explain()
            raise
        except SchemaError as error:
            session.keep_whole(capture)
            raise CorruptEvent(f"what can't be read: {error}", where=capture.where) from error

    def _stream(self, session: Session, stream: BinlogStream, capture: Capture) -> None:
        """The main loop."""
        publisher, transaction = session.publisher, capture.transaction
        session.adopt_when_due(capture)
        session.load_when_due(capture)  # what was adopted decides how rows are carried
        while not self.stop.requested:
            self._alive()
            if stream.wait(session.patience(capture, time.monotonic()), self.stop.fileno()):
                self._turn(session, stream, capture)
            now, behind = time.monotonic(), stream.pending()
            session.adopt_when_due(capture)
            session.load_when_due(capture)
            session.beat_when_due(capture, now, behind=behind)
            between = not (transaction.open or behind)
            if publisher.open and (between or publisher.overdue(now)):
                session.commit(capture)
            if between and not publisher.open:
                lag.nothing_waits()
            else:
                lag.waits(capture.source_us or time.time_ns() // 1000)
        session.keep_whole(capture)

    def _turn(self, session: Session, stream: BinlogStream, capture: Capture) -> None:
        """What is queued, which may be more and more; then to the end of a source transaction, so
        that what has to stand between two of them gets its turn, but not of a long one."""
        due = time.monotonic() + _TURN_SECONDS
        for event in stream.queued():
            self._take(session, capture, event)
            late = time.monotonic() - due
            if late > _TURN_SECONDS or (late > 0 and capture.transaction.between):
                return

    def _take(self, session: Session, capture: Capture, event: Event) -> None:
        """One event, which may hold a transaction of any size."""
        publisher = session.publisher
        due = time.monotonic() + _TURN_SECONDS
        for size in capture.take(event):
            if size > 0:
                publisher.send(capture.batch, size)
            if publisher.full or size == COMMIT_FIRST:
                session.commit(capture)
            now = time.monotonic()
            if now >= due:
                due = now + _TURN_SECONDS
                self._alive()
                session.beat_when_due(capture, now, behind=True)
                if publisher.overdue(now):
                    session.commit(capture)

    def _pause(self) -> float:
        """Seconds before trying again: longer each time, until something was committed."""
        session = self.session
        progress = (session, 0 if session is None else session.commits)
        moved = progress[1] > 0 and progress != self._progress
        self._progress = progress
        self._failures = 0 if moved else self._failures + 1
        return min(_LONGEST_PAUSE, 0.1 * 2.0 ** min(self._failures, 10))

    def _alive(self) -> None:
        """Called often: the loop turns, and this process is still the elected one."""
        self.ticker.tick()
        if self._leader is not None:
            self._leader.check()

    def _confirm(self) -> None:
        """Before what would end another producer: this process is elected by the coordinator's
        present word."""
        assert self._leader is not None
        self._leader.confirm(self.stop, self.ticker.tick)

    # -- what others see

    def command(self, path: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
        """A request about transfers. Raises ConfigError, TransientError."""
        tables = body.get("tables")
        if not isinstance(tables, list) or not tables:
            raise ConfigError("no `tables` are named", mend="Give patterns database.table.")
        session = self.session
        if session is None or not session.streaming:
            raise TransientError(
                "this producer isn't the active one", mend="Ask the one that is, or wait."
            )
        if session.joining:
            raise TransientError(
                "the target has no tables yet: their first transfer is being prepared",
                mend="Wait; `mysync-producer transfer status` says when it has begun.",
            )
        return {"tables": self.commands.ask(path["verb"], tuple(map(str, tables)))}

    def ready(self) -> Readiness:
        """Ready: streaming, or standing by for one that does."""
        session = self.session
        if session is not None and session.streaming:
            return Readiness(True, "active")
        if self._leader is None:
            return Readiness(False, "waiting for Kafka and the source")
        if self._leader.elected:
            return Readiness(False, "starting")
        timeout = self.settings.publish.leader_session_timeout_ms / 1000
        waited = time.monotonic() - self._waiting_since
        if waited > _STANDBY_TIMEOUTS * timeout:
            return Readiness(True, "standby")
        return Readiness(False, "waiting for the election")

    def status(self) -> dict[str, Any]:
        """For `/status`: from memory, so it answers whatever doesn't."""
        session, readiness = self.session, self.ready()
        status: dict[str, Any] = {
            "pipeline": self.settings.pipeline,
            "role": "active" if session is not None and session.streaming else readiness.reason,
        }
        if session is not None:
            status |= state_fields(session.state) | session.transfers()
        return status
