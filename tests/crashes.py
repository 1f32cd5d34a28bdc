"""The named crash points of both services, and how to make a service come by each of them."""

import itertools
import random
import signal
import time
from collections.abc import Callable

import mysync_consumer.cli
import mysync_producer.cli
from fix_pipeline import Replica
from mysync_lab.services import Service
from mysync_runtime import crash

# Importing the services is what declares their points.
assert mysync_producer.cli
assert mysync_consumer.cli

# Ordinary traffic comes by none of these: each needs something to go wrong, in a test of its own.
ELSEWHERE = {
    "rebuild.resolved": "test_rebuild.py",
    "rebuild.committed": "test_rebuild.py",
    "cut.asked": "test_cut.py",
    "cut.committed": "test_cut.py",
    "cut.standing": "test_cut.py",
    "cut.released": "test_cut.py",
    "quarantine.before_commit": "test_quarantine.py",
    "quarantine.after_commit": "test_quarantine.py",
    "producer.introduced": "test_begin_at.py",
    "transfer.before_commit": "test_transfer_kills.py",
    "transfer.after_commit": "test_transfer_kills.py",
    "producer.joined": "test_transfer_producer_kills.py",
    "producer.transfer_begun": "test_transfer_producer_kills.py",
    "producer.chunk_due": "test_transfer_producer_kills.py",
    "producer.chunk_sent": "test_transfer_producer_kills.py",
    "producer.transfer_ended": "test_transfer_producer_kills.py",
    "producer.begun_again": "test_transfer_producer_kills.py",
}
POINTS = sorted(crash.list_points().keys() - ELSEWHERE)

# Passed while a pipeline begins, in this order, before it has any traffic of its own.
BEGINNING = (
    "producer.first_start.before_topics",
    "producer.first_start.after_topics",
    "producer.after_election",
    "producer.first_start.place_found",
    "producer.first_start.before_first_commit",
    "producer.first_start.after_first_commit",
    "producer.before_dump",
    "producer.adoption",
    "consumer.before_claim",
    "claim.after_offset_commit",
    "claim.after_lock",
    "claim.after_epoch",
    "line.waiting",
    "line.opened",
)
RUNNING = [point for point in POINTS if point not in BEGINNING]

# How often a point is passed, at most, before the process dies there. Others: the first time.
OFTEN = {
    "producer.before_produce": 40,
    "producer.after_produce": 40,
    "producer.before_kafka_commit": 15,
    "producer.after_state_write": 15,
    "producer.after_kafka_commit": 15,
    "producer.heartbeat": 4,
    "producer.xa_chunk": 20,
    "producer.xa_prepared": 5,
    "producer.xa_commit": 20,
    "producer.xa_forgotten": 5,
    "consumer.before_begin": 60,
    "consumer.after_binlog": 60,
    "consumer.before_commit": 60,
    "consumer.after_commit": 60,
    "consumer.after_frontier_publish": 60,
}
SECONDS = 120
PAUSE = 0.05

STATEMENTS = {
    "producer.statement",
    "producer.statement_line",
    "producer.inferred",
    "producer.definitions_read",
    *(point for point in POINTS if point.startswith(("ddl.", "owner."))),
}
OFTEN |= dict.fromkeys(STATEMENTS, 6)


def armed(point: str, random_: random.Random) -> str:
    """The value of MYSYNC_CRASH for this point, at a random count."""
    return f"{point}:{random_.randint(1, OFTEN.get(point, 1))}"


def is_producers(point: str) -> bool:
    return point.startswith("producer.")


def needs_xa(point: str) -> bool:
    """Whether it is passed only where the source has XA transactions."""
    return point.startswith("producer.xa_")


def needs_statements(point: str) -> bool:
    """Whether it is passed only where statements are carried."""
    return point in STATEMENTS


