"""How the poller begins partitions whose leaders answer late, not at all, or with a refusal."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from mysync_consumer import poller as module
from mysync_consumer.poller import Assigned, Poller
from mysync_consumer.service import Service
from mysync_runtime.errors import CredentialsError
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings


class Broker:
    """Stands for librdkafka's consumer; the leaders of `silent` partitions don't answer."""

    def __init__(self, properties: dict[str, Any]) -> None:
        self.silent: set[int] = set()
        self.code = KafkaError._TIMED_OUT
        self.asked: list[int] = []
        self.sought: dict[int, int] = {}
        self.on_assign: Callable[[Any, list[TopicPartition]], None] = lambda *_: None

    def subscribe(
        self, topics: list[str], *, on_assign: Callable[..., None], **callbacks: Any
    ) -> None:
        self.topic, self.on_assign = topics[0], on_assign

    def assign(self, *partitions: int) -> None:
        self.on_assign(self, [TopicPartition(self.topic, p) for p in partitions])

    def get_watermark_offsets(
        self, where: TopicPartition, timeout: float = 0.0, cached: bool = False
    ) -> tuple[int, int]:
        if not cached:
            self.asked.append(where.partition)
            if where.partition in self.silent:
                time.sleep(timeout)
                raise KafkaException(KafkaError(self.code))
        return 3, 9

    def seek(self, where: TopicPartition) -> None:
        self.sought[where.partition] = where.offset

    def poll(self, timeout: float) -> None:
        return None

    def incremental_assign(self, partitions: list[TopicPartition]) -> None: ...
    def pause(self, partitions: list[TopicPartition]) -> None: ...
    def resume(self, partitions: list[TopicPartition]) -> None: ...
    def commit(self, **what: Any) -> None: ...


@pytest.fixture
def settings() -> Settings:
    return Settings.model_validate({"pipeline": "polled"})


@pytest.fixture
def poller(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Poller:
    monkeypatch.setattr(module, "Consumer", Broker)
    nothing: Callable[..., None] = lambda *_: None  # noqa: E731
    poller = Poller(settings, Assigned(nothing, nothing, nothing, nothing, dict))
    poller.subscribe()
    broker_of(poller).assign(0, 1, 2)
    for partition in range(3):
        poller.flow(partition, 5 * partition, assignment=partition + 1)
    return poller


def broker_of(poller: Poller) -> Broker:
    broker = poller._consumer
    assert isinstance(broker, Broker)
    return broker


def test_a_flow_begins_at_its_offset_or_where_the_log_begins(poller: Poller) -> None:
    poller.step()
    assert broker_of(poller).sought == {0: 3, 1: 5, 2: 10}


def test_a_leader_that_does_not_answer_delays_only_its_own_partition(poller: Poller) -> None:
    broker = broker_of(poller)
    broker.silent = {0}
    for _ in range(2):
        began = time.monotonic()
        poller.step()
        assert time.monotonic() - began < 2
    assert broker.sought == {1: 5, 2: 10}
    for _ in range(50):
        poller.step()
    assert broker.asked.count(0) < 5
    assert poller.reading(0) is None
    broker.silent = set()
    deadline = time.monotonic() + 20
    while poller.reading(0) is None:
        assert time.monotonic() < deadline
        poller.step()
        time.sleep(0.01)
    assert broker.sought[0] == 3


def test_a_refusal_is_not_waited_for(poller: Poller) -> None:
    broker_of(poller).silent = {0}
    broker_of(poller).code = KafkaError.TOPIC_AUTHORIZATION_FAILED
    with pytest.raises(CredentialsError):
        poller.step()


def test_a_service_is_ready_when_its_partitions_are_read(
    settings: Settings, poller: Poller
) -> None:
    service: Any = Service(settings, Stop())
    service.state, service._poller = "running", poller
    service._workers = {p: SimpleNamespace(partition=p, streaming=True) for p in range(3)}
    broker_of(poller).silent = {1}
    for _ in range(2):
        poller.step()
    assert not service.readiness().ready
    assert "[1]" in service.readiness().reason
    broker_of(poller).silent = set()
    poller.flow(1, 5, assignment=2)
    poller.step()
    assert service.readiness().ready
