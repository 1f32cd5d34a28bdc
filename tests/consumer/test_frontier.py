"""Frontiers: what counts as reached, and how a worker waits for it."""

import threading

import pytest

from mysync_consumer.frontier import Frontier, Frontiers


def at(seq: int, server: str = "a", epoch: int = 1) -> Frontier:
    return Frontier(seq, server, epoch)


def test_a_partition_that_nobody_heard_of_is_behind() -> None:
    frontiers = Frontiers(3)
    frontiers.publish(0, at(10))
    frontiers.publish(2, at(9))
    assert frontiers.behind(9, "a") == [1]
    assert frontiers.behind(10, "a") == [1, 2]


def test_a_frontier_of_another_server_does_not_count() -> None:
    frontiers = Frontiers(1)
    frontiers.publish(0, at(10, "a"))
    assert frontiers.behind(5, "b") == [0]
    frontiers.publish(0, at(4, "b"))
    assert frontiers.behind(5, "b") == [0]
    assert frontiers.behind(4, "b") == []


def test_an_older_answer_of_the_table_takes_nothing_back() -> None:
    frontiers = Frontiers(1)
    frontiers.publish(0, at(10))
    frontiers.update({0: at(7), -1: at(99)})
    assert frontiers.reached(0, 10, "a")


def test_a_newer_claim_is_believed_even_if_it_stands_lower() -> None:
    frontiers = Frontiers(1)
    frontiers.publish(0, at(10, epoch=1))
    frontiers.update({0: at(7, epoch=2)})
    assert frontiers.behind(8, "a") == [0]


def test_what_was_forgotten_is_believed_again_even_if_it_is_lower() -> None:
    frontiers = Frontiers(1)
    frontiers.publish(0, at(10))
    frontiers.forget()
    assert frontiers.behind(1, "a") == [0]
    frontiers.update({0: at(7)})
    assert frontiers.behind(8, "a") == [0]
    assert frontiers.behind(7, "a") == []


def test_rows_of_no_partition_are_left_out() -> None:
    frontiers = Frontiers(1)
    frontiers.update({-1: at(5), 1: at(5), 0: at(5)})
    assert frontiers.behind(5, "a") == []


def test_a_wait_ends_when_the_last_partition_is_there() -> None:
    frontiers = Frontiers(2)
    frontiers.publish(0, at(5))
    threading.Timer(0.05, lambda: frontiers.publish(1, at(5))).start()
    ticks = []
    seconds = frontiers.wait(
        lambda: not frontiers.behind(5, "a"), lambda: ticks.append(1), tick_seconds=0.01
    )
    assert ticks
    assert seconds > 0
    assert frontiers.waiting == 0


def test_a_tick_that_raises_ends_the_wait() -> None:
    frontiers = Frontiers(1)

    def revoked() -> None:
        raise KeyError("revoked")

    with pytest.raises(KeyError):
        frontiers.wait(lambda: False, revoked)
    assert frontiers.waiting == 0


def test_who_reads_the_table_is_woken_by_the_first_waiter() -> None:
    frontiers = Frontiers(1)
    woken = threading.Event()

    def read() -> None:
        frontiers.wait_for_waiters(30)
        woken.set()

    threading.Thread(target=read, daemon=True).start()
    threading.Timer(0.05, lambda: frontiers.publish(0, at(1))).start()
    frontiers.wait(lambda: frontiers.reached(0, 1, "a"), lambda: None)
    assert woken.wait(5)
