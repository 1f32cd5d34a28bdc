"""Whatever kind of log a server writes: all its rows come, and wherever between two transactions,
or within one, a capture begins, it goes on exactly as one that never ended."""

import base64
import random
import threading
from contextlib import suppress
from itertools import count
from pathlib import Path

import pymysql
import pytest

from binlog_kinds import KINDS, TABLES, Flavor, Kind, ordinary
from capture_rig import Captured, CaptureRig, Place
from mysync_lab.sql import SqlServer
from mysync_producer.events import EventType
from mysync_producer.filters import Filters
from mysync_runtime.errors import DdlInStream, UnsupportedEvent
from mysync_schemas.table import TableId

_numbers = count()


@pytest.fixture
def servers(own_mysql: SqlServer, own_mariadb: SqlServer) -> dict[Flavor, SqlServer]:
    return {"mysql": own_mysql, "mariadb": own_mariadb}


RUNS = [(kind, flavor) for kind in KINDS for flavor in kind.flavors]

pytestmark = pytest.mark.xdist_group("own servers")


@pytest.mark.parametrize(("kind", "flavor"), RUNS, ids=str)
def test_a_capture_from_any_place_is_the_rest_of_the_whole(
    kind: Kind, flavor: Flavor, servers: dict[Flavor, SqlServer]
) -> None:
    from_places(kind, servers[flavor], times=3, most=4)


@pytest.mark.soak
@pytest.mark.parametrize(("kind", "flavor"), RUNS, ids=str)
def test_a_capture_from_every_place_is_the_rest_of_the_whole(
    kind: Kind, flavor: Flavor, servers: dict[Flavor, SqlServer]
) -> None:
    from_places(kind, servers[flavor], times=8, most=1000)


def from_places(kind: Kind, server: SqlServer, times: int, most: int) -> None:
    """Runs the kind's statements so many times; begins at no more places of each sort than `most`.
    The seed is printed."""
    db = f"kinds_{next(_numbers)}"
    with server.connect(local_infile=True) as connection, connection.cursor() as cursor:

        def run(*statements: str) -> None:
            for statement in statements:
                cursor.execute(statement)

        run(f"CREATE DATABASE {db}", f"USE {db}", *TABLES, *kind.before)
        try:
            rig = CaptureRig(server, db)
            start = rig.here()
            for n in range(times):
                run(*kind.of(n))
            end = rig.end()
            whole = rig.capture(start, end)
            assert kind.types <= whole.types, whole.types
            rig.assert_shown(whole.records, cursor)
            seed = random.randrange(1 << 30)
            print(f"seed {seed}")
            chance = random.Random(seed)
            for place in some(chance, whole, most):
                rest = rig.capture(place, end)
                assert rest.records == whole.records[place.records :], place
        finally:
            run(*kind.after, f"DROP DATABASE {db}")


@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
def test_rows_that_a_binlog_statement_made_are_rows_like_any_other(
    flavor: Flavor, servers: dict[Flavor, SqlServer]
) -> None:
    """As a target writes them that is itself a source."""
    server, db = servers[flavor], f"kinds_{next(_numbers)}"
    with server.connect() as connection, connection.cursor() as cursor:
        try:
            for sql in (f"CREATE DATABASE {db}", f"USE {db}", *TABLES):
                cursor.execute(sql)
            rig = CaptureRig(server, db)
            start = rig.here()
            cursor.execute("INSERT INTO items VALUES (1, 'one', 1), (2, NULL, 2)")
            cursor.execute("INSERT INTO docs VALUES (1, '[1, {}]', NULL)")
            description, events = raw_events(server, start)
            cursor.execute("DELETE FROM items")
            cursor.execute("DELETE FROM docs")
            cursor.execute(binlog(description))
            if flavor == "mysql":  # it waits for a GTID event else
                cursor.execute("SET SESSION gtid_next = 'AUTOMATIC'")
            for sql in ("BEGIN", *map(binlog, events), "COMMIT"):
                cursor.execute(sql)
            whole = rig.capture(start, rig.end())
            assert [e["op"] for e in rig.decoded(whole.records)] == [*"ccc", *"ddd", *"ccc"]
            rig.assert_shown(whole.records, cursor)
            for place in whole.boundaries:
                rest = rig.capture(place, rig.end())
                assert rest.records == whole.records[place.records :], place
        finally:
            cursor.execute(f"DROP DATABASE {db}")


def binlog(data: bytes) -> str:
    return f"BINLOG '{base64.b64encode(data).decode()}'"


