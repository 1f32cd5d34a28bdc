"""Rows near the target's max_allowed_packet."""

from collections.abc import Iterator

import pytest

from fix_own_servers import run_sql
from fix_topics import MakeStage, Stage
from mysync_lab.sql import SqlServer

MIB = 1 << 20

pytestmark = pytest.mark.xdist_group("own servers")


@pytest.fixture
def stage(make_stage: MakeStage, own_mysql: SqlServer) -> Iterator[Stage]:
    """A target that takes packets of 16 MiB: rows of nearly 12."""
    ((before,),) = run_sql(own_mysql, "SELECT @@GLOBAL.max_allowed_packet")
    run_sql(own_mysql, f"SET GLOBAL max_allowed_packet = {16 * MIB}")
    # All rows of a test in one transaction.
    sizes = {"batch_bytes": 64 * MIB, "queue_bytes": 64 * MIB}
    stage = make_stage(own_mysql, topics={"partitions": 1}, apply=sizes)
    stage.begin("CREATE TABLE items (id INT PRIMARY KEY, v LONGBLOB)")
    stage.writer.part_bytes = 900_000
    yield stage
    run_sql(own_mysql, f"SET GLOBAL max_allowed_packet = {before}")


def put(stage: Stage, id_: int, size: int) -> None:
    stage.writer.insert(stage.items, {"id": id_, "v": bytes(size)})


def test_a_row_that_fits_alone_is_applied_whatever_its_neighbours(stage: Stage) -> None:
    with stage.writer:
        put(stage, 1, 19 * MIB // 10)
        put(stage, 2, 11 * MIB)
        put(stage, 3, 100)
        put(stage, 4, 11 * MIB)
    stage.ready()
    stage.wait_applied(60)
    assert stage.sql("SELECT id, LENGTH(v) FROM items") == [
        (1, 19 * MIB // 10),
        (2, 11 * MIB),
        (3, 100),
        (4, 11 * MIB),
    ]
