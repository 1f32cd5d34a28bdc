"""Random interleavings of a source that is written, chunks that are read, and the stream."""

from collections.abc import Collection
from typing import Any
from unittest import mock

import pytest

from fix_seed import seeds
from mysync_producer import chunks, disturbance
from mysync_producer.running import Running
from window_model import TABLE, Broken, Model, Way

WRITES = 25


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits before a chunk is asked for again, and nobody reads the log of thousands."""
    clock = iter(range(1, 1 << 60, 1000))
    monkeypatch.setattr(chunks, "time", mock.Mock(monotonic=lambda: next(clock)))
    monkeypatch.setattr(chunks, "log", mock.Mock())


WAYS = pytest.mark.parametrize("way", ["gtids", "watermark"])
KEYS = pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "keyless"])


@WAYS
@KEYS
def test_what_the_target_has_is_always_a_part_of_what_the_source_had_there(
    keyed: bool, way: Way
) -> None:
    all_right(range(100), keyed, way)


@WAYS
def test_chunks_are_read_again_when_more_keys_are_touched_than_are_kept(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "TOUCHED_MOST", 3)
    all_right(range(60), True, way)


@pytest.mark.soak
@WAYS
@KEYS
def test_many_thousand_interleavings(keyed: bool, way: Way, pytestconfig: pytest.Config) -> None:
    all_right(seeds(pytestconfig, 10_000), keyed, way)


def all_right(runs: Collection[int], keyed: bool, way: Way) -> None:
    """Each run ends, with nothing that must not be on the way."""
    kills = redone = 0
    for seed in runs:
        model = Model(seed, keyed=keyed, way=way)
        try:
            model.run(WRITES)
        except Broken as error:
            pytest.fail(f"seed {seed}, {way}, keyed {keyed}: {error}")
        kills += model.kills
        redone += model.redone
    print(f"\n{len(runs)} runs, {kills} kills, {redone} chunks read again")
    assert kills > len(runs) / 10
    assert redone > len(runs) / 10


def breaks(way: Way) -> bool:
    """Whether one of 300 runs ends in an error."""
    for seed in range(300):
        try:
            Model(seed, keyed=True, way=way).run(WRITES)
        except Broken as error:
            print(f"\nseed {seed}: {error}")
            return True
    return False


def test_a_window_that_does_not_wait_for_what_the_source_shows_is_found_out() -> None:
    assert breaks("naive")


def test_a_chunk_that_is_sent_with_the_keys_that_the_stream_had_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emit = chunks.Chunks._emit

    def emit_all(self: Any, running: Any, *more: Any) -> None:
        running.touched.clear()
        emit(self, running, *more)

    monkeypatch.setattr(chunks.Chunks, "_emit", emit_all)
    assert breaks("gtids")


def test_chunks_that_a_cascade_does_not_void_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disturbance.Disturbance, "_disturbed", lambda *_: None)
    assert breaks("gtids")


def test_chunks_that_a_statement_does_not_void_are_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Running, "void", lambda _: None)
    assert breaks("gtids")


def test_of_a_paused_table_no_keys_are_collected() -> None:
    model = Model(1, keyed=True, way="gtids")
    model.transfers.begin(model.schema, model.transaction.boundary, 90700, 0)
    model.transfers.carry()
    model.transfers.pause(TABLE)
    touched = model.transfers._records.running[TABLE].touched
    for _ in range(50):
        model.history.write()
        model.follow()
    assert touched
    model.advance()
    assert not touched


def test_what_was_read_while_the_session_ended_is_given_up() -> None:
    """It may hold a snapshot of the source, and a lock."""
    model = Model(1, keyed=True, way="gtids")
    model.transfers.begin(model.schema, model.transaction.boundary, 90700, 0)
    model.transfers.carry()
    model.advance()
    job = model.readers.readings[0].job
    model.readers.found.put(job)
    model.transfers._records.forget(TABLE)
    job.void = False
    model.transfers.close()
    assert job.void
