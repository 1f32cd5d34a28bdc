"""Kafka: client properties from the settings, topics and their ids, reading a partition to its end.

Everything exactly-once rests on is set here and refused in `kafka.properties`. Topics are created
with what they need and never automatically; `LogAppendTime`, because retention by the source's own
times would delete wrongly.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from mysync_runtime.backoff import START_PATIENCE, reach
from mysync_runtime.errors import (
    ConfigError,
    ConnectionLost,
    CredentialsError,
    Fenced,
    MysyncError,
    PartitionCountChanged,
    RecordsDeleted,
    TransactionAborted,
    TransientError,
)
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import RepeatFilter
from mysync_runtime.settings import KIB, MIB, KafkaSettings, Settings

Properties = dict[str, Any]

REQUEST_TIMEOUT = 10.0
"""Seconds for one administrative request."""

BATCH_OVERHEAD = 64 * KIB
"""What a record batch may need beside a value of `topics.max_message_bytes`: key and framing."""

_librdkafka_log = logging.getLogger("librdkafka")
_librdkafka_log.addFilter(RepeatFilter())


# -- properties --------------------------------------------------------------------------------


def client_properties(kafka: KafkaSettings) -> Properties:
    """What every client needs: addresses, TLS, SASL, and the user's own properties."""
    properties: Properties = {
        **kafka.properties,
        "bootstrap.servers": ",".join(kafka.bootstrap_servers),
        "security.protocol": kafka.security_protocol,
        "log.connection.close": False,
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 5_000,
        "logger": _librdkafka_log,
    }
    if kafka.security_protocol.endswith("ssl"):
        properties["enable.ssl.certificate.verification"] = kafka.ssl_verify
        if not kafka.ssl_verify:
            properties["ssl.endpoint.identification.algorithm"] = "none"
    optional = {
        "sasl.mechanism": kafka.sasl_mechanism,
        "sasl.username": kafka.sasl_username,
        "sasl.password": kafka.sasl_password and kafka.sasl_password.get_secret_value(),
        "ssl.ca.location": kafka.ssl_ca,
        "ssl.certificate.location": kafka.ssl_cert,
        "ssl.key.location": kafka.ssl_key,
        "ssl.key.password": kafka.ssl_key_password and kafka.ssl_key_password.get_secret_value(),
    }
    return properties | {name: value for name, value in optional.items() if value is not None}


def producer_properties(settings: Settings, *, transactional_id: str | None = None) -> Properties:
    """An idempotent, transactional producer (of the pipeline, unless named otherwise).

    `retry.backoff.ms=5`: a transaction with offsets otherwise takes 100 ms, because its first try
    meets the end of the one before.
    """
    return client_properties(settings.kafka) | {
        "transactional.id": transactional_id or settings.transactional_id,
        "transaction.timeout.ms": settings.publish.transaction_timeout_ms,
        "enable.idempotence": True,
        "acks": "all",
        "retry.backoff.ms": 5,
        "compression.type": "lz4",
        "linger.ms": 5,
        "message.max.bytes": settings.topics.max_message_bytes + BATCH_OVERHEAD,
        "queue.buffering.max.messages": 2_000_000,
        "queue.buffering.max.kbytes": 2 * max(settings.publish.max_bytes, 16 * MIB) // KIB,
    }


