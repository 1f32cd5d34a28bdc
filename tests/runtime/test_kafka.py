"""Kafka's properties as librdkafka gets them, and topics and reading on a real broker."""

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from mysync_lab.kafka import KafkaServer
from mysync_lab.lab import Lab
from mysync_lab.layout import wait_until
from mysync_runtime import kafka as rk
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
    Unreachable,
)
from mysync_runtime.lifecycle import Stop, Stopped
from mysync_runtime.settings import KafkaSettings, Settings


@pytest.fixture
def settings(kafka: KafkaServer) -> Settings:
    return Settings.model_validate(
        {
            "pipeline": f"runtime_{uuid.uuid4().hex[:8]}",
            "kafka": {"bootstrap_servers": [f"{kafka.host}:{kafka.port}"]},
            "topics": {"partitions": 2},
        }
    )


@pytest.fixture
def admin(settings: Settings) -> Iterator[AdminClient]:
    admin = rk.connect_at_start(settings.kafka, Stop())
    yield admin
    ours = rk.describe_topics(admin, (spec.name for spec in rk.topic_specs(settings)))
    if ours:
        for future in admin.delete_topics(list(ours)).values():
            future.result()


@pytest.fixture
def topics(settings: Settings, admin: AdminClient) -> dict[str, rk.TopicInfo]:
    return rk.ensure_topics(admin, rk.topic_specs(settings), Stop())


def producer_of(settings: Settings) -> Producer:
    producer = Producer(rk.producer_properties(settings))
    producer.init_transactions(30)
    return producer


def send(producer: Producer, topic: str, *values: bytes, commit: bool = True) -> None:
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value, partition=0)
    if commit:
        producer.commit_transaction()
    else:
        producer.abort_transaction()


def values(settings: Settings, start: int = -2) -> list[bytes | None]:
    read = rk.read_ends(settings, {(settings.rows_topic, 0): start}, Stop())
    return [message.value() for message in read]


# -- properties


def test_a_producer_is_idempotent_transactional_and_quick_to_retry(settings: Settings) -> None:
    properties = rk.producer_properties(settings)
    expected = {
        "transactional.id": settings.pipeline,
        "enable.idempotence": True,
        "acks": "all",
        "retry.backoff.ms": 5,
        "compression.type": "lz4",
    }
    assert expected.items() <= properties.items()
    assert properties["linger.ms"] <= 5
    Producer(properties)


def test_a_consumer_reads_what_is_committed_and_moves_nothing_by_itself(
    settings: Settings,
) -> None:
    properties = rk.consumer_properties(settings, group_id="x", prefetch_kbytes=512)
    expected = {
        "isolation.level": "read_committed",
        "auto.offset.reset": "error",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "partition.assignment.strategy": "cooperative-sticky",
        "queued.max.messages.kbytes": 512,
        "allow.auto.create.topics": False,
    }
    assert expected.items() <= properties.items()
    Consumer(properties).close()


def test_secrets_and_tls_take_librdkafkas_names() -> None:
    settings = Settings.model_validate(
        {
            "pipeline": "x",
            "kafka": {
                "bootstrap_servers": "a:1,b:2",
                "security_protocol": "sasl_ssl",
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_username": "u",
                "sasl_password": "s3cret",
                "ssl_ca": "/ca.pem",
                "ssl_verify": False,
                "properties": {"client.id": "me", "socket.timeout.ms": 1000},
            },
        }
    )
    properties = rk.client_properties(settings.kafka)
    expected = {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": "s3cret",
        "ssl.ca.location": "/ca.pem",
        "enable.ssl.certificate.verification": False,
        "client.id": "me",
        "socket.timeout.ms": 1000,
    }
    assert expected.items() <= properties.items()


def test_every_property_that_is_set_here_is_refused_in_the_settings() -> None:
    """Else the user's would be overridden in silence."""
    settings = Settings.model_validate(
        {
            "pipeline": "x",
            "kafka": {
                "security_protocol": "sasl_ssl",
                "sasl_mechanism": "PLAIN",
                "sasl_username": "u",
                "sasl_password": "p",
                "ssl_ca": "ca",
                "ssl_cert": "cert",
                "ssl_key": "key",
                "ssl_key_password": "kp",
            },
        }
    )
    ours = rk.producer_properties(settings) | rk.consumer_properties(settings, group_id="x")
    assert set(ours) - KafkaSettings.PROTECTED == {"logger"}


