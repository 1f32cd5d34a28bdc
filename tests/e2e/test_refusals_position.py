"""What was moved, deleted or exchanged while a pipeline's producer wasn't there: it doesn't go on
from a place that isn't certain. Mended as it says, it goes on with nothing lost or doubled."""

from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import NewPartitions, NewTopic

from fix_capture import MakeOwnPublished, Published
from fix_own_servers import run_sql
from mysync_lab.layout import wait_until
from mysync_lab.services import Pipeline, Service, merged
from mysync_lab.sql import SqlServer
from mysync_producer.connection import DumpFrom, open_dump
from mysync_producer.session import identity_of
from mysync_runtime.loading import load
from mysync_schemas.position import BinlogPosition
from provoked import SECONDS, Outcomes, Script, ended, selected_causes
from published import assert_in_order
from refusals import Refusal, row, rows

pytestmark = pytest.mark.xdist_group("own servers")

TABLE = "CREATE TABLE t (id INT PRIMARY KEY)"
PARTITIONS = 2

Settings = dict[str, Any]


def begins(published: Published, *, made: bool = False) -> Script:
    """One row is published."""
    if not made:
        published.on_source(TABLE)
    producer = published.producer.start()
    yield
    producer.wait_ready(SECONDS)
    published.on_source("INSERT INTO t VALUES (1)")
    yield
    published.catch_up(SECONDS)


def goes_on(published: Published) -> Script:
    """A further row comes behind the first."""
    published.on_source("INSERT INTO t VALUES (2)")
    published.producer.start()
    yield
    published.producer.wait_ready(SECONDS)
    topics = published.caught_up_topics(SECONDS)
    assert_in_order(topics)
    assert [found.value["after"]["id"] for found in topics.rows()] == [1, 2]


def with_settings(published: Published, changed: Settings) -> Service:
    """Another producer of the pipeline, with other settings."""
    pipeline = published.replica.pipeline
    configuration = merged(pipeline.configuration, changed)
    service = Pipeline(pipeline.folder / "other", configuration).producer().start()
    pipeline.services.append(service)
    return service


# -- other settings ------------------------------------------------------------------------------


def other_settings(
    change: Callable[[Published], Settings], published: Published, refusal: Refusal
) -> Script:
    yield from begins(published)
    assert published.producer.stop(SECONDS) == 0
    other = with_settings(published, change(published))
    yield
    refusal.check(*ended(other))
    yield from goes_on(published)


# -- other topics --------------------------------------------------------------------------------


def damaged(
    damage: Callable[[Published], object], published: Published, refusal: Refusal
) -> Script:
    yield from begins(published)
    assert published.producer.stop(SECONDS) == 0
    damage(published)
    yield
    published.producer.start()
    yield
    refusal.check(*ended(published.producer))


def delete(published: Published, topic: str) -> None:
    admin, name = published.admin(), f"{published.name}.{topic}"
    admin.delete_topics([name])[name].result()
    wait_until(lambda: name not in admin.list_topics(timeout=10).topics, f"{name}'s end", SECONDS)


def recreate(topic: str, partitions: int, published: Published) -> None:
    delete(published, topic)
    admin, name = published.admin(), f"{published.name}.{topic}"
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result()


def extend(published: Published) -> None:
    admin, name = published.admin(), f"{published.name}.rows"
    admin.create_partitions([NewPartitions(name, PARTITIONS + 1)])[name].result()


def write_a_stranger(published: Published) -> None:
    producer = Producer({"bootstrap.servers": published.bootstrap})
    producer.produce(f"{published.name}.rows", b"hello", partition=1)
    assert producer.flush(30) == 0


def move(published: Published, refusal: Refusal) -> Script:
    yield from begins(published)
    assert published.producer.stop(SECONDS) == 0
    admin, group = published.admin(), f"mysync-producer-{published.name}"
    asked = ConsumerGroupTopicPartitions(group)
    (found,) = admin.list_consumer_group_offsets([asked])[group].result().topic_partitions

    def put(offset: int) -> None:
        place = TopicPartition(found.topic, found.partition, offset)
        admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [place])])[
            group
        ].result()

    put(1)
    published.producer.start()
    yield
    refusal.check(*ended(published.producer))
    put(found.offset)
    yield from goes_on(published)


