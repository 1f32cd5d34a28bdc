"""SIGKILL at every named point, under traffic: the target ends equal, in strict mode.

Strictness is what makes this a test of *exactly* once: an insert must be new, an update or delete
must find its row, so an event that was lost or came twice stops the consumer.
"""

import signal
import time
from collections.abc import Callable

import pytest

import mysync_consumer.cli
import mysync_producer.cli
from fix_pipeline import MakeReplica, Replica
from mysync_lab.layout import wait_until
from mysync_lab.services import Service
from mysync_runtime import crash

assert mysync_producer.cli
assert mysync_consumer.cli
POINTS = sorted(crash.list_points())

# How often a point is passed before the process dies there, where the first time is too early.
LATER = {
    "producer.before_produce": 20,
    "producer.after_produce": 20,
    "producer.before_kafka_commit": 8,
    "producer.after_state_write": 8,
    "producer.after_kafka_commit": 8,
    "producer.heartbeat": 2,
    "consumer.before_begin": 30,
    "consumer.after_binlog": 30,
    "consumer.before_commit": 30,
    "consumer.after_commit": 30,
    "consumer.after_frontier_publish": 30,
}
SECONDS = 60


def cut_the_dump(replica: Replica, service: Service) -> None:
    """Kills the producer's session on the source, as an administrator would."""
    with replica.source.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog%'")
        for (session,) in cursor.fetchall():
            cursor.execute(f"KILL {session}")


def ask_to_stop(replica: Replica, service: Service) -> None:
    service.terminate()


def join_another(replica: Replica, service: Service) -> None:
    replica.pipeline.consumer().start()


# What has to happen for the process to come by, beside traffic.
STIMULI: dict[str, Callable[[Replica, Service], None]] = {
    "producer.reconnect": cut_the_dump,
    "consumer.on_revoke": join_another,
    "consumer.stopping": ask_to_stop,
}


# Passed while a pipeline begins, before it has any traffic of its own.
AT_START = (
    "producer.after_election",
    "producer.first_start.",
    "producer.before_dump",
    "producer.adoption",
    "consumer.before_claim",
    "claim.",
    "line.",
)


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_this_point_loses_and_doubles_nothing(
    point: str, make_replica: MakeReplica
) -> None:
    replica = make_replica(
        topics={"max_message_bytes": 10_000},
        publish={"max_bytes": 65_536},
        apply={"coalesce": POINTS.index(point) % 2 == 0},
    )
    order = replica.create_order()
    elsewhere = replica.create_elsewhere()
    for server in (replica.source, replica.target):
        replica.on(server, "CREATE TABLE large (id INT PRIMARY KEY, data LONGBLOB)")
    producer, consumer = replica.pipeline.producer(), replica.pipeline.consumer()
    victim = producer if point.startswith("producer.") else consumer
    with replica.writers(elsewhere, seed=point, rate=100):
        for service in (producer, consumer):
            armed = f"{point}:{LATER.get(point, 1)}"
            service.start(crash=armed if service is victim else None)
        if point.startswith(AT_START):
            assert victim.wait_exit(SECONDS) == -signal.SIGKILL, victim.log_tail()
            victim.start()
        producer.wait_ready()
        with replica.writers(order, seed=point, threads=2, rate=100) as writers:
            if not point.startswith(AT_START):
                die_under_traffic(replica, victim, STIMULI.get(point))
                victim.start()
            enough = writers.counts.transactions + 50
            wait_until(lambda: writers.counts.transactions > enough, "traffic", SECONDS)
    replica.catch_up(seconds=SECONDS)
    replica.assert_equal()


def die_under_traffic(
    replica: Replica, victim: Service, stimulus: Callable[[Replica, Service], None] | None
) -> None:
    """Adds rows larger than a message to the traffic until the victim is dead."""
    victim.wait_ready()
    if stimulus:
        stimulus(replica, victim)
    deadline = time.monotonic() + SECONDS
    number = 0
    while victim.running and time.monotonic() < deadline:
        number += 1
        replica.on(
            replica.source, f"REPLACE INTO large VALUES ({number % 5}, REPEAT('{number}', 40000))"
        )
    assert victim.wait_exit(1) == -signal.SIGKILL, victim.log_tail()
