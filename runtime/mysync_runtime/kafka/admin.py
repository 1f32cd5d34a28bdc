"""First contact, topics and their ids.

Topics are created with what they need and never automatically; with `LogAppendTime`, because
retention by the source's own times would delete wrongly.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from mysync_runtime.backoff import START_PATIENCE, reach
from mysync_runtime.errors import ConfigError, PartitionCountChanged, TransientError
from mysync_runtime.kafka.errors import REFUSED, error_of, kafka_error
from mysync_runtime.kafka.properties import BATCH_OVERHEAD, admin_properties, new_client
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import MIB, KafkaSettings, Settings

log = get_logger("kafka")

REQUEST_TIMEOUT = 10.0
"""Seconds for one administrative request."""


def connect_at_start(
    kafka: KafkaSettings, stop: Stop, *, seconds: float = START_PATIENCE
) -> AdminClient:
    """An admin client of brokers that answered.

    Raises Unreachable after `seconds`, CredentialsError as soon as a broker refuses us: librdkafka
    itself retries a wrong password silently and for ever.
    """
    heard: dict[bool, KafkaError] = {}

    def on_error(error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            heard[error.code() in REFUSED] = error

    servers = ",".join(kafka.bootstrap_servers)
    admin = new_client(AdminClient, admin_properties(kafka) | {"error_cb": on_error})

    def ask() -> None:
        try:
            admin.list_topics(timeout=2.0)
        except KafkaException as error:
            admin.poll(0)
            # What the callback heard says why; the call itself only that there was no answer.
            why = heard.get(True) or heard.get(False) or error
            raise error_of(why, "talk to Kafka", servers) from error

    reach(ask, stop, what=f"Kafka ({servers})", seconds=seconds)
    return admin


@dataclass(frozen=True)
class TopicSpec:
    """A topic as it is created."""

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TopicInfo:
    """A topic as it is. `topic_id` changes when a topic is deleted and made again (KIP-516)."""

    name: str
    topic_id: str
    partitions: int


def topic_specs(settings: Settings) -> tuple[TopicSpec, ...]:
    """The pipeline's topics: rows, control, state, xa."""
    topics = settings.topics
    common = {
        "min.insync.replicas": str(topics.min_insync_replicas),
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(topics.max_message_bytes + BATCH_OVERHEAD),
        "unclean.leader.election.enable": "false",
    }
    kept = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
    large = {"max.message.bytes": str(max(topics.max_message_bytes + BATCH_OVERHEAD, 8 * MIB))}
    compacted = {
        "cleanup.policy": "compact",
        "segment.bytes": str(4 * MIB),
        "segment.ms": str(60 * 60 * 1000),
        "min.cleanable.dirty.ratio": "0.1",
    }
    factor = topics.replication_factor
    return (
        TopicSpec(
            settings.rows_topic,
            topics.partitions,
            factor,
            common
            | {
                "cleanup.policy": "delete",
                "retention.ms": str(topics.retention_ms),
                "retention.bytes": "-1",
            },
        ),
        TopicSpec(settings.control_topic, 1, factor, common | kept | large),
        TopicSpec(settings.state_topic, 1, factor, common | compacted | large),
        TopicSpec(settings.xa_topic, 1, factor, common | compacted),
    )


def describe_topics(admin: AdminClient, names: Iterable[str]) -> dict[str, TopicInfo]:
    """The topics that exist, by name. Raises TransientError, ConnectionLost, CredentialsError."""
    found: dict[str, TopicInfo] = {}
    futures = admin.describe_topics(TopicCollection(list(names)), request_timeout=REQUEST_TIMEOUT)
    for name, future in futures.items():
        try:
            description = future.result()
        except KafkaException as error:
            if kafka_error(error).code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                continue
            raise error_of(error, f"describe topic {name}") from error
        found[name] = TopicInfo(name, str(description.topic_id), len(description.partitions))
    return found


def committed_end(admin: AdminClient, topic: str, partition: int = 0) -> int:
    """The offset behind which nothing is committed now. Raises TransientError and others."""
    where = TopicPartition(topic, partition)
    asked = admin.list_offsets(
        {where: OffsetSpec.latest()},  # type: ignore[no-untyped-call]
        isolation_level=IsolationLevel.READ_COMMITTED,
        request_timeout=REQUEST_TIMEOUT,
    )
    try:
        return int(asked[where].result().offset)
    except KafkaException as error:
        raise error_of(error, "ask for the end", f"{topic}/{partition}") from error


def ensure_topics(
    admin: AdminClient, specs: Iterable[TopicSpec], stop: Stop, *, seconds: float = START_PATIENCE
) -> dict[str, TopicInfo]:
    """Creates the topics that are absent and describes all, once every broker we ask knows them.

    Raises PartitionCountChanged for an existing topic with another number of partitions,
    ConfigError when Kafka refuses how a topic is to be created.
    """
    wanted = {spec.name: spec for spec in specs}
    deadline = time.monotonic() + seconds
    while True:
        found = describe_topics(admin, wanted)
        for name, info in found.items():
            check_partitions(info, wanted[name].partitions)
        absent = [spec for name, spec in wanted.items() if name not in found]
        if not absent:
            return found
        if time.monotonic() > deadline:
            names = ", ".join(spec.name for spec in absent)
            raise TransientError(f"topics created {seconds:g} s ago are still unknown: {names}")
        _create(admin, absent)
        stop.sleep(0.05)


def check_partitions(info: TopicInfo, expected: int) -> None:
    """Raises PartitionCountChanged."""
    if info.partitions != expected:
        raise PartitionCountChanged(
            f"topic {info.name} has {info.partitions} partitions instead of {expected}"
        )


def check_configs(admin: AdminClient, specs: Iterable[TopicSpec]) -> None:
    """Raises ConfigError for existing topics that can't carry the pipeline: too small messages,
    another clean-up, or the source's times. Who may not ask is warned."""
    wanted = {spec.name: spec.config for spec in specs}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in wanted]
    wrong = []
    for resource, future in admin.describe_configs(
        resources, request_timeout=REQUEST_TIMEOUT
    ).items():
        try:
            found = {name: entry.value for name, entry in future.result().items()}
        except KafkaException as error:
            if kafka_error(error).code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                log.warning("may not read a topic's configuration", topic=resource.name)
                continue
            raise error_of(error, f"read the configuration of topic {resource.name}") from error
        config = wanted[resource.name]
        changes = [
            f"{name}={config[name]}"
            for name in ("cleanup.policy", "message.timestamp.type")
            if found.get(name) != config[name]
        ]
        if int(found.get("max.message.bytes") or 0) < int(config["max.message.bytes"]):
            changes.append(f"max.message.bytes={config['max.message.bytes']}")
        wrong += [
            f"topic {resource.name} has {change.partition('=')[0]} "
            f"{found.get(change.partition('=')[0])}: kafka-configs.sh --alter --entity-type topics "
            f"--entity-name {resource.name} --add-config {change}"
            for change in changes
        ]
    if wrong:
        raise ConfigError(
            f"topics aren't as the pipeline needs them: {'; '.join(wrong)}",
            mend="Alter them so, then start again.",
        )


def _create(admin: AdminClient, specs: Iterable[TopicSpec]) -> None:
    topics = [
        NewTopic(s.name, s.partitions, s.replication_factor, config=dict(s.config)) for s in specs
    ]
    for name, future in admin.create_topics(topics, request_timeout=REQUEST_TIMEOUT).items():
        try:
            future.result()
        except KafkaException as error:
            if kafka_error(error).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise error_of(error, f"create topic {name}") from error