def raw_events(server: SqlServer, start: Place) -> tuple[bytes, list[bytes]]:
    """The log's format description, and its TABLE_MAPs with their rows from a place on."""
    data = (Path(server.data_dir) / start.position.file).read_bytes()
    size = int.from_bytes(data[13:17], "little")
    description, statements = data[4 : 4 + size], [b""]
    at = start.position.pos
    while at < len(data):
        kind, size = data[at + 4], int.from_bytes(data[at + 9 : at + 13], "little")
        if kind in (EventType.TABLE_MAP, EventType.WRITE_ROWS, EventType.WRITE_ROWS_V1):
            statements[-1] += data[at : at + size]
            if kind != EventType.TABLE_MAP:
                statements.append(b"")
        at += size
    return description, statements[:-1]


@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
def test_a_log_that_a_kill_of_the_source_broke_off(
    flavor: Flavor, servers: dict[Flavor, SqlServer]
) -> None:
    """Whatever it had committed by then comes, once, before what came after."""
    server, db = servers[flavor], f"kinds_{next(_numbers)}"
    with server.connect(database="mysql") as connection, connection.cursor() as cursor:
        for sql in (f"CREATE DATABASE {db}", f"USE {db}", *TABLES):
            cursor.execute(sql)
        rig = CaptureRig(server, db)
        start = rig.here()
        killer = threading.Timer(random.random() / 5, server.kill)
        with suppress(pymysql.err.Error):
            for n in count():
                if n == 6:
                    killer.start()
                mine = f"id BETWEEN {n * 10} AND {n * 10 + 4}"
                copy = f"INSERT INTO others SELECT id + 5, n, LEFT(name, 9) FROM items WHERE {mine}"
                for sql in (*ordinary(n), copy):
                    cursor.execute(sql)
    killer.join()
    server.start()
    with server.connect(database=db) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO others VALUES (-1, 1, 'after it')")
        end = rig.end()
        whole = rig.capture(start, end)
        assert len(whole.records) > 50
        rig.assert_shown(whole.records, cursor)
        for place in (*whole.boundaries[-4:], *whole.parts[-8::2]):
            rest = rig.capture(place, end)
            assert rest.records == whole.records[place.records :], place
        cursor.execute(f"DROP DATABASE {db}")


METADATA = {"mysql": "MINIMAL", "mariadb": "NO_LOG"}


@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
def test_column_names_are_each_events_own_whatever_the_variable_says_by_now(
    flavor: Flavor, servers: dict[Flavor, SqlServer]
) -> None:
    server, db = servers[flavor], f"kinds_{next(_numbers)}"
    variable = "SET GLOBAL binlog_row_metadata"
    create = "CREATE TABLE t (id INT UNSIGNED PRIMARY KEY, e ENUM('ä','b') CHARACTER SET latin1)"
    with server.connect() as connection, connection.cursor() as cursor:
        for sql in (f"CREATE DATABASE {db}", f"USE {db}", create):
            cursor.execute(sql)
        rig = CaptureRig(server, db)
        start = rig.here()
        try:
            cursor.execute("INSERT INTO t VALUES (4294967295, 'ä')")
            end = rig.end()
            cursor.execute(f"{variable} = '{METADATA[flavor]}'")
            rig.assert_shown(rig.capture(start, end).records, cursor)
            cursor.execute("FLUSH TABLES")
            cursor.execute("INSERT INTO t VALUES (1, 'b')")
            cursor.execute(f"{variable} = 'FULL'")
            with pytest.raises(UnsupportedEvent, match="without column names"):
                rig.capture(start, rig.end())
        finally:
            cursor.execute(f"{variable} = 'FULL'")
            cursor.execute(f"DROP DATABASE {db}")


def test_files_that_begin_with_tagged_gtids_are_read_from_any_place(own_mysql: SqlServer) -> None:
    """Readers that don't know of tags break at the list that begins each later file."""
    db = f"kinds_{next(_numbers)}"
    with own_mysql.connect() as connection, connection.cursor() as cursor:
        for sql in (f"CREATE DATABASE {db}", f"USE {db}", *TABLES):
            cursor.execute(sql)
        rig = CaptureRig(own_mysql, db)
        start = rig.here()
        for n in range(3):
            tag = ("", ":blue", "")[n]
            for sql in (f"SET SESSION gtid_next = 'AUTOMATIC{tag}'", *ordinary(n)):
                cursor.execute(sql)
            cursor.execute("SET SESSION gtid_next = 'AUTOMATIC'")
            cursor.execute("FLUSH BINARY LOGS")
        end = rig.end()
        whole = rig.capture(start, end)
        assert {EventType.PREVIOUS_GTIDS, EventType.GTID_TAGGED} <= whole.types
        rig.assert_shown(whole.records, cursor)
        assert any(":blue:" in (place.gtids or "") for place in whole.boundaries)
        for place in whole.boundaries:
            assert rig.capture(place, end).records == whole.records[place.records :], place
        cursor.execute(f"DROP DATABASE {db}")


