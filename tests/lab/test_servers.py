"""Real servers: up and down again, killed and back, with the data they had."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from mysync_lab import KafkaServer, Lab, LabError, SqlServer, UnknownServer
from mysync_lab.layout import wait_until

MINUTE = 60.0


def run_lab(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mysync_lab", *arguments],
        env=os.environ | {"MYSYNC_LAB_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def write(server: SqlServer, *statements: str) -> None:
    with server.connect() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def read(server: SqlServer, query: str) -> tuple[tuple[object, ...], ...]:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return tuple(cursor.fetchall())


def test_up_is_idempotent_outlives_its_process_and_down_ends_it(private_lab: Lab) -> None:
    folder = private_lab.folder
    first, second = (run_lab(folder, "up", "mariadb-a", "--json") for _ in range(2))
    assert first.returncode == 0, first.stderr
    [before], [after] = json.loads(first.stdout), json.loads(second.stdout)
    assert before == after
    assert before["running"]
    server = private_lab.mysql("mariadb-a")
    assert server.pid == before["pid"]
    assert read(server, "SELECT 1") == ((1,),)
    assert run_lab(folder, "down").returncode == 0
    assert server.pid is None
    assert not json.loads(run_lab(folder, "status", "--json").stdout)[0]["running"]


def test_two_ups_at_once_start_one_server(private_lab: Lab) -> None:
    command = [sys.executable, "-m", "mysync_lab", "up", "mariadb-a"]
    environment = os.environ | {"MYSYNC_LAB_DIR": str(private_lab.folder)}
    both = [subprocess.Popen(command, env=environment) for _ in range(2)]
    assert [each.wait(MINUTE) for each in both] == [0, 0]
    server = private_lab.mysql("mariadb-a")
    assert server.pid is not None
    server.stop()
    assert server.log_file.read_text().count("ready for connections") == 1


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_a_killed_server_comes_back_with_its_data_on_its_port(private_lab: Lab, kind: str) -> None:
    private_lab.add("victim", kind="mysql" if kind == "mysql" else "mariadb").start()
    server = private_lab.mysql("victim")
    write(
        server,
        "CREATE DATABASE d",
        "CREATE TABLE d.t (id INT PRIMARY KEY)",
        "INSERT INTO d.t VALUES (1), (2)",
    )
    before = server.port, server.pid
    server.kill()
    assert server.pid is None
    server.start()
    assert server.port == before[0]
    assert server.pid != before[1]
    assert read(server, "SELECT id FROM d.t ORDER BY id") == ((1,), (2,))


def test_options_of_a_private_server_win(private_lab: Lab) -> None:
    private_lab.add("odd", kind="mariadb", options=("--binlog-row-image=MINIMAL",)).start()
    server = private_lab.mysql("odd")
    assert read(server, "SELECT @@binlog_row_image") == (("MINIMAL",),)


@pytest.mark.parametrize("name", ["mysql-a", "mariadb-a"])
def test_the_servers_log_what_replication_needs(request: pytest.FixtureRequest, name: str) -> None:
    server: SqlServer = request.getfixturevalue(name.replace("-", "_"))
    columns = "@@log_bin, @@binlog_format, @@binlog_row_image, @@binlog_row_metadata, @@server_id"
    assert read(server, f"SELECT {columns}") == ((1, "ROW", "FULL", "FULL", server.server_id),)


def test_mysqlbinlog_reads_the_log_of_the_server(lab: Lab, mysql_a: SqlServer) -> None:
    [(log, *_), *_] = read(mysql_a, "SHOW BINARY LOGS")
    command = [*lab.tool("mysqlbinlog", "mysql-a"), str(mysql_a.data_dir / str(log))]
    # Not as text: statements stand in their clients' character sets.
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"server id {mysql_a.server_id}".encode() in done.stdout


def test_kafka_keeps_committed_records_through_a_kill_and_serves_through_a_proxy(
    private_lab: Lab,
) -> None:
    private_lab.up("kafka")
    broker: KafkaServer = private_lab.kafka()
    topic = NewTopic("t", num_partitions=1, replication_factor=1)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([topic])["t"].result(30)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "lab"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce("t", b"committed", partition=0)
    producer.commit_transaction(30)
    broker.kill()
    assert broker.pid is None
    broker.start()
    with broker.proxy() as proxy:
        consumer = Consumer({"bootstrap.servers": broker.proxied_bootstrap, "group.id": "g"})
        consumer.assign([TopicPartition("t", 0, 0)])
        try:
            seen: list[bytes | None] = []

            def got_one() -> bool:
                message = consumer.poll(0.1)
                if message is not None and message.error() is None:
                    seen.append(message.value())
                return bool(seen)

            wait_until(got_one, "the committed record", MINUTE)
            assert seen == [b"committed"]
            # Behind the proxy for good: what the broker advertises there is the proxy's port.
            brokers = consumer.list_topics(timeout=10).brokers.values()
            assert [node.port for node in brokers] == [proxy.port]
        finally:
            consumer.close()


def test_a_server_of_somebody_else_is_used_and_left_alone(
    private_lab: Lab, mysql_a: SqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{mysql_a.host}:{mysql_a.port}"
    monkeypatch.setenv("MYSYNC_LAB_MYSQL_B", f"mysql://root:mysync-lab@{address}")
    private_lab.up("mysql-b")
    foreign = private_lab["mysql-b"]
    assert (foreign.port, foreign.password) == (mysql_a.port, mysql_a.password)
    with pytest.raises(LabError, match="not a server of this lab"):
        foreign.kill()
    private_lab.down()
    assert mysql_a.running


def test_a_name_that_nobody_gave_is_an_error_that_lists_the_known_ones(private_lab: Lab) -> None:
    with pytest.raises(UnknownServer, match="mysql-a"):
        private_lab["oracle"]


def test_a_server_that_cannot_start_says_why(private_lab: Lab) -> None:
    server = private_lab.add("broken", kind="mariadb", options=("--no-such-option",))
    with pytest.raises(LabError, match="no-such-option"):
        server.start()
