"""SIGKILL at each named point of the transfers: everything is there once, in the end.

The consumer is strict about what it inserts outside of a transfer, and about how many records it
gets; so what came twice, or didn't come, stops it or shows in the comparison.
"""

import random
import signal

import pytest

from fix_own_servers import run_sql
from fix_pipeline import MakeReplica, Replica
from mysync_lab.services import Service
from mysync_lab.sql import SqlServer
from transfer_rig import FRESH, filled, settle, transfers, wait_done

SECONDS = 120
# How often a point is passed, at most, before the process dies there.
OFTEN = {"producer.transfer_begun": 15, "producer.chunk_due": 15, "producer.chunk_sent": 15,
         "producer.transfer_ended": 15}  # fmt: skip


@pytest.mark.parametrize(
    "point",
    [
        "producer.joined",
        "producer.transfer_begun",
        "producer.chunk_due",
        "producer.chunk_sent",
        "producer.transfer_ended",
    ],
)
def test_a_kill_within_a_transfer_loses_and_doubles_nothing(
    point: str, make_replica: MakeReplica
) -> None:
    replica = make_replica(
        source_link=FRESH,
        transfer={"chunk_seconds": 0.01, "max_load": 1.0},
        publish={"max_bytes": 65_536},
    )
    tables = filled(replica, 700)
    producer, consumer = replica.pipeline.producer(), replica.pipeline.consumer()
    seed = point
    nth = random.Random(seed).randint(1, OFTEN.get(point, 1))
    with replica.writers(tables, seed=seed, threads=2, rate=40):
        producer.start(crash=f"{point}:{nth}")
        consumer.start()
        assert producer.wait_exit(SECONDS) == -signal.SIGKILL, producer.log_tail()
        producer.start()
        wait_done(replica, producer, SECONDS)
    settle(replica)
    replica.assert_equal()


@pytest.mark.xdist_group("own servers")
@pytest.mark.parametrize("point", ["producer.begun_again"])
def test_a_kill_while_a_lost_pipeline_begins_again_loses_nothing(
    point: str, own_mysql: SqlServer, make_replica: MakeReplica
) -> None:
    replica = make_replica(
        source=own_mysql, source_link=FRESH, transfer={"on_lost_position": "transfer"}
    )
    filled(replica, 200)
    producer, consumer = replica.pipeline.producer(), replica.pipeline.consumer()
    producer.start()
    consumer.start()
    wait_done(replica, producer, SECONDS)
    settle(replica)
    producer.stop()
    lose_the_log(replica, own_mysql)
    producer.start(crash=point)
    assert producer.wait_exit(SECONDS) == -signal.SIGKILL, producer.log_tail()
    before = began(producer.start())
    while began(producer) == before:
        producer.wait_ready()
    wait_done(replica, producer, SECONDS)
    settle(replica)
    replica.assert_equal()


def lose_the_log(replica: Replica, source: SqlServer) -> None:
    """Rows go and come that no log tells of any more."""
    replica.on_source("DELETE FROM k_int WHERE n < 100", "INSERT INTO k_empty VALUES (7, 7)")
    run_sql(source, "FLUSH BINARY LOGS")
    (row, *_) = run_sql(source, "SHOW BINARY LOG STATUS")
    run_sql(source, f"PURGE BINARY LOGS TO '{row[0]}'")


def began(producer: Service) -> set[int]:
    """When the transfers that there are began."""
    return {each["began_at_us"] for each in transfers(producer)}
