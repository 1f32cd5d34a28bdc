"""Processes that were stopped (SIGSTOP), replaced, and continued: they change nothing any more."""

import re
import subprocess
from collections.abc import Iterator

from fix_pipeline import MakeReplica, Replica
from mysync_lab.lab import Lab
from mysync_lab.layout import wait_until
from mysync_lab.services import Service
from mysync_lab.sql import SqlServer
from mysync_lab.workload.writers import Writers

TABLES = ["pk_only", "hot", "composite"]
PATIENCE = 90


def more_traffic(writers: Writers, transactions: int = 60) -> None:
    enough = writers.counts.transactions + transactions
    wait_until(lambda: writers.counts.transactions > enough, "traffic", PATIENCE)


def partitions_by_owner(replica: Replica) -> dict[str, int]:
    """How many partitions each consumer process has claimed, by the target's checkpoint."""
    with replica.target.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT owner, COUNT(*) FROM mysync.checkpoint WHERE pipeline = %s"
            " AND partition_id >= 0 GROUP BY owner",
            (replica.pipeline.name,),
        )
        return dict(cursor.fetchall())


def checkpoint_epochs(lab: Lab, server: SqlServer, pipeline: str) -> Iterator[tuple[int, int]]:
    """(partition, epoch) of each committed change of the pipeline's checkpoint, in log order."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, ordinal_position FROM information_schema.columns"
            " WHERE table_schema = 'mysync' AND table_name = 'checkpoint'"
        )
        at = {str(name): int(ordinal) for name, ordinal in cursor.fetchall()}
        cursor.execute("SHOW BINARY LOGS")
        logs = [str(row[0]) for row in cursor.fetchall()]
    listing = subprocess.run(
        [
            *lab.tool("mysqlbinlog", server.name),
            "--verbose",
            "--base64-output=DECODE-ROWS",
            *(str(server.data_dir / log) for log in logs),
        ],
        capture_output=True,
        check=True,
    ).stdout.decode("utf-8", "replace")
    image = r"((?:###   @.*\n)+)"
    update = rf"### UPDATE `mysync`\.`checkpoint`\n### WHERE\n{image}### SET\n{image}"
    for _, after in re.findall(update, listing):
        values = dict(re.findall(r"###   @(\d+)=(.*)\n", after))
        if values[str(at["pipeline"])].strip("'") == pipeline:
            partition = values[str(at["partition_id"])].partition(" ")[0]  # -1 (4294967295)
            yield int(partition), int(values[str(at["epoch"])])


def test_a_consumer_that_wakes_up_commits_nothing_after_a_newer_claim(
    private_lab: Lab, make_replica: MakeReplica
) -> None:
    private_lab.add("mysql-x", "mysql")
    target = private_lab.mysql("mysql-x")
    target.start()
    replica = make_replica(target=target)
    order = replica.create_order(TABLES)
    _, zombie = replica.start()
    with replica.writers(order, seed="zombie consumer", threads=2, rate=150) as writers:
        for _ in range(3):
            more_traffic(writers)
            before = set(partitions_by_owner(replica))
            zombie.freeze()
            heir = replica.pipeline.consumer().start()

            def inherited(before: set[str] = before) -> bool:
                owners = partitions_by_owner(replica)
                return not before & set(owners) and sum(owners.values()) == 8

            wait_until(inherited, "the other consumer to own all partitions", PATIENCE)
            more_traffic(writers)
            zombie.thaw()
            more_traffic(writers)
            zombie.kill()
            zombie = heir
    replica.catch_up(services=[zombie], seconds=PATIENCE)
    replica.assert_equal()
    newest: dict[int, int] = {}
    seen = 0
    for partition, epoch in checkpoint_epochs(private_lab, target, replica.pipeline.name):
        assert epoch >= newest.get(partition, 0), f"partition {partition}: epoch {epoch} came back"
        newest[partition] = epoch
        seen += 1
    assert seen > 100
    assert max(newest.values()) >= 4


def test_a_producer_that_wakes_up_is_fenced(make_replica: MakeReplica) -> None:
    replica = make_replica()
    order = replica.create_order(TABLES)
    zombie, consumer = replica.start()
    standby = replica.pipeline.producer().start().wait_ready()
    with replica.writers(order, seed="zombie producer", threads=2, rate=150) as writers:
        for _ in range(2):
            more_traffic(writers)
            zombie.freeze()
            wait_until(lambda heir=standby: active(heir), "the standby to take over", PATIENCE)
            more_traffic(writers)
            zombie.thaw()
            more_traffic(writers)
            wait_until(lambda old=zombie: not active(old), "the old leader to stand back", PATIENCE)
            zombie.end()
            zombie, standby = standby, zombie.start().wait_ready()
    replica.catch_up(services=[zombie, consumer], seconds=PATIENCE)
    replica.assert_equal()


def active(producer: Service) -> bool:
    """Whether the process says of itself that it is the active producer."""
    return "mysync_producer_active 1.0" in producer.metrics()


def test_an_aborted_kafka_transaction_is_begun_again(make_replica: MakeReplica) -> None:
    """The broker aborts a transaction whose producer was silent for longer than its timeout, and
    fences the producer with it: being the only one, it goes on by itself."""
    replica = make_replica(publish={"transaction_timeout_ms": 10_000})
    order = replica.create_order(TABLES)
    producer, consumer = replica.start()
    with replica.writers(order, seed="aborted", threads=2, rate=150) as writers:
        for _ in range(2):
            more_traffic(writers)
            producer.freeze()
            more_traffic(writers, 25 * 150)
            producer.thaw()
            more_traffic(writers)
    replica.catch_up(services=[producer, consumer], seconds=PATIENCE)
    replica.assert_equal()
