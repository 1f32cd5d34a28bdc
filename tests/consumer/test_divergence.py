"""A target that doesn't hold what the source held: everything stops, and says why."""

import json
import time

import pytest

from fix_topics import MakeStage, Stage
from mysync_schemas.framing import frame
from topicwriter import IDS

DATA_ERROR = 4


def report_of(stage: Stage) -> dict[str, object]:
    found = stage.sql(f"SELECT report FROM mysync.errors WHERE pipeline = '{stage.name}'")
    assert len(found) == 1
    return dict(json.loads(found[0][0]))


def test_a_row_that_is_there_already_stops_with_a_report_and_commits_what_stood_before_it(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(topics={"partitions": 1}).begin()
    stage.sql("INSERT INTO items VALUES (5, 'mine', 50)")
    with stage.writer:
        for id_ in range(10):
            stage.put(id_, id_)
        stage.writer.heartbeat()
    consumer = stage.consumer()
    assert consumer.wait_exit(90) == DATA_ERROR
    assert sorted(stage.sql("SELECT id, v FROM items")) == [
        (0, 0),
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 4),
        (5, 50),
    ]
    report = report_of(stage)
    assert report["error_code"] == 1062
    assert report["operation"] == "insert"
    assert report["before"] is None
    assert report["after"] == {"id": 5, "name": "n5", "v": 5}
    assert report["target_holds"] == [{"id": 5, "name": "mine", "v": 50}]
    assert report["file"] == "binlog.000001"
    log = consumer.log_tail(3)
    assert "Divergence" in log
    assert f"insert of {stage.items}" in log
    assert "Traceback" not in log


def test_a_restart_tries_again_and_goes_on_when_the_target_is_mended(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 2}).begin()
    with stage.writer:
        for id_ in range(20):
            stage.put(id_, id_)
    stage.ready()
    stage.wait_applied()
    stage.sql("DELETE FROM items WHERE id = 3")
    with stage.writer:
        for id_ in range(20):
            stage.put(id_, 100 + id_)
        stage.writer.heartbeat()
    consumer = stage.pipeline.services[0]
    assert consumer.wait_exit(90) == DATA_ERROR
    assert consumer.start().wait_exit(90) == DATA_ERROR
    stage.sql("INSERT INTO items VALUES (3, 'n3', 3)")
    consumer.start()
    stage.wait_applied()
    stage.assert_items()
    reports = stage.sql(f"SELECT error_code FROM mysync.errors WHERE pipeline = '{stage.name}'")
    assert reports == [(1032,), (1032,)]


