"""Tables that are being transferred: their rows may be there or not, and end as the source's."""

from typing import Any

import pytest

from fix_topics import ITEMS, MakeStage, Stage
from mysync_consumer.transfers import Transfers
from mysync_schemas.control import Transfer
from mysync_schemas.table import TableId

WAYS = [
    ("mysql_b", "row_events"),
    ("mysql_b", "sql"),
    ("mariadb_b", "row_events"),
    ("mariadb_b", "sql"),
]


@pytest.fixture(params=WAYS, ids=[f"{server}-{via}" for server, via in WAYS])
def make(request: pytest.FixtureRequest, make_stage: MakeStage) -> Any:
    """Makes a stage whose rows are written in one of the ways."""
    server, via = request.param

    def begun(*tables: str, partitions: int = 2, **apply: object) -> Stage:
        stage = make_stage(
            request.getfixturevalue(server),
            topics={"partitions": partitions},
            apply={"group_session_timeout_ms": 1500, "via": via} | apply,
        )
        return stage.begin(*(tables or (ITEMS,)))

    return begun


def row(id_: int, v: int) -> dict[str, Any]:
    return {"id": id_, "name": f"n{id_}", "v": v}


def test_every_event_finds_its_row_or_does_without(make: Any) -> None:
    stage = make()
    writer, items = stage.writer, stage.items
    stage.sql("INSERT INTO items VALUES (99, 'old', 1)")
    with writer:
        writer.transfer_begin(items)
        writer.insert(items, row(1, 1))
        writer.read(items, row(2, 2))
    stage.ready()
    stage.wait_applied()
    assert stage.sql("SELECT id, v FROM items ORDER BY id") == [(1, 1), (2, 2)]
    with writer:
        writer.update(items, row(1, 1), row(1, 11))  # there
        writer.update(items, row(3, 3), row(3, 33))  # not there
        writer.update(items, row(4, 4), row(40, 44))  # not there, and moves
        writer.update(items, row(2, 2), row(20, 22))  # there, and moves
        writer.delete(items, row(5, 5))  # not there
        writer.read(items, row(1, 11))  # there
        writer.read(items, row(3, 33))  # there since this batch
        writer.insert(items, row(6, 6))
        writer.delete(items, row(6, 6))
        writer.insert(items, row(6, 66))
        writer.read(items, row(6, 66))
        writer.read(items, row(7, 7))
        writer.delete(items, row(7, 7))
        writer.delete(items, row(8, 8))
        writer.insert(items, row(8, 88))
        writer.update(items, row(8, 88), row(8, 888))
    stage.wait_applied()
    held = {1: 11, 3: 33, 40: 44, 20: 22, 6: 66, 8: 888}
    assert dict(stage.sql("SELECT id, v FROM items")) == held
    with writer:
        writer.transfer_end(items)
        writer.update(items, row(8, 888), row(8, 8))
        writer.delete(items, row(3, 33))
    stage.wait_applied()
    assert dict(stage.sql("SELECT id, v FROM items")) == {1: 11, 40: 44, 20: 22, 6: 66, 8: 8}


def transfer(number: int, table: str, phase: Any, seq: int) -> Transfer:
    return Transfer(
        id=number, seq=seq, db="d", table=table, phase=phase, schema_id=1, file="f", pos=4
    )


def test_a_table_is_being_transferred_from_its_begin_to_its_end() -> None:
    transfers = Transfers()
    assert not transfers.under_way(100)
    transfers.take(transfer(1, "a", "begin", 10))
    transfers.take(transfer(2, "b", "begin", 20))
    transfers.take(transfer(3, "a", "end", 30))
    transfers.take(transfer(4, "b", "cancelled", 40))
    a, b = TableId("d", "a"), TableId("d", "b")
    found = [transfers.under_way(seq) for seq in (9, 10, 20, 30, 39, 40)]
    assert found == [set(), {a}, {a, b}, {b}, {b}, set()]
    assert transfers.knows(3)
    assert not transfers.knows(5)
