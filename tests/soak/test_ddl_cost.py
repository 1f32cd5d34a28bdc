"""What a DDL each second costs the rows of other tables. `make soak ARGS="-k ddl_cost"`.

One load runs all the time; in every other stretch of it a statement a second changes tables that
the load doesn't touch. The load never runs further ahead of the target than a bounded number of
rows, so what is counted in a stretch is what the pipeline carried in it.
"""

import itertools
import time
from collections.abc import Callable, Sequence

import pytest

from ddl_rig import quantile
from fix_pipeline import MakeReplica, Replica
from mysync_lab.services import Service
from mysync_lab.workload.threads import Threads
from soak.test_order import total

pytestmark = pytest.mark.soak

STRETCH = 10.0  # seconds
# Without DDL, with, with, without, and so on: what drifts meanwhile is in both. The first of each
# kind is a warm-up.
STRETCHES = 14
AHEAD = 8_000  # rows
BATCH = 400
LEAST_RATIO = 0.80
MOST_WAIT = 0.250  # seconds, of 95 % of the waits
TABLES = 6

LOADED = (
    "CREATE TABLE {} (id BIGINT NOT NULL PRIMARY KEY, n INT, name VARCHAR(60),"
    " amount DECIMAL(10,2))"
)


def unrelated(number: int) -> str:
    """The statement of a second: its tables come, change and go."""
    table = number // 6
    return (
        f"CREATE TABLE apart_{table} (id INT PRIMARY KEY, n INT)",
        f"ALTER TABLE apart_{table} ADD COLUMN m INT NULL",
        f"CREATE INDEX by_n ON apart_{table} (n)",
        f"TRUNCATE TABLE apart_{table}",
        f"RENAME TABLE apart_{table} TO away_{table}",
        f"DROP TABLE away_{table}",
    )[number % 6]


class Loader:
    """One thread that inserts and updates, and waits when the target is too far behind."""

    def __init__(self, replica: Replica, applied: Callable[[], float]) -> None:
        self.replica = replica
        self.applied = applied
        self.written = 0
        self._threads = Threads()
        self._threads.add(self._write)

    def __enter__(self) -> "Loader":
        self._threads.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.stop()

    def _write(self) -> None:
        with (
            self.replica.source.connect(database=self.replica.db) as connection,
            connection.cursor() as cursor,
        ):
            for number in itertools.count():
                while self.written - self.applied() > AHEAD:
                    if self._threads.stopping.wait(0.02):
                        return
                if self._threads.stopping.is_set():
                    return
                table, start = f"loaded_{number % TABLES}", number // TABLES * BATCH
                listed = ", ".join(
                    f"({key}, {key % 100}, 'name {key}', {key % 1000}.25)"
                    for key in range(start, start + BATCH)
                )
                self.written += cursor.execute(f"INSERT INTO {table} VALUES {listed}")
                self.written += cursor.execute(
                    f"UPDATE {table} SET n = n + 1 WHERE id BETWEEN {start} AND {start + BATCH - 1}"
                )


def stretch(replica: Replica, applied: Callable[[], float], *, ddl: bool, first: int) -> float:
    """Rows a second that were applied in it; with a statement each second or without."""
    began, before = time.monotonic(), applied()
    number = first
    while (passed := time.monotonic() - began) < STRETCH:
        if ddl and number - first <= passed:
            replica.on_source(unrelated(number))
            number += 1
        time.sleep(0.02)  # the load is what runs
    return (applied() - before) / (time.monotonic() - began)


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_a_ddl_each_second_leaves_the_load_its_throughput(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    source, target = (request.getfixturevalue(f"{kind}_{side}") for side in "ab")
    replica = make_replica(source, target, topics={"partitions": 8})
    replica.create(*(LOADED.format(f"loaded_{number}") for number in range(TABLES)))
    _, consumer = replica.start()

    def applied() -> float:
        return total(consumer, "mysync_consumer_rows_total")

    rates: dict[bool, list[float]] = {False: [], True: []}
    statements = itertools.count(0, 6 * 100)
    with Loader(replica, applied):
        for number in range(STRETCHES):
            ddl = number % 4 in (1, 2)
            rates[ddl].append(stretch(replica, applied, ddl=ddl, first=next(statements)))
    metrics = [consumer.metrics()]
    replica.catch_up(120)
    replica.assert_equal()
    without, with_ddl = (sum(found[1:]) / len(found[1:]) for found in rates.values())
    waits = {share: wait(metrics, share) for share in (0.5, 0.95, 0.99)}
    shares = ", ".join(f"p{share * 100:g} {s * 1000:.0f} ms" for share, s in waits.items())
    print(
        f"\n{kind}: {without:,.0f} rows/s without, {with_ddl:,.0f} with a DDL a second:"
        f" {with_ddl / without:.2f}; waits at DDL lines at most"
        f" {shares}; {shown(rates)}"
    )
    assert waits[0.95] > 0, "no wait was measured"
    assert with_ddl / without >= LEAST_RATIO
    assert waits[0.95] <= MOST_WAIT


def wait(metrics: Sequence[str], share: float) -> float:
    return quantile(metrics, "mysync_consumer_line_wait_seconds", 'action="statement"', share)


def shown(rates: dict[bool, list[float]]) -> str:
    """All stretches: whoever reads it sees how even the machine was."""
    return ", ".join(
        f"{'with' if ddl else 'without'} {'/'.join(f'{rate:.0f}' for rate in found)}"
        for ddl, found in rates.items()
    )


def test_services_are_what_is_measured(make_replica: MakeReplica) -> None:
    """The load and the measure alone, without any DDL."""
    replica = make_replica()
    replica.create(*(LOADED.format(f"loaded_{number}") for number in range(TABLES)))
    consumer: Service
    _, consumer = replica.start()

    def applied() -> float:
        return total(consumer, "mysync_consumer_rows_total")

    with Loader(replica, applied) as loader:
        rate = stretch(replica, applied, ddl=False, first=0)
    replica.catch_up(120)
    replica.assert_equal()
    assert rate > 0
    assert applied() == loader.written
