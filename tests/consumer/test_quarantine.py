"""One table can't be written any more: it is set aside, exactly, and the others go on."""

import json
import re
from typing import Any

import pytest
import yaml

from fix_topics import ITEMS, MakeStage, Stage
from mysync_consumer.failures import Failures
from mysync_consumer.quarantine import Quarantine
from mysync_consumer.tablelist import source_of
from mysync_lab.sql import SqlServer
from mysync_runtime.settings import RenameSettings
from mysync_schemas.framing import frame
from mysync_schemas.table import TableId
from topicwriter import TopicWriter

DATA_ERROR = 4
OTHERS = "CREATE TABLE others (id INT PRIMARY KEY, v BIGINT)"
ASIDE = {"on_divergence": "quarantine", "max_failures": 2}


def begun(make_stage: MakeStage, *tables: str, partitions: int = 2, **apply: object) -> Stage:
    """A stage that quarantines; it has `others` beside the tables."""
    apply = {"group_session_timeout_ms": 1500} | ASIDE | apply
    stage = make_stage(topics={"partitions": partitions}, apply=apply)
    return stage.begin(*(tables or (ITEMS,)), OTHERS)


def others(stage: Stage, *ids: int) -> None:
    for id_ in ids:
        stage.writer.insert(f"{stage.db}.others", {"id": id_, "v": id_})


def assert_others(stage: Stage, *ids: int) -> None:
    assert sorted(stage.sql("SELECT id, v FROM others")) == [(id_, id_) for id_ in ids]


def states(stage: Stage) -> dict[str, dict[str, Any]]:
    names = ("state", "m", "reason", "detail", "resync_only")
    found = stage.sql(
        f"SELECT tbl, {', '.join(names)} FROM mysync.table_state"
        f" WHERE pipeline = '{stage.name}' AND db = '{stage.db}'"
    )
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in found}


def skipped(stage: Stage) -> dict[tuple[str, int], tuple[int, int]]:
    """Offset and seq of the first record passed over, by table and partition."""
    found = stage.sql(
        "SELECT tbl, partition_id, first_offset, first_seq FROM mysync.skipped"
        f" WHERE pipeline = '{stage.name}'"
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in found}


def instructed(stage: Stage) -> list[str]:
    found = stage.sql(
        f"SELECT action FROM mysync.instruction WHERE pipeline = '{stage.name}' ORDER BY version"
    )
    return [row[0] for row in found]


def place(stage: Stage, id_: int) -> int:
    return stage.writer.place(stage.items, stage.rows[id_])[0]


def listed(stage: Stage, *options: str) -> str:
    code, out, err = stage.pipeline.run("mysync-consumer", "tables", *options)
    assert code == 0, err
    return out


def test_a_divergence_sets_its_table_aside_and_the_others_go_on(make_stage: MakeStage) -> None:
    stage = begun(make_stage)
    consumer = stage.ready()
    with stage.writer:
        for id_ in range(20):
            stage.put(id_, id_)
        others(stage, 1)
    stage.wait_applied()
    stage.sql("DELETE FROM items WHERE id = 7")
    where = place(stage, 7)
    here = [id_ for id_ in range(20) if place(stage, id_) == where and id_ != 7]
    with stage.writer:
        stage.put(here[0], 100)
        others(stage, 2)
        stage.put(7, 107)
        culprit = stage.writer.seq
        stage.put(here[1], 101)
        others(stage, 3)
    stage.wait(lambda: bool(states(stage)), "the quarantine")
    stage.wait_applied()
    with stage.writer:
        for id_ in range(20):
            stage.put(id_, 200 + id_)
        others(stage, 4)
    stage.wait_applied()
    assert_others(stage, 1, 2, 3, 4)
    held = dict(stage.sql("SELECT id, v FROM items"))
    assert held[here[0]] == 100, "what stood before the event is applied"
    assert held[here[1]] == here[1], "what stood behind it isn't"
    assert 7 not in held
    assert max(held.values()) == 100
    state = states(stage)["items"]
    assert state["state"] == "quarantined"
    assert f"update of {stage.items}" in state["reason"]
    detail = json.loads(state["detail"])
    assert detail["class"] == "Divergence"
    assert detail["event"]["after"] == {"id": 7, "name": "n7", "v": 107}
    assert detail["event"]["seq"] == culprit
    assert f"partition {where} offset {detail['event']['offset']}" in detail["place"]
    assert set(states(stage)) == {"items"}
    first = skipped(stage)
    assert first["items", where] == (detail["event"]["offset"], culprit)
    assert first["items", 1 - where][1] > culprit
    assert set(first) == {("items", 0), ("items", 1)}
    assert instructed(stage) == ["quarantine"]
    assert stage.sql(f"SELECT seq FROM mysync.errors WHERE pipeline = '{stage.name}'") == [
        (culprit,)
    ]
    status = consumer.status()
    assert status is not None
    assert status["quarantined"] == [stage.items]
    metrics = consumer.metrics()
    assert "mysync_consumer_quarantined_tables 1.0" in metrics
    labels = f'{{db="{stage.db}",table="items"}}'
    assert f"mysync_consumer_rows_skipped_total{labels} 22.0" in metrics
    applied = re.findall(rf'rows_total{{db="{stage.db}",op=".",table="items"}} (\S+)', metrics)
    assert sum(map(float, applied)) == 21
    told = consumer.log.read_text()
    assert "failures=1" in told or '"failures": 1' in told
    assert "Traceback" not in told


