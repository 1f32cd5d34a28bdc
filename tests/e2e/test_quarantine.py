"""A table is damaged on the target, under load: it is set aside for good, the others end equal."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymysql.err
import pytest

from fix_pipeline import MakeReplica, Replica
from mysync_lab.compare import compare
from mysync_lab.layout import wait_until
from mysync_lab.services import Service
from mysync_lab.workload.writers import Writers

TABLES = ["pk_only", "hot", "composite", "no_pk", "uniq", "parent", "child"]
PATIENCE = 120
BUSY = (1205, 1213)
APPLY = {"on_divergence": "quarantine", "max_failures": 3}

flavours = pytest.mark.parametrize(
    "servers", [("mysql_a", "mysql_b"), ("mariadb_a", "mariadb_b")], ids=["mysql", "mariadb"]
)


@pytest.fixture
def damaged(
    servers: tuple[str, str], make_replica: MakeReplica, request: pytest.FixtureRequest
) -> Replica:
    """A pipeline that quarantines, with its tables made on both sides."""
    source, target = map(request.getfixturevalue, servers)
    return make_replica(source, target, apply=APPLY)


def ask(replica: Replica, query: str) -> list[tuple[Any, ...]]:
    with replica.target.connect(database=replica.db) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def aside(replica: Replica) -> set[str]:
    """The tables that are quarantined, by the target."""
    found = ask(
        replica, f"SELECT tbl FROM mysync.table_state WHERE pipeline = '{replica.pipeline.name}'"
    )
    return {row[0] for row in found}


def damage(replica: Replica, table: str, done: Callable[[], bool]) -> None:
    """Somebody deletes the table's rows on the target until it is done: one will be missed."""

    def damaged() -> bool:
        try:
            replica.on(replica.target, f"DELETE FROM {table}")
        except pymysql.err.OperationalError as error:
            if error.args[0] not in BUSY:
                raise
        return done()

    wait_until(damaged, f"the loss of rows of {table} to be noticed", PATIENCE)


def more_traffic(writers: Writers, transactions: int = 80) -> None:
    enough = writers.counts.transactions + transactions
    wait_until(lambda: writers.counts.transactions > enough, "traffic", PATIENCE)


@contextmanager
def nothing_of(replica: Replica, *tables: str) -> Iterator[None]:
    """Demands that what the target holds of these tables stays as it is meanwhile."""

    def held() -> dict[str, list[tuple[Any, ...]]]:
        return {each: sorted(ask(replica, f"SELECT * FROM {each}"), key=repr) for each in tables}

    before = held()
    yield
    assert held() == before


def assert_equal_without(replica: Replica, *tables: str) -> None:
    with replica.source.connect() as source, replica.target.connect() as target:
        found = compare(source, target, [replica.db])
    others = [each for each in found.tables if each.table.table not in tables]
    assert len(others) == len(TABLES) - len(tables)
    assert not [str(each) for each in others if not each.equal]
    assert sum(each.source_rows or 0 for each in others) > 100


def quarantined(service: Service) -> set[str]:
    status = service.status()
    return {name.partition(".")[2] for name in status["quarantined"]} if status else set()


@flavours
@pytest.mark.parametrize("point", ["quarantine.before_commit", "quarantine.after_commit"])
def test_a_kill_at_the_instruction_sets_the_table_aside_all_the_same(
    damaged: Replica, point: str
) -> None:
    order = damaged.create_order(TABLES)
    damaged.pipeline.producer().start().wait_ready()
    victim = damaged.pipeline.consumer().start(crash=point).wait_ready()
    with damaged.writers(order, seed=point, threads=2, rate=80) as writers:
        more_traffic(writers)
        damage(damaged, "pk_only", lambda: not victim.running)
        assert victim.wait_exit(1) == -signal.SIGKILL, victim.log_tail()
        committed = point == "quarantine.after_commit"
        assert aside(damaged) == ({"pk_only"} if committed else set())
        victim.start().wait_ready()
        wait_until(lambda: aside(damaged) == {"pk_only"}, "the quarantine", PATIENCE)
        with nothing_of(damaged, "pk_only"):
            more_traffic(writers)
            victim.kill()
            victim.start().wait_ready()
            assert quarantined(victim) == {"pk_only"}
            more_traffic(writers)
            writers.stop()
            damaged.catch_up(PATIENCE)
    assert_equal_without(damaged, "pk_only")
    name = damaged.pipeline.name
    kept = ask(damaged, f"SELECT report FROM mysync.errors WHERE pipeline = '{name}'")
    assert len(kept) >= (1 if committed else 2), "each time that the instruction was begun"
    assert {json.loads(report)["table"] for (report,) in kept} == {f"{damaged.db}.pk_only"}
    actions = ask(damaged, f"SELECT action FROM mysync.instruction WHERE pipeline = '{name}'")
    assert actions == [("quarantine",)]


@flavours
@pytest.mark.parametrize(
    ("table", "group"),
    [("uniq", {"uniq"}), ("parent", {"parent", "child"})],
    ids=["alone", "with what cascades join"],
)
def test_both_of_two_processes_obey_and_none_ends(
    damaged: Replica, table: str, group: set[str]
) -> None:
    order = damaged.create_order(TABLES)
    _, first = damaged.start()
    second = damaged.pipeline.consumer().start().wait_ready()

    def shared() -> bool:
        found = ask(
            damaged,
            "SELECT COUNT(DISTINCT owner) FROM mysync.checkpoint WHERE partition_id >= 0"
            f" AND pipeline = '{damaged.pipeline.name}'",
        )
        return found == [(2,)]

    wait_until(shared, "both to own partitions", PATIENCE)
    with damaged.writers(order, seed=table, threads=2, rate=80) as writers:
        more_traffic(writers)
        damage(damaged, table, lambda: aside(damaged) == group)
        with nothing_of(damaged, *group):
            for each in (first, second):
                wait_until(lambda each=each: quarantined(each) == group, each.name, PATIENCE)
            more_traffic(writers)
            writers.stop()
            damaged.catch_up(PATIENCE, [first, second])
    assert_equal_without(damaged, *group)
    code, out, err = damaged.pipeline.run("mysync-consumer", "tables", "--json")
    assert code == 0, err
    listed = {each["table"].partition(".")[2]: each for each in json.loads(out)["tables"]}
    assert set(listed) == set(TABLES)
    assert {name for name, each in listed.items() if each["state"] == "quarantined"} == group
    assert listed[table]["skipped_from"]
