"""Reading partitions outside any group."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from confluent_kafka import (
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


def read_ends(
    settings: Settings,
    starts: Mapping[tuple[str, int], int],
    stop: Stop,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Message]:
    """All committed records of several partitions, each from its start to its end, as it is found
    when it is reached.

    The ends are those of `read_committed`: an open transaction hides what follows it, so a producer
    first ends its predecessor's by `init_transactions`. Raises RecordsDeleted for a start outside
    of the log, TransientError after START_PATIENCE seconds of silence, Stopped.
    """
    left = set(starts)
    consumer = reader(settings)
    try:
        # Asking for the beginning here is faster than OFFSET_BEGINNING, by half a second.
        consumer.assign(
            [
                TopicPartition(t, p, watermarks(consumer, t, p)[0] if at < 0 else at)
                for (t, p), at in starts.items()
            ]
        )
        progress = time.monotonic()
        while left:
            stop.raise_if_requested()
            tick()
            message = consumer.poll(0.2)
            if message is None:
                if time.monotonic() - progress > START_PATIENCE:
                    raise TransientError(f"Kafka gave no records for {START_PATIENCE:g} s")
                continue
            progress = time.monotonic()
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard((str(message.topic()), message.partition() or 0))
            else:
                found = error_of(error, "read the topics", str(message.topic()))
                if not found.retriable:
                    raise found
    finally:
        with suppress(RuntimeError):
            consumer.close()
