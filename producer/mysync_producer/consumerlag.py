"""How far the pipeline's consumers are behind, by the offsets that they commit for lag tools."""

from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, TopicPartition

from mysync_runtime import kafka
from mysync_runtime.settings import Settings

__all__ = ["ConsumerLag"]

_SECONDS = 2.0


class ConsumerLag:
    """Asks Kafka. Not shared by threads without a lock."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._settings = settings
        self._partitions = partitions
        self._consumer: Consumer | None = None

    def records(self) -> int | None:
        """In all partitions; None while there are no consumers that have committed.

        Raises what `kafka.error_of` makes of an error."""
        if self._consumer is None:
            properties = kafka.consumer_properties(
                self._settings, group_id=self._settings.consumer_group
            )
            self._consumer = kafka.new_client(Consumer, properties)
        topic = self._settings.rows_topic
        places = [TopicPartition(topic, p) for p in range(self._partitions)]
        try:
            committed = self._consumer.committed(places, timeout=_SECONDS)
        except KafkaException as error:
            raise kafka.error_of(error, "ask for the consumers' offsets", topic) from error
        behind = [
            kafka.watermarks(self._consumer, topic, each.partition, timeout=_SECONDS)[1]
            - each.offset
            for each in committed
            if each.offset >= 0
        ]
        return sum(behind) if behind else None

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(RuntimeError):
                consumer.close()
