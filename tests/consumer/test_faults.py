"""Connections that break, servers that are killed, processes that come back from the dead."""

import random
import subprocess
import time

from fix_topics import MakeStage, Stage
from mysync_lab.lab import Lab
from mysync_lab.proxy import FaultProxy
from mysync_lab.sql import SqlServer

COM_QUERY_COMMIT = b"\x07\x00\x00\x00\x03COMMIT"


def log_end(stage: Stage) -> tuple[str, int]:
    """Where the target's binlog ends now: file and position."""
    row = stage.sql("SHOW BINARY LOG STATUS", database=None)[0]
    return str(row[0]), int(row[1])


def epochs_in_binlog(lab: Lab, stage: Stage, start: tuple[str, int]) -> dict[int, list[int]]:
    """The epochs of the pipeline's committed checkpoint updates since `start`, by partition, in
    binlog order."""
    file, position = start
    logs = [str(row[0]) for row in stage.sql("SHOW BINARY LOGS", database=None)]
    done = subprocess.run(
        [
            *lab.tool("mysqlbinlog", stage.target.name),
            "--read-from-remote-server",
            *stage.target.login,
            "--base64-output=decode-rows",
            "-v",
            f"--start-position={position}",
            *logs[logs.index(file) :],
        ],
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
    )
    found: dict[int, list[int]] = {}
    update = mine = False
    partition = 0
    for line in done.stdout.splitlines():
        if line.startswith(("### UPDATE", "### INSERT", "### DELETE")):
            update, mine = line == "### UPDATE `mysync`.`checkpoint`", False
        elif line.startswith("### SET"):
            mine = False
        elif update and line.startswith(f"###   @1='{stage.name}'"):
            mine = True
        elif mine and line.startswith("###   @2="):
            partition = int(line.split("=")[1].split()[0])
        elif mine and line.startswith("###   @10="):
            found.setdefault(partition, []).append(int(line.split("=")[1].split()[0]))
            mine = False
    return found


def test_a_commit_whose_answer_is_lost_is_neither_lost_nor_doubled(
    make_stage: MakeStage, mysql_b: SqlServer
) -> None:
    with FaultProxy(mysql_b.host, mysql_b.port) as proxy:
        stage = make_stage(
            target={"port": proxy.port}, topics={"partitions": 2}, apply={"coalesce": False}
        ).begin()
        stage.ready()
        for seed in range(4):
            proxy.drop_answer(COM_QUERY_COMMIT)
            with stage.writer:
                stage.load(seed, 60)
            assert proxy.dropped.wait(20)
            stage.wait_applied()
        stage.assert_items()
        log = stage.pipeline.services[0].log.read_text()
        assert log.count("outcome of a COMMIT is unknown") >= 4


def test_a_target_that_can_not_be_reached_for_a_while_is_waited_for(
    make_stage: MakeStage, mysql_b: SqlServer
) -> None:
    with FaultProxy(mysql_b.host, mysql_b.port) as proxy:
        stage = make_stage(
            target={"port": proxy.port, "read_timeout": 3, "connect_timeout": 3},
            topics={"partitions": 2},
        ).begin()
        consumer = stage.ready()
        for seed, fault in enumerate((proxy.cut, proxy.half_open, proxy.stall)):
            with stage.writer:
                stage.load(seed, 60)
            fault()
            with stage.writer:
                stage.load(10 + seed, 60)
            proxy.resume()
            stage.wait_applied()
        stage.assert_items()
        assert consumer.running


def test_a_killed_target_is_waited_for(private_lab: Lab, make_stage: MakeStage) -> None:
    private_lab.add("mysql-k", "mysql").start()
    target = private_lab.mysql("mysql-k")
    stage = make_stage(server=target, topics={"partitions": 2}, apply={"coalesce": False}).begin()
    consumer = stage.ready()
    for seed in range(2):
        with stage.writer:
            stage.load(seed, 200)
        target.kill()
        with stage.writer:
            stage.load(10 + seed, 200)
        target.start()
        stage.wait_applied()
        stage.assert_items()
    assert consumer.running


def test_a_killed_broker_is_waited_for(private_lab: Lab, make_stage: MakeStage) -> None:
    private_lab.add("kafka-k", "kafka").start()
    kafka = private_lab.kafka("kafka-k")
    stage = make_stage(broker=kafka, topics={"partitions": 2}).begin()
    consumer = stage.ready()
    with stage.writer:
        stage.load(1, 100)
    kafka.kill()
    kafka.start()
    with stage.writer:
        stage.load(2, 100)
    stage.wait_applied(60)
    stage.assert_items()
    assert consumer.running