def test_the_others_are_told_to_stop_even_if_the_checkpoint_is_locked_for_a_while(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(topics={"partitions": 2}, apply={"lock_wait_timeout": 1}).begin()
    with stage.writer:
        for id_ in range(40):
            stage.put(id_, id_)
    consumer = stage.ready()
    stage.wait_applied()
    mine = next(
        id_ for id_ in range(40) if stage.writer.place(stage.items, stage.rows[id_])[0] == 0
    )
    stage.sql(f"DELETE FROM items WHERE id = {mine}")
    with stage.target.connect() as locker, locker.cursor() as cursor:
        locker.begin()
        cursor.execute(
            f"UPDATE mysync.checkpoint SET epoch = epoch WHERE pipeline = '{stage.name}'"
            " AND partition_id = 1"
        )
        with stage.writer:
            stage.put(mine, 100)
        log = consumer.log
        stage.wait(lambda: waits_for_a_lock(stage), "the stop to wait")
        stage.wait(lambda: not waits_for_a_lock(stage), "the lock wait to time out")
        locker.rollback()
    assert consumer.wait_exit(90) == DATA_ERROR
    assert "only this process" not in log.read_text()
    assert len(stage.sql(f"SELECT 1 FROM mysync.instruction WHERE pipeline = '{stage.name}'")) == 1
    report_of(stage)


def waits_for_a_lock(stage: Stage) -> bool:
    time.sleep(0.15)  # whoever asks INNODB_TRX more often than every 100 ms gets an old answer
    return bool(
        stage.sql(
            "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
            " AND trx_query LIKE '%mysync.checkpoint%' AND trx_query LIKE '%FOR UPDATE'"
            f" AND trx_query LIKE '%''{stage.name}''%'"
        )
    )


def test_a_table_altered_on_the_target_while_running_is_drift_before_anything_is_written(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(topics={"partitions": 1}).begin()
    stage.ready()
    with stage.writer:
        stage.put(1, 1)
    stage.wait_applied()
    stage.sql("ALTER TABLE items ADD COLUMN extra INT FIRST")
    with stage.writer:
        stage.put(2, 2)
    consumer = stage.pipeline.services[0]
    assert consumer.wait_exit(90) == DATA_ERROR
    assert "column extra is on the target only" in consumer.log_tail(2)
    assert stage.sql("SELECT id, extra FROM items") == [(1, None)]


@pytest.mark.parametrize("server", ["mysql_b", "mariadb_b"])
def test_labels_that_move_on_the_target_are_drift_before_anything_is_written(
    make_stage: MakeStage, server: str, request: pytest.FixtureRequest
) -> None:
    stage = make_stage(request.getfixturevalue(server), topics={"partitions": 1})
    stage.begin("CREATE TABLE items (id INT PRIMARY KEY, e ENUM('a','c'))")
    consumer = stage.ready()
    with stage.writer:
        stage.writer.insert(stage.items, {"id": 1, "e": "c"})
    stage.wait_applied()
    stage.sql("ALTER TABLE items MODIFY e ENUM('a','b','c')")
    with stage.writer:
        stage.writer.insert(stage.items, {"id": 2, "e": "c"})
    assert consumer.wait_exit(90) == DATA_ERROR
    assert "column e: type enum('a','c') on the source" in consumer.log_tail(2)
    assert stage.sql("SELECT id, e FROM items") == [(1, "c")]


@pytest.mark.parametrize("server", ["mysql_b", "mariadb_b"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("MODIFY n INT UNSIGNED", "column n: type int on the source, int unsigned on the target"),
        (
            "MODIFY s VARCHAR(80) CHARACTER SET latin1",  # as many bytes as 20 of utf8mb4
            "column s: type varchar(20) on the source, varchar(80) on the target",
        ),
        ("CHANGE n m INT", "column n is missing on the target"),
        ("MODIFY n SMALLINT", "column n: type int on the source, smallint on the target"),
        ("MODIFY n INT NOT NULL", "column n: nullable True on the source, False on the target"),
    ],
    ids=["sign", "charset", "name", "width", "nullability"],
)
def test_another_meaning_of_the_same_bytes_is_drift_before_anything_is_written(
    make_stage: MakeStage, server: str, change: str, said: str, request: pytest.FixtureRequest
) -> None:
    """Row events are joined by position and believed: -1 would be 4294967295."""
    stage = make_stage(request.getfixturevalue(server), topics={"partitions": 1})
    stage.begin("CREATE TABLE items (id INT PRIMARY KEY, n INT, s VARCHAR(20))")
    consumer = stage.ready()
    with stage.writer:
        stage.writer.insert(stage.items, {"id": 1, "n": 1, "s": "a"})
    stage.wait_applied()
    stage.sql(f"ALTER TABLE items {change}")
    with stage.writer:
        stage.writer.insert(stage.items, {"id": 2, "n": -1, "s": "ä"})
    assert consumer.wait_exit(90) == DATA_ERROR
    found = consumer.log_tail(2).replace("int(11)", "int").replace("smallint(6)", "smallint")
    assert said in found.replace("int(10) unsigned", "int unsigned")
    assert stage.sql("SELECT id FROM items") == [(1,)]


@pytest.mark.parametrize("server", ["mysql_b", "mariadb_b"])
def test_columns_that_change_places_on_the_target_keep_their_values(
    make_stage: MakeStage, server: str, request: pytest.FixtureRequest
) -> None:
    stage = make_stage(request.getfixturevalue(server), topics={"partitions": 1})
    stage.begin("CREATE TABLE items (id INT PRIMARY KEY, a INT, b INT)")
    stage.ready()
    with stage.writer:
        stage.writer.insert(stage.items, {"id": 1, "a": 10, "b": 20})
    stage.wait_applied()
    stage.sql("ALTER TABLE items MODIFY b INT AFTER id")
    with stage.writer:
        stage.writer.update(stage.items, {"id": 1, "a": 10, "b": 20}, {"id": 1, "a": 11, "b": 21})
        stage.writer.insert(stage.items, {"id": 2, "a": 12, "b": 22})
    stage.wait_applied()
    assert stage.sql("SELECT id, a, b FROM items ORDER BY id") == [(1, 11, 21), (2, 12, 22)]


@pytest.mark.parametrize("server", ["mysql_b", "mariadb_b"])
def test_a_view_in_a_tables_place_is_drift(
    make_stage: MakeStage, server: str, request: pytest.FixtureRequest
) -> None:
    stage = make_stage(request.getfixturevalue(server), topics={"partitions": 1}).begin()
    stage.sql("RENAME TABLE items TO hidden", "CREATE VIEW items AS SELECT * FROM hidden")
    with stage.writer:
        stage.put(1, 1)
    consumer = stage.consumer()
    assert consumer.wait_exit(90) == DATA_ERROR
    assert "Drift" in consumer.log_tail(1)
    assert stage.sql("SELECT * FROM hidden") == []


def test_a_harmless_change_of_the_target_goes_unnoticed(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 1}).begin()
    stage.ready()
    with stage.writer:
        stage.put(1, 1)
    stage.wait_applied()
    stage.sql("ALTER TABLE items ADD KEY (v), COMMENT = 'more'")
    with stage.writer:
        stage.put(2, 2)
    stage.wait_applied()
    stage.assert_items()


def test_an_unreadable_record_is_named_by_its_place_and_costs_nothing_before_it(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(topics={"partitions": 1}, apply={"batch_rows": 4}).begin()
    with stage.writer:
        for id_ in range(9):
            stage.put(id_, id_)
    consumer = stage.ready()
    stage.wait_applied()
    # A transaction's own marker, and seven rows, stand before it.
    offset = stage.checkpoint()[0]["next_offset"] + 8
    with stage.writer:
        for id_ in range(7):
            stage.put(id_, 100 + id_)
        bad = frame(IDS["Heartbeat"], b"\xff" * 12)
        stage.writer.produce(stage.settings.rows_topic, 0, None, bad)
    assert consumer.wait_exit(90) == DATA_ERROR
    assert f"{stage.settings.rows_topic}/0, offset {offset}" in consumer.log_tail(1)
    stage.assert_items()
