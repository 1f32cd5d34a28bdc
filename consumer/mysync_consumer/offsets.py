"""The consumer group's offsets: a proof of membership for claims, information for lag tools.

Synchronous commits from several threads can hang in librdkafka 2.16 (observed: two at once never
return), so the poller's thread sends every commit asynchronously, one at a time, and workers wait
for the answer."""

import threading
import time
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

ANSWER_SECONDS = 10.0
"""After which an answer is no longer waited for."""

TICK_SECONDS = 0.05


class Ticket:
    """One offset that somebody waits to see committed."""

    def __init__(self, where: TopicPartition) -> None:
        self.where = where
        self._answered = threading.Event()
        self._error: KafkaError | None = None

    def answer(self, error: KafkaError | None) -> None:
        self._error = error
        self._answered.set()

    def wait(self, tick: Callable[[], None]) -> None:
        """Returns when the offset is committed; `tick` may end the wait by raising.

        Raises KafkaException: refused by the coordinator, or no answer in time.
        """
        deadline = time.monotonic() + ANSWER_SECONDS
        while not self._answered.wait(TICK_SECONDS):
            tick()
            if time.monotonic() > deadline:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer to a commit"))
        if self._error is not None:
            raise KafkaException(self._error)


class Offsets:
    """Commits of one consumer. `commit` is for any thread, the rest for the poller's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Ticket] = []
        self._sent: list[Ticket] = []
        self._sent_at: float | None = None

    @property
    def waiting(self) -> bool:
        """Whether somebody waits for a commit that isn't answered."""
        return bool(self._waiting or self._sent)

    def commit(self, where: TopicPartition, tick: Callable[[], None]) -> None:
        """Commits an offset; see `Ticket.wait`."""
        ticket = Ticket(where)
        with self._lock:
            self._waiting.append(ticket)
        ticket.wait(tick)

    def send(self, consumer: Consumer, others: Mapping[tuple[str, int], int]) -> bool:
        """Sends what waits, and `others` with it. False if an earlier commit isn't answered yet."""
        if self._sent_at is not None:
            if time.monotonic() - self._sent_at < ANSWER_SECONDS:
                return False
            self.answered(KafkaError(KafkaError._TIMED_OUT), [])
        with self._lock:
            self._sent, self._waiting = self._waiting, []
        offsets = {(t, p): TopicPartition(t, p, offset) for (t, p), offset in others.items()}
        offsets |= {(t.where.topic, t.where.partition): t.where for t in self._sent}
        if not offsets:
            return True
        self._sent_at = time.monotonic()
        try:
            consumer.commit(offsets=list(offsets.values()), asynchronous=True)
        except KafkaException as error:
            self.answered(error.args[0], [])
        return True

    def answered(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """The consumer's `on_commit`."""
        sent, self._sent, self._sent_at = self._sent, [], None
        errors = {(p.topic, p.partition): p.error for p in partitions}
        for ticket in sent:
            where = ticket.where
            ticket.answer(error or errors.get((where.topic, where.partition)))