def statements(replica: Replica, service: Service) -> None:
    """Statements of each kind of effect, with rows before and after them."""
    number = next(_large)
    made, twin = f"made_{number}", f"twin_{number}"
    replica.on_source(
        f"CREATE TABLE {made} (id INT PRIMARY KEY, a INT)",
        f"INSERT INTO {made} VALUES (1, {number}), (2, 2)",
        f"ALTER TABLE {made} ADD COLUMN b VARCHAR(20) DEFAULT 'b', ADD KEY (a)",
        f"UPDATE {made} SET b = a",
        f"CREATE TABLE {twin} LIKE {made}",
        f"INSERT INTO {twin} VALUES (7, 7, 'twin')",
        f"RENAME TABLE {made} TO _{made}_old, {twin} TO {made}, _{made}_old TO {twin}",
        f"TRUNCATE TABLE {made}",
        f"INSERT INTO {made} VALUES (8, 8, 'made')",
        f"DROP TABLE {twin}",
    )


def cut_the_dump(replica: Replica, service: Service) -> None:
    """Kills the producer's session on the source, as an administrator would."""
    with replica.source.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog%'")
        for (session,) in cursor.fetchall():
            cursor.execute(f"KILL {session}")


def ask_to_stop(replica: Replica, service: Service) -> None:
    service.terminate()


def join_another(replica: Replica, service: Service) -> None:
    """A second member of the group, which takes partitions away from the first."""
    replica.pipeline.consumer().start()


def xa_traffic(replica: Replica, service: Service) -> None:
    """XA transactions of one message and of several, of each end."""
    name = f"{replica.db} {next(_large)}"
    many = "INSERT INTO large SELECT -l.id - 100, REPEAT(l.id, 9000) FROM large l ON DUPLICATE KEY"
    for statement, end in (
        ("REPLACE INTO large VALUES (-1, REPEAT('xa', 100))", "XA COMMIT '{}'"),
        (f"{many} UPDATE data = REPEAT('more', 9000)", "XA COMMIT '{}'"),
        (f"{many} UPDATE data = REPEAT('no', 9000)", "XA ROLLBACK '{}'"),
    ):
        prepared = (f"XA START '{name}'", statement, f"XA END '{name}'", f"XA PREPARE '{name}'")
        replica.on_source(*prepared, end.format(name))
    for statement in (
        "DELETE FROM large WHERE id = -1",
        f"{many} UPDATE data = REPEAT('one', 9000)",
    ):
        one = (f"XA START '{name}'", statement, f"XA END '{name}'", f"XA COMMIT '{name}' ONE PHASE")
        replica.on_source(*one)


# What has to happen for the process to come by, beside traffic.
STIMULI: dict[str, Callable[[Replica, Service], None]] = {
    "producer.reconnect": cut_the_dump,
    "producer.xa_chunk": xa_traffic,
    "producer.xa_prepared": xa_traffic,
    "producer.xa_commit": xa_traffic,
    "producer.xa_forgotten": xa_traffic,
    **dict.fromkeys(STATEMENTS, statements),
    "consumer.on_revoke": join_another,
    "consumer.stopping": ask_to_stop,
}

_large = itertools.count(1)


def await_death(replica: Replica, victim: Service, point: str) -> None:
    """Does what the point needs, and adds rows larger than a message, until the victim is dead."""
    stimulus = STIMULI.get(point)
    if stimulus:
        victim.wait_ready()
        stimulus(replica, victim)
    began = again = time.monotonic()
    while victim.running and time.monotonic() < began + SECONDS:
        number = next(_large)
        replica.on_source(f"REPLACE INTO large VALUES ({number % 5}, REPEAT('{number}', 40000))")
        if stimulus in (cut_the_dump, xa_traffic, statements) and time.monotonic() > again + 2:
            # Within a transaction that is sent in part, the producer starts over instead.
            again = time.monotonic()
            stimulus(replica, victim)
        time.sleep(PAUSE)  # a stream of nothing but large rows keeps both cores busy for long
    assert victim.wait_exit(1) == -signal.SIGKILL, victim.log_tail()