# -- another log ---------------------------------------------------------------------------------


def purge(published: Published) -> None:
    published.on_source("INSERT INTO t VALUES (2)")
    run_sql(published.source, "FLUSH BINARY LOGS")
    (end,) = run_sql(published.source, "SHOW BINARY LOG STATUS")
    run_sql(published.source, f"PURGE BINARY LOGS TO '{end[0]}'")


def lose_the_end(published: Published) -> None:
    run_sql(published.source, "RESET BINARY LOGS AND GTIDS")


def read_as_us(published: Published, refusal: Refusal) -> Script:
    """The server ends a dump when another reader has the same identity."""
    yield from begins(published)
    settings = load(published.replica.pipeline.config, role="producer")
    topics = published.topics()
    identity = identity_of(settings, topics.info.uuid)
    place = DumpFrom(BinlogPosition(topics.states[-1]["file"], 4), None)
    with closing(open_dump(settings.source, place, identity)) as stream:
        stream.read()
        refusal.check(*ended(published.producer))
    yield from goes_on(published)


def begin_at(start: str, published: Published, refusal: Refusal) -> Script:
    """A first start, which begins nothing: the next one may begin elsewhere."""
    published.on_source(TABLE)
    other = with_settings(published, {"source": {"start": start}})
    yield
    refusal.check(*ended(other))
    yield from begins(published, made=True)


SCRIPTS: Mapping[str, Callable[[Published, Refusal], Script]] = {
    "another partition count in the settings": partial(
        other_settings, lambda _: {"topics": {"partitions": PARTITIONS + 1}}
    ),
    "other filters within a transaction": partial(
        other_settings, lambda p: {"filters": {"include": [f"{p.db}.*", "more.*"]}}
    ),
    "another mode of schema ids": partial(
        other_settings, lambda _: {"schema_registry": {"url": "http://127.0.0.1:1"}}
    ),
    "a topic with more partitions": partial(damaged, extend),
    "a re-created rows topic": partial(damaged, partial(recreate, "rows", PARTITIONS)),
    "a deleted rows topic": partial(damaged, lambda published: delete(published, "rows")),
    "a re-created control topic": partial(damaged, partial(recreate, "control", 1)),
    "an emptied state topic": partial(damaged, partial(recreate, "state", 1)),
    "a foreign record in the rows topic": partial(damaged, write_a_stranger),
    "a moved position": move,
    "another reader with our identity": read_as_us,
    "a place to begin at in a log that isn't there": partial(begin_at, "binlog.999999:4"),
    "a purged binary log": partial(damaged, purge),
    "a server that lost the end of its log": partial(damaged, lose_the_end),
}
ELSEWHERE = "another server without what was replicated"
# What each does to the server would meet the others: one after the other, last.
EVERYBODYS = ("a purged binary log", "a server that lost the end of its log")


def _script(
    refusal: Refusal, source: SqlServer, other: SqlServer, make: MakeOwnPublished
) -> Script:
    script = SCRIPTS.get(refusal.cause) or partial(
        other_settings, lambda _: {"source": {"port": other.port}}
    )
    with make(source, topics={"partitions": PARTITIONS}) as published:
        yield from script(published, refusal)


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest,
    own_mysql: SqlServer,
    mysql_a: SqlServer,
    make_own_published: MakeOwnPublished,
) -> Outcomes:
    found, selected = Outcomes(), selected_causes(request)
    groups = [[cause for cause in (*SCRIPTS, ELSEWHERE) if cause not in EVERYBODYS]]
    groups += [[cause] for cause in EVERYBODYS]
    for group in groups:
        chosen = [row(cause) for cause in group if cause in selected]
        found.play({r.cause: _script(r, own_mysql, mysql_a, make_own_published) for r in chosen})
    return found


@pytest.mark.parametrize("row", rows("position"), ids=str)
def test_a_place_that_is_not_certain_stops_the_producer(row: Refusal, outcomes: Outcomes) -> None:
    outcomes.verify(row.cause)
