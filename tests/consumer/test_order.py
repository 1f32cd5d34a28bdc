"""Order across partitions: lines, dependencies, adoption of new metadata."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fix_topics import MakeStage, Stage
from mysync_schemas.markers import Line


@contextmanager
def held(stage: Stage, id_: int | None = None) -> Iterator[None]:
    """Lets nobody change an item (or any) on the target, so its partition gets stuck."""
    connection = stage.target.connect(database=stage.db, autocommit=False)
    try:
        with connection.cursor() as cursor:
            one = "" if id_ is None else f"WHERE id = {id_}"
            cursor.execute(f"SELECT * FROM items {one} FOR UPDATE")
        yield
    finally:
        connection.close()


def ids_by_partition(stage: Stage, count: int = 40) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for id_ in range(count):
        partition, _ = stage.writer.place(stage.items, {"id": id_})
        found.setdefault(partition, []).append(id_)
    return found


def stage_of_two(make_stage: MakeStage) -> tuple[Stage, int, int]:
    """A stage, and an item of each of its two partitions that is applied already."""
    stage = make_stage(topics={"partitions": 2}, apply={"batch_rows": 1}).begin()
    ids = ids_by_partition(stage)
    slow, fast = ids[0][0], ids[1][0]
    with stage.writer:
        stage.put(slow, 0)
        stage.put(fast, 0)
    stage.ready()
    stage.wait_applied()
    return stage, slow, fast


def value_of(stage: Stage, id_: int) -> int:
    return int(stage.sql(f"SELECT v FROM items WHERE id = {id_}")[0][0])


def waiting(stage: Stage, partition: int) -> dict[str, Any] | None:
    """What a partition of the first consumer waits for, as its /status tells it."""
    status = stage.pipeline.services[0].status() or {}
    found: dict[str, Any] | None = status["partitions"][str(partition)].get("waiting")
    return found


def test_nothing_behind_a_line_is_applied_before_everything_in_front_of_it(
    make_stage: MakeStage,
) -> None:
    stage, slow, fast = stage_of_two(make_stage)
    with held(stage, slow):
        with stage.writer:
            stage.put(slow, 1)
            stage.put(fast, 1)
            line = stage.writer.line()
            stage.put(fast, 2)
        stage.wait(lambda: stage.checkpoint()[1]["frontier"] == line - 1, "the line to be met")
        stage.wait(lambda: waiting(stage, 1) is not None, "the wait to be shown")
        found = waiting(stage, 1)
        assert found is not None
        assert (found["reason"], found["seq"], found["partitions"]) == ("line", line - 1, [0])
        assert value_of(stage, fast) == 1
        assert value_of(stage, slow) == 0
    stage.wait_applied()
    stage.assert_items()


def test_a_row_waits_for_those_that_it_depends_on_in_other_partitions(
    make_stage: MakeStage,
) -> None:
    stage, slow, fast = stage_of_two(make_stage)
    with held(stage, slow):
        with stage.writer:
            stage.put(slow, 1)
            needed = stage.writer.seq
            stage.put(fast, 1)
            row = {"id": fast, "name": "dependent", "v": 2}
            after = stage.writer.update(
                stage.items,
                stage.rows[fast],
                row,
                deps=[{"partition": 0, "seq": needed}],
            )
            stage.rows[fast] = row
        stage.wait(lambda: stage.checkpoint()[1]["frontier"] == after - 1, "the wait to begin")
        stage.wait(lambda: waiting(stage, 1) is not None, "the wait to be shown")
        found = waiting(stage, 1)
        assert found is not None
        assert (found["reason"], found["seq"], found["partitions"]) == ("dependency", needed, [0])
        assert value_of(stage, fast) == 1
    stage.wait_applied()
    stage.assert_items()


def test_a_worker_that_waits_at_a_line_lets_its_partition_go(make_stage: MakeStage) -> None:
    stage, slow, fast = stage_of_two(make_stage)
    first = stage.pipeline.services[0]
    with held(stage, slow):
        with stage.writer:
            stage.put(slow, 1)
            line = stage.writer.line()
            stage.put(fast, 1)
        stage.wait(lambda: stage.checkpoint()[1]["frontier"] == line - 1, "the line to be met")
        assert first.stop() == 0
    stage.consumer()
    stage.wait_applied()
    stage.assert_items()


def test_rows_before_and_after_the_adoption_of_a_routing_are_applied(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(topics={"partitions": 4}).begin(provisional=True)
    consumer = stage.ready()
    with stage.writer:
        for id_ in range(20):
            stage.put(id_, 0)
    assert len({stage.writer.place(stage.items, {"id": i})[0] for i in range(20)}) == 1
    stage.writer.adopt()
    assert len({stage.writer.place(stage.items, {"id": i})[0] for i in range(20)}) > 1
    stage.wait_applied()
    values = itertools.count(1)

    def all_have_more() -> bool:
        """A worker may take two transactions at once, and has none queued then."""
        value = next(values)
        with stage.writer:
            for id_ in range(20):
                stage.put(id_, value)
        return queued(stage) == {0, 1, 2, 3}

    with held(stage):
        stage.wait(all_have_more, "all partitions to have rows queued")
    stage.wait_applied()
    stage.assert_items()
    written = [line for line in consumer.metrics().splitlines() if "rows_written_total " in line]
    assert float(written[-1].split()[-1]) < 120, "rows after the adoption weren't coalesced"


def queued(stage: Stage) -> set[int]:
    status = stage.pipeline.services[0].status() or {}
    return {int(p) for p, found in status["partitions"].items() if found.get("queued_bytes")}


def test_many_lines_in_a_row_are_passed(stage: Stage) -> None:
    stage.ready()
    with stage.writer:
        for number in range(50):
            stage.put(number, number)
            stage.writer.line(Line.CLEAR if number % 2 else Line.ADOPT)
    stage.wait_applied()
    stage.assert_items()


@pytest.mark.parametrize("server", ["mysql_b", "mariadb_b"])
@pytest.mark.parametrize("via", ["row_events", "sql"])
def test_unique_values_that_rows_hand_on_to_each_other_arrive_with_their_last_owners(
    make_stage: MakeStage, server: str, via: str, request: pytest.FixtureRequest
) -> None:
    """All in one batch: what only the net effect of each row is can't be written in any order."""
    stage = make_stage(request.getfixturevalue(server), apply={"via": via})
    stage.begin("CREATE TABLE items (id INT PRIMARY KEY, v INT, UNIQUE KEY (v))")
    write, rows = stage.writer, {id_: {"id": id_, "v": id_} for id_ in range(1, 4)}

    def give(id_: int, v: int) -> None:
        write.update(stage.items, rows[id_], {"id": id_, "v": v})
        rows[id_] = {"id": id_, "v": v}

    with write:
        for row in rows.values():
            write.insert(stage.items, row)
        for id_, v in ((1, 9), (2, 1), (3, 2), (1, 3)):  # around in a circle
            give(id_, v)
        write.delete(stage.items, rows[2])
        write.insert(stage.items, {"id": 4, "v": 1})
    stage.ready()
    stage.wait_applied()
    assert stage.sql("SELECT id, v FROM items ORDER BY id") == [(1, 3), (3, 2), (4, 1)]


@pytest.mark.parametrize("server", ["mysql_b", "mariadb_b"])
def test_the_checkpoints_time_goes_on_though_row_events_set_the_sessions(
    make_stage: MakeStage, server: str, request: pytest.FixtureRequest
) -> None:
    stage = make_stage(request.getfixturevalue(server), topics={"partitions": 1}).begin()
    stage.ready()
    with stage.writer:
        stage.put(1, 1)
    stage.wait_applied()
    ((first,),) = stage.sql("SET time_zone = '+00:00'", "SELECT SYSDATE(6)")
    later = f"SYSDATE(6) > '{first}' + INTERVAL 1.2 SECOND"
    stage.wait(
        lambda: stage.sql("SET time_zone = '+00:00'", f"SELECT {later}") == [(1,)],
        "the server's next second",
    )
    with stage.writer:
        stage.put(2, 2)
    stage.wait_applied()
    updated = f"SELECT updated_at > '{first}' + INTERVAL 1 SECOND FROM mysync.checkpoint"
    assert stage.sql(f"{updated} WHERE pipeline = '{stage.name}' AND partition_id = 0") == [(1,)]
