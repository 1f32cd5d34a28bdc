"""A rebuild that couldn't end right says everything that is in the way, and does nothing."""

from collections.abc import Callable

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from fix_topics import MakeStage, Stage
from refusals import USAGE, Refusal, rows

REBUILD = ("rebuild",)


def _untouched(stage: Stage) -> tuple[str, ...]:
    return REBUILD


def _known(stage: Stage) -> tuple[str, ...]:
    consumer = stage.ready()
    with stage.writer:
        stage.put(1, 1)
    stage.wait(stage.applied, "the row")
    assert consumer.stop() == 0
    return REBUILD


def _shortened(stage: Stage) -> tuple[str, ...]:
    with stage.writer:
        for number in range(40):
            stage.put(number, number)
    topic = stage.settings.rows_topic
    admin = AdminClient({"bootstrap.servers": ",".join(stage.settings.kafka.bootstrap_servers)})
    places = [TopicPartition(topic, p, 3) for p in range(stage.writer.partitions)]
    for future in admin.delete_records(places).values():
        future.result()
    return REBUILD


def _behind(stage: Stage) -> tuple[str, ...]:
    _shortened(stage)
    with stage.writer:
        stage.writer.heartbeat()
    return "rebuild", "--from", "position:binlog.000001:14"


def _without_database(stage: Stage) -> tuple[str, ...]:
    stage.sql(f"DROP DATABASE {stage.db}", database=None)
    return REBUILD


def _lacking(stage: Stage) -> tuple[str, ...]:
    with stage.writer:
        stage.put(1, 1)
        stage.writer.heartbeat()
    stage.sql("DROP TABLE items")
    return "rebuild", "--from", "offset:0:1"


CASES: dict[str, Callable[[Stage], tuple[str, ...]]] = {
    "a rebuild from topics that never made a table": _untouched,
    "a rebuild over what is there": _untouched,
    "a rebuild over a checkpoint": _known,
    "a rebuild from topics whose beginning is gone": _shortened,
    "a rebuild without the databases": _without_database,
    "a rebuild that begins where the target doesn't stand": _lacking,
}


@pytest.mark.parametrize("row", rows("rebuild"), ids=str)
def test_a_rebuild_that_could_not_end_right_is_refused(row: Refusal, make_stage: MakeStage) -> None:
    stage = make_stage()
    arguments = REBUILD
    if row.cause in CASES:
        stage.begin()
        arguments = CASES[row.cause](stage)
    code, _, said = stage.pipeline.run("mysync-consumer", *arguments)
    row.check(code, said)


def test_a_point_before_what_the_topics_still_have_is_wrong_usage(make_stage: MakeStage) -> None:
    stage = make_stage()
    stage.begin()
    code, _, said = stage.pipeline.run("mysync-consumer", *_behind(stage))
    words = ("the topics don't reach back to position:binlog.000001:14", "transfer start")
    Refusal("rebuild", "a point before it", "PointUnknown", USAGE, words).check(code, said)
