"""GTID sets against what the servers themselves say of them."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mysync_lab.lab import Lab
from mysync_lab.sql import SqlServer
from mysync_schemas.gtid import GtidSet, MariadbGtidSet

COM_BINLOG_DUMP_GTID = 0x1E
NON_BLOCKING = 0x01
PREVIOUS_GTIDS, GTID, GTID_TAGGED, CHECKSUM = 35, 33, 42, 4


def one(connection: Any, sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def write_something(connection: Any) -> None:
    """A server that has never written has an empty set."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS gtid_of_a_server")
        cursor.execute("DROP DATABASE gtid_of_a_server")


def random_set(rng: random.Random) -> str:
    entries = []
    for _ in range(rng.randrange(4)):
        uuid = f"{rng.randrange(3):08x}-0000-0000-0000-00000000000A"
        for tag in rng.sample(["", "blue:", "Red_1:"], rng.randrange(1, 4)):
            numbers = [rng.randrange(1, 40) for _ in range(rng.randrange(1, 5))]
            spans = [
                f"{n}-{n + rng.randrange(6)}" if rng.random() < 0.5 else f"{n}" for n in numbers
            ]
            entries.append(f"{uuid}:{tag}{':'.join(spans)}")
    return ",".join(entries)


def test_sets_are_what_mysql_makes_of_them(mysql_a: SqlServer) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    with mysql_a.connect() as connection:
        for _ in range(200):
            one_text, other_text = random_set(rng), random_set(rng)
            a, b = GtidSet.parse(one_text), GtidSet.parse(other_text)
            args = f"'{one_text}','{other_text}'"
            assert bool(one(connection, f"SELECT GTID_SUBSET({args})")) == a.issubset(b)
            rest = one(connection, f"SELECT GTID_SUBTRACT({args})")
            assert str(a.subtract(b)) == rest.replace("\n", "")
            same = one(connection, f"SELECT GTID_SUBTRACT('{one_text}','')")
            assert str(a) == same.replace("\n", "")


def test_the_servers_own_set_is_read(mysql_a: SqlServer) -> None:
    with mysql_a.connect() as connection:
        write_something(connection)
        text = one(connection, "SELECT @@gtid_executed")
        assert str(GtidSet.parse(text)) == text.replace("\n", "")
        assert not GtidSet.parse(text).isempty()


@pytest.fixture(scope="module")
def tagged_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlServer]:
    """A server of the test's own: tagged transactions stay in a server for ever."""
    lab = Lab(tmp_path_factory.mktemp("tagged"))
    lab.up("mysql-a")
    try:
        yield lab.mysql("mysql-a")
    finally:
        lab.remove("mysql-a")


def run_transactions(server: SqlServer, *gtids: str) -> None:
    with server.connect() as connection, connection.cursor() as cursor:
        for gtid in gtids:
            cursor.execute(f"SET gtid_next='{gtid}'")
            cursor.execute("COMMIT")
        cursor.execute("SET gtid_next='AUTOMATIC'")
        cursor.execute("FLUSH BINARY LOGS")


def previous_gtids(file: Path) -> bytes:
    """The body of the file's PREVIOUS_GTIDS event, without its checksum."""
    data = file.read_bytes()
    at = 4
    while True:
        kind, size = data[at + 4], struct.unpack_from("<I", data, at + 9)[0]
        if kind == PREVIOUS_GTIDS:
            return data[at + 19 : at + size - CHECKSUM]
        at += size


def dumped_kinds(server: SqlServer, gtids: GtidSet) -> list[int]:
    """Types of the events that the server sends to someone who has `gtids`."""
    block = gtids.encode()
    payload = struct.pack("<HIIQI", NON_BLOCKING, 4711, 0, 4, len(block)) + block
    connection: Any = server.connect()
    with connection.cursor() as cursor:
        cursor.execute("SET @source_binlog_checksum='CRC32'")
    connection._execute_command(COM_BINLOG_DUMP_GTID, payload)
    kinds = []
    while True:
        packet = connection._read_packet()
        if packet.is_eof_packet():
            connection._force_close()
            return kinds
        kinds.append(packet.get_all_data()[1 + 4])


def test_bytes_are_those_that_mysql_writes_and_takes(tagged_server: SqlServer) -> None:
    uuid = "0000000a-0000-0000-0000-00000000000a"
    plain = [f"{uuid}:{n}" for n in (1, 2, 3, 7)]
    run_transactions(tagged_server, *plain)
    with tagged_server.connect() as connection:
        files = tagged_server.data_dir
        newest = max(files.glob("binlog.0*"))
        written = previous_gtids(newest)
        executed = GtidSet.parse(one(connection, "SELECT @@gtid_executed"))
        assert not executed.tagged
        assert GtidSet.decode(written) == executed
        assert executed.encode() == written
        kinds = dumped_kinds(tagged_server, executed)
        assert GTID not in kinds
        assert GTID in dumped_kinds(tagged_server, executed.subtract(GtidSet.parse(plain[3])))

        tagged = [f"{uuid}:a:{n}" for n in (1, 2, 5)] + [f"{uuid}:{'t' * 32}:9"]
        run_transactions(tagged_server, *tagged)
        written = previous_gtids(max(files.glob("binlog.0*")))
        executed = GtidSet.parse(one(connection, "SELECT @@gtid_executed"))
        assert executed.tagged
        assert GtidSet.decode(written) == executed
        assert executed.encode() == written
        kinds = dumped_kinds(tagged_server, executed)
        assert GTID not in kinds
        assert GTID_TAGGED not in kinds
        missing = dumped_kinds(tagged_server, executed.subtract(GtidSet.parse(tagged[3])))
        assert missing.count(GTID_TAGGED) == 1


def test_mariadb_positions_are_the_servers(mariadb_a: SqlServer) -> None:
    with mariadb_a.connect() as connection:
        write_something(connection)
        text = one(connection, "SELECT @@gtid_binlog_pos")
        position = MariadbGtidSet.parse(text)
        assert set(str(position).split(",")) == set(text.split(","))
        assert not position.isempty()
