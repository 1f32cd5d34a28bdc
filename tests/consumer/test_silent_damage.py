"""What a target's replication applier does wrong without any error, provoked on real servers; and
that what we send it can't come to that."""

import struct
import time
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from binlog_kinds import Flavor
from fix_images import imported
from fix_own_servers import run_sql
from image_rig import Records, Target
from mysync_consumer.errors import ApplyRefused
from mysync_consumer.rowevents import HEADER, binlog
from mysync_consumer.session import Packet, Session
from mysync_lab.sql import SqlServer
from mysync_runtime.errors import PreflightError
from mysync_runtime.settings import ApplySettings, TargetSettings

pytestmark = pytest.mark.xdist_group("own servers")

NOW = 1_700_000_000
UNCHECKED = 0x2


def open_session(server: SqlServer) -> Session:
    """As a worker does."""
    address = {"host": server.host, "port": server.port}
    login = {"user": server.user, "password": server.password, "ssl": {"mode": "disabled"}}
    return Session.open(TargetSettings.model_validate(address | login), ApplySettings())


class Applier:
    """A database on a server of the tests' own, and a worker's session that applies rows there."""

    def __init__(self, server: SqlServer) -> None:
        self.target = Target(server, "damage", imported())
        self.sql = self.target.sql
        self.sql("CREATE TABLE checkpoint (n INT)", "INSERT INTO checkpoint VALUES (0)")
        self.session = open_session(server)
        self.target.run(f"USE `{self.target.db}`")
        with self.session.connection.cursor() as cursor:
            cursor.execute(f"USE `{self.target.db}`")

    def close(self) -> None:
        self.session.close()
        self.target.close()

    def made(self, name: str, definition: str) -> tuple[Any, Records]:
        self.sql(f"CREATE TABLE {name} ({definition})")
        schema = self.target.schema(name)
        return self.target.plan(schema, name), Records(schema)

    def apply(self, *writers: Any) -> None:
        """In one transaction, each by itself."""
        packets = [Packet(writer.statement(int(time.time()))) for writer in writers]
        self.session.transact("UPDATE checkpoint SET n = n + 1", [], packets)

    def checkpoint(self) -> int:
        ((found,),) = self.sql("SELECT n FROM checkpoint")
        return int(found)


@pytest.fixture(params=["mysql", "mariadb"])
def flavor(request: pytest.FixtureRequest) -> Flavor:
    found: Flavor = request.param
    return found


@pytest.fixture
def applier(request: pytest.FixtureRequest, flavor: Flavor) -> Iterator[Applier]:
    applier = Applier(request.getfixturevalue(f"own_{flavor}"))
    yield applier
    applier.close()


def inserts(records: Records, *rows: dict[str, Any]) -> list[bytes]:
    return [records.encode("c", None, row) for row in rows]


def split(data: bytes) -> list[tuple[int, bytes]]:
    """Kind and body of each event."""
    found = []
    while data:
        (size,) = struct.unpack_from("<9xI", data)
        found.append((data[4], data[HEADER.size : size]))
        data = data[size:]
    return found


def event(kind: int, body: bytes) -> bytes:
    return HEADER.pack(int(time.time()), kind, 1, HEADER.size + len(body), 0, 0) + body


def test_rows_behind_a_finished_group_are_ignored_with_ok_so_every_group_has_its_maps(
    applier: Applier,
) -> None:
    plan, records = applier.made("t", "id INT PRIMARY KEY, v INT")
    target, rows = applier.target, inserts(records, *({"id": i, "v": i} for i in range(3)))
    writer = target.writer()
    for row in rows:
        target.add(writer, plan, [row])
    (table_map, first) = split(writer.events(NOW))
    target.run(binlog(event(*table_map) + event(*first) + event(*first)))
    assert applier.sql("SELECT id FROM t ORDER BY id") == [(0,), (1,), (2,)], "and no error 1062"
    applier.sql("DELETE FROM t")
    writer.clear()
    for number, row in enumerate(rows):
        target.add(writer, plan, [row], number % 2 * UNCHECKED)
    assert len(writer.groups) == 3
    target.apply(writer)
    assert applier.sql("SELECT id FROM t ORDER BY id") == [(0,), (1,), (2,)]


def test_rows_events_are_of_the_version_that_both_servers_take(
    applier: Applier, flavor: Flavor
) -> None:
    """MySQL refuses version 1; MariaDB reads other values from it, under our format description."""
    plan, records = applier.made("t", "id INT PRIMARY KEY, v INT")
    target, writer = applier.target, applier.target.writer()
    target.add(writer, plan, inserts(records, {"id": 7, "v": 70}))
    table_map, (kind, body) = split(writer.events(NOW))
    assert kind == 30
    if flavor == "mysql":
        with pytest.raises(pymysql.MySQLError):
            target.run(binlog(event(*table_map) + event(23, body[:8] + body[10:])))
    target.apply(writer)
    assert applier.sql("SELECT id, v FROM t") == [(7, 70)]


