"""`mysync-producer transfer …`, as a person uses it on a pipeline that runs."""

import json
from typing import Any

import pytest

from fix_own_servers import run_sql
from fix_pipeline import MakeReplica, Replica
from mysync_lab.layout import wait_until
from mysync_lab.services import Service
from transfer_rig import FRESH, transfers, wait_done

ROWS = 3_000
SLOW = {"max_rows_per_second": 200}


def filled(replica: Replica) -> None:
    run_sql(replica.source, f"CREATE DATABASE {replica.db}")
    replica.on_source(
        "SET SESSION cte_max_recursion_depth = 100000",
        *(f"CREATE TABLE {name} (id INT PRIMARY KEY, n INT)" for name in ("a", "b", "quick")),
        "CREATE TABLE keyless (n INT, t VARCHAR(10))",
        "INSERT INTO quick VALUES (1, 1)",
        "INSERT INTO keyless VALUES (1, 'one'), (1, 'one'), (2, NULL)",
    )
    numbers = f"WITH RECURSIVE i AS (SELECT 1 n UNION ALL SELECT n + 1 FROM i WHERE n < {ROWS})"
    run_sql(
        replica.source,
        "SET SESSION cte_max_recursion_depth = 100000",
        *(f"INSERT INTO {name} {numbers} SELECT n, n FROM i" for name in ("a", "b")),
        database=replica.db,
    )


def command(replica: Replica, *arguments: str) -> tuple[int, str]:
    """The exit code, and what was said."""
    code, out, error = replica.pipeline.run("mysync-producer", "transfer", *arguments)
    return code, out + error


def told(replica: Replica, *tables: str) -> dict[str, Any]:
    """What `transfer status` says, by the tables' own names."""
    code, said = command(replica, "status", *tables, "--json")
    assert code == 0, said
    return {each["table"].partition(".")[2]: each for each in json.loads(said)["transfers"]}


def phases(producer: Service) -> dict[str, str]:
    return {each["table"].partition(".")[2]: each["phase"] for each in transfers(producer)}


def test_transfers_are_started_paused_resumed_and_cancelled(make_replica: MakeReplica) -> None:
    """A paused one stays so over a kill; a cancelled one leaves a table that is set aside, and
    says how to go on."""
    replica = make_replica(source_link=FRESH, transfer=SLOW)
    filled(replica)
    db = replica.db
    producer, consumer = replica.start()
    wait_until(
        lambda: all(t["rows"] > 0 for t in transfers(producer)) and transfers(producer),
        "rows of all tables",
        60,
    )
    code, said = command(replica, "pause", f"{db}.[ab]", f"{db}.a")
    assert code == 0, said
    assert said.splitlines() == [f"{db}.a is paused", f"{db}.b is paused"]
    producer.kill()
    replica.pipeline.configure(transfer={"max_rows_per_second": 1_000})
    producer.start().wait_ready()
    replica.on_source(f"UPDATE a SET n = -1 WHERE id > {ROWS - 10}", "DELETE FROM b WHERE id < 10")
    replica.catch_up()
    assert phases(producer)["a"] == "paused"
    rows = told(replica)["a"]["rows"]
    assert 0 < rows < ROWS

    code, said = command(replica, "cancel", f"{db}.b")
    assert code == 0
    assert "transfer start" in said
    replica.on_source("INSERT INTO b VALUES (-1, -1)")
    replica.catch_up()
    held = replica.pipeline.run("mysync-consumer", "tables")[1]
    assert f"mysync-producer transfer start {db}.b" in held

    code, said = command(replica, "resume", f"{db}.*")
    assert said.splitlines() == [f"{db}.a goes on"]
    assert told(replica, f"{db}.a")["a"]["rows"] >= rows
    # Begun anew: one under way, one that was cancelled, one that was done and has no key.
    code, said = command(replica, "start", f"{db}.a", f"{db}.b", f"{db}.keyless")
    assert code == 0, said
    replica.on_source("INSERT INTO keyless VALUES (2, NULL)", "DELETE FROM keyless WHERE n = 1")
    code, said = command(replica, "status", "--follow")
    assert code == 0
    assert f"{db}.a: done" in said
    assert "rows/s" in said
    wait_done(replica, producer, 60)
    replica.on_source("INSERT INTO quick VALUES (2, 2)")
    replica.catch_up()
    replica.assert_equal()
    assert "set aside" not in replica.pipeline.run("mysync-consumer", "tables")[1]
    assert consumer.running
    metrics = producer.metrics()
    assert 'mysync_producer_transfers{phase="done"} 4.0' in metrics
    assert 'mysync_producer_transfer_wait_seconds_total{reason="rate"}' in metrics
    assert "4 tables" not in replica.pipeline.run("mysync-producer", "status")[1]


def test_what_cannot_be_done_is_refused_and_nothing_of_it_is_done(
    make_replica: MakeReplica,
) -> None:
    replica = make_replica(source_link=FRESH)
    filled(replica)
    db = replica.db
    producer, _ = replica.start()
    wait_done(replica, producer, 60)
    before = told(replica)
    for arguments, reason in (
        (("start", f"{db}.quick", f"{db}.unknown"), "no replicated table"),
        (("start", "mysql.user"), "no replicated table"),
        (("start", "quick"), "isn't a pattern"),
        (("pause", f"{db}.quick"), "is done"),
        (("cancel", f"{db}.unknown"), "no transfer"),
    ):
        code, said = command(replica, *arguments)
        assert code == 3, said
        assert reason in said
    assert told(replica) == before


@pytest.mark.parametrize("token", ["", "s3cret"])
def test_who_may_give_commands(make_replica: MakeReplica, token: str) -> None:
    """Off the loopback nobody may without a token, and with one whoever has it. A standby refers
    to the active one."""
    http = {"host": "0.0.0.0", **({"token": token} if token else {})}
    replica = make_replica(source_link=FRESH, http=http)
    filled(replica)
    producer, _ = replica.start()
    wait_done(replica, producer, 60)
    start = ("start", f"{replica.db}.quick")
    code, said = command(replica, *start)
    if not token:
        assert code == 3
        assert "http.token" in said
        return
    assert code == 0, said
    wait_done(replica, producer, 60)
    standby = replica.pipeline.producer().start().wait_ready()
    replica.pipeline.configure(http={"producer_port": standby.port})
    code, said = command(replica, *start)
    assert code == 1
    assert "isn't the active one" in said
    replica.pipeline.configure(http={"producer_port": producer.port, "token": "wrong"})
    code, said = command(replica, *start)
    assert code == 3
    assert "token" in said


def test_the_command_line_says_what_a_new_pipeline_copies(make_replica: MakeReplica) -> None:
    replica = make_replica(source_link=FRESH)
    filled(replica)
    replica.copy_schema()
    producer = replica.pipeline.producer().start(arguments=["--initial", "never"]).wait_ready()
    replica.pipeline.consumer().start()
    replica.on_source("INSERT INTO quick VALUES (2, 2)")
    replica.catch_up()
    assert transfers(producer) == []
    assert run_sql(replica.target, f"SELECT * FROM {replica.db}.quick") == [(2, 2)]
