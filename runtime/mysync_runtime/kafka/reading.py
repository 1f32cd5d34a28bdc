"""Reading a partition outside any group."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from mysync_runtime.backoff import START_PATIENCE
from mysync_runtime.errors import TransientError
from mysync_runtime.kafka.admin import REQUEST_TIMEOUT
from mysync_runtime.kafka.errors import error_of
from mysync_runtime.kafka.properties import consumer_properties, new_client
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings


def watermarks(
    consumer: Consumer, topic: str, partition: int, *, timeout: float = REQUEST_TIMEOUT
) -> tuple[int, int]:
    """First offset that still exists, and the one that the next record will get, asked anew."""
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout)
    except KafkaException as error:
        raise error_of(error, "ask for watermarks", f"{topic}/{partition}") from error
    return low, high


def reader(settings: Settings, **properties: Any) -> Consumer:
    """A consumer outside any group: to `assign`, never to subscribe or commit."""
    return new_client(
        Consumer,
        consumer_properties(settings, group_id=f"mysync-reader-{settings.pipeline}")
        # The end is announced only after an empty fetch, which waits this long.
        | {"enable.partition.eof": True, "fetch.wait.max.ms": 10}
        | properties,
    )


def read_to_end(
    settings: Settings,
    topic: str,
    partition: int = 0,
    start: int = OFFSET_BEGINNING,
    *,
    stop: Stop,
    patience: float = START_PATIENCE,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Message]:
    """All committed records from offset `start` to the end that is found when it is reached.

    The end is that of `read_committed`: an open transaction hides what follows it, so a producer
    first ends its predecessor's by `init_transactions`. Raises RecordsDeleted when `start` lies
    outside the log, TransientError after `patience` seconds without progress, Stopped.
    """
    where = f"{topic}/{partition}"
    consumer = reader(settings)
    try:
        # Known leaders first: else librdkafka looks for the offset again only after half a second.
        _known(consumer, topic)
        consumer.assign([TopicPartition(topic, partition, start)])
        progress = time.monotonic()
        while True:
            stop.raise_if_requested()
            tick()
            for message in _take(consumer, 0.2):
                error = message.error()
                if error is None:
                    progress = time.monotonic()
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    return
                elif not (found := error_of(error, "read to the end", where)).retriable:
                    raise found
            if time.monotonic() - progress > patience:
                raise TransientError(f"no record or end for {patience:g} s", where=where)
    finally:
        with suppress(RuntimeError):
            consumer.close()


def _take(consumer: Consumer, timeout: float) -> Iterator[Message]:
    # `consume` alone would wait until its batch is full.
    first = consumer.poll(timeout)
    if first is not None:
        yield first
        yield from consumer.consume(1000, 0)


def _known(consumer: Consumer, topic: str) -> None:
    try:
        consumer.list_topics(topic, REQUEST_TIMEOUT)
    except KafkaException as error:
        raise error_of(error, "ask for the leaders", topic) from error