@pytest.mark.parametrize("kind", [Producer, Consumer])
def test_a_client_that_librdkafka_refuses_is_a_wrong_setting(kind: type) -> None:
    with pytest.raises(ConfigError, match="`kafka` settings"):
        rk.new_client(kind, {"group.id": "x", "delivery.timeout.ms": "soon"})


# -- errors


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KafkaError(KafkaError._FENCED, fatal=True), Fenced),
        (KafkaError(KafkaError._FENCED, txn_requires_abort=True), Fenced),
        (KafkaError(KafkaError._TIMED_OUT, txn_requires_abort=True), TransactionAborted),
        (KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), CredentialsError),
        (KafkaError(KafkaError._AUTHENTICATION), CredentialsError),
        (KafkaError(KafkaError.INVALID_REPLICATION_FACTOR), ConfigError),
        (KafkaError(KafkaError._AUTO_OFFSET_RESET), RecordsDeleted),
        (KafkaError(KafkaError._TRANSPORT), ConnectionLost),
        (KafkaError(KafkaError.REBALANCE_IN_PROGRESS), TransientError),
        (KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), TransientError),
        (KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True), ConfigError),
        (KafkaError(KafkaError.INVALID_RECORD, txn_requires_abort=True), ConfigError),
        (KafkaError(KafkaError.POLICY_VIOLATION, txn_requires_abort=True), ConfigError),
        (
            KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, txn_requires_abort=True),
            CredentialsError,
        ),
        (KafkaError(KafkaError.UNKNOWN), MysyncError),
        (KafkaError(KafkaError._TIMED_OUT, fatal=True), MysyncError),
    ],
)
def test_an_error_of_kafka_becomes_one_of_ours(error: KafkaError, kind: type[MysyncError]) -> None:
    ours = rk.error_of(KafkaException(error), "commit", "shop.rows/3")
    assert type(ours) is kind
    assert error.name() in str(ours)
    assert "shop.rows/3" in str(ours)


def test_a_broker_that_is_not_there_is_unreachable(free_port: int) -> None:
    settings = Settings.model_validate(
        {"pipeline": "x", "kafka": {"bootstrap_servers": f"127.0.0.1:{free_port}"}}
    )
    with pytest.raises(Unreachable, match=f"127.0.0.1:{free_port}"):
        rk.connect_at_start(settings.kafka, Stop(), seconds=0.5)


def test_a_stop_ends_the_wait_for_a_broker(free_port: int) -> None:
    settings = Settings.model_validate(
        {"pipeline": "x", "kafka": {"bootstrap_servers": f"127.0.0.1:{free_port}"}}
    )
    stop = Stop()
    threading.Timer(0.3, stop.request).start()
    with pytest.raises(Stopped):
        rk.connect_at_start(settings.kafka, stop, seconds=60)


@pytest.mark.parametrize(
    "wrong",
    [
        {"properties": {"no.such.property": 1}},
        {"properties": {"socket.timeout.ms": "soon"}},
        {"security_protocol": "ssl", "ssl_ca": "/nowhere/ca.pem"},
    ],
)
def test_what_librdkafka_refuses_is_a_wrong_setting(wrong: dict[str, object]) -> None:
    settings = Settings.model_validate({"pipeline": "x", "kafka": wrong})
    with pytest.raises(ConfigError, match="`kafka` settings"):
        rk.connect_at_start(settings.kafka, Stop(), seconds=1)


def test_the_second_producer_fences_the_first(
    settings: Settings, topics: dict[str, rk.TopicInfo]
) -> None:
    first = producer_of(settings)
    first.begin_transaction()
    first.produce(settings.rows_topic, b"late", partition=0)
    producer_of(settings)
    with pytest.raises(KafkaException) as caught:
        first.commit_transaction(30)
    assert isinstance(rk.error_of(caught.value, "commit"), Fenced)