def test_a_table_that_is_mended_in_time_is_not_set_aside(make_stage: MakeStage) -> None:
    stage = begun(make_stage, max_failures=1000)
    consumer = stage.ready()
    with stage.writer:
        stage.put(1, 1)
    stage.wait_applied()
    stage.sql("DELETE FROM items")
    with stage.writer:
        stage.put(1, 2)
        others(stage, 1)
    stage.wait(lambda: "a table can't be written" in consumer.log.read_text(), "a failure")
    stage.sql("INSERT INTO items VALUES (1, 'n1', 1)")
    stage.wait_applied()
    stage.assert_items()
    assert_others(stage, 1)
    assert not states(stage)
    assert not instructed(stage)


def test_a_restart_keeps_it_quarantined_and_where_it_began(make_stage: MakeStage) -> None:
    stage = begun(make_stage)
    stage.sql("INSERT INTO items VALUES (5, 'mine', 50)")
    with stage.writer:
        for id_ in range(20):
            stage.put(id_, id_)
        others(stage, 1)
    consumer = stage.ready()
    stage.wait(lambda: bool(states(stage)), "the quarantine")
    stage.wait_applied()
    before, held = skipped(stage), stage.sql("SELECT * FROM items ORDER BY id")
    kept = states(stage)
    consumer.kill()
    consumer.start().wait_ready()
    with stage.writer:
        for id_ in range(20):
            stage.put(id_, 100 + id_)
        others(stage, 2)
    stage.wait_applied()
    assert stage.sql("SELECT * FROM items ORDER BY id") == held
    assert_others(stage, 1, 2)
    where = place(stage, 5)
    assert skipped(stage)["items", where] == before["items", where]
    assert states(stage) == kept
    assert instructed(stage) == ["quarantine"]
    status = consumer.status()
    assert status is not None
    assert status["quarantined"] == [stage.items]


@pytest.mark.parametrize("server", ["mysql_b", "mariadb_b"])
@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ("DROP TABLE items", "Drift", "can't be read"),
        ("ALTER TABLE items ENGINE = MyISAM", "Drift", "MyISAM"),
        ("ALTER TABLE items MODIFY v INT", "TableDrift", "column v: type"),
        ("ALTER TABLE items ADD UNIQUE KEY (name(20))", "TableDrift", "on the target only"),
    ],
    ids=["missing", "engine", "type", "key"],
)
def test_another_definition_sets_the_table_aside_before_anything_is_written(
    make_stage: MakeStage,
    server: str,
    change: str,
    kind: str,
    said: str,
    request: pytest.FixtureRequest,
) -> None:
    apply = {"group_session_timeout_ms": 1500} | ASIDE
    stage = make_stage(request.getfixturevalue(server), topics={"partitions": 1}, apply=apply)
    stage.begin(ITEMS, OTHERS)
    stage.sql(change)
    with stage.writer:
        others(stage, 1)
        stage.put(1, 1)
        first = stage.writer.seq
        others(stage, 2)
    stage.ready()
    stage.wait_applied()
    assert_others(stage, 1, 2)
    state = states(stage)["items"]
    detail = json.loads(state["detail"])
    assert detail["class"] == kind
    assert said in state["reason"]
    assert detail["place"].startswith("binlog.000001:")
    assert skipped(stage)["items", 0][1] == first


