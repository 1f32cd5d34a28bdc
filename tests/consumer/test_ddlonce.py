"""A statement takes effect once on the target, whatever was lost: on MySQL with GTIDs and without,
and on MariaDB."""

import copy
import threading
from typing import Any

import pytest

from ddl_kills import Executing, Kills
from fix_own_servers import WITHOUT_GTIDS
from mysync_consumer import ddlgtid, ddllock
from mysync_consumer.ddlonce import Outcome, skip
from mysync_consumer.ddlsession import StatementSession
from mysync_consumer.errors import (
    DdlUndecided,
    Revoked,
    StatementFailed,
    TargetBusy,
    TargetUnavailable,
)
from mysync_lab.lab import Lab
from mysync_lab.layout import wait_until
from mysync_lab.sql import SqlServer
from mysync_runtime.errors import ConnectionLost
from mysync_schemas.control import Ddl, DdlContext
from statement_rig import Target

pytestmark = pytest.mark.xdist_group("own servers")

SWAP = "RENAME TABLE a TO tmp, b TO a, tmp TO b"
EXCHANGE = "ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE a"
A_AND_B = (
    "CREATE TABLE a (id INT PRIMARY KEY)",
    "INSERT INTO a VALUES (1)",
    "CREATE TABLE b (id INT PRIMARY KEY)",
    "INSERT INTO b VALUES (2)",
)
GTIDS, PLAIN, MARIADB = "own_mysql", "plain_mysql", "own_mariadb"


@pytest.fixture(params=[GTIDS, PLAIN, MARIADB])
def target(request: pytest.FixtureRequest) -> Target:
    return Target(request.getfixturevalue(request.param), lock_wait_timeout=1)


@pytest.fixture(params=[PLAIN, MARIADB])
def locking(request: pytest.FixtureRequest) -> Target:
    """A target without GTIDs."""
    return Target(request.getfixturevalue(request.param), lock_wait_timeout=1)


@pytest.fixture
def gtids(own_mysql: SqlServer) -> Target:
    return Target(own_mysql, lock_wait_timeout=1)


def lose(target: Target, ddl: Ddl, *, after: bool) -> None:
    """The connection breaks before the statement is sent, or after it ran."""
    session = target.session()
    run = session.run

    def lost(sql: bytes) -> None:
        if after:
            run(sql)
        session.abort()
        run(b"DO 1")

    session.run = lost  # type: ignore[method-assign]
    with pytest.raises(ConnectionLost):
        target.execute(ddl, session)
    session.close()
    assert target.state(ddl) == "started"


def test_a_statement_is_executed_once(target: Target) -> None:
    target.sql(*A_AND_B)
    ddl = target.ddl(SWAP)
    with_one_session = target.session()
    assert target.execute(ddl, with_one_session) is Outcome.EXECUTED
    assert target.execute(ddl, with_one_session) is Outcome.DONE_BEFORE
    with_one_session.close()
    assert target.execute(ddl) is Outcome.DONE_BEFORE
    assert target.sql("SELECT id FROM a") == [(2,)]
    assert target.state(ddl) == "done"


