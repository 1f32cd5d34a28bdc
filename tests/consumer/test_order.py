"""Order across partitions: lines, dependencies, adoption of new metadata."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
    with held(stage):
        for values in (range(1, 2), range(2, 6)):
            with stage.writer:
                for value in values:
                    for id_ in range(20):
                        stage.put(id_, value)
        stage.wait(lambda: queued(stage) == {0, 1, 2, 3}, "all partitions to have rows queued")
        time.sleep(0.5)  # what the control topic says is known after 0.2 s at the latest
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