def test_a_null_that_would_become_a_zero_with_a_warning_is_an_error(applier: Applier) -> None:
    plan, records = applier.made("t", "id INT PRIMARY KEY, v INT, s VARCHAR(9)")
    applier.sql("ALTER TABLE t MODIFY v INT NOT NULL, MODIFY s VARCHAR(9) NOT NULL")
    writer = applier.target.writer()
    applier.target.add(writer, plan, inserts(records, {"id": 1, "v": None, "s": None}))
    applier.target.run(writer.statement(NOW))
    assert applier.sql("SELECT id, v, s FROM t") == [(1, 0, "")], "without a word"
    applier.sql("DELETE FROM t")
    with pytest.raises(ApplyRefused, match="warning"):
        applier.apply(writer)
    assert applier.sql("SELECT * FROM t") == []
    assert applier.checkpoint() == 0


def test_groups_before_one_that_fails_are_taken_back_with_it(applier: Applier) -> None:
    plan, records = applier.made("t", "id INT PRIMARY KEY, v INT")
    applier.sql("INSERT INTO t VALUES (3, 30)")
    writer = applier.target.writer()
    for id_ in range(1, 4):
        flags = id_ % 2 * UNCHECKED
        applier.target.add(writer, plan, inserts(records, {"id": id_, "v": id_}), flags)
    assert len(writer.groups) == 3
    applier.target.run("BEGIN")
    with pytest.raises(pymysql.err.IntegrityError):
        applier.target.run(writer.statement(NOW))
    found = applier.target.run("SELECT id FROM t ORDER BY id")
    applier.target.run("ROLLBACK")
    assert found == [(1,), (2,), (3,)], "the statement isn't atomic"
    others = [applier.target.writer() for _ in range(2)]
    for number, other in enumerate(others):
        applier.target.add(other, plan, inserts(records, {"id": 10 + number, "v": 0}))
    for together in ([writer], [*others, writer]):
        with pytest.raises(ApplyRefused):
            applier.apply(*together)
        assert applier.sql("SELECT id, v FROM t") == [(3, 30)]
        assert applier.checkpoint() == 0
    applier.apply(*others)
    assert applier.sql("SELECT id FROM t ORDER BY id") == [(3,), (10,), (11,)]
    assert applier.checkpoint() == 1


@pytest.mark.parametrize("session", [0, 1])
def test_foreign_keys_are_checked_as_the_event_says_whatever_the_session_says(
    applier: Applier, session: int
) -> None:
    applier.sql("CREATE TABLE mother (id INT PRIMARY KEY)")
    plan, records = applier.made(
        "kid", "id INT PRIMARY KEY, m INT, FOREIGN KEY (m) REFERENCES mother (id)"
    )
    with applier.session.connection.cursor() as cursor:
        cursor.execute(f"SET foreign_key_checks = {session}")
    writer = applier.target.writer()
    applier.target.add(writer, plan, inserts(records, {"id": 1, "m": 9}), 0)
    with pytest.raises(ApplyRefused, match="foreign key constraint"):
        applier.apply(writer)
    writer.clear()
    applier.target.add(writer, plan, inserts(records, {"id": 1, "m": 9}), UNCHECKED)
    applier.apply(writer)
    assert applier.sql("SELECT id, m FROM kid") == [(1, 9)]


LENIENT = {"slave_exec_mode": ("IDEMPOTENT", "STRICT"), "slave_run_triggers_for_rbr": ("YES", "NO")}


@pytest.mark.parametrize(
    ("variable", "row", "damage"),
    [
        ("slave_exec_mode", {"id": 1, "v": 5}, [(1, 5)]),
        ("slave_run_triggers_for_rbr", {"id": 2, "v": 5}, [(1, 1), (2, 10)]),
    ],
)
def test_a_target_that_was_made_lenient_meanwhile_is_written_no_more(
    own_mariadb: SqlServer, variable: str, row: dict[str, int], damage: list[tuple[int, int]]
) -> None:
    """Both variables hold at once, in sessions that are connected too."""
    lenient, strict = LENIENT[variable]
    applier = Applier(own_mariadb)
    plan, records = applier.made("t", "id INT PRIMARY KEY, v INT")
    doubled = "CREATE TRIGGER doubled BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 2 * NEW.v"
    applier.sql("INSERT INTO t VALUES (1, 1)", doubled)
    writer = applier.target.writer()
    applier.target.add(writer, plan, inserts(records, row))
    try:
        run_sql(own_mariadb, f"SET GLOBAL {variable} = '{lenient}'")
        applier.target.run("BEGIN")
        applier.target.run(writer.statement(NOW))
        assert applier.target.run("SELECT id, v FROM t ORDER BY id") == damage
        applier.target.run("ROLLBACK")
        with pytest.raises(PreflightError, match=f"{variable} is {lenient}"):
            applier.apply(writer)
        assert applier.checkpoint() == 0
        with pytest.raises(PreflightError, match=f"{variable} is {lenient}"):
            open_session(own_mariadb)
        assert applier.sql("SELECT id, v FROM t") == [(1, 1)]
    finally:
        run_sql(own_mariadb, f"SET GLOBAL {variable} = '{strict}'")
        applier.close()