STATEMENTS = {
    SWAP: A_AND_B,
    "RENAME TABLE a TO c, b TO a": A_AND_B,
    EXCHANGE: (
        *A_AND_B[:2],
        (
            "CREATE TABLE p (id INT PRIMARY KEY) PARTITION BY RANGE (id)"
            " (PARTITION p0 VALUES LESS THAN (9))"
        ),
        "INSERT INTO p VALUES (3)",
    ),
    "TRUNCATE TABLE a": A_AND_B,
    "ALTER TABLE a ADD COLUMN x INT": A_AND_B,
    "ALTER TABLE a ADD COLUMN x INT, RENAME TO c": A_AND_B,
    "CREATE INDEX i ON a (id)": A_AND_B,
    "DROP TABLE a, b": A_AND_B,
    "CREATE TABLE c LIKE a": A_AND_B,
    "CREATE VIEW v AS SELECT 1 AS x": (),
    "CREATE OR REPLACE VIEW v AS SELECT 2 AS x": ("CREATE VIEW v AS SELECT 1 AS x",),
    "DROP VIEW v": ("CREATE VIEW v AS SELECT 1 AS x",),
    "RENAME TABLE v TO u, w TO v, u TO w": (
        "CREATE VIEW v AS SELECT 1 AS x",
        "CREATE VIEW w AS SELECT 2 AS x",
    ),
    "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.id = 9": A_AND_B,
    "DROP TRIGGER t": (
        *A_AND_B,
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.id = 9",
    ),
    "CREATE PROCEDURE r() SELECT 1": (),
    "ALTER PROCEDURE r COMMENT 'x'": ("CREATE PROCEDURE r() SELECT 1",),
    "DROP PROCEDURE r": ("CREATE PROCEDURE r() SELECT 1",),
    "CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO SELECT 1": (),
    "DROP EVENT e": ("CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO SELECT 1",),
    "CREATE DATABASE {db}_2": (),
    "ALTER DATABASE {db} CHARACTER SET koi8r": (),
    "DROP DATABASE {db}": A_AND_B,
}


@pytest.mark.parametrize("sql", STATEMENTS)
def test_one_whose_answer_was_lost_is_told(sql: str, target: Target) -> None:
    """Every one of them has another effect, or an error, when it is repeated. Before it is sent
    nothing has changed; once it ran, everything."""
    target.sql(*STATEMENTS[sql])
    ddl = target.ddl(sql.format(db=target.db))
    lose(target, ddl, after=False)
    lose(target, ddl, after=True)
    assert target.execute(ddl) is Outcome.DONE_BEFORE
    assert target.state(ddl) == "done"


@pytest.mark.parametrize("sql", [SWAP, EXCHANGE, "RENAME TABLE v TO u, w TO v, u TO w"])
def test_what_only_moved_is_where_it_belongs(sql: str, target: Target) -> None:
    target.sql(*STATEMENTS[sql])
    ddl = target.ddl(sql)
    names = {SWAP: "ab", EXCHANGE: "ap"}.get(sql, "vw")

    def found() -> list[Any]:
        return [target.sql(f"SELECT * FROM {name}") for name in names]

    before = found()
    lose(target, ddl, after=True)
    target.execute(ddl)
    assert found() == before[::-1]


def test_one_that_was_not_sent_is_executed(target: Target) -> None:
    target.sql(*A_AND_B)
    ddl = target.ddl(SWAP)
    lose(target, ddl, after=False)
    assert target.execute(ddl) is Outcome.EXECUTED
    assert target.sql("SELECT id FROM a") == [(2,)]


def test_a_refused_one_says_the_statement_the_error_the_place_and_how_to_go_on(
    target: Target,
) -> None:
    target.sql("CREATE TABLE a (id INT, x INT)")
    ddl = target.ddl("ALTER TABLE a ADD COLUMN x INT", gtid="0-1-77")
    with pytest.raises(StatementFailed) as raised:
        target.execute(ddl)
    assert raised.value.code == 1060
    said = str(raised.value)
    for words in (
        "Duplicate column name 'x'",
        "ALTER TABLE a ADD COLUMN x INT",
        f"binlog.000001:{ddl.pos}, gtid 0-1-77",
        "then start again",
        f"`mysync-consumer ddl done {ddl.id}`",
    ):
        assert words in said
    assert target.state(ddl) == "failed"


def test_a_refused_one_is_executed_when_the_target_is_mended(target: Target) -> None:
    """Mending changes the table: that isn't taken for the statement's effect."""
    target.sql("CREATE TABLE a (id INT, x VARCHAR(9))")
    ddl = target.ddl("ALTER TABLE a ADD COLUMN x INT")
    for _ in range(2):
        with pytest.raises(StatementFailed):
            target.execute(ddl)
    target.sql("ALTER TABLE a DROP COLUMN x")
    assert target.execute(ddl) is Outcome.EXECUTED
    assert target.execute(ddl) is Outcome.DONE_BEFORE
    assert target.sql("SHOW COLUMNS FROM a LIKE 'x'")[0][1].startswith("int")


