"""How far behind a partition is, in seconds, records, and before retention takes the rest."""

from fix_topics import Stage
from mysync_consumer.checkpoint import Progress
from mysync_consumer.flow import Flow, Reading
from mysync_consumer.lag import Lag, lag_of
from mysync_consumer.queue import Queue

NOW = 1_700_000_000.0


def at(next_offset: int, seconds_ago: float = 1.0) -> Progress:
    return Progress(next_offset, 0, 0, source_us=int((NOW - seconds_ago) * 1e6))


def test_nothing_is_missing_when_only_markers_follow() -> None:
    reading = Reading(next=10, end=11, high=11, marks=((5, 1),))
    assert lag_of(at(10), reading, 60_000, NOW) == Lag(1.0, 0, 60.0)


def test_records_that_wait_for_their_worker_are_missing() -> None:
    reading = Reading(next=30, end=None, high=50, marks=((5, int(NOW * 1000) - 20_000), (20, 0)))
    assert lag_of(at(10), reading, 60_000, NOW) == Lag(1.0, 40, 40.0)


def test_what_is_unknown_is_not_told() -> None:
    reading = Reading(next=10, end=None, high=None, marks=())
    assert lag_of(Progress(10, 0, 0), reading, -1, NOW) == Lag(None, None, None)


def test_the_oldest_unapplied_record_is_that_of_the_batch_it_came_in() -> None:
    flow = Flow(Queue(0, 1000), 0)
    for first, appended in ((0, 100), (10, 200), (20, 300)):
        for offset in range(first, first + 10):
            assert flow.take(offset, b"", appended) == (offset == first)
        flow.hand_over()
    assert flow.next == 30
    reading = Reading(flow.next, flow.end, 30, tuple(flow.marks))
    assert [reading.oldest(offset) for offset in (0, 9, 10, 25)] == [100, 100, 200, 300]
    flow.forget_marks(12)
    assert list(flow.marks) == [(10, 200), (20, 300)]
    flow.forget_marks(99)
    assert list(flow.marks) == [(20, 300)]


def test_a_partition_that_is_caught_up_says_so(stage: Stage) -> None:
    consumer = stage.ready()
    with stage.writer:
        stage.load(1, 100)
    stage.wait_applied()

    def caught_up() -> bool:
        status = consumer.status() or {}
        partitions = status["partitions"].values()
        return all(p.get("lag_records") == 0 for p in partitions)

    stage.wait(caught_up, "no lag")
    assert 'mysync_consumer_lag_records{partition="0"} 0.0' in consumer.metrics()
    assert 'mysync_consumer_retention_seconds_left{partition="0"} 604800.0' in consumer.metrics()
    code, out, _ = stage.pipeline.run("mysync-consumer", "status", "--json")
    assert code == 0
    assert '"lag_records"' in out
