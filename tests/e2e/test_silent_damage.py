"""What goes wrong without any error elsewhere, from a source to a target: values that tools alter,
and rows that a foreign key writes without logging them. Both servers are asked, nobody else."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import pytest

from fix_pipeline import Replica
from mysync_lab.kafka import KafkaServer
from mysync_lab.sql import SqlServer

Flavor = Literal["mysql", "mariadb"]
BOTH: tuple[Flavor, ...] = ("mysql", "mariadb")
MYSQL: tuple[Flavor, ...] = ("mysql",)
MARIADB: tuple[Flavor, ...] = ("mariadb",)

HEX = "HEX(v)"
TEXT = "CAST(v AS CHAR)"
NUMBER = "v + 0"


@dataclass(frozen=True)
class Value:
    """A column `v`: literals, how a server is asked for it, and what it must say."""

    column: str
    shown_by: str
    values: Mapping[str, str | int | None]
    flavors: tuple[Flavor, ...] = BOTH


TYPES_INSIDE = ", ".join(f"JSON_TYPE(JSON_EXTRACT(v, '$[{i}]'))" for i in range(6))

VALUES: Mapping[str, Value] = {
    "a negative TIME with a fraction": Value(
        "TIME(6)",
        TEXT,
        {
            "'-00:00:00.000001'": "-00:00:00.000001",
            "'-838:59:58.999999'": "-838:59:58.999999",
            "'00:00:00'": "00:00:00.000000",
        },
    ),
    "zero and partial dates": Value(
        "DATE",
        TEXT,
        {
            "'0000-00-00'": "0000-00-00",
            "'2020-00-31'": "2020-00-31",
            "'2020-02-00'": "2020-02-00",
            "NULL": None,
        },
    ),
    "zero and partial DATETIMEs": Value(
        "DATETIME(3)",
        TEXT,
        {
            "'0000-00-00'": "0000-00-00 00:00:00.000",
            "'2020-00-31 01:02:03.004'": "2020-00-31 01:02:03.004",
        },
    ),
    "a zero TIMESTAMP": Value(
        "TIMESTAMP NULL",
        TEXT,
        {
            "0": "0000-00-00 00:00:00",
            "'1970-01-01 00:00:01'": "1970-01-01 00:00:01",
            "'2038-01-19 03:14:07'": "2038-01-19 03:14:07",
        },
    ),
    "the year 0000": Value("YEAR", NUMBER, {"0000": 0, "1901": 1901, "2000": 2000}),
    "unsigned numbers past the signed ones": Value(
        "BIGINT UNSIGNED", TEXT, {"18446744073709551615": "18446744073709551615"}
    ),
    "a small unsigned number past the signed ones": Value(
        "TINYINT UNSIGNED", NUMBER, {"255": 255, "128": 128}
    ),
    "all digits of a DECIMAL": Value(
        "DECIMAL(65,30)", TEXT, {f"-{'9' * 35}.{'9' * 30}": f"-{'9' * 35}.{'9' * 30}"}
    ),
    "the sign of zero": Value("DOUBLE", TEXT, {"-0e0": "-0", "0e0": "0"}, MYSQL),
    "all bits of a BIT": Value("BIT(64)", HEX, {"~0": "F" * 16, "1": "1", "0": "0"}),
    "trailing zero bytes of BINARY": Value(
        "BINARY(4)", HEX, {"x'61000000'": "61000000", "x''": "00000000", "x'20'": "20000000"}
    ),
    "trailing zero bytes of VARBINARY": Value(
        "VARBINARY(4)", HEX, {"x'6100'": "6100", "x'61'": "61"}
    ),
    "an empty BLOB beside NULL": Value("BLOB", HEX, {"''": "", "NULL": None}),
    "labels of an ENUM in latin1": Value(
        "ENUM('ä','é') CHARACTER SET latin1", HEX, {"'ä'": "E4", "'é'": "E9"}
    ),
    "labels of a SET in latin1": Value(
        "SET('ä','é') CHARACTER SET latin1", HEX, {"'ä,é'": "E42CE9", "'é'": "E9"}
    ),
    "labels of an ENUM in GBK": Value(
        "ENUM('中','文') CHARACTER SET gbk", HEX, {"'中'": "D6D0", "'文'": "CEC4"}
    ),
    "the error value of an ENUM beside an empty label": Value(
        "ENUM('a','')", NUMBER, {"'none'": 0, "'a'": 1, "''": 2}
    ),
    "a SET of nothing beside one of an empty label": Value(
        "SET('','b')", NUMBER, {"0": 0, "1": 1, "2": 2, "3": 3}
    ),
    "bytes that Windows-1252 doesn't define": Value(
        "VARCHAR(9) CHARACTER SET latin1", HEX, {"x'818d8f909d'": "818D8F909D"}
    ),
    "a backslash in Shift JIS": Value(
        "VARCHAR(9) CHARACTER SET sjis", HEX, {"x'5c815f'": "5C815F"}
    ),
    "the order of bytes in UTF-16": Value(
        "VARCHAR(9) CHARACTER SET utf16", HEX, {"x'00e4d83dde00'": "00E4D83DDE00"}
    ),
    "UTF-16 in a collation that only MariaDB has": Value(
        "VARCHAR(9) CHARACTER SET utf16 COLLATE utf16_uca1400_ai_ci",
        HEX,
        {"x'00e4d83dde00'": "00E4D83DDE00"},
        MARIADB,
    ),
    "text in UTF-32": Value("VARCHAR(9) CHARACTER SET utf32", HEX, {"x'0001f600'": "0001F600"}),
    "text in UCS-2": Value("VARCHAR(9) CHARACTER SET ucs2", HEX, {"x'00e44e2d'": "00E44E2D"}),
    "text in a character set that Python lacks": Value(
        "VARCHAR(9) CHARACTER SET geostd8", HEX, {"x'c0c1c2'": "C0C1C2"}
    ),
    "a character that Python maps otherwise": Value(
        "VARCHAR(9) CHARACTER SET koi8u", HEX, {"x'95'": "95"}
    ),
    "a surrogate in utf8mb4": Value(
        "VARCHAR(9) CHARACTER SET utf8mb4", HEX, {"x'61eda080'": "61EDA080"}, MARIADB
    ),
    "JSON's null beside NULL": Value("JSON", "JSON_TYPE(v)", {"'null'": "NULL", "NULL": None}),
    "the types inside a JSON document": Value(
        "JSON",
        f"CONCAT_WS(',', {TYPES_INSIDE})",
        {
            (
                "JSON_ARRAY(CAST(1 AS UNSIGNED), 1.50, DATE'2020-01-01', TIME'-30:00:00.5',"
                " TIMESTAMP'2020-01-01 00:00:00', x'00ff')"
            ): "UNSIGNED INTEGER,DECIMAL,DATE,TIME,DATETIME,BLOB"
        },
        MYSQL,
    ),
    "a TIME of more than a day in a JSON document": Value(
        "JSON", TEXT, {"JSON_ARRAY(TIME'-100:00:00.5')": '["-100:00:00.500000"]'}, MYSQL
    ),
    "bytes in a JSON document": Value(
        "JSON", TEXT, {"JSON_ARRAY(b'101')": '["base64:type15:BQ=="]'}, MYSQL
    ),
    "a VECTOR": Value("VECTOR(2)", HEX, {"TO_VECTOR('[1,-2]')": "0000803F000000C0"}, MYSQL),
    "a COMPRESSED column": Value(
        "BLOB COMPRESSED",
        "SHA2(v, 256)",
        {"REPEAT('ab', 9000)": sha256(b"ab" * 9000).hexdigest()},
        MARIADB,
    ),
    "an INET6 that ends in zero bytes": Value(
        "INET6", TEXT, {"'2001:db8::'": "2001:db8::", "'::'": "::"}, MARIADB
    ),
    "a UUID that ends in zero bytes": Value(
        "UUID",
        TEXT,
        {"'123e4567-e89b-12d3-a456-420000000000'": "123e4567-e89b-12d3-a456-420000000000"},
        MARIADB,
    ),
    "the reference system of a geometry": Value(
        "GEOMETRY",
        "CONCAT(ST_SRID(v), ' ', ST_AsText(v))",
        {"ST_GeomFromText('POINT(1 2)', 4326)": "4326 POINT(1 2)"},
    ),
}
TABLES = {what: f"v{number}" for number, what in enumerate(VALUES)}


Crossed = Callable[..., Replica]


@pytest.fixture(scope="module")
def crossed(
    request: pytest.FixtureRequest, kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crossed]:
    """Begins a pipeline at the first question for it: all of its rows have crossed then."""
    made: dict[tuple[object, ...], Replica] = {}

    def make(run: Callable[[Replica, Flavor], None], flavor: Flavor, via: str) -> Replica:
        if (run, flavor, via) not in made:
            servers = [request.getfixturevalue(f"{flavor}_{side}") for side in "ab"]
            folder = tmp_path_factory.mktemp("damage")
            replica = Replica(folder, *servers, kafka, apply={"via": via})
            made[run, flavor, via] = replica
            run(replica, flavor)
            replica.catch_up()
        return made[run, flavor, via]

    yield make
    for replica in made.values():
        replica.end(kafka)


def write_values(replica: Replica, flavor: Flavor) -> None:
    """All values that the server has: as an insert, and as both sides of an update."""
    mine = [(TABLES[what], value) for what, value in VALUES.items() if flavor in value.flavors]
    replica.create(
        *(f"CREATE TABLE {name} (id INT PRIMARY KEY, v {value.column})" for name, value in mine)
    )
    replica.start()
    replica.on_source(
        "SET sql_mode = 'NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'",
        *(
            f"INSERT INTO {name} VALUES ({number}, {literal})"
            for name, value in mine
            for number, literal in enumerate(value.values)
        ),
        *(f"UPDATE {name} SET id = id + 100" for name, _ in mine),
    )


@pytest.mark.parametrize(
    ("flavor", "what"),
    [(flavor, what) for flavor in BOTH for what in VALUES if flavor in VALUES[what].flavors],
)
def test_a_value_is_the_same_on_both_servers(crossed: Crossed, flavor: Flavor, what: str) -> None:
    value = VALUES[what]
    replica = crossed(write_values, flavor, "row_events")
    query = f"SELECT {value.shown_by} FROM {TABLES[what]} ORDER BY id"
    expected = [(shown,) for shown in value.values.values()]
    assert asked(replica, replica.source, query) == expected
    assert asked(replica, replica.target, query) == expected


def asked(replica: Replica, server: SqlServer, query: str) -> list[tuple[object, ...]]:
    with server.connect(database=replica.db) as connection, connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute(query)
        return list(cursor.fetchall())


# -- foreign keys ----------------------------------------------------------------------------------

FAMILY = (
    "CREATE TABLE mothers{0} (id INT PRIMARY KEY, name VARCHAR(9))",
    (
        "CREATE TABLE kids{0} (id INT PRIMARY KEY, mother INT, FOREIGN KEY (mother)"
        " REFERENCES mothers{0} (id) ON DELETE CASCADE ON UPDATE CASCADE)"
    ),
    (
        "CREATE TABLE wards{0} (id INT PRIMARY KEY, mother INT, FOREIGN KEY (mother)"
        " REFERENCES mothers{0} (id) ON DELETE SET NULL ON UPDATE CASCADE)"
    ),
)
ROWS = (
    "INSERT INTO mothers{0} VALUES (1, 'one'), (2, 'two'), (3, 'three')",
    "INSERT INTO kids{0} VALUES (1, 1), (2, 2), (3, 3), (20, 2)",
    "INSERT INTO wards{0} VALUES (1, 1), (2, 2)",
)
Rows = list[tuple[int, int | None]]


@dataclass(frozen=True)
class Cascade:
    """Statements, and what the children hold then."""

    changes: tuple[str, ...]
    kids: Rows
    wards: Rows


CASCADES: Mapping[str, Cascade] = {
    # A deletion and an insertion in the update's place would delete the children.
    "a parent whose key changes keeps its children": Cascade(
        ("UPDATE mothers{0} SET id = id + 100 WHERE id < 3",),
        [(1, 101), (2, 102), (3, 3), (20, 102)],
        [(1, 101), (2, 102)],
    ),
    # An update in their place would keep the children.
    "a parent that comes back comes without its children": Cascade(
        ("DELETE FROM mothers{0} WHERE id = 2", "INSERT INTO mothers{0} VALUES (2, 'again')"),
        [(1, 1), (3, 3)],
        [(1, 1), (2, None)],
    ),
    "and so it does within a transaction": Cascade(
        ("BEGIN", "DELETE FROM mothers{0}", "INSERT INTO mothers{0} VALUES (2, 'new')", "COMMIT"),
        [],
        [(1, None), (2, None)],
    ),
    # Applied before the parent's deletion it would be there already.
    "a key that a cascade made free is given again": Cascade(
        ("DELETE FROM mothers{0} WHERE id = 2", "INSERT INTO kids{0} VALUES (2, 3), (20, NULL)"),
        [(1, 1), (2, 3), (3, 3), (20, None)],
        [(1, 1), (2, None)],
    ),
    "a cascade that was off stays off": Cascade(
        (
            "SET foreign_key_checks = 0",
            "DELETE FROM mothers{0} WHERE id = 2",
            "SET foreign_key_checks = 1",
        ),
        [(1, 1), (2, 2), (3, 3), (20, 2)],
        [(1, 1), (2, 2)],
    ),
}


def write_families(replica: Replica, _flavor: Flavor) -> None:
    """Each is written while no consumer runs, so that it comes at once."""
    replica.create(*(sql.format(i) for i in range(len(CASCADES)) for sql in FAMILY))
    replica.pipeline.producer().start().wait_ready()
    for number, cascade in enumerate(CASCADES.values()):
        replica.on_source(*(sql.format(number) for sql in (*ROWS, *cascade.changes)))
    replica.pipeline.consumer().start().wait_ready()


@pytest.mark.parametrize("what", CASCADES)
@pytest.mark.parametrize("via", ["row_events", "sql"])
@pytest.mark.parametrize("flavor", BOTH)
def test_children_are_what_the_source_made_of_them(
    crossed: Crossed, flavor: Flavor, via: str, what: str
) -> None:
    """MySQL logs what a cascade does, MariaDB doesn't: there the target must cascade itself."""
    replica, number = crossed(write_families, flavor, via), list(CASCADES).index(what)
    for name, expected in (("kids", CASCADES[what].kids), ("wards", CASCADES[what].wards)):
        query = f"SELECT id, mother FROM {name}{number} ORDER BY id"
        assert asked(replica, replica.source, query) == expected
        assert asked(replica, replica.target, query) == expected
