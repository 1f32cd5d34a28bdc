"""More than five million rows in more than twenty tables reach an empty target under writes and
kills. `make soak ARGS="tests/soak/test_transfer.py"`; one source alone: `-k mysql`."""

import random
import time

import pytest

from fix_pipeline import MakeReplica
from mysync_lab.tables import rows
from transfer_rig import FRESH, filled, settle, transfers, wait_done

pytestmark = pytest.mark.soak

ROWS = 260_000  # in each of the tables whose keys have so many values
COPIES = 2
LEAST = 5_000_000
KILLS = 30
PATIENCE = 3_000


@pytest.mark.timeout(5_400)
@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_five_million_rows_are_transferred_under_writes_and_kills(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    seed = int(request.config.getoption("--seed"))
    source, target = (request.getfixturevalue(f"{kind}_{side}") for side in "ab")
    replica = make_replica(
        source=source,
        target=target,
        source_link=FRESH,
        # The machine is the servers' too, and nobody else's.
        transfer={"max_load": 1.0, "max_rows_per_second": None, "max_threads_running": 1_000},
    )
    tables = filled(replica, ROWS, copies=COPIES)
    with source.connect(database=replica.db) as session:
        names = [str(name) for (name,) in rows(session, "SHOW TABLES")]
        total = sum(int(rows(session, f"SELECT COUNT(*) FROM {n}")[0][0]) for n in names)
    assert len(names) >= 20
    assert total >= LEAST
    random_ = random.Random(seed)
    producer = replica.pipeline.producer()
    members = [replica.pipeline.consumer() for _ in range(2)]
    kills = 0
    sent = 0

    def kill_now_and_then() -> None:
        """So often that they are spread over the whole transfer, however fast the machine is."""
        nonlocal kills, sent
        sent = max(sent, sum(each["rows"] for each in transfers(producer)))
        if sent >= (kills + 1) * total / (KILLS + 5):
            service = random_.choice((producer, producer, *members))
            service.kill()
            service.start()
            kills += 1

    began = time.monotonic()
    with replica.writers(tables, seed=seed, threads=2, rate=40) as writers:
        for service in (producer, *members):
            service.start()
        wait_done(replica, producer, PATIENCE, kill_now_and_then)
        seconds = time.monotonic() - began
        counts = writers.counts
    assert kills >= KILLS
    settle(replica, PATIENCE)
    replica.assert_equal()
    print(
        f"\n{kind}, seed {seed}: {len(names)} tables, {total:,} rows in {seconds:.0f} s, {counts},"
        f" {kills} kills: equal"
    )
