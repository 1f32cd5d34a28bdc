"""Random transactions in which order matters, while partitions move. `make soak`.

Ten seeds of 5,000 transactions over 8 partitions, with 1, 2 or 4 consumer processes in turn. Each
time a member leaves in good order or is killed, and comes back, 20 times: its return is a rebalance
always, its absence only if it is long enough. One seed alone:
`make soak ARGS="-k order --seed 3 --runs 1"`.
"""

import random
import re
from collections.abc import Iterable

import pytest

from fix_pipeline import MakeReplica
from fix_seed import seeds
from mysync_lab.layout import wait_until
from mysync_lab.services import Service

pytestmark = pytest.mark.soak

TRANSACTIONS = 5_000
REBALANCES = 20
RATE = 60  # a second: a round takes some seconds, and each shall see traffic
PROCESSES = (1, 2, 4)
PATIENCE = 300


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "run" in metafunc.fixturenames:
        metafunc.parametrize("run", seeds(metafunc.config, 10))


def total(service: Service, metric: str) -> float:
    """The sum of a counter over its labels, in the process as it is now."""
    found = re.findall(rf"^{metric}(?:{{.*}})? (\S+)$", service.metrics(), re.MULTILINE)
    return sum(map(float, found))


def assignments(members: Iterable[Service]) -> int:
    """How often one of the processes, those that are gone as well, was given partitions."""
    return sum(member.log.read_text().count('"event": "assigned"') for member in members)


def test_random_transactions_keep_their_order_over_rebalances(
    run: int, make_replica: MakeReplica
) -> None:
    random_ = random.Random(run)
    replica = make_replica()
    order = replica.create_order()
    producer = replica.pipeline.producer().start().wait_ready()
    members = [replica.pipeline.consumer().start() for _ in range(PROCESSES[run % len(PROCESSES)])]
    under_traffic = 0
    seen: dict[str, float] = {"rows": 0, "written": 0}

    def note(member: Service) -> None:
        seen["rows"] += total(member, "mysync_consumer_rows_total")
        seen["written"] += total(member, "mysync_consumer_rows_written_total")

    with replica.writers(
        order, seed=run, threads=3, rate=RATE, transactions=TRANSACTIONS
    ) as writers:
        for number in range(1, REBALANCES + 1):
            enough = number * (TRANSACTIONS // REBALANCES * 3 // 4)
            wait_until(
                lambda enough=enough: writers.counts.transactions >= enough or not writers.running,
                "traffic",
                PATIENCE,
            )
            member = random_.choice(members)
            member.wait_ready()
            note(member)
            if random_.random() < 0.5:
                member.kill()
            else:
                assert member.stop() == 0, member.log_tail()
            member.start()
            under_traffic += writers.running
        counts = writers.wait(PATIENCE)
    replica.catch_up(PATIENCE, [producer, *members])
    for member in members:
        note(member)
    replica.assert_equal()
    assigned = assignments(members)
    assert assigned >= REBALANCES
    share = 1 - seen["written"] / seen["rows"] if seen["rows"] else 0.0
    print(
        f"\nseed {run}: {counts}, {len(members)} processes, {REBALANCES} rounds"
        f" ({under_traffic} under traffic), {assigned} assignments: equal;"
        f" {share:.1%} of the rows coalesced away"
    )