def test_records_of_an_aborted_transaction_are_never_seen(stage: Stage) -> None:
    stage.ready()
    with stage.writer:
        stage.load(1, 50)
    seq, prev = stage.writer.seq, list(stage.writer.prev)
    rows = dict(stage.rows)
    stage.writer.begin()
    stage.load(2, 50)
    stage.writer.abort()
    stage.writer.seq, stage.writer.prev, stage.rows = seq, prev, rows
    with stage.writer:
        stage.load(3, 50)
    stage.wait_applied()
    stage.assert_items()


def test_a_consumer_that_comes_back_from_the_dead_commits_nothing(
    make_stage: MakeStage, lab: Lab
) -> None:
    stage = make_stage(
        topics={"partitions": 3},
        apply={"coalesce": False, "batch_rows": 20, "group_session_timeout_ms": 1500},
    ).begin()
    choose, start = random.Random(1), log_end(stage)
    first, second = stage.ready(), None
    for seed in range(3):
        with stage.writer:
            stage.load(seed, 300)
        stage.wait(
            lambda: any(
                row["last_seq"] > choose.randrange(100) for row in stage.checkpoint().values()
            ),
            "some rows to be applied",
        )
        first.freeze()
        if second is None:
            second = stage.consumer()
        with stage.writer:
            stage.load(10 + seed, 300)
        stage.wait_applied(60)
        stage.assert_items()
        first.thaw()
        with stage.writer:
            stage.load(20 + seed, 300)
        stage.wait_applied(60)
        stage.assert_items()
        first, second = second, first
    for epochs in epochs_in_binlog(lab, stage, start).values():
        assert epochs == sorted(epochs)
    assert any(row["epoch"] > 2 for row in stage.checkpoint().values())


def test_a_batch_that_takes_too_long_gets_smaller_until_the_row_is_found(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(topics={"partitions": 1}, target={"read_timeout": 2}).begin()
    with stage.writer:
        for id_ in range(16):
            stage.put(id_, id_)
    consumer = stage.ready()
    stage.wait_applied()
    with stage.target.connect(database=stage.db) as locker, locker.cursor() as cursor:
        locker.begin()
        cursor.execute("UPDATE items SET v = v + 1 WHERE id = 5")
        with stage.writer:
            for id_ in range(16):
                stage.put(id_, 100 + id_)
        words = "longer than target.read_timeout"
        stage.wait(lambda: words in consumer.log.read_text(), "the row to be named", 90)
        assert stage.sql("SELECT COUNT(*) FROM items WHERE v >= 100") == [(5,)]
        said = next(line for line in consumer.log.read_text().splitlines() if words in line)
        locker.rollback()
    assert stage.items in said
    assert '{\\"id\\": 5}' in said
    stage.wait_applied(60)
    stage.assert_items()


def test_a_target_that_lost_confirmed_commits_is_asked_again_how_far_it_is(
    make_stage: MakeStage, mysql_b: SqlServer
) -> None:
    with FaultProxy(mysql_b.host, mysql_b.port) as proxy:
        stage = make_stage(
            target={"port": proxy.port},
            topics={"partitions": 2},
            apply={"session_wait_timeout": 5},
        ).begin()
        consumer = stage.ready()
        with stage.writer:
            stage.load(1, 50)
        stage.wait_applied()
        kept = stage.checkpoint()
        stage.sql("CREATE TABLE kept SELECT * FROM items")
        with stage.writer:
            stage.load(2, 50)
            line = stage.writer.line()
            stage.load(3, 50)
        stage.wait_applied()

        # As if it had crashed and lost its tail; partition 1 takes a while to be claimed again.
        proxy.cut()
        stage.sql(
            "DELETE FROM items",
            "INSERT INTO items SELECT * FROM kept",
            *(
                f"UPDATE mysync.checkpoint SET next_offset = {row['next_offset']},"
                f" frontier = {row['frontier']}, last_seq = {row['last_seq']}"
                f" WHERE pipeline = '{stage.name}' AND partition_id = {partition}"
                for partition, row in kept.items()
            ),
        )
        with mysql_b.connect() as locker, locker.cursor() as cursor:
            locker.begin()
            cursor.execute(
                f"UPDATE mysync.checkpoint SET pos = pos + 1 WHERE pipeline = '{stage.name}'"
                " AND partition_id = 1"
            )
            proxy.resume()
            stage.wait(
                lambda: stage.checkpoint()[0]["frontier"] >= line - 1, "partition 0 to be there"
            )
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline:
                assert stage.checkpoint()[0]["last_seq"] < line
            locker.rollback()
        stage.wait_applied()
        stage.assert_items()
        assert consumer.running