def test_a_value_that_does_not_fit_sets_its_table_aside(make_stage: MakeStage) -> None:
    stage = begun(make_stage, "CREATE TABLE items (id INT PRIMARY KEY, small TINYINT)")
    stage.ready()
    with stage.writer:
        stage.writer.insert(stage.items, {"id": 1, "small": 300})
        others(stage, 1)
    stage.wait_applied()
    assert_others(stage, 1)
    assert "column small" in states(stage)["items"]["reason"]
    assert stage.sql("SELECT * FROM items") == []


def test_a_table_goes_with_all_that_cascades_join_with_it(make_stage: MakeStage) -> None:
    stage = begun(
        make_stage,
        "CREATE TABLE parent (id INT PRIMARY KEY)",
        "CREATE TABLE child (id INT PRIMARY KEY, p INT,"
        " FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)",
    )
    stage.ready()
    parent, child = f"{stage.db}.parent", f"{stage.db}.child"
    stage.sql("INSERT INTO child VALUES (1, NULL)")
    with stage.writer:
        stage.writer.insert(parent, {"id": 1})
        stage.writer.insert(child, {"id": 1, "p": 1})
        stage.writer.insert(parent, {"id": 2})
        others(stage, 1)
    stage.wait_applied()
    assert stage.sql("SELECT * FROM parent") == [(1,)]
    assert_others(stage, 1)
    found = states(stage)
    assert set(found) == {"parent", "child"}
    assert "insert of" in found["child"]["reason"]
    assert found["parent"]["reason"].startswith(f"joined by cascading foreign keys with {child}")
    assert found["parent"]["m"] == found["child"]["m"]
    assert instructed(stage) == ["quarantine"]


def test_a_row_in_parts_is_skipped_from_its_first_part_on(make_stage: MakeStage) -> None:
    apply = {"group_session_timeout_ms": 1500} | ASIDE
    stage = make_stage(topics={"partitions": 1}, apply=apply)
    stage.writer = TopicWriter(stage.settings, part_bytes=500)
    stage.begin(ITEMS, OTHERS)
    stage.ready()
    with stage.writer:
        others(stage, 1)
    stage.wait_applied()
    stage.sql("INSERT INTO items VALUES (1, 'mine', 1)")
    begin = stage.checkpoint()[0]["next_offset"] + 1  # behind the transaction's own marker
    with stage.writer:
        stage.put(1, 1, "x" * 3000)
    stage.wait_applied()
    assert stage.checkpoint()[0]["next_offset"] > begin + 5
    assert skipped(stage)["items", 0] == (begin, stage.writer.seq)


def test_a_damaged_topic_stops_all_whatever_the_policy(make_stage: MakeStage) -> None:
    stage = begun(make_stage, partitions=1)
    consumer = stage.ready()
    with stage.writer:
        stage.put(1, 1)
        id_ = stage.writer.tables[stage.items].value_schema_id
        stage.writer.produce(stage.settings.rows_topic, 0, None, frame(id_, b"\xff" * 12))
    assert consumer.wait_exit(90) == DATA_ERROR
    assert not states(stage)
    assert instructed(stage) == ["stop"]


@pytest.mark.xdist_group("own servers")
def test_a_checkpoint_that_can_not_be_written_is_no_tables_fault(
    make_stage: MakeStage, own_mysql: SqlServer
) -> None:
    apply = {"group_session_timeout_ms": 1500} | ASIDE
    stage = make_stage(own_mysql, topics={"partitions": 1}, apply=apply).begin()
    consumer = stage.ready()
    stage.wait_applied()
    trigger = f"mysync.{stage.db}"
    stage.sql(
        f"CREATE TRIGGER {trigger} BEFORE UPDATE ON mysync.checkpoint FOR EACH ROW"
        f" BEGIN IF NEW.pipeline = '{stage.name}' AND NEW.next_offset > OLD.next_offset"
        " THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not now'; END IF; END"
    )
    try:
        with stage.writer:
            stage.put(1, 1)
        assert consumer.wait_exit(90) == DATA_ERROR
    finally:
        stage.sql(f"DROP TRIGGER {trigger}")
    assert "mysync.checkpoint" in consumer.log_tail(1)
    assert not states(stage)


