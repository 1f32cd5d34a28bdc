"""SIGKILL of the control owner at a transfer's lines: the next one does the same again."""

import signal

import pytest

from fix_topics import ITEMS, MakeStage

ASIDE = {"on_divergence": "quarantine", "max_failures": 1, "group_session_timeout_ms": 1500}


@pytest.mark.parametrize("point", ["transfer.after_commit", "transfer.before_commit"])
def test_a_kill_while_a_tables_state_changes_is_made_good(
    make_stage: MakeStage, point: str
) -> None:
    for when in (1, 2):
        killed(make_stage, point, when)


@pytest.mark.parametrize("also", ["owner.statement_due", "owner.statement_done"])
def test_a_kill_before_and_after_a_transfers_line_is_made_good(
    make_stage: MakeStage, also: str
) -> None:
    # Begin, TRUNCATE, end, begin.
    killed(make_stage, also, 4)


def killed(make_stage: MakeStage, point: str, when: int) -> None:
    """A table is transferred, and again from quarantine; the owner dies on the way."""
    stage = make_stage(topics={"partitions": 2}, apply=ASIDE).begin(ITEMS)
    writer, items = stage.writer, stage.items
    rows = [{"id": i, "name": "n", "v": i} for i in range(20)]
    with writer:
        writer.transfer_begin(items)
        writer.read(items, rows[0])
        writer.transfer_end(items, cancelled=True)
        writer.delete(items, rows[1])
        writer.transfer_begin(items)
        for row in rows:
            writer.read(items, row)
        writer.transfer_end(items)
        writer.delete(items, rows[1])
    consumer = stage.consumer(crash=f"{point}:{when}")
    assert consumer.wait_exit(90) == -signal.SIGKILL
    consumer.start()
    stage.wait_applied()
    assert stage.sql("SELECT COUNT(*), MIN(v), MAX(v) FROM items") == [(19, 0, 19)]
    found = stage.sql(f"SELECT 1 FROM mysync.table_state WHERE pipeline = '{stage.name}'")
    assert found == []
    actions = stage.sql(
        f"SELECT action FROM mysync.instruction WHERE pipeline = '{stage.name}' ORDER BY version"
    )
    assert [action for (action,) in actions] == ["quarantine", "rejoin"]


@pytest.mark.parametrize("kind", ["mysql_b", "mariadb_b"])
@pytest.mark.parametrize(
    "where",
    ["transfer.after_commit:2", "ddl.executed:2", "ddl.executed:3", "owner.statement_done:6"],
)
def test_a_kill_while_a_table_that_missed_statements_is_made_anew(
    make_stage: MakeStage, request: pytest.FixtureRequest, kind: str, where: str
) -> None:
    """At its begin, after its DROP, after its CREATE."""
    stage = make_stage(request.getfixturevalue(kind), topics={"partitions": 2}).begin(ITEMS)
    writer, items = stage.writer, stage.items
    (_, definition), *_ = stage.sql("SHOW CREATE TABLE items")
    stage.sql("ALTER TABLE items DROP COLUMN v")
    rows = [{"id": i, "name": "n", "v": i} for i in range(20)]
    made = definition.replace("CREATE TABLE `items`", f"CREATE TABLE IF NOT EXISTS {items}")
    with writer:
        writer.transfer_begin(items)
        writer.transfer_end(items, cancelled=True)
        writer.statement(f"ALTER TABLE {items} ADD COLUMN v BIGINT", items)
        writer.transfer_begin(items, made)
        for row in rows:
            writer.read(items, row)
        writer.transfer_end(items)
        writer.delete(items, rows[1])
    consumer = stage.consumer(crash=where)
    assert consumer.wait_exit(90) == -signal.SIGKILL
    consumer.start()
    stage.wait_applied()
    assert stage.sql("SELECT COUNT(*), MIN(v), MAX(v) FROM items") == [(19, 0, 19)]
    assert not stage.sql(f"SELECT 1 FROM mysync.table_state WHERE pipeline = '{stage.name}'")
