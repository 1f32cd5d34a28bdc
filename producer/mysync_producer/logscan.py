"""Reads the source's log without making anything of it: where files, transactions and events begin.

A scan ends where the log ended when it was made, so it never waits for what isn't written yet. It
presents itself as a replica of its own: it ends no reader's dump, and a reader that comes after it
doesn't end it. It keeps nothing; a crash leaves nothing.
"""

import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from mysync_producer.connection import DumpFrom, Identity, open_dump
from mysync_producer.events import (
    ARTIFICIAL,
    Event,
    EventType,
    GtidEvent,
    gtid_of,
    parse_format_description,
    parse_gtid_list,
)
from mysync_producer.stream import BinlogStream
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import SourceSettings
from mysync_schemas.gtid import GtidSet, MariadbGtidSet
from mysync_schemas.position import FIRST, BinlogPosition

__all__ = ["BEGINS", "BETWEEN", "Found", "Head", "LogScan", "scanner"]

log = get_logger("scan")

BEGINS = frozenset(
    {EventType.GTID, EventType.ANONYMOUS_GTID, EventType.GTID_TAGGED, EventType.MARIADB_GTID}
)
"""What a transaction begins with: servers that are new enough to be a source write none without."""

BETWEEN = frozenset(
    {
        EventType.ROTATE,
        EventType.STOP,
        EventType.FORMAT_DESCRIPTION,
        EventType.PREVIOUS_GTIDS,
        EventType.MARIADB_BINLOG_CHECKPOINT,
        EventType.MARIADB_GTID_LIST,
        EventType.MARIADB_START_ENCRYPTION,
    }
)
"""What stands between transactions."""

_ROTATE = int(EventType.ROTATE)
_WRAP = 1 << 32
_PAUSE = 0.2  # seconds
_EVENTS_A_TURN = 256
_TOLD_SECONDS = 5.0
_SERVER_ID_BASE = 0x40000000  # as high as the pipelines' own


@dataclass(frozen=True)
class Head:
    """How a file begins. `gtids`: of all transactions before it, whatever the server's mode is."""

    created: int  # seconds since 1970, by the server's clock
    server_version: str
    gtids: GtidSet | MariadbGtidSet | None


class Found(NamedTuple):
    """A transaction, by what its first event says."""

    file: str
    pos: int
    event: GtidEvent
    us: int  # when it was committed on this server, as far as the log says

    @property
    def at(self) -> BinlogPosition:
        return BinlogPosition(self.file, self.pos)


def scanner(pipeline: str) -> Identity:
    """A replica that nobody else is."""
    return Identity(_SERVER_ID_BASE | secrets.randbits(30), str(uuid.uuid4()), pipeline)


class LogScan:
    """Scans up to `end`. `tick` is called several times a second, and may raise.

    What reads raises PositionLost for what isn't there any more, ConnectionLost, Stopped.
    """

    def __init__(
        self,
        settings: SourceSettings,
        identity: Identity,
        end: BinlogPosition,
        stop: Stop,
        tick: Callable[[], None],
    ) -> None:
        self.end = end
        self._settings = settings
        self._identity = identity
        self._stop = stop
        self._tick = tick
        self._told = time.monotonic()

    def head(self, file: str) -> Head:
        """How the file begins."""
        created, version = 0, ""
        gtids: GtidSet | MariadbGtidSet | None = None
        for _, _, event in self._read(DumpFrom(BinlogPosition(file, FIRST), None)):
            if event.type == EventType.FORMAT_DESCRIPTION:
                created = event.timestamp
                version = parse_format_description(event.body).server_version
            elif event.type == EventType.PREVIOUS_GTIDS:
                gtids = GtidSet.decode(event.body)
                break
            elif event.type == EventType.MARIADB_GTID_LIST:
                gtids = parse_gtid_list(event.body)
                break
            elif event.type not in BETWEEN:
                break
        return Head(created, version, gtids)

    def transactions(self, file: str) -> Iterator[Found]:
        """From the file's beginning to the end, over all files after it."""
        for name, pos, event in self.events(file):
            if event.type in BEGINS:
                begun = gtid_of(event)
                yield Found(name, pos, begun, begun.commit_us or event.timestamp * 1_000_000)

    def events(self, file: str) -> Iterator[tuple[str, int, Event]]:
        """Each event from the file's beginning to the end, with the place where it begins."""
        return self._read(DumpFrom(BinlogPosition(file, FIRST), None), self.end)

    def first(self, begin: DumpFrom) -> GtidEvent | None:
        """The first transaction that a dump from there delivers; None where there is none yet.

        Raises what the server holds against the place."""
        for _, _, event in self._read(begin):
            if event.type in BEGINS:
                return gtid_of(event)
            if event.type == EventType.HEARTBEAT and self._is_end(event):
                break
        return None

    def _is_end(self, heartbeat: Event) -> bool:
        """A server says by a heartbeat, too, that it passes over what was asked to be left out."""
        reached = BinlogPosition(heartbeat.body.decode("utf-8", "replace"), heartbeat.log_pos)
        return reached.base != self.end.base or reached >= self.end

    def _read(
        self, begin: DumpFrom, end: BinlogPosition | None = None
    ) -> Iterator[tuple[str, int, Event]]:
        """To `end`; without one, as long as it is asked for more."""
        file, pos, turn = begin.position.file, begin.position.pos, 0
        limit = _limit(file, end)
        with closing(open_dump(self._settings, begin, self._identity)) as stream:
            while pos < limit:
                if turn % _EVENTS_A_TURN == 0:
                    self._turn(file, pos)
                turn += 1
                self._wait(stream)
                event = stream.read()
                yield file, pos, event
                if event.type == _ROTATE:
                    file, pos = stream.file, stream.position
                    limit = _limit(file, end)
                elif event.log_pos and not event.flags & ARTIFICIAL:
                    # What the server makes up doesn't take any room.
                    after = pos & -_WRAP | event.log_pos
                    pos = after + _WRAP if after < pos else after

    def _wait(self, stream: BinlogStream) -> None:
        while not stream.pending():
            self._stop.raise_if_requested()
            self._tick()
            stream.wait(_PAUSE, self._stop.fileno())

    def _turn(self, file: str, pos: int) -> None:
        self._stop.raise_if_requested()
        self._tick()
        now = time.monotonic()
        if now - self._told >= _TOLD_SECONDS:
            self._told = now
            log.info("reading the log", at=f"{file}:{pos}", end=str(self.end))


def _limit(file: str, end: BinlogPosition | None) -> int:
    """The position in the file at which a scan to `end` is over."""
    here = BinlogPosition(file, FIRST)
    if end is None or here.base != end.base or here.number < end.number:
        return 1 << 63
    return end.pos if here.number == end.number else 0