def test_the_tables_are_listed_with_why_since_when_and_from_where(make_stage: MakeStage) -> None:
    stage = begun(make_stage, partitions=1)
    assert json.loads(listed(stage, "--json"))["tables"] == []
    stage.sql("INSERT INTO items VALUES (5, 'mine', 50)")
    with stage.writer:
        stage.put(5, 5)
        others(stage, 1)
    stage.ready()
    stage.wait_applied()
    aside, written = json.loads(listed(stage, "--json"))["tables"]
    assert (aside["table"], aside["target"]) == (stage.items, stage.items)
    assert (aside["state"], written["state"]) == ("quarantined", "written")
    assert written["table"] == f"{stage.db}.others"
    assert "is there already" in aside["reason"]
    assert aside["place"].startswith("binlog.000001:")
    assert aside["detail"]["event"]["target_holds"] == [{"id": 5, "name": "mine", "v": 50}]
    at = aside["skipped_from"]["0"]
    assert (at["offset"], at["seq"]) == skipped(stage)["items", 0]
    text = listed(stage)
    assert f"{stage.items}: insert of {stage.items}" in text
    assert f"partition 0: skipped from offset {at['offset']}" in text
    assert "mysync-producer transfer start" in text
    code, out, _ = stage.pipeline.run("mysync-consumer", "status", "--json")
    assert code == 0
    assert json.loads(out)["quarantined"] == [stage.items]


def test_a_renamed_table_is_set_aside_by_the_sources_name(make_stage: MakeStage) -> None:
    stage = begun(make_stage, partitions=1)
    configuration = yaml.safe_load(stage.pipeline.config.read_text())
    configuration["rename"] = {"tables": {stage.items: f"{stage.db}.renamed"}}
    stage.pipeline.config.write_text(yaml.safe_dump(configuration))
    stage.sql("RENAME TABLE items TO renamed", "INSERT INTO renamed VALUES (5, 'mine', 50)")
    with stage.writer:
        stage.put(5, 5)
        others(stage, 1)
    stage.ready()
    stage.wait_applied()
    assert set(states(stage)) == {"items"}
    aside, written = json.loads(listed(stage, "--json"))["tables"]
    assert (aside["table"], aside["target"]) == (stage.items, f"{stage.db}.renamed")
    assert written["target"] == f"{stage.db}.others"


def test_a_table_is_set_aside_once_and_its_first_resync_reason_stays(
    make_stage: MakeStage,
) -> None:
    stage = begun(make_stage)
    stage.ready()
    stage.wait_applied()
    tables = stage.writer.tables.values
    items, more = TableId(stage.db, "items"), TableId(stage.db, "others")
    quarantine = Quarantine(stage.name, lambda: tables())
    with stage.target.connect() as connection:
        connection.autocommit(True)
        for wanted, new in (([items], {items}), ([items], set()), ([items, more], {more})):
            found = quarantine.quarantine(connection, 2, wanted, "asked", {"place": "here"}, "me")
            assert found == new
        assert quarantine.tables() == {items, more}
        assert quarantine.holds(more)
        quarantine.resync_only(connection, items, "TRUNCATE was skipped")
        quarantine.resync_only(connection, items, "DROP was skipped")
        quarantine.resync_only(connection, TableId(stage.db, "strange"), "nothing")
    assert instructed(stage) == ["quarantine", "quarantine"]
    found = states(stage)
    assert set(found) == {"items", "others"}
    assert found["items"]["resync_only"] == "TRUNCATE was skipped"
    assert found["others"]["resync_only"] is None
    # Who wrote it is no process of the pipeline: it obeys all the same.
    with stage.writer:
        stage.put(1, 1)
        others(stage, 1)
    stage.wait_applied()
    assert stage.sql("SELECT * FROM items UNION ALL SELECT id, '', v FROM others") == []


def test_failures_are_in_a_row_while_the_partition_gets_no_further() -> None:
    failures = Failures()
    items, more = TableId("d", "items"), TableId("d", "more")
    assert [failures.count(items, 10), failures.count(more, 10)] == [1, 1]
    assert failures.count(items, 10) == 2
    assert failures.count(items, 11) == 1
    assert failures.count(more, 11) == 1


@pytest.mark.parametrize(
    ("target", "source"),
    [("a.t", "a.t"), ("copy.t", "shop.t"), ("x.y", "shop.old"), ("both.t", None), ("shop.t", None)],
)
def test_a_tables_name_on_the_source_is_told_where_it_can_be(
    target: str, source: str | None
) -> None:
    rename = RenameSettings(
        databases={"shop": "copy", "one": "both", "two": "both"}, tables={"shop.old": "x.y"}
    )
    found = source_of(TableId(*target.split(".")), rename)
    assert (str(found) if found is not None else None) == source
