"""The queue between poller and worker: bounded in bytes, room for one record of any size."""

import threading
import time

import pytest

from mysync_consumer.queue import RECORD_OVERHEAD, Queue


def test_what_is_queued_is_taken_at_once_and_in_order() -> None:
    queue = Queue(0, 10_000)
    queue.put([(1, b"a"), (2, b"b")])
    queue.put([(5, b"c")])
    assert queue.take(10, 1000, 10.0) == [(1, b"a"), (2, b"b"), (5, b"c")]
    assert queue.bytes == 0


def test_a_take_ends_at_its_caps_but_has_one_record_of_any_size() -> None:
    queue = Queue(0, 10)
    queue.put([(1, b"x" * 100), (2, b"y" * 100), (3, b"")])
    assert [o for o, _ in queue.take(10, 50, 0)] == [1]
    assert [o for o, _ in queue.take(1, 5000, 0)] == [2]
    assert [o for o, _ in queue.take(10, 0, 0)] == [3]


def test_the_queue_is_full_at_its_bytes_and_has_room_at_half_of_them() -> None:
    queue = Queue(0, 4 * (RECORD_OVERHEAD + 10))
    for offset in range(3):
        queue.put([(offset, b"0123456789")])
        assert not queue.full
    queue.put([(3, b"0123456789")])
    assert queue.full
    queue.take(1, 1000, 0)
    assert not queue.full
    assert not queue.has_room
    queue.take(1, 1000, 0)
    assert queue.has_room


def test_a_full_queue_still_takes_what_is_put() -> None:
    queue = Queue(0, 1)
    for offset in range(10):
        queue.put([(offset, b"z" * 1000)])
    assert len(queue) == 10


def test_take_waits_no_longer_than_its_time() -> None:
    began = time.monotonic()
    assert Queue(0, 1).take(1, 1, 0.05) == []
    assert 0.04 < time.monotonic() - began < 2


def test_a_record_ends_the_wait() -> None:
    queue = Queue(0, 100)
    threading.Timer(0.05, lambda: queue.put([(7, b"x")])).start()
    assert queue.take(1, 1, 10.0) == [(7, b"x")]


def test_an_error_comes_after_what_is_queued() -> None:
    queue = Queue(0, 100)
    queue.put([(1, b"x")])
    queue.fail(ValueError("gone"))
    queue.fail(ValueError("later"))
    assert queue.take(5, 100, 0) == [(1, b"x")]
    for _ in range(2):
        with pytest.raises(ValueError, match="gone"):
            queue.take(5, 100, 0)


def test_peeking_leaves_the_record() -> None:
    queue = Queue(0, 100)
    assert queue.peek() is None
    queue.put([(1, b"x")])
    assert queue.peek() == (1, b"x")
    assert queue.take(1, 1, 0) == [(1, b"x")]