def test_an_error_that_the_source_had_too_counts_as_done(target: Target) -> None:
    context = DdlContext(database=target.db, error_code=1051)
    ddl = target.ddl("DROP TABLE missing", context)
    assert target.execute(ddl) is Outcome.EXECUTED
    assert target.execute(ddl) is Outcome.DONE_BEFORE
    other = target.ddl("ALTER TABLE missing ADD x INT", context)
    with pytest.raises(StatementFailed, match="1146"):
        target.execute(other)


def test_one_that_does_nothing_is_done_all_the_same(target: Target) -> None:
    target.sql(*A_AND_B)
    for sql in ("DROP TABLE IF EXISTS missing", "CREATE TABLE IF NOT EXISTS a (id INT)"):
        ddl = target.ddl(sql)
        assert target.execute(ddl) is Outcome.EXECUTED
        assert target.execute(ddl) is Outcome.DONE_BEFORE


def test_one_that_the_server_does_not_log_uses_up_its_gtid(gtids: Target) -> None:
    ddl = gtids.ddl("DO 1")
    assert gtids.execute(ddl) is Outcome.EXECUTED
    gtid = f"{gtids.pipeline.uuid}:{ddl.id}"
    assert gtids.sql(f"SELECT GTID_SUBSET('{gtid}', @@GLOBAL.gtid_executed)") == [(1,)]


def test_a_refused_one_leaves_its_gtid_free(gtids: Target) -> None:
    """One error in the parser, one that comes after the GTID is taken."""
    gtids.sql("CREATE TABLE a (id INT)")
    for sql in ("CREATE TABLE", "CREATE TABLE b ENGINE = MyISAM AS SELECT 1"):
        ddl = gtids.ddl(sql)
        session = gtids.session()
        with pytest.raises(StatementFailed):
            gtids.execute(ddl, session)
        other = gtids.ddl(f"CREATE TABLE c_{ddl.id} (id INT)")
        assert gtids.execute(other, session) is Outcome.EXECUTED
        session.close()
        assert gtids.sql("SELECT @@GLOBAL.gtid_owned") == [("",)]


def test_one_marked_to_be_skipped_is_skipped_for_good(target: Target) -> None:
    target.sql(*A_AND_B)
    ddl = target.ddl("DROP TABLE a, missing_too")
    target.sql(
        f"REPLACE INTO mysync.ddl_log SET pipeline='{target.pipeline.name}', id={ddl.id},"
        f" seq={ddl.seq}, state='skip', statement=''"
    )
    assert target.execute(ddl) is Outcome.SKIPPED
    assert target.execute(ddl) is Outcome.SKIPPED
    assert target.state(ddl) == "skipped"
    assert target.sql("SELECT id FROM a") == [(1,)]


def test_what_the_owner_does_without_is_never_executed(target: Target) -> None:
    target.sql(*A_AND_B)
    ddl, done = target.ddl("DROP TABLE a, b"), target.ddl("ALTER TABLE a ADD x INT")
    lose(target, ddl, after=False)
    target.execute(done)
    session = target.session()
    assert skip(session, target.pipeline, ddl, target.tenure) is Outcome.SKIPPED
    assert skip(session, target.pipeline, ddl, target.tenure) is Outcome.SKIPPED
    assert skip(session, target.pipeline, done, target.tenure) is Outcome.DONE_BEFORE
    session.close()
    if with_gtids(target):  # an owner that was stopped before it sent it
        gtid = f"{target.pipeline.uuid}:{ddl.id}"
        target.sql(f"SET gtid_next = '{gtid}'", "DROP TABLE a, b", "SET gtid_next = 'AUTOMATIC'")
    assert target.execute(ddl) is Outcome.SKIPPED
    assert target.sql("SELECT id FROM a") == [(1,)]


