"""Which of several producers is the active one.

All of them subscribe to the control topic, which has one partition; the group's member that is
assigned it is active. The group only elects: the partition is paused, and an offset is committed
only because the coordinator takes that from a present member alone. Safety doesn't rest on it but
on `transactional.id`, which fences whoever was active before; the offset keeps a process that slept
through its own replacement from fencing the rightful one, and from throwing it off the source.
"""

import time
from collections.abc import Callable

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from mysync_producer.errors import LeadershipLost
from mysync_runtime import kafka
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings

__all__ = ["Leader"]

_CHECK_SECONDS = 0.2
# A start reads definitions and asks for collations' weights, and may wait long for Kafka.
_MAX_POLL_INTERVAL_MS = 900_000


class Leader:
    """Membership in the leader group. Join by `wait`, then `check` several times a minute, and
    `confirm` before what would end another producer."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.control_topic
        self._elected = False
        self._asked = False
        self._confirmed = False
        self._question = 0  # committed as the offset: tells an answer from one that came late
        self._checked = 0.0
        self._consumer = kafka.new_client(
            Consumer,
            kafka.consumer_properties(
                settings,
                group_id=settings.leader_group,
                session_timeout_ms=settings.publish.leader_session_timeout_ms,
            )
            | {"max.poll.interval.ms": _MAX_POLL_INTERVAL_MS, "on_commit": self._on_commit},
        )
        self._consumer.subscribe(
            [self._topic],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_revoke,
        )

    @property
    def elected(self) -> bool:
        return self._elected

    def wait(self, stop: Stop, tick: Callable[[], None]) -> None:
        """Returns when elected. Raises Stopped. A Kafka that doesn't answer is waited for."""
        while not self._elected:
            stop.raise_if_requested()
            tick()
            self._poll(0.2)

    def confirm(self, stop: Stop, tick: Callable[[], None]) -> None:
        """Returns when the coordinator says, now, that this process is the elected one.

        Raises LeadershipLost and Stopped. A Kafka that doesn't answer is waited for.
        """
        self._asked = self._confirmed = False
        self._question += 1
        while not self._confirmed:
            stop.raise_if_requested()
            tick()
            if not self._elected:
                raise _lost()
            if not self._asked:
                self._asked = True
                self._consumer.commit(offsets=[TopicPartition(self._topic, 0, self._question)])
            self._poll(0.02)

    def check(self) -> None:
        """Raises LeadershipLost unless this process is the elected one. Cheap."""
        now = time.monotonic()
        if now - self._checked >= _CHECK_SECONDS:
            self._checked = now
            self._poll(0.0)
        if not self._elected:
            raise _lost()

    def resign(self) -> None:
        """Leaves the group, so that a standby takes over at once."""
        self._consumer.close()

    def _poll(self, seconds: float) -> None:
        message = self._consumer.poll(seconds)
        if message is not None and (error := message.error()) is not None:
            found = kafka.error_of(error, "take part in the election", self._topic)
            if not found.retriable:
                raise found

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        start = [TopicPartition(p.topic, p.partition, OFFSET_END) for p in partitions]
        try:
            consumer.incremental_assign(start)
            consumer.pause(start)
        except KafkaException as error:
            raise kafka.error_of(error, "take the partition", self._topic) from error
        self._elected = True

    def _on_commit(self, error: KafkaError | None, offsets: list[TopicPartition]) -> None:
        if all(offset.offset == self._question for offset in offsets):
            self._confirmed = self._asked = error is None

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if partitions:
            self._elected = self._asked = self._confirmed = False


def _lost() -> LeadershipLost:
    return LeadershipLost("another producer of this pipeline was elected")
