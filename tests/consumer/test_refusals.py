"""What protects data: holes, strangers and changed topics stop the consumer before anything
moves."""

import copy

import pytest
from confluent_kafka.admin import NewPartitions

from fix_topics import ITEMS, MakeStage, Stage
from mysync_lab.services import Pipeline
from mysync_schemas.framing import frame
from mysync_schemas.markers import Line
from topicwriter import IDS, TopicWriter

SETUP_ERROR, DATA_ERROR = 3, 4


def refused(stage: Stage, code: int, *words: str) -> None:
    consumer = stage.pipeline.services[-1]
    assert consumer.wait_exit(30) == code
    paragraph = consumer.log_tail(1)
    assert paragraph.startswith("mysync: ")
    for word in words:
        assert word in paragraph


@pytest.fixture
def running(make_stage: MakeStage) -> Stage:
    """A stage with one partition, some rows applied, and a consumer that runs."""
    stage = make_stage(topics={"partitions": 1}).begin()
    stage.ready()
    with stage.writer:
        stage.load(1, 20)
    stage.wait_applied()
    return stage


def test_a_missing_record_is_a_hole(running: Stage) -> None:
    with running.writer:
        running.writer.take(0)
        running.put(1, 1)
    refused(running, DATA_ERROR, "LogHole", "follows seq", "offset", "rebuild")
    assert running.checkpoint()[0]["last_seq"] == running.writer.seq - 2


def test_a_doubled_record_is_a_hole(running: Stage) -> None:
    last = running.writer.seq
    running.writer.prev[0] = last - 1
    with running.writer:
        running.put(1, 1)
    refused(running, DATA_ERROR, "LogHole", f"the last one applied is seq {last}")


def test_a_fresh_target_wants_the_partitions_first_record(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 1})
    stage.writer.prev[0] = stage.writer.seq = 41
    stage.begin()
    stage.consumer()
    refused(stage, DATA_ERROR, "LogHole", "isn't the partition's first", "rebuild")


def test_records_without_a_value_are_no_records(running: Stage) -> None:
    with running.writer:
        running.writer.produce(running.settings.rows_topic, 0, b"key", b"")
    refused(running, DATA_ERROR, "CorruptEvent")


def test_garbage_is_not_applied(running: Stage) -> None:
    with running.writer:
        running.writer.produce(
            running.settings.rows_topic, 0, None, frame(IDS["Line"], b"\xff" * 12)
        )
    refused(running, DATA_ERROR, "CorruptEvent")


def test_an_unreadable_record_is_named_by_its_place_and_costs_nothing_before_it(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(topics={"partitions": 1}, apply={"batch_rows": 4}).begin()
    with stage.writer:
        for id_ in range(9):
            stage.put(id_, id_)
    stage.ready()
    stage.wait_applied()
    # A transaction's own marker, and seven rows, stand before it.
    offset = stage.checkpoint()[0]["next_offset"] + 8
    with stage.writer:
        for id_ in range(7):
            stage.put(id_, 100 + id_)
        bad = frame(IDS["Heartbeat"], b"\xff" * 12)
        stage.writer.produce(stage.settings.rows_topic, 0, None, bad)
    refused(stage, DATA_ERROR, "CorruptEvent", f"{stage.settings.rows_topic}/0, offset {offset}")
    stage.assert_items()


def test_a_line_that_this_release_can_not_open_stops(running: Stage) -> None:
    with running.writer:
        running.writer.line(Line.DDL, 1)
    refused(running, DATA_ERROR, "UnsupportedRecord", "'ddl'")


def test_more_partitions_than_the_pipeline_has_stop_the_consumer(running: Stage) -> None:
    admin = running.writer._admin
    topic = running.settings.rows_topic
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result()
    consumer = running.pipeline.services[-1]
    consumer.stop()
    consumer.start()
    refused(running, DATA_ERROR, "PartitionCountChanged", "3 partitions instead of 1")


def test_topics_that_were_made_again_are_not_read(running: Stage) -> None:
    consumer = running.pipeline.services[-1]
    assert consumer.stop() == 0
    admin = running.writer._admin
    for future in admin.delete_topics(running.pipeline.topics).values():
        future.result()
    topic = running.settings.rows_topic
    running.wait(lambda: topic not in admin.list_topics(timeout=5).topics, "the topics' end")
    running.writer = TopicWriter(running.settings)
    running.writer.start(running.target, [running.db])
    consumer.start()
    refused(running, DATA_ERROR, "TopicRecreated", "begun anew")


def test_a_topic_that_vanishes_under_the_consumer_stops_it(running: Stage) -> None:
    admin = running.writer._admin
    topic = running.settings.rows_topic
    admin.delete_topics([topic])[topic].result()
    refused(running, DATA_ERROR, "TopicRecreated", "is gone")


def test_the_pipelines_format_and_name_are_checked(make_stage: MakeStage) -> None:
    stage = make_stage().begin(format=99, hash_version=7)
    stage.consumer()
    refused(stage, DATA_ERROR, "PipelineMismatch", "format is 99", "hash version is 7")


def test_a_second_pipeline_may_not_write_the_same_table(make_stage: MakeStage) -> None:
    first = make_stage(topics={"partitions": 1}).begin()
    first.ready()
    with first.writer:
        first.put(1, 1)
    first.wait_applied()
    second = make_stage(
        topics={"partitions": 1}, rename={"databases": {"stage": "x"}, "tables": {}}
    )
    second.pipeline.configuration["rename"]["tables"] = {f"{second.db}.items": first.items}
    second.pipeline = Pipeline(second.pipeline.folder, second.pipeline.configuration)
    second.begin()
    with second.writer:
        second.put(2, 2)
    second.consumer()
    refused(second, SETUP_ERROR, "TableOwned", first.name, "DELETE FROM mysync.owned_table")
    assert first.sql("SELECT id FROM items") == [(1,)]


def test_two_tables_may_not_become_one(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 1})
    stage.pipeline.configuration["rename"] = {"tables": {f"{stage.db}.more": stage.items}}
    stage.pipeline = Pipeline(stage.pipeline.folder, stage.pipeline.configuration)
    stage.begin(ITEMS, "CREATE TABLE more LIKE items")
    with stage.writer:
        stage.put(1, 1)
    stage.consumer()
    refused(stage, SETUP_ERROR, "ConfigError", f"{stage.db}.more", "both be written", "rename")
    assert stage.sql("SELECT * FROM items") == []


def test_a_second_group_may_not_share_a_checkpoint(running: Stage) -> None:
    other = copy.deepcopy(running.pipeline.configuration)
    other["target"]["name"] = "another"
    other["http"]["consumer_port"] = 0
    stranger = Pipeline(running.pipeline.folder / "other", other).consumer().start()
    running.pipeline.services.append(stranger)
    refused(running, SETUP_ERROR, "GroupConflict", "another")


def test_a_target_that_lost_its_checkpoint_stops_the_consumer(running: Stage) -> None:
    running.sql(f"DELETE FROM mysync.checkpoint WHERE pipeline = '{running.name}'")
    with running.writer:
        running.put(1, 1)
    refused(running, DATA_ERROR, "StateLost", "no checkpoint of pipeline")
