"""Rows from the topics arrive on the target, exactly once, whatever happens to the consumer."""

import pytest

from fix_topics import MakeStage, Stage
from mysync_consumer import cli as _cli  # declares every crash point
from mysync_runtime.crash import list_points

POINTS = sorted(list_points())
assert _cli


def test_inserts_updates_deletes_and_key_changes_arrive(stage: Stage) -> None:
    stage.ready()
    for seed in range(5):
        with stage.writer:
            stage.load(seed, 200)
    stage.wait_applied()
    stage.assert_items()


def test_a_consumer_that_starts_late_finds_everything(stage: Stage) -> None:
    for seed in range(3):
        with stage.writer:
            stage.load(seed, 1000)
    stage.ready()
    stage.wait_applied()
    stage.assert_items()


@pytest.mark.parametrize("coalesce", [True, False])
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_every_crash_point_loses_and_doubles_nothing(
    make_stage: MakeStage, point: str, coalesce: bool
) -> None:
    stage = make_stage(
        apply={"coalesce": coalesce, "batch_rows": 40, "group_session_timeout_ms": 1500},
        topics={"partitions": 3},
    ).begin()
    stage.writer.part_bytes = 400
    with stage.writer:
        stage.load(1, 150)
        stage.put(1000, 1, "x" * 2000)
        stage.load(2, 150)
    second = None
    first = stage.consumer(crash=f"{point}:2" if point.startswith("claim.") else point)
    if point in ("consumer.on_revoke", "consumer.stopping"):
        stage.wait_applied()
        second = stage.consumer()
        if point == "consumer.stopping":
            first.terminate()
    assert first.wait_exit(20) == -9
    with stage.writer:
        stage.load(3, 100)
    if second is None:
        stage.consumer()
    stage.wait_applied()
    stage.assert_items()
