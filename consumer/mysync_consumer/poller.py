"""The consumer's side towards Kafka: one member of the group, records handed to the workers'
queues.

Cooperative: a rebalance takes away only what moves, and those workers have until a deadline to
finish. An assigned partition is paused until its worker has claimed it and says where to begin; the
group's own offsets are written for lag tools and never read. All of Kafka happens in the thread
that calls `step`, except `commit_offset`."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from mysync_consumer.errors import Revoked
from mysync_consumer.flow import Flow, Reading
from mysync_consumer.offsets import Offsets
from mysync_consumer.queue import Queue
from mysync_runtime import crash, kafka
from mysync_runtime.errors import LogHole, MysyncError, RecordsDeleted, TransientError
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings

POLL_SECONDS = 0.1
STARTING_POLL_SECONDS = 0.005
"""While a partition is about to begin, or is paused."""

BATCH = 1000
COMMIT_SECONDS = 5.0
"""How often the group's offsets are written, for lag tools."""

ENDS_SECONDS = 1.0
"""How often the ends of the partitions are looked at, for metrics."""

ASK_SECONDS = 0.5
"""What one turn may spend on asking leaders for the first offsets of partitions that begin."""

FIRST_RETRY, LAST_RETRY = 0.1, 5.0
"""Seconds until a partition's leader is asked again; doubled each time."""

ON_REVOKE = crash.declare(
    "consumer.on_revoke", "partitions are to be given back, workers still work"
)


@dataclass(frozen=True, slots=True)
class Assigned:
    """What the service does when partitions come and go."""

    gained: Callable[[dict[int, int]], None]
    """Partitions, each with the number of this assignment of it."""
    lost: Callable[[list[int]], None]
    """Returns when no worker works on them any more, or the deadline has passed."""
    control_gained: Callable[[], None]
    control_lost: Callable[[], None]
    applied: Callable[[], dict[int, int]]
    """The next offsets that are committed on the target, for lag tools."""