# -- topics


def test_topics_are_made_with_what_they_need(
    settings: Settings, admin: AdminClient, topics: dict[str, rk.TopicInfo]
) -> None:
    assert {name: info.partitions for name, info in topics.items()} == {
        settings.rows_topic: 2,
        settings.control_topic: 1,
        settings.state_topic: 1,
        settings.xa_topic: 1,
    }

    def config(name: str) -> dict[str, str | None]:
        resource = ConfigResource(ResourceType.TOPIC, name)
        answer = admin.describe_configs([resource])[resource].result()
        return {key: entry.value for key, entry in answer.items()}

    rows = config(settings.rows_topic)
    assert rows["cleanup.policy"] == "delete"
    assert rows["retention.ms"] == str(settings.topics.retention_ms)
    control = config(settings.control_topic)
    assert (control["cleanup.policy"], control["retention.ms"]) == ("delete", "-1")
    state = config(settings.state_topic)
    assert state["cleanup.policy"] == "compact"
    assert int(state["segment.bytes"] or 0) <= 16 * 2**20
    for topic in (rows, control, state):
        assert topic["message.timestamp.type"] == "LogAppendTime"
        assert topic["min.insync.replicas"] == "1"


def test_topics_that_exist_are_left_alone(
    settings: Settings, admin: AdminClient, topics: dict[str, rk.TopicInfo]
) -> None:
    assert rk.ensure_topics(admin, rk.topic_specs(settings), Stop()) == topics


def test_another_number_of_partitions_is_refused(
    settings: Settings, admin: AdminClient, topics: dict[str, rk.TopicInfo]
) -> None:
    other = settings.model_copy(
        update={"topics": settings.topics.model_copy(update={"partitions": 3})}
    )
    with pytest.raises(PartitionCountChanged, match="2 partitions instead of 3"):
        rk.ensure_topics(admin, rk.topic_specs(other), Stop())


def test_a_topic_made_again_has_another_id(
    settings: Settings, admin: AdminClient, topics: dict[str, rk.TopicInfo]
) -> None:
    admin.delete_topics([settings.rows_topic])[settings.rows_topic].result()
    deadline = time.monotonic() + 30
    while rk.describe_topics(admin, [settings.rows_topic]):
        assert time.monotonic() < deadline
    again = rk.ensure_topics(admin, rk.topic_specs(settings), Stop())
    assert again[settings.rows_topic].topic_id != topics[settings.rows_topic].topic_id
    assert again[settings.state_topic] == topics[settings.state_topic]


def test_more_replicas_than_brokers_is_a_wrong_setting(
    settings: Settings, admin: AdminClient
) -> None:
    other = settings.model_copy(
        update={"topics": settings.topics.model_copy(update={"replication_factor": 3})}
    )
    with pytest.raises(ConfigError, match="INVALID_REPLICATION_FACTOR"):
        rk.ensure_topics(admin, rk.topic_specs(other), Stop())


# -- reading


def test_reading_to_the_end_gives_what_is_committed_only(
    settings: Settings, topics: dict[str, rk.TopicInfo]
) -> None:
    assert values(settings) == []
    producer = producer_of(settings)
    send(producer, settings.rows_topic, b"1", b"2")
    send(producer, settings.rows_topic, b"aborted", commit=False)
    send(producer, settings.rows_topic, b"3")
    assert values(settings) == [b"1", b"2", b"3"]
    assert values(settings, start=1) == [b"2", b"3"]


def test_the_end_lies_before_an_open_transaction(
    settings: Settings, topics: dict[str, rk.TopicInfo]
) -> None:
    producer = producer_of(settings)
    send(producer, settings.rows_topic, b"1")
    producer.begin_transaction()
    producer.produce(settings.rows_topic, b"open", partition=0)
    producer.flush()
    assert values(settings) == [b"1"]
    producer_of(settings)
    assert values(settings) == [b"1"]


def test_reading_from_an_offset_that_is_not_there_is_refused(
    settings: Settings, topics: dict[str, rk.TopicInfo]
) -> None:
    with pytest.raises(RecordsDeleted, match="_AUTO_OFFSET_RESET"):
        values(settings, start=1000)