def test_one_marked_as_done_by_hand_is_not_executed(target: Target) -> None:
    target.sql(*A_AND_B)
    ddl = target.ddl("DROP TABLE a")
    target.sql(
        f"REPLACE INTO mysync.ddl_log SET pipeline='{target.pipeline.name}', id={ddl.id},"
        f" seq={ddl.seq}, state='done', statement=''"
    )
    assert target.execute(ddl) is Outcome.DONE_BEFORE
    assert target.sql("SELECT id FROM a") == [(1,)]


def test_a_table_that_is_locked_is_waited_for_and_tried_again(target: Target) -> None:
    target.sql(*A_AND_B)
    ddl = target.ddl(SWAP)
    with target.server.connect(database=target.db) as reader, reader.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM a")
        with pytest.raises(TargetBusy):
            target.execute(ddl)
        reader.rollback()
    assert target.execute(ddl) is Outcome.EXECUTED
    assert target.sql("SELECT id FROM a") == [(2,)]


def test_a_context_that_can_not_be_set_fails_the_statement(target: Target) -> None:
    ddl = target.ddl(
        "CREATE TABLE a (id INT)", DdlContext(database=target.db, time_zone="Moon/Base")
    )
    session = target.session()
    with pytest.raises(StatementFailed, match=r"its context can't be set.*Moon/Base"):
        target.execute(ddl, session)
    assert target.state(ddl) == "failed"
    assert target.execute(target.ddl("CREATE TABLE a (id INT)"), session) is Outcome.EXECUTED
    session.close()


# -- what can't be told


def test_tables_that_are_neither_as_before_nor_as_after_stop_it(locking: Target) -> None:
    locking.sql(*A_AND_B)
    ddl = locking.ddl(SWAP)
    lose(locking, ddl, after=False)
    locking.sql("ALTER TABLE a FORCE")
    with pytest.raises(DdlUndecided) as raised:
        locking.execute(ddl)
    said = str(raised.value)
    for words in (SWAP, "neither as before nor as after", "fingerprint", "ddl done", "ddl retry"):
        assert words in said
    locking.sql(
        f"DELETE FROM mysync.ddl_log WHERE pipeline='{locking.pipeline.name}' AND id={ddl.id}"
    )
    assert locking.execute(ddl) is Outcome.EXECUTED


def test_only_one_table_of_an_exchange_that_changed_stops_it(locking: Target) -> None:
    locking.sql(*STATEMENTS[EXCHANGE])
    ddl = locking.ddl(EXCHANGE)
    lose(locking, ddl, after=False)
    locking.sql("ALTER TABLE a FORCE")
    with pytest.raises(DdlUndecided, match=r"only once_\w+\.p is as it was"):
        locking.execute(ddl)


def test_a_server_of_another_version_words_definitions_in_its_own_way(locking: Target) -> None:
    locking.sql(*A_AND_B)
    ddl = locking.ddl("ALTER TABLE a ADD COLUMN x INT")
    lose(locking, ddl, after=False)
    locking.sql(
        "UPDATE mysync.ddl_log SET fingerprint = JSON_REPLACE(fingerprint, '$.server', '8.0.1')"
        f" WHERE pipeline='{locking.pipeline.name}'"
    )
    with pytest.raises(DdlUndecided, match=r"the server was 8\.0\.1 then"):
        locking.execute(ddl)


def test_a_statement_that_nobody_knows_runs_once_or_stops(locking: Target) -> None:
    known, lost = locking.ddl("DO 1"), locking.ddl("DO 2")
    assert locking.execute(known) is Outcome.EXECUTED
    lose(locking, lost, after=False)
    with pytest.raises(DdlUndecided, match="what it changes isn't known"):
        locking.execute(lost)


def test_a_grant_may_run_twice(locking: Target) -> None:
    user = f"w_{locking.db}"
    locking.sql(f"CREATE USER {user}")
    ddl = locking.ddl(f"GRANT SELECT ON {locking.db}.* TO {user}")
    lose(locking, ddl, after=True)
    assert locking.execute(ddl) is Outcome.EXECUTED
    locking.sql(f"DROP USER {user}")


