"""Target definitions: what counts as drift, and a TABLE_MAP that is the server's own."""

import dataclasses

import pytest

from binlog_rows import Source
from image_rig import Hot, Target
from image_tables import EVERY_KIND, PRIMARY, column, schema_of, target_of, varchar
from mysync_consumer.bindings import matched_wrongly
from mysync_consumer.rowerrors import TableDrift, UnwritableTable
from mysync_consumer.targettable import TargetColumn, differences, lenenc
from mysync_lab.sql import SqlServer
from mysync_lab.workload import values
from mysync_schemas.table import Key, KeyPart

UNIQUE = Key(name="name", unique=True, columns=(KeyPart(column="name", prefix_length=3),))


def test_equal_definitions_have_no_differences() -> None:
    assert differences(schema_of(), target_of()) == []


def changed(name: str, **known: object) -> list[dict[str, object]]:
    return [{**c, **known} if c["name"] == name else c for c in EVERY_KIND]


@pytest.mark.parametrize(
    ("target", "difference"),
    [
        (target_of(EVERY_KIND[:-1]), "column tiny is missing on the target"),
        (target_of([*EVERY_KIND, column("more", "int")]), "column more is on the target only"),
        (target_of(changed("big", column_type="bigint unsigned")), "column big: type bigint on"),
        (target_of(changed("name", charset="latin1")), "column name: character set utf8mb4 on"),
        (target_of(changed("name", collation="utf8mb4_bin")), "column name: collation"),
        (target_of(changed("name", nullable=False)), "column name: nullable True on the source"),
        (target_of(changed("state", column_type="enum('old','new')")), "column state: type"),
        (target_of(changed("big", generated="STORED")), "column big: generated"),
        (target_of(changed("big", expression="`id` * 2")), "column big: generated as None on"),
        (
            dataclasses.replace(target_of(), table_type="SYSTEM VERSIONED"),
            "TABLE_TYPE BASE TABLE on the source, SYSTEM VERSIONED on the target",
        ),
        (target_of(keys=()), "primary key (id) is missing on the target"),
        (target_of(keys=(PRIMARY, UNIQUE)), "unique key (name(3)) is on the target only"),
    ],
)
def test_every_difference_is_named(hot: Hot, target: object, difference: str) -> None:
    with pytest.raises(TableDrift) as raised:
        hot.rowimage.ImagePlan(schema_of(), target)
    assert any(found.startswith(difference) for found in raised.value.differences)
    assert difference in str(raised.value)


def test_all_differences_are_listed_at_once() -> None:
    target = target_of(changed("big", column_type="int")[1:], keys=())
    assert len(differences(schema_of(), target)) == 3


def test_each_servers_name_of_a_collection_of_geometries_is_no_difference() -> None:
    source = [column("id", "int", nullable=False), column("v", "geomcollection")]
    target = [column("id", "int", nullable=False), column("v", "geometrycollection")]
    for one, other in ((source, target), (target, source)):
        assert differences(schema_of(one), target_of(other)) == []


def test_order_display_widths_key_names_and_old_names_of_utf8mb3_are_no_differences() -> None:
    utf8 = {"charset": "utf8", "collation": "utf8_general_ci"}
    utf8mb3 = {"charset": "utf8mb3", "collation": "utf8mb3_general_ci"}
    source = [column("id", "int", nullable=False), varchar("name", 5, **utf8)]
    target = [varchar("name", 5, **utf8mb3), column("id", "int(11)", nullable=False)]
    key = Key(name="other", unique=True, columns=UNIQUE.columns)
    assert (
        differences(schema_of(source, (PRIMARY, UNIQUE)), target_of(target, (key, PRIMARY))) == []
    )


def test_only_mariadb_matches_a_table_with_only_nullable_unique_keys_wrongly() -> None:
    schema = schema_of(keys=(UNIQUE,), identity=())
    assert matched_wrongly(schema, target_of(keys=(UNIQUE,), flavor="mariadb"))
    assert not matched_wrongly(schema, target_of(keys=(UNIQUE,)))
    assert not matched_wrongly(schema, target_of(keys=(), flavor="mariadb"))
    assert not matched_wrongly(schema_of(), target_of(flavor="mariadb"))


@pytest.mark.parametrize("known", [{"data_type": "xmltype"}, {"charset": "utf9"}])
def test_a_type_or_character_set_that_is_not_known_is_refused(
    hot: Hot, known: dict[str, str]
) -> None:
    (name,) = (c for c in target_of().columns if c.name == "name")
    with pytest.raises(UnwritableTable, match="column name"):
        hot.rowimage.writer_for("shop.orders", dataclasses.replace(name, **known), {})


