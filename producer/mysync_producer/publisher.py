"""Kafka transactions: rows, state record and the position's offset commit together or not at all.

Of each partition the last message is held back until the commit, so that it alone carries a
delivery callback: its offset stands in the *next* state record, from which a start reads on to the
last committed record. A `Publisher` lives from one start to the first aborted transaction.

A broker that knows nothing of a producer in a partition takes whatever batch comes first: if the
one before it was refused for a moment (the partition's leader had only just heard of it), records
are lost or change places in a transaction that commits (KAFKA-15591; seen on Kafka 4.3). So the
first record of each partition is delivered before any other is sent to it.
"""

import time
from collections.abc import Callable, Iterable, Sequence

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from mysync_producer import points
from mysync_producer.errors import LeadershipLost
from mysync_producer.state import State
from mysync_runtime import kafka
from mysync_runtime.crash import crash_point
from mysync_runtime.errors import Fenced, MysyncError, TransactionAborted
from mysync_runtime.lifecycle import Stop, Stopped
from mysync_runtime.settings import Settings

__all__ = ["Publisher", "Record"]

Record = tuple[bytes | None, bytes]
"""Key and value."""

_CALL_SECONDS = 1.0
# Between two calls of librdkafka's poll while messages pour in.
_POLL_BYTES = 1 << 20
# Brokers forget producers that are silent (producer.id.expiration.ms, a day unless set).
_FORGOTTEN_SECONDS = 600.0


