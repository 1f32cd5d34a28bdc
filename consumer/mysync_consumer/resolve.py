"""Where a point of the stream lies: read once from the rows topic, before anything is applied.

The topic is read from its beginning as far as the point takes, heads only; of each partition every
so many records' offset is kept, from which the exact border is then looked up. Nothing is written.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from mysync_consumer.control import Control
from mysync_consumer.errors import PointUnknown
from mysync_consumer.pointrule import NEVER, Kept, Missing, Rule
from mysync_consumer.recordhead import Head, Markers, Source, read_head
from mysync_runtime import kafka
from mysync_runtime.errors import CorruptEvent, LogHole
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings
from mysync_schemas.control import PipelineInfo
from mysync_schemas.errors import SchemaError
from mysync_schemas.markers import Heartbeat

INDEX_EVERY = 500
PATIENCE = 12.0
"""Seconds that the topic's end is waited at: an idle producer's next heartbeat may name the
point."""

TELL_SECONDS = 5.0

Offsets = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Border:
    """Between the records of one partition: `next_offset` is the first behind it, `last_seq` the
    last one's before."""

    next_offset: int
    last_seq: int


class _Last(NamedTuple):
    """The last transaction: the greatest seq of its that was seen."""

    seq: int = 0
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class _Mark:
    """A record of a partition that was passed, and the last transaction there up to it."""

    seq: int
    offset: int
    last: _Last


@dataclass(frozen=True, slots=True)
class Boundary:
    """Between two transactions of the source: everything with a lower `seq` lies before it. `last`
    is the last transaction there that has rows or a statement."""

    seq: int
    borders: tuple[Border, ...]
    last: Source | None


