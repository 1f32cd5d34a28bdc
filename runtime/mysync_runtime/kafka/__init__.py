"""Kafka: client properties, what errors mean, topics and their ids, reading to the end."""

from mysync_runtime.kafka.admin import (
    REQUEST_TIMEOUT,
    TopicInfo,
    TopicSpec,
    check_configs,
    check_partitions,
    committed_end,
    connect_at_start,
    describe_topics,
    ensure_topics,
    topic_specs,
)
from mysync_runtime.kafka.errors import error_of, kafka_error
from mysync_runtime.kafka.properties import (
    BATCH_OVERHEAD,
    Properties,
    admin_properties,
    client_properties,
    consumer_properties,
    new_client,
    producer_properties,
)
from mysync_runtime.kafka.reading import read_ends, reader, watermarks

__all__ = [
    "BATCH_OVERHEAD",
    "REQUEST_TIMEOUT",
    "Properties",
    "TopicInfo",
    "TopicSpec",
    "admin_properties",
    "check_configs",
    "check_partitions",
    "client_properties",
    "committed_end",
    "connect_at_start",
    "consumer_properties",
    "describe_topics",
    "ensure_topics",
    "error_of",
    "kafka_error",
    "new_client",
    "producer_properties",
    "read_ends",
    "reader",
    "topic_specs",
    "watermarks",
]