def test_a_list_of_tables_that_was_dropped_in_part_is_gone_on_with(own_mariadb: SqlServer) -> None:
    target = Target(own_mariadb)
    target.sql(*A_AND_B, "CREATE TABLE c (id INT)")
    ddl = target.ddl("DROP TABLE a, b, c")
    lose(target, ddl, after=False)
    target.sql("DROP TABLE a")
    assert target.execute(ddl) is Outcome.EXECUTED
    assert target.sql("SHOW TABLES") == []
    assert target.execute(ddl) is Outcome.DONE_BEFORE


def test_a_drop_that_names_a_table_too_many_counts_on_mariadb(own_mariadb: SqlServer) -> None:
    """It drops the others, gives error 1051 and is logged as a success."""
    target = Target(own_mariadb)
    target.sql(*A_AND_B)
    ddl = target.ddl("DROP TABLE a, missing, b")
    assert target.execute(ddl) is Outcome.EXECUTED
    assert target.sql("SHOW TABLES") == []
    nothing = target.ddl("DROP TABLE missing")
    with pytest.raises(StatementFailed, match="1051"):
        target.execute(nothing)


def test_partitions_that_a_crash_left_without_their_table_do_not_stand_in_the_way(
    own_mariadb: SqlServer,
) -> None:
    target = Target(own_mariadb)
    ddl = target.ddl("CREATE TABLE a (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3")
    lose(target, ddl, after=False)
    target.sql(ddl.sql.decode())
    folder = own_mariadb.data_dir / target.db
    own_mariadb.kill()
    for name in ("a.frm", "a.par"):
        (folder / name).unlink()
    own_mariadb.start()
    assert target.execute(ddl) is Outcome.EXECUTED
    target.sql("INSERT INTO a VALUES (1), (2), (3)")


# -- others that execute


def test_a_live_session_that_executes_is_waited_for(target: Target) -> None:
    target.sql(*A_AND_B)
    ddl = target.ddl(SWAP)
    with target.server.connect(database=target.db) as reader, reader.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM a")
        patient = copy.copy(target)
        patient.apply = target.apply.model_copy(update={"lock_wait_timeout": 60})
        with Executing(patient, ddl) as first:
            wait_until(lambda: runs(target, ddl), "the first to wait for the table", 30)
            with Executing(target, ddl) as second:
                wait_until(lambda: waits(target, ddl), "the second to wait for the first", 30)
                assert second.answer is None
                reader.rollback()
        assert {first.answer, second.answer} == {Outcome.EXECUTED, Outcome.DONE_BEFORE}
    assert target.sql("SELECT id FROM a") == [(2,)]


def runs(target: Target, ddl: Ddl) -> bool:
    sql = ddl.sql.decode()
    return bool(target.sql(f"SELECT 1 FROM information_schema.processlist WHERE info = '{sql}'"))


def waits(target: Target, ddl: Ddl) -> bool:
    """For the lock, or for the GTID to be free."""
    if with_gtids(target):
        return f":{ddl.id}#" in str(target.sql("SELECT @@GLOBAL.gtid_owned"))
    return bool(
        target.sql(
            "SELECT 1 FROM information_schema.processlist"
            " WHERE info LIKE 'SELECT GET_LOCK%' AND id <> CONNECTION_ID()"
        )
    )


def test_an_idle_session_that_holds_the_lock_is_ended(locking: Target) -> None:
    """A zombie that was stopped before it sent its statement: it can't send it any more."""
    locking.sql(*A_AND_B)
    zombie = locking.session()
    ddllock.take(zombie.connection, locking.pipeline.name, locking.tenure)
    assert locking.execute(locking.ddl(SWAP)) is Outcome.EXECUTED
    with pytest.raises(Exception, match=r"2013|2006|1927"):
        zombie.run(b"DO 1")
    zombie.close()


