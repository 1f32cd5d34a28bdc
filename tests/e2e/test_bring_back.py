"""Tables that are set aside, and what the source does with them meanwhile: a transfer brings back
whatever they missed, and what the source has no more under its name is gone."""

import json

import pytest

from fix_own_servers import run_sql
from fix_pipeline import MakeReplica, Replica
from mysync_lab.layout import wait_until
from transfer_rig import fresh, transfers

ROWS = 2_000
TABLES = ("altered", "dropped", "remade", "renamed", "emptied", "other")


def command(replica: Replica, verb: str, *tables: str) -> None:
    names = [f"{replica.db}.{table}" for table in tables]
    code, out, err = replica.pipeline.run("mysync-producer", "transfer", verb, *names)
    assert code == 0, out + err


def aside(replica: Replica) -> dict[str, str | None]:
    """What is set aside or under way, and what it missed."""
    code, out, err = replica.pipeline.run("mysync-consumer", "tables", "--json")
    assert code == 0, err
    return {
        each["table"].partition(".")[2]: each["resync_only"]
        for each in json.loads(out)["tables"]
        if each["state"] != "written"
    }


def set_aside(make_replica: MakeReplica, kind: str, request: pytest.FixtureRequest) -> Replica:
    """A pipeline whose transfers were cancelled halfway, but that of `other`."""
    replica = fresh(make_replica, kind, request, transfer={"max_rows_per_second": 100})
    rows = ", ".join(f"({n}, {n})" for n in range(ROWS))
    replica.on_source(
        *(f"CREATE TABLE {table} (id INT PRIMARY KEY, n INT)" for table in TABLES),
        "CREATE TABLE refers (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES altered (id))",
        *(f"INSERT INTO {table} VALUES {rows}" for table in TABLES),
        f"INSERT INTO refers VALUES {rows}",
    )
    producer, _ = replica.start()
    wait_until(lambda: any(t["rows"] > 0 for t in transfers(producer)), "the first rows", 60)
    names = [table for table in TABLES if table != "other"]
    command(replica, "cancel", *names)
    replica.catch_up()
    assert set(aside(replica)) >= set(names)
    assert producer.stop() == 0
    replica.pipeline.configure(transfer={"max_rows_per_second": None})
    producer.start().wait_ready()
    return replica


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_whatever_a_table_missed_its_transfer_brings_it_back(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    """With the default policy, which stops everything at a table that isn't what it should be."""
    replica = set_aside(make_replica, kind, request)
    replica.on_source(
        "ALTER TABLE altered ADD COLUMN more INT DEFAULT 3, ADD KEY (n)",
        "UPDATE altered SET more = id WHERE id % 3 = 0",
        "DROP TABLE dropped",
        "DROP TABLE remade",
        "CREATE TABLE remade (id VARCHAR(10) PRIMARY KEY)",
        "INSERT INTO remade VALUES ('a')",
        "RENAME TABLE renamed TO renamed_now",
        "INSERT INTO renamed_now VALUES (-1, -1)",
        "TRUNCATE TABLE emptied",
        "INSERT INTO emptied VALUES (1, 1)",
        "INSERT INTO other VALUES (-1, -1)",
    )
    replica.catch_up()
    held = {table: missed for table, missed in aside(replica).items() if missed}
    assert set(held) == {"altered", "renamed_now", "emptied"}, "the others have nothing to miss"
    assert {"dropped", "remade", "renamed"}.isdisjoint(aside(replica))
    there = {name for (name,) in run_sql(replica.target, f"SHOW TABLES IN {replica.db}")}
    assert there == {"altered", "remade", "emptied", "other", "refers"}
    assert run_sql(replica.target, "SELECT * FROM remade", database=replica.db) == [("a",)]
    command(replica, "start", *held)
    wait_done_of(replica, *held)
    replica.on_source("UPDATE altered SET n = -n", "DELETE FROM refers WHERE id > 10")
    replica.catch_up()
    replica.assert_equal()
    assert aside(replica) == {}


def wait_done_of(replica: Replica, *tables: str) -> None:
    producer = replica.services[0]

    def over() -> bool:
        phases = {each["table"].partition(".")[2]: each["phase"] for each in transfers(producer)}
        return {phases[table] for table in (*tables, "other", "refers")} == {"done"}

    wait_until(over, "the transfers", 60)


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_tables_that_are_set_aside_go_with_their_database(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    replica = set_aside(make_replica, kind, request)
    run_sql(replica.source, f"DROP DATABASE {replica.db}", f"CREATE DATABASE {replica.db}")
    replica.on_source("CREATE TABLE altered (id INT PRIMARY KEY)", "INSERT INTO altered VALUES (7)")
    replica.catch_up()
    replica.assert_equal()
    assert aside(replica) == {}