class Poller:
    """A member of the pipeline's consumer group."""

    def __init__(self, settings: Settings, assigned: Assigned) -> None:
        self._topic = settings.rows_topic
        self._control_topic = settings.control_topic
        self._queue_bytes = settings.apply.queue_bytes
        self._assigned = assigned
        self._offsets = Offsets()
        self._consumer = kafka.new_client(
            Consumer,
            kafka.consumer_properties(settings, group_id=settings.consumer_group)
            | {"on_commit": self._offsets.answered, "enable.partition.eof": True},
        )
        self._flows: dict[int, Flow] = {}
        self._lock = threading.Lock()
        self._assignments: dict[int, int] = {}
        self._count = 0
        self._starting: dict[int, Flow] = {}
        self._commit_at = time.monotonic() + COMMIT_SECONDS
        self._ends_at = 0.0

    # -- for workers --------------------------------------------------------------------------

    def flow(self, partition: int, offset: int, assignment: int) -> Queue:
        """A new queue of the partition, to be filled from `offset` on; the old one ends.

        Raises Revoked when `assignment` isn't the present one: its worker outlived it.
        """
        queue = Queue(partition, self._queue_bytes)
        with self._lock:
            if self._assignments.get(partition) != assignment:
                raise Revoked
            self._starting[partition] = Flow(queue, offset)
        return queue

    def commit_offset(self, partition: int, offset: int, tick: Callable[[], None]) -> None:
        """Commits and waits for the answer: a proof that this member is in the group's generation.

        Partition -1 is the control topic's. `tick` is called while waiting. Raises KafkaException.
        """
        topic, number = (self._topic, partition) if partition >= 0 else (self._control_topic, 0)
        self._offsets.commit(TopicPartition(topic, number, offset), tick)

    def low_marks(self, partitions: int) -> list[int]:
        """The first offset of each partition."""
        return [kafka.watermarks(self._consumer, self._topic, p)[0] for p in range(partitions)]

    def reading(self, partition: int) -> Reading | None:
        """How far the partition is read; None while it isn't. For any thread."""
        flow = self._flows.get(partition)
        if flow is None or not flow.flowing or partition in self._starting:
            return None
        return Reading(flow.next, flow.end, flow.high, tuple(flow.marks))

    # -- the loop -----------------------------------------------------------------------------

    def subscribe(self) -> None:
        """Joins the group: partitions come when `step` is called."""
        self._consumer.subscribe(
            [self._topic, self._control_topic],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def step(self) -> None:
        """One turn: begins what is to begin, moves what Kafka has into the queues."""
        self._begin_flows()
        self._resume()
        self._commit()
        eager = self._offsets.waiting or any(
            flow.paused or not flow.flowing for flow in self._flows.values()
        )
        self._look_at_ends()
        first = self._consumer.poll(STARTING_POLL_SECONDS if eager else POLL_SECONDS)
        if first is not None:
            self._deliver([first, *self._consumer.consume(BATCH, 0)])

    def close(self) -> None:
        """Leaves the group. The workers must have ended."""
        with suppress(RuntimeError, KafkaException):
            self._consumer.close()

    def _begin_flows(self) -> None:
        """A leader that doesn't answer holds up nothing but its own partition, and one turn."""
        deadline = time.monotonic() + ASK_SECONDS
        while (flow := self._next_to_begin()) is not None:
            partition = flow.queue.partition
            if partition not in self._flows:
                continue  # revoked meanwhile
            try:
                self._begin_flow(partition, flow, max(0.05, deadline - time.monotonic()))
            except MysyncError as error:
                if not error.retriable:
                    raise
                delay = min(LAST_RETRY, FIRST_RETRY * 2**flow.tries)
                flow.tries += 1
                flow.try_at = time.monotonic() + delay
                get_logger("poller").warning(
                    "a partition can't be read yet", partition=partition, reason=str(error)
                )
                with self._lock:
                    self._starting.setdefault(partition, flow)
                return
            flow.flowing = True
            self._flows[partition] = flow
            if time.monotonic() >= deadline:
                return

    def _next_to_begin(self) -> Flow | None:
        now = time.monotonic()
        with self._lock:
            due = [flow for flow in self._starting.values() if flow.try_at <= now]
            if not due:
                return None
            return self._starting.pop(min(due, key=lambda f: f.try_at).queue.partition)

    def _begin_flow(self, partition: int, flow: Flow, seconds: float) -> None:
        """Seeks to where the flow begins. Raises MysyncError."""
        low, _ = kafka.watermarks(self._consumer, self._topic, partition, timeout=seconds)
        # What was deleted in front of us may have been transaction markers only: whether a record
        # is missing, the first one's `prev` says.
        flow.next = max(flow.next, low)
        where = TopicPartition(self._topic, partition, flow.next)
        try:
            self._consumer.seek(where)
            self._consumer.resume([where])
        except KafkaException as error:
            if kafka.kafka_error(error).code() == KafkaError._STATE:
                raise TransientError("the assignment has no effect yet") from error
            raise kafka.error_of(error, "seek", f"{self._topic}/{partition}") from error

    def _resume(self) -> None:
        ready = [
            partition
            for partition, flow in self._flows.items()
            if flow.paused and flow.queue.has_room
        ]
        for partition in ready:
            self._flows[partition].paused = False
        if ready:
            self._consumer.resume([TopicPartition(self._topic, p) for p in ready])

    def _deliver(self, messages: list[Message]) -> None:
        touched: list[Flow] = []
        for message in messages:
            error = message.error()
            if error is not None:
                self._heed(error, message)
                continue
            if message.topic() != self._topic:
                continue
            flow = self._flows.get(message.partition() or 0)
            offset, value = message.offset(), message.value()
            if flow is None or not flow.flowing or offset is None or offset < flow.next:
                continue  # fetched before the seek
            if value is None:
                flow.queue.fail(
                    LogHole("a record without a value", where=f"{self._topic}, offset {offset}")
                )
                continue
            if flow.take(offset, value, message.timestamp()[1]):
                touched.append(flow)
        full = []
        for flow in touched:
            flow.hand_over()
            if flow.queue.full and not flow.paused:
                flow.paused = True
                full.append(TopicPartition(self._topic, flow.queue.partition))
        if full:
            self._consumer.pause(full)

    def _look_at_ends(self) -> None:
        """Keeps what the last fetches said of the partitions' ends. Asked by another thread than
        the one that polls, librdkafka takes seconds to say it."""
        now = time.monotonic()
        if now < self._ends_at:
            return
        self._ends_at = now + ENDS_SECONDS
        for partition, flow in self._flows.items():
            if flow.flowing:
                where = TopicPartition(self._topic, partition)
                with suppress(KafkaException):
                    high = self._consumer.get_watermark_offsets(where, cached=True)[1]
                    flow.high = high if high >= 0 else None

    def _heed(self, error: KafkaError, message: Message) -> None:
        """An error that librdkafka reports in the place of a record."""
        if error.code() == KafkaError._PARTITION_EOF:
            flow = self._flows.get(message.partition() or 0)
            if flow is not None and flow.flowing and message.topic() == self._topic:
                flow.end = message.offset()
            return
        where = f"{message.topic()}/{message.partition()}"
        found = kafka.error_of(error, "read the rows topic", where)
        if isinstance(found, RecordsDeleted):
            flow = self._flows.get(message.partition() or 0)
            if flow is not None and flow.flowing:
                flow.queue.fail(found)
        elif found.retriable:
            get_logger("poller").warning("Kafka", error=str(found))
        else:
            raise found

    def _commit(self) -> None:
        """Commits what workers wait for, and now and then what lag tools look at."""
        due = time.monotonic() >= self._commit_at
        if not (due or self._offsets.waiting):
            return
        applied = self._assigned.applied() if due else {}
        for partition, offset in applied.items():
            if (flow := self._flows.get(partition)) is not None:
                flow.forget_marks(offset)
        others = {(self._topic, p): offset for p, offset in applied.items()}
        if self._offsets.send(self._consumer, others) and due:
            self._commit_at = time.monotonic() + COMMIT_SECONDS
        self._ends_at = 0.0

    # -- rebalancing --------------------------------------------------------------------------

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            # Anything but a committed offset; the real place is sought after the claim.
            partition.offset = OFFSET_BEGINNING
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        gained = self._rows_of(partitions)
        for number in gained:
            self._flows[number] = Flow(Queue(number, self._queue_bytes), 0)
            self._count += 1
            self._assignments[number] = self._count
        self._assigned.gained({number: self._assignments[number] for number in gained})
        if len(gained) < len(partitions):
            self._assigned.control_gained()

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        crash.crash_point(ON_REVOKE)
        self._give_up(partitions)
        consumer.incremental_unassign(partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        get_logger("poller").warning("partitions lost", count=len(partitions))
        self._give_up(partitions)
        consumer.incremental_unassign(partitions)

    def _give_up(self, partitions: list[TopicPartition]) -> None:
        lost = self._rows_of(partitions)
        for number in lost:
            self._flows.pop(number, None)
        with self._lock:
            for number in lost:
                self._assignments.pop(number, None)
                self._starting.pop(number, None)
        self._assigned.lost(lost)
        if len(lost) < len(partitions):
            self._assigned.control_lost()

    def _rows_of(self, partitions: Iterable[TopicPartition]) -> list[int]:
        return [p.partition for p in partitions if p.topic == self._topic]