def consumer_properties(
    settings: Settings,
    *,
    group_id: str,
    session_timeout_ms: int | None = None,
    prefetch_kbytes: int | None = None,
) -> Properties:
    """A consumer of committed records that never resets its position and never commits itself.

    `fetch.queue.backoff.ms`: with a small prefetch, librdkafka would else pause for a second each
    time it is full.
    """
    session = session_timeout_ms or settings.apply.group_session_timeout_ms
    prefetch = prefetch_kbytes or settings.apply.prefetch_kbytes
    return client_properties(settings.kafka) | {
        "group.id": group_id,
        "isolation.level": "read_committed",
        "auto.offset.reset": "error",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "partition.assignment.strategy": "cooperative-sticky",
        "allow.auto.create.topics": False,
        "session.timeout.ms": session,
        "heartbeat.interval.ms": max(100, session // 4),
        "max.poll.interval.ms": max(session, settings.apply.max_poll_interval_ms),
        "queued.max.messages.kbytes": prefetch,
        "fetch.message.max.bytes": min(MIB, prefetch * KIB),
        "fetch.queue.backoff.ms": 5,
        "fetch.error.backoff.ms": 100,
    }


def admin_properties(kafka: KafkaSettings) -> Properties:
    return client_properties(kafka)


# -- errors ------------------------------------------------------------------------------------

_FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.FENCED_INSTANCE_ID})
_REFUSED = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.ILLEGAL_SASL_STATE,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError._SSL,
    }
)
_MISCONFIGURED = frozenset(
    {
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.POLICY_VIOLATION,
        KafkaError.INVALID_SESSION_TIMEOUT,
        KafkaError.INVALID_TRANSACTION_TIMEOUT,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.UNSUPPORTED_VERSION,
    }
)
_DELETED = frozenset(
    {
        KafkaError._AUTO_OFFSET_RESET,
        KafkaError.OFFSET_OUT_OF_RANGE,
        KafkaError._LOG_TRUNCATION,
    }
)
_DISCONNECTED = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
    }
)
_PASSING = frozenset(
    {
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._MSG_TIMED_OUT,
        KafkaError._WAIT_COORD,
        KafkaError._WAIT_CACHE,
        KafkaError._RETRY,
        KafkaError._IN_PROGRESS,
        KafkaError._PREV_IN_PROGRESS,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._ASSIGNMENT_LOST,
        KafkaError._MAX_POLL_EXCEEDED,
        KafkaError._NO_OFFSET,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError.INCONSISTENT_TOPIC_ID,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_CONTROLLER,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.CONCURRENT_TRANSACTIONS,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.THROTTLING_QUOTA_EXCEEDED,
    }
)


def kafka_error(error: KafkaException | KafkaError) -> KafkaError:
    """The KafkaError in an exception (a KafkaException's first argument)."""
    if isinstance(error, KafkaError):
        return error
    inner = error.args[0] if error.args else None
    return inner if isinstance(inner, KafkaError) else KafkaError(KafkaError.UNKNOWN, str(error))


def error_of(error: KafkaException | KafkaError, doing: str, where: str = "") -> MysyncError:
    """The MysyncError that an error of Kafka means. `doing` completes "can't …".

    A producer's error that requires an abort is TransactionAborted whatever caused it, except
    fencing. Unknown topics count as passing: who may conclude that a topic is gone compares ids.
    """
    kafka = kafka_error(error)
    code = kafka.code()
    text = f"can't {doing}: Kafka says {kafka.name()}: {kafka.str()}"
    if code in _FENCED:
        return Fenced(f"another process took over this pipeline ({text})", where=where)
    if kafka.txn_requires_abort():
        return TransactionAborted(text, where=where)
    kind: type[MysyncError] = MysyncError
    if code in _REFUSED:
        kind = CredentialsError
    elif code in _MISCONFIGURED:
        kind = ConfigError
    elif code in _DELETED:
        kind = RecordsDeleted
    elif code in _DISCONNECTED:
        kind = ConnectionLost
    elif not kafka.fatal() and (code in _PASSING or kafka.retriable()):
        kind = TransientError
    return kind(text, where=where)


# -- first contact -----------------------------------------------------------------------------


def connect_at_start(
    kafka: KafkaSettings, stop: Stop, *, seconds: float = START_PATIENCE
) -> AdminClient:
    """An admin client of brokers that answered.

    Raises Unreachable after `seconds`, CredentialsError as soon as a broker refuses us: librdkafka
    itself retries a wrong password silently and for ever.
    """
    refused: list[KafkaError] = []

    def on_error(error: KafkaError) -> None:
        if error.code() in _REFUSED:
            refused.append(error)

    admin = AdminClient(admin_properties(kafka) | {"error_cb": on_error})
    servers = ",".join(kafka.bootstrap_servers)

    def ask() -> None:
        try:
            admin.list_topics(timeout=2.0)
        except KafkaException as error:
            admin.poll(0)
            raise error_of(refused[-1] if refused else error, "talk to Kafka", servers) from error

    reach(ask, stop, what=f"Kafka ({servers})", seconds=seconds)
    return admin


# -- topics ------------------------------------------------------------------------------------


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


def topic_specs(settings: Settings) -> tuple[TopicSpec, TopicSpec, TopicSpec]:
    """The pipeline's topics: rows, control, state."""
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


# -- reading -----------------------------------------------------------------------------------


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
    return Consumer(
        consumer_properties(settings, group_id=f"mysync-reader-{settings.pipeline}")
        # The end is announced only after an empty fetch, which waits this long.
        | {"enable.partition.eof": True, "fetch.wait.max.ms": 10}
        | properties
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
