"""`mysync-consumer rebuild`: a target from the topics alone, to a point and onwards."""

import signal

import pytest

from bank import Bank
from fix_own_servers import run_sql
from fix_pipeline import MakeReplica, Replica
from mysync_lab.layout import wait_until
from rebuild_rig import History, Point, content_of, differing, point_of, wipe
from transfer_rig import FRESH

SECONDS = 90
flavours = pytest.mark.parametrize(
    "servers", [("mysql_a", "mysql_b"), ("mariadb_a", "mariadb_b")], ids=["mysql", "mariadb"]
)


def rebuild(replica: Replica, *arguments: str) -> tuple[int, str]:
    """The exit code, and what was said last."""
    code, out, err = replica.pipeline.run("mysync-consumer", "rebuild", *arguments, seconds=SECONDS)
    return code, out or err


@flavours
def test_a_target_is_rebuilt_to_points_of_a_history_and_goes_on_from_there(
    servers: tuple[str, str],
    make_replica: MakeReplica,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, target = map(request.getfixturevalue, servers)
    replica = make_replica(source, target, publish={"max_bytes": 65_536})
    history = History(replica)
    points = [history.write(700, f"rebuild {number}") for number in range(3)]
    names = [points[0].gtid, points[1].position, points[2].gtid]
    history.write(50, "behind it")
    for point, name in zip(points, names, strict=True):
        code, said = rebuild(replica, "--until", name)
        assert code == 0, said
        assert "the target is at" in said
        assert differing(content_of(target, replica.db), point.content) == []
        if point is points[1]:
            refused(replica, point)
        if point is not points[2]:
            # On MySQL the next life must not be taken for this one by its statements' GTIDs.
            wipe(target, replica)
    # The same words again: it is done. An ordinary consumer goes on from there; no process of the
    # rebuild does, however late it starts.
    code, said = rebuild(replica, "--until", names[2])
    assert code == 0, said
    late = replica.pipeline.run("mysync-consumer", "run", "--child", "--rebuild", seconds=SECONDS)
    assert late[0] == 0, late
    forget_the_end(replica)
    code, said = rebuild(replica, "--until", names[2], "--processes", "3")
    assert code == 0, said
    assert differing(content_of(target, replica.db), points[2].content) == []
    replica.pipeline.consumer().start().wait_ready()
    replica.catch_up()
    replica.assert_equal()


def forget_the_end(replica: Replica) -> None:
    """As if the rebuild had been killed at its end, before it was noted."""
    name = replica.pipeline.name
    run_sql(
        replica.target,
        "UPDATE mysync.meta SET value = REPLACE(value, '\"done\": true', '\"done\": false')"
        f" WHERE pipeline = '{name}' AND name = 'rebuild'",
    )


def refused(replica: Replica, point: Point) -> None:
    code, said = rebuild(replica, "--until", point.gtid)
    assert code == 3, said
    assert "another rebuild makes this target" in said


@pytest.mark.parametrize("point", ["rebuild.resolved", "rebuild.committed"])
def test_a_rebuild_killed_at_this_point_begins_or_goes_on_with_the_same_words(
    replica: Replica, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(replica)
    there = history.write(150, point)
    for crash in (point, "consumer.after_binlog:5", "ddl.executed:4"):
        monkeypatch.setenv("MYSYNC_CRASH", crash)
        code, said = rebuild(replica, "--until", there.time)
        assert code == -signal.SIGKILL, said
    monkeypatch.delenv("MYSYNC_CRASH")
    code, said = rebuild(replica, "--until", there.time, "--processes", "2")
    assert code == 0, said
    assert differing(content_of(replica.target, replica.db), there.content) == []
    # An ordinary consumer of a target that is empty again does the same, its statements too.
    wipe(replica.target, replica)
    replica.pipeline.consumer().start().wait_ready()
    replica.catch_up()
    replica.assert_equal()


def test_a_rebuild_that_could_not_end_right_is_refused_with_what_is_in_the_way(
    replica: Replica,
) -> None:
    history = History(replica)
    first = history.write(60, "first")
    there = history.write(60, "second")
    code, said = rebuild(replica, "--until", "gtid:11111111-2222-3333-4444-555555555555:1")
    assert code == 2, said
    assert "the topics don't have gtid:11111111" in said
    code, said = rebuild(replica, "--until", "yesterday")
    assert code == 2, said
    assert "isn't a point" in said
    run_sql(replica.target, f"CREATE DATABASE {replica.db}")
    code, said = rebuild(replica, "--from", there.position, "--until", first.position)
    assert code == 3, said
    for words in (f"the point {first.position} is before", "tables that the target lacks"):
        assert words in said
    code, said = rebuild(replica)
    assert code == 3, said
    assert f"DROP DATABASE `{replica.db}`" in said
    wipe(replica.target, replica)


def test_tables_that_were_there_before_appear_with_their_transfer(
    make_replica: MakeReplica,
) -> None:
    replica = make_replica(source_link=FRESH)
    bank = Bank(replica.db)
    with replica.source.connect() as sql, sql.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {replica.db}")
    replica.on_source(*bank.tables())
    replica.pipeline.producer().start().wait_ready()
    there = point_of(replica)

    def rebuilt() -> bool:
        nonlocal there
        # What the producer does of itself stands behind the place that an earlier point names.
        replica.on_source("INSERT INTO journal (what) VALUES ('later')")
        there = point_of(replica)
        code, said = rebuild(replica, "--until", there.position)
        assert code == 0 or "tables are being transferred" in said, said
        return code == 0

    with replica.writers(bank, seed="before", rate=50, transactions=100) as writers:
        writers.wait()
        wait_until(rebuilt, "the end of the transfer", SECONDS)
    assert "journal" in there.content
    assert differing(content_of(replica.target, replica.db), there.content) == []
    assert run_sql(
        replica.target,
        f"SELECT COUNT(*) FROM mysync.table_state WHERE pipeline = '{replica.pipeline.name}'",
    ) == [(0,)]


def test_a_copy_that_stands_at_a_point_goes_on_from_there(replica: Replica) -> None:
    history = History(replica)
    there = history.write(60, "copied")
    replica.copy_schema()
    with replica.target.connect(database=replica.db) as sql, sql.cursor() as cursor:
        for table, (_, rows) in there.content.items():
            for row in rows:
                places = ", ".join(["%s"] * len(row))
                cursor.execute(f"INSERT INTO {table} VALUES ({places})", row)
    history.write(60, "behind it")
    last = history.point()
    code, said = rebuild(replica, "--from", there.gtid, "--until", last.position)
    assert code == 0, said
    assert differing(content_of(replica.target, replica.db), last.content) == []