def test_another_users_session_that_holds_the_lock_is_left_alone(locking: Target) -> None:
    user = f"u_{locking.db}"
    locking.sql(f"CREATE USER {user} IDENTIFIED BY 'x'")
    with locking.server.connect(user=user, password="x") as stranger, stranger.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (ddllock.lock_name(locking.pipeline.name),))
        with pytest.raises(TargetUnavailable, match=f"of user {user}"):
            locking.execute(locking.ddl("CREATE TABLE a (id INT)"))
        cursor.execute("SELECT 1")
    locking.sql(f"DROP USER {user}")


def test_a_revoked_owner_stops_waiting_for_the_lock(locking: Target) -> None:
    ddl = locking.ddl("CREATE TABLE a (id INT)")
    with locking.server.connect() as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (ddllock.lock_name(locking.pipeline.name),))
        busy = threading.Thread(target=cursor.execute, args=("DO SLEEP(3)",))
        busy.start()
        threading.Timer(0.5, locking.tenure.end).start()
        with pytest.raises(Revoked):
            locking.execute(ddl)
        busy.join()
    assert locking.state(ddl) == ""


def test_a_revoked_owner_stops_waiting_for_the_gtid(gtids: Target) -> None:
    ddl = gtids.ddl("CREATE TABLE a (id INT)")
    with gtids.server.connect() as other, other.cursor() as cursor:
        cursor.execute(f"SET gtid_next = '{gtids.pipeline.uuid}:{ddl.id}'")
        threading.Timer(0.5, gtids.tenure.end).start()
        with pytest.raises(Revoked):
            gtids.execute(ddl)
    assert gtids.state(ddl) == ""


# -- a target whose GTIDs are switched on or off in between


def without_gtids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ddlgtid, "are_used", lambda *_: False)