class Resolver:
    """Reads the rows topic of one pipeline. Use `find` as often as needed. `catch_up` waits until
    all is known that the control topic holds, and raises what reading it failed with."""

    def __init__(
        self,
        settings: Settings,
        info: PipelineInfo,
        control: Control,
        stop: Stop,
        catch_up: Callable[[], object],
    ) -> None:
        self._settings = settings
        self._markers = Markers.of(info)
        self._control = control
        self._partitions = info.partitions
        self._stop = stop
        self._catch_up = catch_up
        self._index: list[list[_Mark]] = [[] for _ in range(info.partitions)]
        self._beat: Heartbeat | None = None

    def beginnings(self) -> tuple[Offsets, dict[int, Head]]:
        """The first offset of each partition, and the first record of those that have one."""
        heads: dict[int, Head] = {}
        lows: dict[int, int] = {}
        with closing(kafka.reader(self._settings)) as consumer:
            lows = self._lows(consumer)
            finished: set[int] = set()
            for head in self._read(consumer, lows, finished):
                heads[head.partition] = head
                finished.add(head.partition)
        return lows, heads

    def kept(self) -> Kept:
        """What the rows topic still holds."""
        lows, heads = self.beginnings()
        prevs = [head.prev for head in heads.values()]
        lost = any(low > 0 and p not in heads for p, low in lows.items())
        return Kept(NEVER if lost else max(prevs, default=0), lows)

    def find(self, text: str, rule: Rule) -> Boundary:
        """Raises PointUnknown when the topics don't have the point, RecordsDeleted when Kafka
        deletes what is being read, Stopped."""
        said = time.monotonic()
        count = 0
        kept = self.kept()
        rule.begin(kept)
        first: Heartbeat | None = None
        lasts = [_Last()] * self._partitions
        with closing(kafka.reader(self._settings)) as consumer:
            finished: set[int] = set()
            for head in self._read(consumer, kept.lows, finished, rule.enough):
                count += 1
                if head.beat is not None:
                    self._beat = head.beat
                    if head.seq > kept.floor and (first is None or head.seq < first.seq):
                        first = head.beat
                last = lasts[head.partition] = _later(lasts[head.partition], head)
                index = self._index[head.partition]
                if not index or (count % INDEX_EVERY == 0 and head.seq > index[-1].seq):
                    index.append(_Mark(head.seq, head.offset, last))
                if rule.take(head):
                    finished.add(head.partition)
                if time.monotonic() > said + TELL_SECONDS:
                    said = time.monotonic()
                    get_logger("rebuild").info("looking for it", point=text, records=count)
            # What was read now may stand behind statements that aren't known yet.
            self._catch_up()
            for ddl in self._control.all_statements():
                rule.statement(ddl)
            seq = rule.found()
            if isinstance(seq, Missing):
                raise self._unknown(text, seq, first)
            return self._boundary(consumer, kept.lows, seq)

    # -- inner

    def _boundary(self, consumer: Consumer, lows: Offsets, seq: int) -> Boundary:
        starts = dict(lows)
        last = _Last()
        for partition, index in enumerate(self._index):
            if before := index[: bisect_left(index, seq, key=lambda mark: mark.seq)]:
                starts[partition] = before[-1].offset
                last = max(last, before[-1].last, key=lambda found: found.seq)
        borders = {partition: Border(lows[partition], 0) for partition in starts}
        empty = set(starts)
        finished: set[int] = set()
        # That a partition is at its end doesn't say that nothing before the place is to come: the
        # partitions of one commit aren't shown at one moment. Its next heartbeat says so.
        for head in self._read(consumer, starts, finished, lambda: False):
            partition, offset = head.partition, head.offset
            if head.seq < seq:
                empty.discard(partition)
                borders[partition] = Border(offset + 1, head.seq)
                last = _later(last, head)
                continue
            if partition in empty:
                empty.discard(partition)
                borders[partition] = Border(offset, head.prev)
            finished.add(partition)
        for ddl in self._control.all_statements():
            if last.seq < ddl.seq < seq:
                at = Source(ddl.file, ddl.pos, ddl.gtid, ddl.context.timestamp_us or 0)
                last = _Last(ddl.seq, at)
        return Boundary(seq, tuple(borders[p] for p in range(self._partitions)), last.source)

    def _lows(self, consumer: Consumer) -> dict[int, int]:
        topic = self._settings.rows_topic
        return {p: kafka.watermarks(consumer, topic, p)[0] for p in range(self._partitions)}

    def _read(
        self,
        consumer: Consumer,
        starts: Offsets,
        finished: set[int],
        enough: Callable[[], bool] = lambda: True,
    ) -> Iterator[Head]:
        """The records of each partition until it is in `finished`; or until all others were at
        their ends and it is `enough`, or PATIENCE has passed since."""
        consumer.assign([self._place(p, offset) for p, offset in starts.items()])
        left = set(starts)
        ended: set[int] = set()
        deadline: float | None = None
        while left:
            if deadline is None and not left - ended:
                deadline = time.monotonic() + PATIENCE
            if deadline is not None and (enough() or time.monotonic() > deadline):
                break
            self._stop.raise_if_requested()
            first = consumer.poll(0.1)
            for message in [] if first is None else [first, *consumer.consume(1000, 0)]:
                partition = message.partition() or 0
                if partition not in left:
                    continue  # fetched before
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    ended.add(partition)
                    continue
                found = self._head(message)
                if found is None:
                    continue
                yield found
                if partition in finished:
                    left.discard(partition)
                    consumer.incremental_unassign([self._place(partition)])
        consumer.unassign()

    def _head(self, message: Message) -> Head | None:
        """The record; None for what passes."""
        error, value, offset = message.error(), message.value(), message.offset()
        where = f"{message.topic()}/{message.partition()}, offset {offset}"
        if error is not None:
            if (bad := kafka.error_of(error, "read the rows topic", where)).retriable:
                return None
            raise bad
        if value is None or offset is None:
            raise LogHole("a record without a value", where=where)
        try:
            return read_head(message.partition() or 0, offset, value, self._markers)
        except SchemaError as wrong:
            raise CorruptEvent(f"a record can't be read: {wrong}", where=where) from wrong

    def _place(self, partition: int, offset: int = 0) -> TopicPartition:
        return TopicPartition(self._settings.rows_topic, partition, offset)

    def _unknown(self, text: str, why: Missing, first: Heartbeat | None) -> PointUnknown:
        if why is Missing.TWICE:
            return PointUnknown(
                f"{text} isn't one place: the source's log was begun anew or is another server's"
                " since, and has it again",
                mend="Name it by `time:` or `offset:`, or a position by `gtid:`; nothing was done.",
            )
        if why is Missing.BEHIND:
            return PointUnknown(
                f"the topics don't reach back to {text}: of all partitions they have what follows"
                f" {_place(first)}",
                mend="Name a later one, or copy the tables from the source:"
                " `mysync-producer transfer start`; nothing was done.",
            )
        if self._beat is None:
            return PointUnknown(f"the topics don't have {text}: they have no heartbeat yet")
        return PointUnknown(f"the topics don't have {text}: they end at {_place(self._beat)}")


def _later(last: _Last, head: Head) -> _Last:
    """The last transaction, with one more record."""
    if head.source is None or head.copied or head.seq < last.seq:
        return last
    return _Last(head.seq, head.source)


def _place(beat: Heartbeat | None) -> str:
    if beat is None:
        return "the place of their next heartbeat"
    gtids = f", GTID set {beat.gtid_set}" if beat.gtid_set else ""
    return f"{beat.file}:{beat.pos}{gtids}"
