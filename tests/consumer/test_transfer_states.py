"""A transfer brings a quarantined table back, and leaves one that is cancelled quarantined."""

import json
from typing import Any

import pytest

from fix_topics import ITEMS, MakeStage, Stage
from mysync_consumer import checkpoint
from mysync_consumer.checkpoint import Claimed
from mysync_consumer.errors import ClaimLost
from mysync_consumer.quarantine import Quarantine
from mysync_consumer.tables import CONTROL_PARTITION
from mysync_consumer.transferring import begin, cancel, end
from mysync_schemas.control import Transfer

OTHERS = "CREATE TABLE others (id INT PRIMARY KEY, v BIGINT)"
ASIDE = {"on_divergence": "quarantine", "max_failures": 1, "group_session_timeout_ms": 1500}


def row(id_: int, v: int) -> dict[str, Any]:
    return {"id": id_, "name": f"n{id_}", "v": v}


def state(stage: Stage, table: str = "items") -> str | None:
    found = stage.sql(
        "SELECT state FROM mysync.table_state"
        f" WHERE pipeline = '{stage.name}' AND db = '{stage.db}' AND tbl = '{table}'"
    )
    return str(found[0][0]) if found else None


def skipped(stage: Stage) -> int:
    return len(stage.sql(f"SELECT 1 FROM mysync.skipped WHERE pipeline = '{stage.name}'"))


def instructed(stage: Stage) -> list[str]:
    found = stage.sql(
        f"SELECT action FROM mysync.instruction WHERE pipeline = '{stage.name}' ORDER BY version"
    )
    return [str(action) for (action,) in found]


def listed(stage: Stage) -> tuple[dict[str, Any], str]:
    """What `tables` says of the items, for machines and for people."""
    said = {}
    for options in (("--json",), ()):
        code, said[options], err = stage.pipeline.run("mysync-consumer", "tables", *options)
        assert code == 0, err
    tables = json.loads(said[("--json",)])["tables"]
    return next(each for each in tables if each["table"] == stage.items), said[()]


def set_aside(stage: Stage) -> None:
    """Lets an insert meet a row that is there already."""
    stage.sql("INSERT INTO items VALUES (1, 'mine', 1)")
    with stage.writer:
        stage.writer.insert(stage.items, row(1, 1))
    stage.wait(lambda: state(stage) == "quarantined", "the quarantine")


def test_a_quarantined_table_comes_back_by_its_transfer(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 3}, apply=ASIDE).begin(ITEMS, OTHERS)
    writer, items = stage.writer, stage.items
    stage.ready()
    consumer = stage.ready()
    set_aside(stage)
    with writer:
        for id_ in range(2, 30):
            writer.insert(items, row(id_, id_))
    stage.wait_applied()
    assert skipped(stage) == 3
    with writer:
        begun = writer.transfer_begin(items)
        writer.read(items, row(1, 1))
        writer.update(items, row(2, 2), row(2, 20))
        writer.insert(f"{stage.db}.others", {"id": 1, "v": 1})
    stage.wait_applied()
    assert stage.sql("SELECT id, v FROM items ORDER BY id") == [(1, 1), (2, 20)]
    assert instructed(stage) == ["quarantine", "rejoin"]
    assert skipped(stage) == 0
    entry, text = listed(stage)
    assert entry["state"] == "transferring"
    assert f"seq {begun}" in entry["place"]
    assert entry["detail"]["transfer"] == 1
    assert f"{items}: transfer 1 brings its rows" in text
    assert "transfer start" not in text
    status = consumer.status()
    assert status is not None
    assert status["quarantined"] == []
    with writer:
        for id_ in range(3, 30):
            writer.read(items, row(id_, id_))
        writer.transfer_end(items)
        writer.update(items, row(29, 29), row(29, 30))
    stage.wait_applied()
    held = dict(stage.sql("SELECT id, v FROM items"))
    assert held == {id_: id_ for id_ in range(1, 30)} | {2: 20, 29: 30}
    assert listed(stage)[0]["state"] == "written"
    assert instructed(stage) == ["quarantine", "rejoin"]


