"""What a transfer costs those who write the source meanwhile.

`make soak ARGS="tests/soak/test_transfer_load.py -s"`: 200 transactions a second, the 99th
percentile of their time without a transfer and during one at the default rate limit, three times.
"""

import random
import statistics
import time
from functools import partial

import pytest

from fix_pipeline import MakeReplica, Replica
from mysync_lab.layout import wait_until
from mysync_lab.services import Service
from mysync_lab.tables import execute
from mysync_lab.workload.threads import Threads
from transfer_rig import FRESH, done, filled, transfers

pytestmark = pytest.mark.soak

RATE = 200
SECONDS = 15.0
ROUNDS = 3
MOST = 3.0
THREADS = 4


def latencies(replica: Replica, seconds: float, seed: int) -> list[float]:
    """Milliseconds from BEGIN to COMMIT's answer of the transactions of so many seconds."""
    found: list[float] = []

    def write(number: int) -> None:
        random_ = random.Random(f"{seed}/{number}")
        with replica.source.connect(database=replica.db) as session:
            due = time.perf_counter()
            end = due + seconds
            while due < end:
                key = random_.randrange(1_000_000)
                began = time.perf_counter()
                execute(
                    session,
                    "BEGIN",
                    f"INSERT INTO k_empty VALUES ({key}, 1) ON DUPLICATE KEY UPDATE n = n + 1",
                    f"UPDATE k_int SET n = n + 1 WHERE k = {key % 100_000 * 3}",
                    "COMMIT",
                )
                found.append((time.perf_counter() - began) * 1000)
                due += THREADS / RATE
                time.sleep(max(0.0, due - time.perf_counter()))

    threads = Threads()
    for number in range(THREADS):
        threads.add(write, number)
    threads.start()
    assert threads.ended(seconds + 60)
    threads.stop()
    return found


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def still(producer: Service) -> bool:
    """Whether no chunk is on its way."""
    return not any(each["chunks_open"] for each in transfers(producer))


def test_writers_hardly_notice_a_transfer(make_replica: MakeReplica) -> None:
    """Nor much more than that the log is followed, which the same machine does here, and Kafka."""
    ratios, alone = [], []
    for number in range(ROUNDS):
        replica = make_replica(source_link=FRESH)
        filled(replica, 100_000)
        latencies(replica, 3.0, number)  # warm
        nothing = p99(latencies(replica, SECONDS, number))
        producer = replica.pipeline.producer().start()
        while not transfers(producer):
            time.sleep(0.05)
        during = p99(latencies(replica, SECONDS, number))
        rows = sum(each["rows"] for each in transfers(producer))
        finished = done(producer)
        if not finished:
            command = ("transfer", "pause", f"{replica.db}.*")
            assert replica.pipeline.run("mysync-producer", *command)[0] == 0
            wait_until(partial(still, producer), "the chunks under way", 30)
        without = p99(latencies(replica, SECONDS, number))
        replica.pipeline.end()
        ratios.append(during / without)
        alone.append(during / nothing)
        print(
            f"\nround {number + 1}: p99 {nothing:.1f} ms without a pipeline,"
            f" {without:.1f} ms without a transfer, {during:.1f} ms during a transfer of"
            f" {rows:,} rows{' (finished)' if finished else ''}: {during / without:.2f}"
        )
        assert rows > 0
    median = statistics.median(ratios)
    print(f"median of {ROUNDS}: {median:.2f} (over no pipeline: {statistics.median(alone):.2f})")
    assert median <= MOST