def test_one_that_was_begun_with_a_gtid_is_told_by_it(
    gtids: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    gtids.sql(*A_AND_B)
    done, not_sent = gtids.ddl(SWAP), gtids.ddl("TRUNCATE TABLE a")
    lose(gtids, done, after=True)
    lose(gtids, not_sent, after=False)
    without_gtids(monkeypatch)
    assert gtids.execute(done) is Outcome.DONE_BEFORE
    assert gtids.execute(not_sent) is Outcome.EXECUTED
    assert gtids.sql("SELECT * FROM a") == []


def test_one_that_was_begun_by_lock_is_told_by_its_fingerprint(
    gtids: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    gtids.sql(*A_AND_B)
    ddl = gtids.ddl(SWAP)
    with monkeypatch.context() as patch:
        without_gtids(patch)
        lose(gtids, ddl, after=True)
    assert gtids.execute(ddl) is Outcome.DONE_BEFORE
    assert gtids.sql("SELECT id FROM a") == [(2,)]


# -- privileges


def weaken(target: Target, *grants: str) -> str:
    """The target as an account sees it that has these privileges, and those on mysync.*; the
    account's name."""
    user = f"w_{target.db}"
    target.sql(
        f"CREATE USER {user} IDENTIFIED BY '{target.server.password}'",
        f"GRANT ALL ON mysync.* TO {user}",
        *(f"GRANT {grant} TO {user}" for grant in grants),
    )
    target.settings = target.settings.model_copy(update={"user": user})
    return user


def with_gtids(target: Target) -> bool:
    return target.server.kind == "mysql" and target.sql("SELECT @@GLOBAL.gtid_mode") == [("ON",)]


def test_a_privilege_that_is_missing_is_named_with_its_grant(target: Target) -> None:
    everywhere = ["REPLICATION_APPLIER ON *.*"] if with_gtids(target) else []
    user = weaken(target, f"SELECT, CREATE ON {target.db}.*", *everywhere)
    target.sql("CREATE TABLE a (id INT)")
    ddl = target.ddl("ALTER TABLE a ADD COLUMN x INT")
    with pytest.raises(StatementFailed) as raised:
        target.execute(ddl)
    assert raised.value.code == 1142
    assert "GRANT INSERT, ALTER, DROP" in str(raised.value)
    target.sql(f"GRANT ALTER, INSERT ON {target.db}.* TO {user}")
    assert target.execute(ddl) is Outcome.EXECUTED


def test_who_may_not_name_gtids_is_told(gtids: Target) -> None:
    user = weaken(gtids, f"ALL ON {gtids.db}.*")
    ddl = gtids.ddl("CREATE TABLE a (id INT)")
    with pytest.raises(StatementFailed, match=rf"GRANT REPLICATION_APPLIER ON \*\.\* TO '{user}'"):
        gtids.execute(ddl)
    gtids.sql(f"GRANT REPLICATION_APPLIER ON *.* TO {user}")
    assert gtids.execute(ddl) is Outcome.EXECUTED


def test_without_process_an_exchange_is_refused_before_it_is_sent(locking: Target) -> None:
    weaken(locking, f"ALL ON {locking.db}.*")
    locking.sql(*STATEMENTS[EXCHANGE], "CREATE TABLE b LIKE a", "INSERT INTO b VALUES (2)")
    for sql in (SWAP, EXCHANGE):
        with pytest.raises(StatementFailed, match=r"GRANT PROCESS ON \*\.\*"):
            locking.execute(locking.ddl(sql))
    assert locking.sql("SELECT id FROM a") == [(1,)]
    alone = locking.ddl("ALTER TABLE a ADD COLUMN x INT")
    lose(locking, alone, after=True)
    assert locking.execute(alone) is Outcome.DONE_BEFORE
    truncate = locking.ddl("TRUNCATE TABLE b")
    lose(locking, truncate, after=False)
    assert locking.execute(truncate) is Outcome.EXECUTED


@pytest.mark.parametrize(
    "names", [("größe", "a-b"), ("表", "a$b"), ("a#P#b", "a.b"), ("заказы", "товары")]
)
def test_tables_with_odd_names_are_told_apart(names: tuple[str, str], locking: Target) -> None:
    """MySQL's names of files aren't all known: it is said, and nothing is guessed."""
    a, b = names
    locking.sql(
        f"CREATE TABLE `{a}` (id INT PRIMARY KEY)",
        f"CREATE TABLE `{b}` (id INT PRIMARY KEY)",
        f"INSERT INTO `{b}` VALUES (2)",
    )
    ddl = locking.ddl(f"RENAME TABLE `{a}` TO tmp, `{b}` TO `{a}`, tmp TO `{b}`")
    if locking.server.kind == "mysql" and a == "заказы":
        with pytest.raises(StatementFailed, match="gtid_mode"):
            locking.execute(ddl)
        return
    lose(locking, ddl, after=False)
    lose(locking, ddl, after=True)
    assert locking.execute(ddl) is Outcome.DONE_BEFORE
    assert locking.sql(f"SELECT id FROM `{a}`") == [(2,)]


# -- a server that is killed

KILLED = ("truncate", "rename swap", "exchange partition", "drop of two", "add column by copy")


@pytest.mark.parametrize("kind", ["mysql", "plain", "mariadb"])
def test_a_target_that_is_killed_in_the_middle_has_each_effect_once(
    kind: str, private_lab: Lab
) -> None:
    options = WITHOUT_GTIDS if kind == "plain" else ()
    private_lab.add("victim", "mariadb" if kind == "mariadb" else "mysql", options)
    server = private_lab.mysql("victim")
    server.start()
    kills = Kills(Target(server), seed=len(kind))
    for name in KILLED:
        kills.kill(name)
    kills.lose_the_client("add column by copy", kill=False)
    kills.lose_the_client("add column by copy", kill=True)
    print(dict(kills.seen))


def test_the_session_is_open_for_other_statements_after_each(target: Target) -> None:
    session: StatementSession = target.session()
    target.sql(*A_AND_B)
    for sql in (SWAP, "TRUNCATE TABLE b", "ALTER TABLE b ADD x INT", "DROP TABLE a, b"):
        assert target.execute(target.ddl(sql), session) is Outcome.EXECUTED
    session.close()
