"""Points of the stream are resolved in the stream's order, however the partitions are mixed."""

import itertools
import random
from collections.abc import Sequence

import pytest

from mysync_consumer.errors import BadPoint
from mysync_consumer.pointrule import Kept, Missing
from mysync_consumer.points import parse
from mysync_consumer.recordhead import Head, Source
from mysync_schemas.markers import Heartbeat

UUID = "11111111-1111-1111-1111-111111111111"
PARTITIONS = 2
AHEAD, BEHIND, TWICE = Missing.AHEAD, Missing.BEHIND, Missing.TWICE


def row(
    partition: int, seq: int, txn_seq: int, number: int, pos: int, ts: int, file: int = 1
) -> Head:
    """A row of transaction `number`."""
    source = Source(f"binlog.{file:06d}", pos, f"{UUID}:{number}", ts)
    return Head(partition, seq, seq, 0, txn_seq, source)


def beats(
    seq: int, upto: int, pos: int, ts: int, file: int = 1, *, open_: bool = False, after: int = 0
) -> list[Head]:
    """A heartbeat in every partition, which has the transactions behind `after` up to a number."""
    gtids = f"{UUID}:{after + 1}-{upto}"
    beat = Heartbeat(seq, 0, seq, ts, f"binlog.{file:06d}", pos, gtids, open_)
    return [Head(p, seq, seq, 0, seq, beat=beat) for p in range(PARTITIONS)]


# Transactions 1 (seq 2-3), 2 (5-7, a heartbeat inside), 3 (filtered), 4 (9), 5 (10), 6 (12).
STREAM = [
    *beats(1, 0, 100, 900),
    row(0, 2, 2, 1, 150, 1000),
    row(1, 3, 2, 1, 150, 1000),
    *beats(4, 1, 200, 1001),
    row(0, 5, 5, 2, 250, 5000),
    *beats(6, 1, 200, 1002, open_=True),
    row(1, 7, 5, 2, 260, 5000),
    *beats(8, 3, 400, 1003),
    row(1, 9, 9, 4, 450, 4000),
    row(0, 10, 10, 5, 550, 6000),
    *beats(11, 5, 600, 6001),
    row(0, 12, 12, 6, 650, 6500),
    *beats(13, 6, 700, 7000),
]


def found(
    point: str,
    seed: int,
    stream: Sequence[Head] = STREAM,
    floor: int = 0,
    *,
    mariadb: bool = False,
) -> int | Missing:
    """What the rule says when the partitions' records come mixed at random. `floor`: the greatest
    seq that a partition doesn't have any more."""
    rule = parse(point, mariadb=mariadb)
    queues = [[head for head in stream if head.partition == p] for p in range(PARTITIONS)]
    rule.begin(Kept(floor, {p: queue[0].offset for p, queue in enumerate(queues)}))
    chance = random.Random(seed)
    while any(queues):
        queue = chance.choice([queue for queue in queues if queue])
        if rule.take(queue.pop(0)):
            queue.clear()
    return rule.found()


@pytest.mark.parametrize(
    ("point", "seq"),
    [
        (f"gtid:{UUID}:1", 4),
        (f"gtid:{UUID}:2", 8),
        (f"gtid:{UUID}:1-2", 8),
        (f"gtid:{UUID}:3", 8),  # filtered: the first heartbeat that has it
        (f"gtid:{UUID}:1-4", 10),
        (f"gtid:{UUID}:7", AHEAD),
        ("position:binlog.000001:99", BEHIND),
        ("position:binlog.000001:100", 1),
        ("position:binlog.000001:200", 4),
        ("position:binlog.000001:255", 5),  # inside transaction 2, which is left out whole
        ("position:binlog.000001:400", 8),
        ("position:binlog.000001:500", 10),
        ("position:binlog.000001:701", AHEAD),
        ("position:other.000001:1", AHEAD),
        ("time:1970-01-01T00:00:00.000500Z", BEHIND),
        ("time:1970-01-01T00:00:00.004500Z", 5),  # a later one is older
        ("time:1970-01-01T00:00:00.005500+00:00", 10),
        ("time:1970-01-01T00:00:00.006800", 13),  # by the last heartbeat
        ("time:1970-01-01T00:00:01Z", AHEAD),
        ("offset:1:7", 5),
        ("offset:0:10", 10),
        ("offset:0:99", AHEAD),
    ],
)
def test_a_point_is_one_place_whatever_comes_first(point: str, seq: int | Missing) -> None:
    for seed in range(20):
        assert found(point, seed) == seq, f"seed {seed}"


@pytest.mark.parametrize(
    ("point", "seq"),
    [
        (f"gtid:{UUID}:1", BEHIND),
        (f"gtid:{UUID}:1-2", BEHIND),
        (f"gtid:{UUID}:1-3", 8),  # just what the first heartbeat has
        (f"gtid:{UUID}:1-4", 10),
        (f"gtid:{UUID}:1-5", 11),
        ("position:binlog.000001:200", BEHIND),
        ("position:binlog.000001:399", BEHIND),
        ("position:binlog.000001:400", 8),
        ("position:binlog.000001:500", 10),
        ("time:1970-01-01T00:00:00.001001Z", BEHIND),
        ("time:1970-01-01T00:00:00.005500Z", 10),
        ("offset:0:7", BEHIND),
        ("offset:1:7", BEHIND),
        ("offset:0:8", 8),
        ("offset:0:9", 10),
    ],
)
def test_a_point_before_what_the_topics_still_hold_is_not_taken_for_their_beginning(
    point: str, seq: int | Missing
) -> None:
    left = [head for head in STREAM if head.seq >= 8]
    for seed in range(10):
        assert found(point, seed, left, floor=7) == seq, f"seed {seed}"


