"""Several consumers of one pipeline: partitions move, nothing is lost, doubled or out of order."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from fix_topics import MakeStage, Stage
from mysync_consumer.claim import lock_name
from mysync_lab.services import Service


def owners(stage: Stage) -> set[str]:
    return {str(row["owner"]) for row in stage.checkpoint().values()}


def test_partitions_are_shared_and_lines_are_waited_for_across_processes(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(topics={"partitions": 4}).begin()
    stage.ready()
    stage.ready()
    stage.wait(lambda: len(owners(stage)) == 2, "both to own partitions")
    for seed in range(10):
        with stage.writer:
            stage.load(seed, 30)
            stage.writer.line()
    stage.wait_applied()
    stage.assert_items()


@pytest.mark.parametrize("coalesce", [True, False])
def test_members_come_and_go_under_load(make_stage: MakeStage, coalesce: bool) -> None:
    stage = make_stage(
        topics={"partitions": 8},
        apply={"coalesce": coalesce, "batch_rows": 50, "group_session_timeout_ms": 1500},
    ).begin()
    choose = random.Random(7)
    members: list[Service] = [stage.ready()]
    for seed in range(12):
        with stage.writer:
            stage.load(seed, 200)
        what = choose.random()
        if len(members) > 1 and what < 0.25:
            members.pop(choose.randrange(len(members))).kill()
        elif len(members) > 1 and what < 0.5:
            # Before its handlers are set up, SIGTERM ends it as it ends any process.
            code = members.pop(choose.randrange(len(members))).stop()
            assert code in (0, -signal.SIGTERM)
        elif len(members) < 3:
            members.append(stage.consumer())
    stage.wait_applied(60)
    stage.assert_items()


def test_several_processes_are_one_command(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 4}).begin()
    consumer = stage.consumer(arguments=["--processes", "2"])
    stage.wait(lambda: len(owners(stage) - {"None"}) == 2, "both processes to own partitions")
    with stage.writer:
        stage.load(1, 200)
    stage.wait_applied()
    stage.assert_items()
    assert consumer.stop() == 0


def children_of(stage: Stage) -> list[int]:
    """The processes of the command, in the order in which they were started."""
    parent = stage.pipeline.services[0].pid
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return sorted(map(int, found))


@pytest.mark.parametrize("number", [0, 1])
def test_the_command_ends_when_any_of_its_processes_dies(
    make_stage: MakeStage, number: int
) -> None:
    stage = make_stage(topics={"partitions": 4}).begin()
    consumer = stage.consumer(arguments=["--processes", "2"])
    stage.wait(lambda: len(owners(stage) - {"None"}) == 2, "both processes to own partitions")
    os.kill(children_of(stage)[number], signal.SIGKILL)
    assert consumer.wait_exit(60) == 1


def test_an_interrupt_of_all_processes_at_once_is_one_clean_stop(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 4}).begin()
    consumer = stage.consumer(arguments=["--processes", "2"])
    stage.wait(lambda: len(owners(stage) - {"None"}) == 2, "both processes to own partitions")
    os.killpg(consumer.pid, signal.SIGINT)
    assert consumer.wait_exit(60) == 0


def test_a_divergence_in_one_of_several_processes_ends_the_command(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 4}).begin()
    consumer = stage.consumer(arguments=["--processes", "2"])
    stage.sql("INSERT INTO items VALUES (1, 'mine', 0)")
    with stage.writer:
        stage.put(1, 1)
        stage.writer.heartbeat()
    assert consumer.wait_exit(90) == 4


def test_a_clean_stop_leaves_the_group_at_once(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 2}).begin()
    first = stage.ready()
    with stage.writer:
        stage.load(1, 500)
    second = stage.consumer()
    began = time.monotonic()
    assert first.stop() == 0
    assert time.monotonic() - began < 10
    with stage.writer:
        stage.load(2, 100)
    stage.wait_applied()
    stage.assert_items()
    assert second.stop() == 0


def test_a_second_signal_ends_it_at_once_and_loses_nothing(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 2}, apply={"batch_rows": 5}).begin()
    consumer = stage.ready()
    blocker = stage.target.connect(database=stage.db)
    with blocker.cursor() as cursor:
        # A batch that can't end: the worker waits for the table's lock.
        cursor.execute("LOCK TABLES items WRITE")
    with stage.writer:
        stage.load(1, 100)
    consumer.terminate()
    time.sleep(0.3)
    began = time.monotonic()
    os.kill(consumer.pid, signal.SIGTERM)
    assert consumer.wait_exit(5) == 128 + signal.SIGTERM
    assert time.monotonic() - began < 2
    blocker.close()
    consumer.start()
    stage.wait_applied()
    stage.assert_items()


@pytest.mark.parametrize("server", ["mysql_b", "mariadb_b"])
def test_a_lock_of_another_program_is_named_and_its_session_left_alone(
    make_stage: MakeStage, server: str, request: pytest.FixtureRequest
) -> None:
    stage = make_stage(request.getfixturevalue(server), topics={"partitions": 1}).begin()
    with stage.target.connect() as stranger, stranger.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (lock_name(stage.name, 0),))
        consumer = stage.consumer()
        stage.wait(lambda: "it isn't killed" in consumer.log.read_text(), "the lock to be named")
        assert f"is held by session {stranger.thread_id()} of " in consumer.log.read_text()
        cursor.execute("DO RELEASE_ALL_LOCKS()")
    consumer.wait_ready()


def test_pipelines_whose_names_differ_in_case_have_locks_of_their_own() -> None:
    names = [lock_name(name, 3) for name in ("shop", "Shop", "s" * 64)]
    assert len({name.lower() for name in names}) == 3
    assert all(name.startswith("mysync:") and len(name) <= 64 for name in names)
