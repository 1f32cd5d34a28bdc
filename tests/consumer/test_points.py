"""Points of the stream are resolved in the stream's order, however the partitions are mixed."""

import itertools
import random

import pytest

from mysync_consumer.errors import BadPoint
from mysync_consumer.points import Rule, parse
from mysync_consumer.recordhead import Head, Source
from mysync_schemas.markers import Heartbeat

UUID = "11111111-1111-1111-1111-111111111111"
PARTITIONS = 2


def row(partition: int, seq: int, txn_seq: int, number: int, pos: int, ts: int) -> Head:
    """A row of transaction `number`."""
    source = Source("binlog.000001", pos, f"{UUID}:{number}", ts)
    return Head(partition, seq, seq, 0, txn_seq, source)


def beats(seq: int, upto: int, pos: int, ts: int, *, open_: bool = False) -> list[Head]:
    """A heartbeat in every partition, which has all transactions up to a number."""
    beat = Heartbeat(seq, 0, seq, ts, "binlog.000001", pos, f"{UUID}:1-{upto}", open_)
    return [Head(p, seq, seq, 0, seq, beat=beat) for p in range(PARTITIONS)]


# Transactions 1 (seq 1-2), 2 (4-6, a heartbeat inside), 3 (filtered), 4 (8), 5 (9), 6 (11).
STREAM = [
    row(0, 1, 1, 1, 150, 1000),
    row(1, 2, 1, 1, 150, 1000),
    *beats(3, 1, 200, 1001),
    row(0, 4, 4, 2, 250, 5000),
    *beats(5, 1, 200, 1002, open_=True),
    row(1, 6, 4, 2, 260, 5000),
    *beats(7, 3, 400, 1003),
    row(1, 8, 8, 4, 450, 4000),
    row(0, 9, 9, 5, 550, 6000),
    *beats(10, 5, 600, 6001),
    row(0, 11, 11, 6, 650, 6500),
    *beats(12, 6, 700, 7000),
]


def found(rule: Rule, seed: int) -> int | None:
    """What the rule says when the partitions' records come mixed at random."""
    queues = [[head for head in STREAM if head.partition == p] for p in range(PARTITIONS)]
    chance = random.Random(seed)
    while any(queues):
        queue = chance.choice([queue for queue in queues if queue])
        if rule.take(queue.pop(0)):
            queue.clear()
    return rule.found()


@pytest.mark.parametrize(
    ("point", "seq"),
    [
        (f"gtid:{UUID}:1", 3),
        (f"gtid:{UUID}:2", 7),
        (f"gtid:{UUID}:1-2", 7),
        (f"gtid:{UUID}:3", 7),  # filtered: the first heartbeat that has it
        (f"gtid:{UUID}:1-4", 9),
        (f"gtid:{UUID}:7", None),
        ("position:binlog.000001:200", 3),
        ("position:binlog.000001:255", 4),  # inside transaction 2, which is left out whole
        ("position:binlog.000001:400", 7),
        ("position:binlog.000001:500", 9),
        ("position:binlog.000001:701", None),
        ("position:other.000001:1", None),
        ("time:1970-01-01T00:00:00.004500Z", 4),  # a later one is older
        ("time:1970-01-01T00:00:00.005500+00:00", 9),
        ("time:1970-01-01T00:00:00.006800", 12),  # by the last heartbeat
        ("time:1970-01-01T00:00:01Z", None),
        ("offset:1:6", 4),
        ("offset:0:9", 9),
        ("offset:0:99", None),
    ],
)
def test_a_point_is_one_place_whatever_comes_first(point: str, seq: int | None) -> None:
    for seed in range(20):
        assert found(parse(point, mariadb=False), seed) == seq, f"seed {seed}"


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
