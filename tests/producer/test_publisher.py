"""What becomes of Kafka's errors, wherever librdkafka says them."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from mysync_producer.errors import LeadershipLost
from mysync_producer.publisher import Publisher
from mysync_producer.state import Server, State
from mysync_runtime.errors import MysyncError, TransactionAborted
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings

SETTINGS = Settings(pipeline="p")
STATE = State(
    pipeline_uuid="u",
    server=Server(flavor="mysql", identity="s"),
    file="log.000001",
    pos=4,
    gtids=None,
    seq=1,
    last_seqs=(1,),
    offsets=(-1,),
    next_schema_id=1,
    next_version_id=1,
    filter_hash="f",
)


def raising(code: int, **flags: bool) -> Callable[..., None]:
    def call(*_: Any) -> None:
        raise KafkaException(KafkaError(code, **flags))

    return call


def publisher(**calls: Callable[..., Any]) -> Publisher:
    """A Publisher over a producer that does nothing but what `calls` say."""
    names = (
        "init_transactions begin_transaction abort_transaction commit_transaction "
        "send_offsets_to_transaction produce poll purge"
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
