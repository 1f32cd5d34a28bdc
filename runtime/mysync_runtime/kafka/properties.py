"""Client properties from the settings.

Everything that is set here is refused in `kafka.properties`.
"""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from confluent_kafka import KafkaException

from mysync_runtime.errors import ConfigError
from mysync_runtime.kafka.errors import kafka_error
from mysync_runtime.log import RepeatFilter
from mysync_runtime.settings import KIB, MIB, KafkaSettings, Settings

T = TypeVar("T")
Properties = dict[str, Any]

BATCH_OVERHEAD = 64 * KIB
"""What a record batch may need beside a value of `topics.max_message_bytes`: key and framing."""

FETCH_BYTES = 64 * KIB
"""What one fetch brings of a partition, compressed; a larger batch comes whole nevertheless.

librdkafka looks at `queued.max.messages.kbytes` before it fetches, so its queue grows beyond that
by one fetch, decompressed: with 512 KiB and rows that compress well, eight partitions took 270 MB,
with 64 KiB 34 MB, both at 400,000 records/s.
"""

_librdkafka_log = logging.getLogger("librdkafka")
_librdkafka_log.addFilter(RepeatFilter())


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
        if not kafka.ssl_verify:  # the user's own otherwise
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
        "message.max.bytes": max(settings.topics.max_message_bytes + BATCH_OVERHEAD, 8 * MIB),
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
    time it is full. `fetch.wait.max.ms`: a broker answers a connection's requests in turn, so what
    is asked while nothing is to be read waits behind a Fetch.
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
        "fetch.message.max.bytes": FETCH_BYTES,
        "fetch.queue.backoff.ms": 5,
        "fetch.wait.max.ms": 100,
        "fetch.error.backoff.ms": 100,
    }


def admin_properties(kafka: KafkaSettings) -> Properties:
    return client_properties(kafka)


def new_client(kind: Callable[[Properties], T], properties: Properties) -> T:
    """A client with these properties. Raises ConfigError for what librdkafka won't have."""
    try:
        return kind(properties)
    except KafkaException as error:
        raise ConfigError(
            f"librdkafka refuses the `kafka` settings: {kafka_error(error).str()}"
        ) from error