@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
def test_who_begins_before_the_first_transaction_misses_none(
    flavor: Flavor, servers: dict[Flavor, SqlServer]
) -> None:
    """No GTIDs at all aren't a wish to begin at the log's end."""
    server, db = servers[flavor], f"kinds_{next(_numbers)}"
    reset = "RESET MASTER" if flavor == "mariadb" else "RESET BINARY LOGS AND GTIDS"
    with server.connect() as connection, connection.cursor() as cursor:
        for sql in (f"CREATE DATABASE {db}", f"USE {db}", *TABLES, reset):
            cursor.execute(sql)
        rig = CaptureRig(server, db)
        start = rig.here()
        assert start.gtids == ""
        for sql in ordinary(1):
            cursor.execute(sql)
        rig.assert_shown(rig.capture(start, rig.end()).records, cursor)
        cursor.execute(f"DROP DATABASE {db}")


def test_an_alter_in_two_phases_passes_for_other_tables_and_is_carried_once_for_ours(
    own_mariadb: SqlServer,
) -> None:
    """Its events carry a variable that not every reader knows, and the statement twice."""
    db = f"kinds_{next(_numbers)}"
    with own_mariadb.connect() as connection, connection.cursor() as cursor:
        for sql in (f"CREATE DATABASE {db}", f"USE {db}", *TABLES, f"CREATE DATABASE {db}_not"):
            cursor.execute(sql)
        cursor.execute(f"CREATE TABLE {db}_not.t (id INT PRIMARY KEY)")
        rig = CaptureRig(own_mariadb, db)
        start = rig.here()
        alter = "ALTER TABLE {} ADD COLUMN c INT"
        cursor.execute("SET SESSION binlog_alter_two_phase = ON")
        for sql in (*ordinary(1), alter.format(f"{db}_not.t"), *ordinary(2)):
            cursor.execute(sql)
        rig.assert_shown(rig.capture(start, rig.end()).records, cursor)
        cursor.execute(alter.format("docs"))
        rig.capture(start, rig.end())
        assert [change.effects.changed for change in rig.carried] == [(TableId(db, "docs"),)]
        for name in (db, f"{db}_not"):
            cursor.execute(f"DROP DATABASE {name}")


@pytest.mark.parametrize(
    ("charset", "written", "table", "readable"),
    [
        ("latin1", b"sp\xe4t", "sp\xe4t", True),
        ("latin1", b"c\x81", "c\x81", False),  # Windows-1252 doesn't define it, the servers do
        ("gbk", b"\xc3\xa4", "\u76f2", False),  # as UTF-8 it would be another name
        ("koi8r", b"\xc3\xa4", "\u0446\u2553", False),
    ],
)
@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
def test_a_statement_in_another_character_set_is_carried_or_stops_and_never_passes(
    flavor: Flavor,
    servers: dict[Flavor, SqlServer],
    charset: str,
    written: bytes,
    table: str,
    readable: bool,
) -> None:
    server, db = servers[flavor], f"kinds_{next(_numbers)}"
    with server.connect(database="mysql") as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {db}")
        cursor.execute(f"CREATE TABLE {db}.`{table}` (id INT PRIMARY KEY)")
        rig = CaptureRig(server, db)
        rig.filters = Filters([f"{db}.{table}"])
        start = rig.here()
        cursor.execute(f"SET NAMES {charset}")
        connection.query(b"TRUNCATE " + db.encode() + b".`" + written + b"`")
        if readable:
            rig.capture(start, rig.end())
            assert [change.effects.changed for change in rig.carried] == [(TableId(db, table),)]
        else:
            with pytest.raises(DdlInStream):
                rig.capture(start, rig.end())
        cursor.execute("SET NAMES utf8mb4")
        cursor.execute(f"DROP DATABASE {db}")


def some(chance: random.Random, whole: Captured, most: int) -> list[Place]:
    """Places between transactions and within."""
    return [
        place
        for places in (whole.boundaries, whole.parts)
        for place in chance.sample(places, min(len(places), most))
    ]
