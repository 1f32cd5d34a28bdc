"""Statements that can't take effect on the target: all stops before them, says what to do, and goes
on when that is done."""

import json
from collections.abc import Callable

import pytest

from fix_own_servers import run_sql
from fix_pipeline import MakeReplica, Replica
from mysync_lab.sql import SqlServer
from provoked import ended
from refusals import Refusal, rows

pytestmark = pytest.mark.xdist_group("own servers")

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, a INT)"
KINDS = ("tables", "triggers", "routines", "events", "databases")
Servers = Callable[[str], SqlServer]
Play = Callable[[MakeReplica, Servers, Refusal], None]
PLAYS: dict[str, Play] = {}


def plays(cause: str) -> Callable[[Play], Play]:
    def register(play: Play) -> Play:
        PLAYS[cause] = play
        return play

    return register


def begun(replica: Replica) -> Replica:
    """A pipeline that has carried some rows."""
    replica.create(TABLE)
    replica.start()
    replica.on_source("INSERT INTO t VALUES (1, 1), (2, 2)")
    replica.catch_up()
    return replica


def stopped(replica: Replica, refusal: Refusal, *statements: str) -> str:
    """The paragraph that the consumer ends with at the last of these statements."""
    consumer = replica.services[-1]
    replica.on_source("INSERT INTO t VALUES (3, 3)", *statements)
    said = refusal.check(*ended(consumer))
    # What stands before the statement is applied, and only that.
    found = run_sql(replica.target, "SELECT id FROM t ORDER BY id", database=replica.db)
    assert found == [(1,), (2,), (3,)]
    return said


def says(replica: Replica, *words: str) -> None:
    """A person's word on a statement."""
    code, out, err = replica.pipeline.run("mysync-consumer", "ddl", *words)
    assert code == 0, err or out


def goes_on(replica: Replica) -> None:
    replica.on_source("INSERT INTO t (id) VALUES (4)")
    replica.services[-1].start().wait_ready()
    replica.catch_up()
    replica.assert_equal()


@plays("a statement that fails on the target")
def _(make: MakeReplica, servers: Servers, refusal: Refusal) -> None:
    replica = begun(make())
    made = "CREATE TABLE u (id INT PRIMARY KEY, a INT)"
    replica.on(replica.target, made)
    said = stopped(replica, refusal, made)
    assert "binlog." in said
    consumer = replica.services[-1]
    consumer.start()  # the same again
    refusal.check(*ended(consumer))
    code, out, _ = replica.pipeline.run("mysync-consumer", "ddl", "list", "--json")
    assert code == 0
    (listed,) = json.loads(out)
    assert (listed["id"], listed["state"]) == (1, "failed")
    replica.on(replica.target, "DROP TABLE u")  # mended
    goes_on(replica)
    # Once more, and the change is made by hand.
    replica.on(replica.target, "ALTER TABLE t DROP COLUMN a")
    replica.on_source("ALTER TABLE t DROP COLUMN a")
    code, output = ended(consumer)
    assert code == 4
    assert "Can't DROP 'a'" in output
    says(replica, "done", "2")
    goes_on_without_a(replica)
    code, _, err = replica.pipeline.run("mysync-consumer", "ddl", "skip", "2")
    assert code == 2
    assert "statement 2 is done already" in err


def goes_on_without_a(replica: Replica) -> None:
    replica.on_source("INSERT INTO t (id) VALUES (5)")
    replica.services[-1].start().wait_ready()
    replica.catch_up()
    replica.assert_equal()


@plays("a statement of another flavour")
def _(make: MakeReplica, servers: Servers, refusal: Refusal) -> None:
    source, target = servers("mysql_a"), servers("mariadb_a")
    replica = make(source, target)
    for server in (source, target):
        run_sql(server, f"CREATE DATABASE {replica.db}")
    replica.on(source, TABLE)
    replica.on(target, TABLE)
    replica.start()
    replica.on_source("INSERT INTO t VALUES (1, 1), (2, 2)")
    replica.catch_up()
    stopped(replica, refusal, "ALTER TABLE t ADD COLUMN c INT")
    replica.on(target, "ALTER TABLE t ADD COLUMN c INT")
    says(replica, "done", "1")
    replica.on_source("UPDATE t SET c = id")
    replica.services[-1].start().wait_ready()
    replica.catch_up()
    held = "SELECT id, a, c FROM t ORDER BY id"
    on_source = run_sql(source, held, database=replica.db)
    assert run_sql(target, held, database=replica.db) == on_source


@plays("a view where names are changed")
def _(make: MakeReplica, servers: Servers, refusal: Refusal) -> None:
    replica = make()
    there = f"{replica.db}_there"
    renamed = make(rename={"databases": {replica.db: there}},
                   filters={"include": [f"{replica.db}.*"]})  # fmt: skip
    for server, db in ((renamed.source, replica.db), (renamed.target, there)):
        run_sql(server, f"CREATE DATABASE {db}", f"CREATE TABLE {db}.t (id INT PRIMARY KEY, a INT)")
    try:
        renamed.start()
        run_sql(
            renamed.source,
            "INSERT INTO t VALUES (1, 1)",
            "ALTER TABLE t ADD COLUMN c INT",
            "CREATE TABLE u LIKE t",
            "CREATE VIEW v AS SELECT id FROM t",
            database=replica.db,
        )
        refusal.check(*ended(renamed.services[-1]))
        says(renamed, "skip", "3")
        run_sql(renamed.source, "INSERT INTO u VALUES (7, 7, 7)", database=replica.db)
        renamed.services[-1].start().wait_ready()
        renamed.catch_up()
        assert run_sql(renamed.target, "SELECT * FROM u", database=there) == [(7, 7, 7)]
        assert run_sql(renamed.target, "SHOW COLUMNS FROM t LIKE 'c'", database=there)
    finally:
        run_sql(renamed.target, f"DROP DATABASE {there}")


@plays("a statement that nobody knows the effect of")
def _(make: MakeReplica, servers: Servers, refusal: Refusal) -> None:
    """Begun when the target had another version: its definitions were worded otherwise."""
    replica = begun(make(servers("mariadb_a"), servers("mariadb_b")))
    before = json.dumps({"server": "another", **{kind: {} for kind in KINDS}})
    run_sql(
        replica.target,
        "INSERT INTO mysync.ddl_log (pipeline, id, seq, state, way, statement, fingerprint)"
        f" VALUES ('{replica.pipeline.name}', 1, 1, 'started', 'lock', '', '{before}')",
    )
    stopped(replica, refusal, "ALTER TABLE t ADD COLUMN c INT")
    says(replica, "retry", "1")
    goes_on(replica)


@plays("a definition that differs after a statement")
def _(make: MakeReplica, servers: Servers, refusal: Refusal) -> None:
    replica = begun(make())
    replica.on(replica.target, "ALTER TABLE t ADD UNIQUE KEY (a)")
    replica.on_source("INSERT INTO t VALUES (3, 3)", "ALTER TABLE t COMMENT 'changed'")
    refusal.check(*ended(replica.services[-1]))
    replica.on(replica.target, "ALTER TABLE t DROP KEY a")
    goes_on(replica)


@pytest.mark.parametrize("row", rows("statements"), ids=str)
def test_a_statement_that_can_not_take_effect_stops_the_consumer(
    row: Refusal, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    PLAYS[row.cause](make_replica, request.getfixturevalue, row)