def test_a_cancelled_transfer_leaves_its_table_quarantined_until_the_next(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(topics={"partitions": 2}).begin(ITEMS, OTHERS)
    writer, items = stage.writer, stage.items
    stage.ready()
    with writer:
        writer.transfer_begin(items)
        writer.read(items, row(1, 1))
        writer.transfer_end(items, cancelled=True)
        writer.update(items, row(1, 1), row(1, 2))
        writer.insert(f"{stage.db}.others", {"id": 1, "v": 1})
    stage.wait_applied()
    assert stage.sql("SELECT v FROM items") == [(1,)]
    assert stage.sql("SELECT v FROM others") == [(1,)]
    entry, text = listed(stage)
    assert entry["state"] == "quarantined"
    assert entry["reason"].startswith("its transfer was cancelled")
    assert f"`mysync-producer transfer start {items}`" in text
    with writer:
        writer.transfer_begin(items)
        writer.read(items, row(1, 2))
        writer.read(items, row(2, 2))
        writer.transfer_end(items)
        writer.delete(items, row(2, 2))
    stage.wait_applied()
    assert stage.sql("SELECT id, v FROM items") == [(1, 2)]
    assert instructed(stage) == ["quarantine", "rejoin"]
    assert state(stage) is None


def test_a_table_that_is_quarantined_meanwhile_stays_so_at_the_end(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 1}, apply=ASIDE).begin(ITEMS, OTHERS)
    writer, items = stage.writer, stage.items
    with writer:
        writer.transfer_begin(items)
        writer.read(items, row(1, 1))
        writer.insert(items, row(1, 1))
        writer.read(items, row(2, 2))
        writer.transfer_end(items)
        writer.insert(f"{stage.db}.others", {"id": 1, "v": 1})
    stage.ready()
    stage.wait_applied()
    assert state(stage) == "quarantined"
    assert stage.sql("SELECT id FROM items") == [(1,)]
    assert stage.sql("SELECT v FROM others") == [(1,)]


def test_an_owner_that_lost_its_claim_changes_no_tables_state(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 2}).begin()
    stage.ready()
    stage.wait_applied()
    record = Transfer(
        id=1, seq=9, db=stage.db, table="items", phase="begin", schema_id=1, file="f", pos=4
    )
    quarantine = Quarantine(stage.name, lambda: ())
    with stage.target.connect() as connection:
        held = checkpoint.read(connection, stage.name, CONTROL_PARTITION)
        assert held is not None
        for epoch, wins in ((held.epoch - 1, False), (held.epoch, True)):
            mine = Claimed(stage.name, CONTROL_PARTITION, epoch, 0, held.progress)
            for change in (
                lambda mine: begin(connection, record, mine, quarantine, 2, (), "me"),
                lambda mine: cancel(connection, record, mine, quarantine, 2, "me"),
                lambda mine: end(connection, record, mine, 2),
            ):
                before = state(stage)
                if wins:
                    change(mine)
                    assert state(stage) != before or before == "quarantined"
                else:
                    with pytest.raises(ClaimLost):
                        change(mine)
                    assert state(stage) is None
    assert state(stage) == "quarantined"
    assert instructed(stage) == ["quarantine"]


def test_one_of_a_cascade_group_comes_back_alone_and_that_is_said(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 1}, apply=ASIDE).begin(
        ITEMS,
        "CREATE TABLE child (id INT PRIMARY KEY, i INT,"
        " FOREIGN KEY (i) REFERENCES items (id) ON DELETE CASCADE)",
    )
    writer, items, child = stage.writer, stage.items, f"{stage.db}.child"
    consumer = stage.ready()
    set_aside(stage)
    assert state(stage, "child") == "quarantined"
    with writer:
        writer.transfer_begin(items)
        writer.read(items, row(1, 1))
        writer.transfer_end(items)
        writer.insert(child, {"id": 1, "i": 1})
    stage.wait_applied()
    assert (state(stage), state(stage, "child")) == (None, "quarantined")
    assert stage.sql("SELECT id FROM items") == [(1,)]
    assert stage.sql("SELECT id FROM child") == []
    told = consumer.log.read_text()
    assert "tables that cascading foreign keys join with it stay quarantined" in told
    with writer:
        writer.transfer_begin(child)
        writer.read(child, {"id": 1, "i": 1})
        writer.transfer_end(child)
        writer.delete(items, row(1, 1), flags=0)
    stage.wait_applied()
    assert stage.sql("SELECT id FROM child") == []
    assert state(stage, "child") is None


def test_a_table_that_the_target_lacks_is_made_behind_its_begin(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 2}).begin()
    writer, items = stage.writer, stage.items
    (_, definition), *_ = stage.sql("SHOW CREATE TABLE items")
    stage.sql(f"DROP DATABASE {stage.db}", database=None)
    made = definition.replace("CREATE TABLE `items`", f"CREATE TABLE IF NOT EXISTS {items}")
    with writer:
        writer.transfer_begin(items, f"CREATE DATABASE IF NOT EXISTS {stage.db}", made)
        for id_ in range(20):
            writer.read(items, row(id_, id_))
        writer.transfer_end(items)
    stage.ready()
    there = f"SHOW DATABASES LIKE '{stage.db}'"
    stage.wait(lambda: bool(stage.sql(there, database=None)), "the database")
    stage.wait_applied()
    assert stage.sql("SELECT COUNT(*) FROM items") == [(20,)]
