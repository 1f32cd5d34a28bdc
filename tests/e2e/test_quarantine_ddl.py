"""A statement that fails on the target sets its table aside, where that is the policy; the others
go on, and so do their statements."""

import json

import pytest

from fix_own_servers import run_sql
from fix_pipeline import MakeReplica
from mysync_lab.layout import wait_until
from mysync_lab.sql import SqlServer


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_a_table_whose_statement_fails_is_set_aside_and_misses_what_follows(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    source: SqlServer = request.getfixturevalue(f"{kind}_a")
    target: SqlServer = request.getfixturevalue(f"{kind}_b")
    replica = make_replica(source, target, ddl={"on_failure": "quarantine"})
    replica.create("CREATE TABLE t (id INT PRIMARY KEY, a INT)")
    _, consumer = replica.start()
    replica.on(target, "CREATE TABLE u (id INT PRIMARY KEY, mine INT)")
    replica.on_source(
        "INSERT INTO t VALUES (1, 1)",
        "CREATE TABLE u (id INT PRIMARY KEY, a INT)",
        "INSERT INTO u VALUES (1, 1)",
        "ALTER TABLE t ADD COLUMN b INT DEFAULT 7",
        "ALTER TABLE u ADD COLUMN b INT",
        "INSERT INTO t (id) VALUES (2)",
        "UPDATE u SET b = 2",
        "INSERT INTO t (id) VALUES (3)",
    )
    replica.catch_up()
    held = "SELECT * FROM t ORDER BY id"
    assert run_sql(target, held, database=replica.db) == run_sql(source, held, database=replica.db)
    assert not run_sql(target, "SELECT * FROM u", database=replica.db)
    code, out, err = replica.pipeline.run("mysync-consumer", "tables", "--json")
    assert code == 0, err
    aside = {
        each["table"]: each for each in json.loads(out)["tables"] if each["state"] != "written"
    }
    assert set(aside) == {f"{replica.db}.u"}
    assert "already exists" in aside[f"{replica.db}.u"]["reason"]
    assert "was not executed" in aside[f"{replica.db}.u"]["resync_only"]
    assert aside[f"{replica.db}.u"]["skipped_from"]
    # A restart leaves it so.
    assert consumer.stop() == 0
    consumer.start().wait_ready()
    replica.on_source("INSERT INTO t (id) VALUES (4)", "UPDATE u SET a = 9")
    replica.catch_up()
    assert run_sql(target, held, database=replica.db) == run_sql(source, held, database=replica.db)
    wait_until(
        lambda: (consumer.status() or {}).get("quarantined") == [f"{replica.db}.u"], "status", 10
    )


def test_a_table_that_differs_after_a_statement_is_set_aside(
    make_replica: MakeReplica, mysql_a: SqlServer, mysql_b: SqlServer
) -> None:
    replica = make_replica(ddl={"on_failure": "quarantine"})
    replica.create("CREATE TABLE t (id INT PRIMARY KEY, a INT)", "CREATE TABLE v (id INT KEY)")
    replica.start()
    replica.on_source("INSERT INTO v VALUES (1)")
    replica.catch_up()
    replica.on(mysql_b, "ALTER TABLE t ADD UNIQUE KEY (a)")
    replica.on_source("ALTER TABLE t COMMENT 'differs'", "INSERT INTO v VALUES (2)")
    replica.catch_up()

    def aside() -> list[str]:
        code, out, err = replica.pipeline.run("mysync-consumer", "tables", "--json")
        assert code == 0, err
        return [t["table"] for t in json.loads(out)["tables"] if t["state"] != "written"]

    wait_until(lambda: aside() == [f"{replica.db}.t"], "the table to be set aside", 30)
    replica.on_source("INSERT INTO t VALUES (1, 1)", "INSERT INTO v VALUES (3)")
    replica.catch_up()
    assert len(run_sql(mysql_b, "SELECT * FROM v", database=replica.db)) == 3
    assert not run_sql(mysql_b, "SELECT * FROM t", database=replica.db)