def test_reading_many_records_keeps_their_order(
    settings: Settings, topics: dict[str, rk.TopicInfo]
) -> None:
    expected = [b"%d" % n for n in range(10_000)]
    send(producer_of(settings), settings.rows_topic, *expected)
    assert values(settings) == expected


def test_a_stop_ends_reading(settings: Settings, topics: dict[str, rk.TopicInfo]) -> None:
    stop = Stop()
    stop.request()
    with pytest.raises(Stopped):
        list(rk.read_ends(settings, {(settings.rows_topic, 0): -2}, stop))


def test_watermarks_are_those_of_now(settings: Settings, topics: dict[str, rk.TopicInfo]) -> None:
    reader = rk.reader(settings)
    assert rk.watermarks(reader, settings.rows_topic, 0) == (0, 0)
    send(producer_of(settings), settings.rows_topic, b"1")
    # The mark of the commit is written after it was confirmed.
    wait_until(lambda: rk.watermarks(reader, settings.rows_topic, 0) == (0, 2), "the mark", 10)
    reader.close()


IDLE_READER = """
import json, resource, sys, threading
from confluent_kafka import Consumer, TopicPartition
from mysync_runtime import kafka
from mysync_runtime.settings import Settings
settings = Settings.model_validate(json.loads(sys.argv[1]))
statm = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
before = statm()
consumer = Consumer(kafka.consumer_properties(settings, group_id="x"))
consumer.assign([TopicPartition(settings.rows_topic, n, 0) for n in range(2)])
assert consumer.poll(30) is not None
quiet, last = 0, 0
while quiet < 10:
    consumer.list_topics(timeout=10)
    threading.Event().wait(0.1)
    quiet = quiet + 1 if statm() - last < 2**20 else 0
    last = statm()
print((last - before) // 2**20)
consumer.close()
"""


def test_what_is_fetched_ahead_is_bounded_however_well_rows_compress(
    settings: Settings, topics: dict[str, rk.TopicInfo]
) -> None:
    producer = producer_of(settings)
    row = b"a row like many others, 0123456789 " * 30
    producer.begin_transaction()
    for number in range(100_000):
        producer.produce(settings.rows_topic, row, partition=number % 2)
        if number % 10_000 == 0:
            producer.flush()
    producer.commit_transaction()
    given = settings.model_dump(mode="json", include={"pipeline", "kafka"}, exclude_none=True)
    reader = subprocess.run(
        [sys.executable, "-c", IDLE_READER, json.dumps(given)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(reader.stdout) < 40, "MB, of 100 MB in the topic"


# -- credentials

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SASL = (
    "listener.security.protocol.map=CLIENT:PLAINTEXT,PROXIED:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
    "listener.name.proxied.sasl.enabled.mechanisms=PLAIN",
    f"listener.name.proxied.plain.sasl.jaas.config={PLAIN} required user_mysync='s3cret';",
)


def test_a_wrong_password_is_told_apart_from_silence(private_lab: Lab) -> None:
    private_lab.add("sasl", "kafka")
    broker = private_lab.kafka("sasl")
    address = f"{broker.host}:{broker.proxied_listen_port}"
    advertised = f"advertised.listeners=CLIENT://{broker.bootstrap},PROXIED://{address}"
    private_lab.add("sasl", "kafka", [*SASL, advertised])
    private_lab.up("sasl")

    def connect(password: str) -> AdminClient:
        settings = Settings.model_validate(
            {
                "pipeline": "x",
                "kafka": {
                    "bootstrap_servers": address,
                    "security_protocol": "sasl_plaintext",
                    "sasl_mechanism": "PLAIN",
                    "sasl_username": "mysync",
                    "sasl_password": password,
                },
            }
        )
        return rk.connect_at_start(settings.kafka, Stop(), seconds=20)

    connect("s3cret")
    with pytest.raises(CredentialsError, match=r"[Aa]uthentication failed") as caught:
        connect("wrong")
    assert "wrong" not in str(caught.value)