def test_a_table_map_of_an_unknown_type_is_refused() -> None:
    columns = tuple(dataclasses.replace(c, data_type="xmltype") for c in target_of().columns)
    with pytest.raises(UnwritableTable, match="xmltype"):
        dataclasses.replace(target_of(), columns=columns).table_map(1)


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, "00"), (250, "fa"), (251, "fcfb00"), (65535, "fcffff"), (65536, "fd000001")],
)
def test_lengths_are_encoded_as_the_protocol_has_them(number: int, encoded: str) -> None:
    assert lenenc(number).hex() == encoded


def test_information_schema_rows_may_have_keys_in_any_case() -> None:
    row = {
        "column_name": "a",
        "Ordinal_Position": 3,
        "COLUMN_TYPE": "varchar(3)",
        "DATA_TYPE": "VARCHAR",
        "IS_NULLABLE": "YES",
        "CHARACTER_MAXIMUM_LENGTH": 3,
        "CHARACTER_OCTET_LENGTH": 12,
        "NUMERIC_PRECISION": None,
        "NUMERIC_SCALE": None,
        "DATETIME_PRECISION": None,
        "CHARACTER_SET_NAME": "utf8mb4",
        "COLLATION_NAME": "x",
        "EXTRA": "DEFAULT_GENERATED on update CURRENT_TIMESTAMP",
        "GENERATION_EXPRESSION": "",
    }
    column = TargetColumn.from_row(row)
    assert (column.data_type, column.ordinal, column.generated) == ("varchar", 3, "")


@pytest.fixture(scope="module", params=["mysql_a", "mariadb_a"])
def server(request: pytest.FixtureRequest) -> SqlServer:
    found: SqlServer = request.getfixturevalue(request.param)
    return found


def test_the_table_map_is_the_one_that_the_server_writes(server: SqlServer) -> None:
    source = Source(server, "images_table_map")
    listed = [f"{c.name} {c.definition}" for c in values.columns(mariadb=source.mariadb)]
    listed += [f"x{i} INT{' NOT NULL' if i % 3 else ''}" for i in range(260)]
    listed.append(f"e ENUM({','.join(map(repr, map(str, range(256))))})")
    listed.append(f"s SET({','.join(map(repr, map(str, range(40))))}) NOT NULL")
    try:
        source.sql(
            f"CREATE TABLE t (id INT PRIMARY KEY, {', '.join(listed)})"
            " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        )
        required = ", ".join(f"x{i} = 0" for i in range(260) if i % 3)
        (event,) = source.capture(f"INSERT INTO t SET id = 1, s = 0, {required}")
        wanted = event.table_map_body
        target = Target.__new__(Target)
        target.source, target.db, target.mariadb = source, source.db, source.mariadb
        made = target.table("t").table_map(int.from_bytes(wanted[:6], "little"))
    finally:
        source.close()
    # Names, types, their metadata and the null bitmap; the optional metadata is the server's own.
    # On MariaDB the padding of the null bitmap is 1.
    last = len(made) - 1
    assert made[8:last] == wanted[8:last]
    assert made[last] == wanted[last] & (1 << (len(target_columns(made)) % 8 or 8)) - 1


def test_dimensions_of_vectors_are_in_the_table_map(mysql_a: SqlServer) -> None:
    source = Source(mysql_a, "images_vector_map")
    try:
        source.sql("CREATE TABLE t (id INT PRIMARY KEY, a VECTOR(3), b VECTOR(300))")
        (event,) = source.capture("INSERT INTO t SET id = 1")
        target = Target.__new__(Target)
        target.source, target.db, target.mariadb = source, source.db, source.mariadb
        made = target.table("t").table_map(int.from_bytes(event.table_map_body[:6], "little"))
    finally:
        source.close()
    assert made.endswith(bytes((13, 4, 3, 0xFC, 44, 1)))
    assert made[-6:] in event.table_map_body


def target_columns(body: bytes) -> bytes:
    """The type codes in a TABLE_MAP of 251 columns or more."""
    at = 8 + 1 + body[8] + 1
    at += 1 + body[at] + 1
    assert body[at] == 0xFC
    count = int.from_bytes(body[at + 1 : at + 3], "little")
    return body[at + 3 : at + 3 + count]
