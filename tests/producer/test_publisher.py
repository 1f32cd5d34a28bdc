"""What becomes of Kafka's errors, wherever librdkafka says them."""

import random
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from mysync_lab.kafka import KafkaServer
from mysync_lab.layout import wait_until
from mysync_producer.errors import LeadershipLost
from mysync_producer.publisher import Publisher
from mysync_producer.topics import prepare_topics
from mysync_runtime import kafka as rk
from mysync_runtime.errors import ConfigError, MysyncError, TransactionAborted
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings
from states import state_of

SETTINGS = Settings(pipeline="p")
STATE = state_of()


def raising(code: int, **flags: bool) -> Callable[..., None]:
    def call(*_: Any) -> None:
        raise KafkaException(KafkaError(code, **flags))

    return call


def publisher(**calls: Callable[..., Any]) -> Publisher:
    """A Publisher over a producer that does nothing but what `calls` say."""
    names = (
        "init_transactions begin_transaction abort_transaction commit_transaction "
        "send_offsets_to_transaction produce poll purge flush"
    )
    made = Publisher(SETTINGS, [-1], Stop())
    nothing: dict[str, Callable[..., Any]] = dict.fromkeys(names.split(), lambda *_: None)
    fake: Any = SimpleNamespace(**nothing | calls)
    made._producer = fake
    return made


def failure_of(call: Callable[[], object]) -> MysyncError:
    with pytest.raises(MysyncError) as caught:
        call()
    return caught.value


def test_a_fatal_error_that_polling_says_is_one_of_ours() -> None:
    broken = publisher(poll=raising(KafkaError._TIMED_OUT, fatal=True))
    full = [[(None, b"x")]]
    assert type(failure_of(lambda: broken.send(full, 1 << 30))) is TransactionAborted


def test_an_error_that_polling_says_after_the_commit_leaves_nothing_open() -> None:
    broken = publisher(poll=raising(KafkaError._TIMED_OUT, fatal=True))
    failure_of(lambda: broken.commit(STATE))
    assert not broken.open


@pytest.mark.parametrize(
    "code",
    [KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH],
)
def test_being_fenced_by_kafka_asks_the_election_again(code: int) -> None:
    """The broker's own abort of a transaction that was open too long arrives in the same way."""
    broken = publisher(commit_transaction=raising(code, fatal=True))
    assert type(failure_of(lambda: broken.commit(STATE))) is LeadershipLost


def test_the_first_record_of_a_partition_is_delivered_before_any_other_is_sent() -> None:
    """Kafka loses it else when it happens to refuse it at first (KAFKA-15591); that it does so
    can't be forced."""
    calls: list[Any] = []
    mine = publisher(
        produce=lambda topic, value, *_: calls.append(value), flush=lambda _: calls.append("flush")
    )
    mine.control([b"info", b"table"])
    mine.send([[(None, b"1"), (None, b"2"), (None, b"3"), (None, b"4")]], 4)
    mine.send([[(None, b"5")]], 1)
    assert calls == [b"info", "flush", b"table", b"1", "flush", b"2", b"3", b"4"]
    mine.commit(STATE)
    calls.clear()
    mine.send([[(None, b"6"), (None, b"7"), (None, b"8")]], 3)
    assert calls == [b"6", b"7"]


# -- on a real broker


@pytest.fixture
def pipeline(kafka: KafkaServer) -> Iterator[tuple[Settings, AdminClient]]:
    """A pipeline's topics."""
    settings = Settings.model_validate(
        {
            "pipeline": f"publisher_{uuid.uuid4().hex[:8]}",
            "kafka": {"bootstrap_servers": [kafka.bootstrap]},
            "topics": {"partitions": 1},
        }
    )
    admin = rk.connect_at_start(settings.kafka, Stop())
    prepare_topics(admin, settings, Stop())
    yield settings, admin
    for future in admin.delete_topics([spec.name for spec in rk.topic_specs(settings)]).values():
        future.exception()


def stored(settings: Settings, isolation: str) -> list[bytes | None]:
    """The values in the rows topic's partition, from its beginning."""
    properties = rk.consumer_properties(settings, group_id="nobody")
    consumer = Consumer(properties | {"isolation.level": isolation})
    consumer.assign([TopicPartition(settings.rows_topic, 0, OFFSET_BEGINNING)])
    found, quiet = [], 0
    while quiet < 3:
        message = consumer.poll(1)
        if message is None:
            quiet += 1
        elif message.error() is None:
            found.append(message.value())
    consumer.close()
    return found


def test_a_publisher_that_outlives_a_take_over_commits_nothing_any_more(
    pipeline: tuple[Settings, AdminClient],
) -> None:
    """No election here: it is Kafka that says so, and nobody reads what was under way."""
    settings, _ = pipeline
    zombie, heir = Publisher(settings, [-1], Stop()), Publisher(settings, [-1], Stop())
    zombie.take_over()
    zombie.send([[(None, b"before")]], 6)
    zombie.commit(STATE)
    zombie.send([[(None, b"late"), (None, b"held back")]], 13)
    assert zombie._producer.flush(30) == 0
    assert stored(settings, "read_uncommitted") == [b"before", b"late"]
    heir.take_over()
    heir.send([[(None, b"after")]], 5)
    heir.commit(STATE)
    assert type(failure_of(lambda: zombie.commit(STATE))) is LeadershipLost
    zombie.close()
    heir.send([[(None, b"and on")]], 6)
    heir.commit(STATE)
    heir.close()
    assert b"late" in stored(settings, "read_uncommitted")
    assert stored(settings, "read_committed") == [b"before", b"after", b"and on"]


# -- a topic that doesn't take what is sent


@pytest.fixture
def small(pipeline: tuple[Settings, AdminClient]) -> tuple[Settings, AdminClient]:
    """Somebody made the rows topic's messages small."""
    settings, admin = pipeline
    entry = ConfigEntry("max.message.bytes", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, settings.rows_topic)
    resource.add_incremental_config(entry)
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()
    asked = ConfigResource(ResourceType.TOPIC, settings.rows_topic)

    def size() -> Any:
        return admin.describe_configs([asked])[asked].result()["max.message.bytes"].value

    wait_until(lambda: size() == "1000", "the broker to have heard of it", 30)
    return pipeline


def test_a_topic_with_too_small_messages_is_refused_with_what_mends_it(
    small: tuple[Settings, AdminClient],
) -> None:
    settings, admin = small
    with pytest.raises(ConfigError, match=r"--add-config max\.message\.bytes=1065536"):
        rk.check_configs(admin, rk.topic_specs(settings))


@pytest.mark.parametrize("then", ["commit", "send"])
def test_a_message_that_kafka_refuses_for_its_size_ends_the_producer(
    small: tuple[Settings, AdminClient], then: str
) -> None:
    """Not a transient error: it would be refused each time."""
    settings, _ = small
    mine = Publisher(settings, [-1], Stop())

    def publish() -> None:
        mine.take_over()
        for _ in range(1 if then == "commit" else 1000):
            mine.send([[(None, random.randbytes(5000)), (None, b"last")]], 1 << 30)
            mine._producer.flush(1 if then == "send" else 0)
        mine.commit(STATE)

    refused = failure_of(publish)
    mine.close()
    assert type(refused) is ConfigError
    assert "MSG_SIZE_TOO_LARGE" in str(refused)
