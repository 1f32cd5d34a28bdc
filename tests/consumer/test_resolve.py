"""Where a point lies in real topics, which the test writes."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from fix_topics import Stage
from mysync_consumer.control import Control, wait_for_info
from mysync_consumer.errors import PointUnknown
from mysync_consumer.points import BeforeOffset, parse
from mysync_consumer.resolve import INDEX_EVERY, Boundary, Resolver
from mysync_runtime import kafka
from mysync_runtime.lifecycle import Stop
from mysync_schemas.control import PipelineInfo

SECONDS = 60


@contextmanager
def resolving(stage: Stage, *, late: bool = False) -> Iterator[Resolver]:
    """Finds points as a rebuild does. `late`: the control topic is read on only when its end is
    asked for."""
    stop, failed = Stop(), list[BaseException]()
    admin = kafka.connect_at_start(stage.settings.kafka, stop)

    def control() -> Control:
        found = Control(
            stage.settings,
            stop,
            failed.append,
            lambda: kafka.committed_end(admin, stage.settings.control_topic),
        )
        made.append(found)
        return found

    def caught_up() -> PipelineInfo:
        if made[-1].info is None:
            made[-1].start()
        return wait_for_info(made[-1], stop, lambda: failed[0] if failed else None, lambda: None)

    made: list[Control] = []
    control()
    info = caught_up()
    if late:
        control()
    try:
        yield Resolver(stage.settings, info, made[-1], stop, caught_up)
    finally:
        for each in made:
            each.close()


def find(resolver: Resolver, text: str) -> Boundary:
    return resolver.find(text, parse(text, mariadb=False))


def test_the_last_transaction_is_told_however_long_the_source_was_idle(stage: Stage) -> None:
    writer = stage.writer
    with writer:
        writer.statement(f"ALTER TABLE {stage.items} COMMENT 'old'", stage.items)
        stage.put(1, 1)
        last = writer.pos
        for _ in range(2 * INDEX_EVERY):
            writer.heartbeat()
    with resolving(stage) as resolver:
        found = find(resolver, f"position:{writer.file}:{last}")
        # Its first heartbeat is behind the last transaction; a time's may be the very last one.
        offset = found.borders[0].next_offset
        later = find(resolver, f"offset:0:{offset + 2 * INDEX_EVERY - 2}")
    for each in (found, later):
        assert each.last is not None
        assert (each.last.file, each.last.pos) == (writer.file, last)
    assert later.seq > found.seq


def test_a_statement_that_the_control_topic_shows_late_counts(stage: Stage) -> None:
    writer = stage.writer
    with writer:
        stage.put(1, 1)
        writer.heartbeat()
        before = writer.pos
        line = writer.statement(f"ALTER TABLE {stage.items} COMMENT 'new'", stage.items)
        writer.heartbeat()
    with resolving(stage, late=True) as resolver:
        assert find(resolver, f"position:{writer.file}:{before + 1}").seq == line


def test_a_point_within_what_is_left_is_found_and_one_before_it_is_refused(stage: Stage) -> None:
    writer = stage.writer
    places, lows = [], []
    for number in range(6):
        with writer:
            stage.put(number, number)
            places.append((f"position:{writer.file}:{writer.pos}", writer.seq + 1))
            writer.heartbeat()
        lows.append(ends(stage))
    admin = AdminClient({"bootstrap.servers": ",".join(stage.settings.kafka.bootstrap_servers)})
    gone = [TopicPartition(stage.settings.rows_topic, p, low) for p, low in lows[2].items()]
    for future in admin.delete_records(gone).values():
        future.result()
    with resolving(stage) as resolver:
        for text, seq in places[3:]:
            assert find(resolver, text).seq == seq
        for text, _ in places[:3]:
            with pytest.raises(PointUnknown, match=f"don't reach back to {text}"):
                find(resolver, text)


def ends(stage: Stage) -> dict[int, int]:
    with closing(kafka.reader(stage.settings)) as reader:
        topic = stage.settings.rows_topic
        return {p: kafka.watermarks(reader, topic, p)[1] for p in range(stage.writer.partitions)}


class Stated(BeforeOffset):
    """A point that something else than the rows topic tells, as a statement does."""

    def enough(self) -> bool:
        return True

    def found(self) -> int:
        return self.first


def test_the_end_of_a_partition_is_no_proof_that_nothing_is_to_come(stage: Stage) -> None:
    """The topics of one commit aren't shown at one moment."""
    writer = stage.writer
    with writer:
        stage.put(1, 1)
        writer.heartbeat()
    partition, _ = writer.place(stage.items, {"id": 2})
    writer.begin()
    stage.put(2, 2)
    last = writer.seq
    found: list[Boundary] = []
    with resolving(stage) as resolver:
        rule = Stated(-1, 0, first=last + 1)
        looks = threading.Thread(target=lambda: found.append(resolver.find("it", rule)))
        looks.start()
        looks.join(2)
        writer.commit()
        with writer:
            writer.heartbeat()
        looks.join(SECONDS)
    assert found
    assert found[0].borders[partition].last_seq == last


def test_a_rebuild_says_what_the_target_is_not_at_its_end(stage: Stage) -> None:
    writer = stage.writer
    with writer:
        stage.put(1, 1)
        writer.heartbeat()
        upto = f"position:{writer.file}:{writer.pos}"
    stage.sql("INSERT INTO items VALUES (1, 'n1', 1)")
    with writer:
        stage.put(2, 2)
        writer.heartbeat()
    words = ("rebuild", "--from", upto, "--until", f"position:{writer.file}:{writer.pos}")

    def rebuild() -> str:
        code, said, error = stage.pipeline.run("mysync-consumer", *words, seconds=SECONDS)
        assert code == 0, error
        return said

    assert rebuild().endswith(f"the one at {writer.file}:{writer.pos}\n")
    stage.sql(
        "INSERT INTO mysync.table_state"
        " (pipeline, db, tbl, state, m, reason, detail, since, updated_at) VALUES"
        f" ('{stage.name}', '{stage.db}', 'lost', 'quarantined', 0, 'x', '{{}}', NOW(), NOW())"
    )
    assert f"but for the tables that are set aside: {stage.db}.lost" in rebuild()
    stage.sql(f"DELETE FROM mysync.table_state WHERE pipeline = '{stage.name}'")
    with writer:
        stage.put(3, 3)
    consumer = stage.ready()
    stage.wait_applied()
    assert consumer.stop() == 0
    assert "was at position" in rebuild()