@pytest.mark.parametrize(
    ("point", "seq"),
    [
        (f"gtid:{UUID}:1-2", BEHIND),
        (f"gtid:{UUID}:1-5", 11),
        ("position:binlog.000001:450", BEHIND),
        ("position:binlog.000001:600", 11),
        ("offset:0:5", BEHIND),
    ],
)
def test_a_point_is_refused_when_one_partition_has_lost_what_came_behind_it(
    point: str, seq: int | Missing
) -> None:
    left = [head for head in STREAM if head.partition == 0 or head.seq >= 11]
    for seed in range(10):
        assert found(point, seed, left, floor=9) == seq, f"seed {seed}"


# As MariaDB's log has times: rows say whole seconds, heartbeats don't.
SECONDS = [
    *beats(1, 0, 100, 3_900_000),
    row(0, 2, 2, 1, 150, 4_000_000),
    row(1, 3, 3, 2, 250, 5_000_000),
    *beats(4, 2, 250, 5_700_000),
    row(0, 5, 5, 3, 350, 5_000_000),
    row(0, 6, 6, 4, 450, 6_000_000),
    *beats(7, 4, 450, 6_100_000),
]


def test_a_time_within_a_second_leaves_out_all_of_that_second_on_mariadb() -> None:
    point = "time:1970-01-01T00:00:05.6Z"
    for seed in range(10):
        assert found(point, seed, SECONDS, mariadb=True) == 3, f"seed {seed}"
        assert found(point, seed, SECONDS) == 6, f"seed {seed}"


# The log of server A, files 50 and 51; from seq 8 on that of B, whose files have lower numbers.
FAILED_OVER = [
    *beats(1, 10, 100, 1000, 50),
    row(0, 2, 2, 11, 900, 1000, 50),
    *beats(3, 11, 900, 1000, 50),
    row(1, 4, 4, 12, 300, 1000, 51),
    row(0, 5, 5, 13, 800, 1000, 51),
    *beats(6, 13, 800, 1000, 51),
    row(0, 7, 7, 14, 850, 1000, 51),
    row(1, 8, 8, 15, 700, 1000, 12),
    row(0, 9, 9, 16, 777, 1000, 12),
    row(1, 10, 10, 17, 800, 1000, 12),
    *beats(11, 17, 800, 1000, 12),
    row(0, 12, 12, 18, 400, 1000, 51),
    *beats(13, 18, 500, 1000, 51),
]


@pytest.mark.parametrize(
    ("point", "seq"),
    [
        ("position:binlog.000012:777", 10),
        ("position:binlog.000012:699", BEHIND),
        ("position:binlog.000050:900", TWICE),
        ("position:binlog.000051:100", TWICE),
        ("position:binlog.000051:700", 5),  # B hasn't come there yet
        ("position:binlog.000051:900", AHEAD),
        (f"gtid:{UUID}:11-16", 10),
    ],
)
def test_a_position_is_of_one_log_when_the_source_became_another_server(
    point: str, seq: int | Missing
) -> None:
    for seed in range(20):
        assert found(point, seed, FAILED_OVER) == seq, f"seed {seed}"


# RESET behind seq 5: files, positions and GTIDs are given again.
BEGUN_ANEW = [
    *beats(1, 5, 500, 1000),
    row(0, 2, 2, 6, 600, 1000),
    row(1, 3, 3, 7, 700, 1000),
    *beats(4, 7, 700, 1000),
    *beats(5, 1, 160, 1000),
    row(0, 6, 6, 6, 620, 1000),
    *beats(7, 6, 620, 1000),
]


@pytest.mark.parametrize(
    ("point", "seq"),
    [
        ("position:binlog.000001:300", 6),
        ("position:binlog.000001:610", TWICE),
        ("position:binlog.000001:700", 4),
        (f"gtid:{UUID}:1-6", TWICE),
        (f"gtid:{UUID}:1-7", 4),
    ],
)
def test_what_a_log_that_was_begun_anew_names_again_is_not_one_place(
    point: str, seq: int | Missing
) -> None:
    for seed in range(20):
        assert found(point, seed, BEGUN_ANEW) == seq, f"seed {seed}"


@pytest.mark.parametrize(
    "words",
    ["", "yesterday", "gtid:", "gtid:1-2", "position:x:y", "time:soon", "offset:1", "earliest"],
)
def test_words_that_name_no_point_are_refused(words: str) -> None:
    with pytest.raises(BadPoint, match="isn't a point"):
        parse(words, mariadb=False)


def test_every_record_of_the_stream_is_of_one_partition_in_order() -> None:
    for partition in range(PARTITIONS):
        seqs = [head.seq for head in STREAM if head.partition == partition]
        assert all(a < b for a, b in itertools.pairwise(seqs))