class Publisher:
    """The transactional producer of a pipeline.

    `offsets`: of the last committed record of each partition, -1 where not known. `commits`: how
    often was committed.
    """

    def __init__(
        self,
        settings: Settings,
        offsets: Sequence[int],
        stop: Stop,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._rows_topic = settings.rows_topic
        self._control_topic = settings.control_topic
        self._state_topic = settings.state_topic
        self._xa_topic = settings.xa_topic
        self._state_key = settings.pipeline.encode()
        self._max_bytes = settings.publish.max_bytes
        self._max_seconds = settings.publish.max_seconds
        self._stop = stop
        self._tick = tick
        self.offsets = list(offsets)
        self.commits = 0
        self._held: list[Record | None] = [None] * len(self.offsets)
        self._known: set[tuple[str, int]] = set()  # partitions where the broker knows us
        self._open = False
        self._began = time.monotonic()
        self._bytes = 0
        self._unpolled = 0
        self._producer = kafka.new_client(Producer, kafka.producer_properties(settings))
        # Only for its metadata: the group never has members.
        self._group = kafka.new_client(
            Consumer, kafka.consumer_properties(settings, group_id=settings.position_group)
        )

    def take_over(self) -> None:
        """Ends a predecessor's transaction and fences it. Raises LeadershipLost, TransientError."""
        self._patiently(self._producer.init_transactions, "begin to produce")

    @property
    def open(self) -> bool:
        """Whether something was sent since the last commit."""
        return self._open

    @property
    def full(self) -> bool:
        """Whether the open transaction has reached the size cap."""
        return self._bytes >= self._max_bytes

    def overdue(self, now: float) -> bool:
        """Whether the open transaction has reached the time cap."""
        return self._open and now - self._began >= self._max_seconds

    def send(self, batch: Sequence[list[Record]], size: int) -> None:
        """Takes the records of each partition out of `batch`, `size` bytes in all."""
        crash_point(points.BEFORE_PRODUCE)
        self._begin()
        produce, topic, held = self._producer.produce, self._rows_topic, self._held
        for partition, records in enumerate(batch):
            if not records:
                continue
            before = held[partition]
            held[partition] = records.pop()
            if before is not None:
                records.insert(0, before)
            if records and (topic, partition) not in self._known:
                key, value = records.pop(0)
                self._produce(topic, value, key, partition)
            for key, value in records:
                try:
                    produce(topic, value, key, partition)
                except (BufferError, KafkaException):
                    self._produce(topic, value, key, partition)
            records.clear()
        self._bytes += size
        self._unpolled += size
        if self._unpolled >= _POLL_BYTES:
            self._unpolled = 0
            self._poll(0)
        crash_point(points.AFTER_PRODUCE)

    def control(self, values: Iterable[bytes]) -> None:
        """Sends records to the control topic."""
        self._begin()
        for value in values:
            self._produce(self._control_topic, value, None, 0)

    def xa(
        self, key: bytes, value: bytes | None, delivered: Callable[[int], None] | None = None
    ) -> None:
        """Sends a record to the topic of prepared XA transactions; `delivered` is told its offset,
        at the commit at the latest."""

        def told(error: KafkaError | None, message: Message) -> None:
            offset = message.offset()
            if delivered is not None and error is None and offset is not None:
                delivered(offset)

        self._begin()
        self._produce(self._xa_topic, value, key, 0, None if delivered is None else told)

    def commit(self, state: State, others: Iterable[tuple[bytes, bytes | None]] = ()) -> None:
        """Commits what was sent, with `state` and its position as the offset; `others` are further
        records (key, value) of the state topic.

        Raises TransactionAborted when the transaction must be given up (nothing of it will be
        seen), LeadershipLost when Kafka fenced this producer.
        """
        crash_point(points.BEFORE_KAFKA_COMMIT)
        self._begin()
        for partition, record in enumerate(self._held):
            if record is not None:
                self._produce(self._rows_topic, record[1], record[0], partition, self._delivered)
                self._held[partition] = None
        for key, value in others:
            self._produce(self._state_topic, value, key, 0)
        self._produce(self._state_topic, state.encode(), self._state_key, 0)
        offset = TopicPartition(
            self._control_topic, 0, state.position.to_offset(), metadata=state.metadata()
        )
        self._patiently(
            lambda seconds: self._producer.send_offsets_to_transaction(
                [offset], self._group.consumer_group_metadata(), seconds
            ),
            "send the position",
        )
        crash_point(points.AFTER_STATE_WRITE)
        self._patiently(self._producer.commit_transaction, "commit")
        self._open = False
        self._bytes = 0
        self.commits += 1
        self._poll(0)
        crash_point(points.AFTER_KAFKA_COMMIT)

    def close(self) -> None:
        """Aborts what is open, as well as that can be done now. A successor would do it anyway."""
        if self._open:
            self._open = False
            try:
                self._producer.abort_transaction(_CALL_SECONDS)
            except KafkaException:
                self._producer.purge()
        self._group.close()

    def _begin(self) -> None:
        if not self._open:
            try:
                self._producer.begin_transaction()
            except KafkaException as error:
                raise self._error(error, "begin a transaction") from error
            now = time.monotonic()
            if now - self._began > _FORGOTTEN_SECONDS:
                self._known.clear()
            self._open = True
            self._began = now

    def _produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        callback: Callable[[KafkaError | None, Message], None] | None = None,
    ) -> None:
        """Waits while librdkafka's queue is full: that bounds our memory. The first record of a
        partition is waited for."""
        while True:
            try:
                if callback is None:
                    self._producer.produce(topic, value, key, partition)
                else:
                    self._producer.produce(topic, value, key, partition, callback)
            except BufferError:
                self._pause()
                self._poll(0.1)
            except KafkaException as error:
                raise self._error(error, "send") from error
            else:
                break
        if (topic, partition) not in self._known:
            while self._producer.flush(_CALL_SECONDS):
                self._pause()
            self._known.add((topic, partition))

    def _poll(self, seconds: float) -> None:
        """Serves callbacks, which free librdkafka's queue. A fatal error may be said here first."""
        try:
            self._producer.poll(seconds)
        except KafkaException as error:
            raise self._error(error, "send") from error

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        if error is None and partition is not None and offset is not None:
            self.offsets[partition] = offset

    def _patiently(self, call: Callable[[float], object], doing: str) -> None:
        """Repeats a call that Kafka didn't answer in time; it goes on where it was."""
        while True:
            try:
                call(_CALL_SECONDS)
            except KafkaException as error:
                inner = kafka.kafka_error(error)
                if not inner.retriable() or inner.txn_requires_abort() or inner.fatal():
                    raise self._error(error, doing) from error
                self._pause()
            else:
                return

    def _pause(self) -> None:
        """Between two tries: stays alive, and gives up when a stop has used up its time."""
        self._tick()
        if self._stop.requested and self._stop.remaining() <= 2 * _CALL_SECONDS:
            raise Stopped("Kafka didn't answer in the time that a stop may take")

    def _error(self, error: KafkaException, doing: str) -> MysyncError:
        """Whatever isn't fencing or a refusal ends this producer: the start path begins anew.

        Fencing alone doesn't say that another producer took over: the broker fences as well when it
        aborts a transaction that was open for too long. Only the election ends a leader.
        """
        inner = kafka.kafka_error(error)
        if inner.code() in (KafkaError._FATAL, KafkaError._STATE):
            error = self._cause() or error
            inner = kafka.kafka_error(error)
        found = kafka.error_of(error, doing, self._rows_topic)
        if isinstance(found, Fenced) or inner.code() == KafkaError.INVALID_PRODUCER_EPOCH:
            return LeadershipLost(f"Kafka fenced this producer ({found.what})", where=found.where)
        if found.exit_code == 3:
            return found
        return TransactionAborted(found.what, where=found.where)

    def _cause(self) -> KafkaException | None:
        """What made every call fail. Producing doesn't say it; sending the position does when an
        earlier message was refused (it changes nothing any more), aborting does when the error is
        fatal."""
        position = TopicPartition(self._control_topic, 0, 0)
        calls: tuple[Callable[[], object], ...] = (
            lambda: self._producer.send_offsets_to_transaction(
                [position], self._group.consumer_group_metadata(), _CALL_SECONDS
            ),
            lambda: self._producer.abort_transaction(_CALL_SECONDS),
        )
        for call in calls:
            try:
                call()
            except KafkaException as error:
                if kafka.kafka_error(error).code() not in (KafkaError._FATAL, KafkaError._STATE):
                    return error
        return None
