"""A source whose log isn't the one that was read any more, though it has the same server and looks
longer than what was read: the producer stops, and says what became of the log."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from fix_capture import MakeOwnPublished, Published
from fix_own_servers import run_sql
from mysync_lab.sql import SqlServer
from provoked import ended
from refusals import Refusal, row, rows

pytestmark = pytest.mark.xdist_group("own servers")

TABLE = "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200))"
ROW = "INSERT INTO t (v) VALUES (REPEAT('v', 200))"

Begun = Callable[[SqlServer], Published]


@pytest.fixture
def begun(make_own_published: MakeOwnPublished) -> Iterator[Begun]:
    """Makes a pipeline that has published a row, and stops its producer."""
    with ExitStack() as stack:

        def make(server: SqlServer) -> Published:
            published = stack.enter_context(make_own_published(server, topics={"partitions": 1}))
            published.on_source(TABLE)
            published.start()
            published.on_source(ROW)
            published.catch_up()
            assert published.producer.stop() == 0
            return published

        yield make


def reset(server: SqlServer) -> None:
    mariadb = server.kind == "mariadb"
    run_sql(server, "RESET MASTER" if mariadb else "RESET BINARY LOGS AND GTIDS")


def write(published: Published, rows: int) -> None:
    published.on_source(*[ROW] * rows)


def check(published: Published, refusal: Refusal) -> None:
    published.producer.start()
    refusal.check(*ended(published.producer))


@pytest.mark.parametrize("name", ["own_mysql", "plain_mysql", "own_mariadb"])
def test_a_log_that_was_begun_anew_and_is_longer_now_is_another_one(
    name: str, request: pytest.FixtureRequest, begun: Begun
) -> None:
    server = request.getfixturevalue(name)
    reset(server)
    published = begun(server)
    reset(server)
    write(published, 40)
    check(published, row("a log begun anew that is longer than what was read"))


def test_a_log_that_is_begun_anew_under_a_running_producer_is_another_one(
    own_mysql: SqlServer, begun: Begun
) -> None:
    """MariaDB's dump goes on in the new log, at the old place, and says nothing of it."""
    reset(own_mysql)
    published = begun(own_mysql)
    published.start()
    published.catch_up()
    reset(own_mysql)
    write(published, 40)
    # How far the new log has come when the dump is asked for again decides which words are said.
    refusal = row("a log begun anew that is longer than what was read")
    replace(refusal, words=("Point `source`",)).check(*ended(published.producer))


def test_a_log_that_was_begun_anew_has_fewer_files(own_mysql: SqlServer, begun: Begun) -> None:
    """Its GTIDs are those that were given before, and more."""
    reset(own_mysql)
    run_sql(own_mysql, "FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
    published = begun(own_mysql)
    reset(own_mysql)
    write(published, 40)
    check(published, row("a log begun anew with fewer files and more GTIDs"))


def test_a_log_that_was_begun_anew_has_fewer_gtids(own_mariadb: SqlServer, begun: Begun) -> None:
    published = begun(own_mariadb)
    reset(own_mariadb)
    check(published, row("a log begun anew with no GTIDs yet"))


@pytest.mark.parametrize("name", ["own_mysql", "own_mariadb"])
def test_a_log_that_somebody_deleted_is_lost(
    name: str, request: pytest.FixtureRequest, begun: Begun
) -> None:
    server = request.getfixturevalue(name)
    published = begun(server)
    write(published, 1)
    *_, (file, *_) = run_sql(server, "SHOW BINARY LOGS")
    ((base,),) = run_sql(server, "SELECT @@log_bin_basename")
    run_sql(server, "FLUSH BINARY LOGS")
    Path(base).with_name(file).unlink()
    check(published, row("a binary log deleted from the disk"))
    reset(server)


def test_a_server_that_was_restored_and_has_written_more_since_is_another_one(
    own_mysql: SqlServer, begun: Begun, tmp_path: Path
) -> None:
    ((place,),) = run_sql(own_mysql, "SELECT @@datadir")
    own_mysql.stop()
    shutil.copytree(place, tmp_path / "backup")
    own_mysql.start()
    published = begun(own_mysql)
    own_mysql.stop()
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "backup", place)
    own_mysql.start()
    run_sql(own_mysql, f"CREATE DATABASE {published.db}")
    published.on_source(TABLE)
    write(published, 40)
    check(published, row("a source restored from a backup that has written more since"))


@pytest.mark.parametrize("refusal", rows("lost"), ids=str)
def test_every_lost_log_is_tried(refusal: Refusal) -> None:
    """By one of the tests above, which differ in what they do to the server."""
    assert f'row("{refusal.cause}")' in Path(__file__).read_text()
