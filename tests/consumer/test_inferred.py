"""Rows of versions that the log alone told: from a source's binlog to tables of a target that has
the same definition, whose own words say the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest

from binlog_rows import Source
from every_type import Type, types
from fix_images import imported
from image_rig import Target
from image_tables import schema_of, target_of
from inferred_rig import inferred_from, placeholder
from mysync_consumer.bindings import Bindings, matched_wrongly
from mysync_consumer.foreignkeys import Component, components
from mysync_consumer.targettable import TargetTable, differences, identity_in
from mysync_runtime.settings import RenameSettings
from mysync_schemas.table import ForeignKey, TableId, TableSchema
from roundtrip import assert_equal, encoded
from sql_rig import SqlTarget
from type_tables import GENERAL, MODE, by_sql

PAIRS = [
    ("mysql_a", "mysql_b"),
    ("mariadb_a", "mariadb_b"),
    ("mysql_a", "mysql_b", "sql"),
    ("mariadb_a", "mariadb_b", "sql"),
]
Pair = tuple[Source, Target]


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    from_name, to_name, *sql = request.param
    source = Source(request.getfixturevalue(from_name), "inferred_source")
    kind = SqlTarget if sql else Target
    target = kind(request.getfixturevalue(to_name), "inferred_copy", imported())
    yield source, target
    target.close()
    source.close()


def create(pair: Pair, name: str, definition: str, what: str = "TABLE") -> None:
    for each in pair:
        each.sql(MODE, f"DROP {what} IF EXISTS {name}", f"CREATE {what} {name} {definition}")


def carry(pair: Pair, table: str, *statements: str) -> TableSchema | None:
    """Applies what the statements change, by the version that their log tells; that version."""
    source, target = pair
    events = source.capture(*statements)
    if not events:
        return None
    schema = inferred_from(source, events)
    writer = target.writer()
    plan = target.plan(schema, table, source.charsets(schema))
    target.add(writer, plan, encoded(source, schema, events))
    target.apply(writer)
    return schema


# -- types -----------------------------------------------------------------------------------------


TOGETHER = 6  # types in one table: what takes time is to create tables


def rows_of(group: Sequence[Type], shift: int) -> list[str]:
    """Each edge of each type at least once."""
    count = max(len(each.edges) for each in group)
    return [
        ", ".join(each.edges[(i + shift) % len(each.edges)] for each in group) for i in range(count)
    ]


def columns(group: Sequence[Type], name: str, rest: str) -> str:
    return ", ".join(f"{name}{i} {each.sql} {rest}" for i, each in enumerate(group))


def changes(group: Sequence[Type]) -> Iterator[tuple[str, str, list[str]]]:
    """Name, definition and changes of tables of these types: with a key, and without."""
    some, more, size = rows_of(group, 0), rows_of(group, 3), range(len(group))
    nulls = ", ".join("NULL" for _ in size)
    swapped = ", ".join(f"a.v{i} = b.w{i}, a.w{i} = IFNULL(b.v{i}, b.w{i})" for i in size)
    rows = [f"({i}, {v}, {w})" for i, (v, w) in enumerate(zip(some, more, strict=True))]
    yield (
        "keyed",
        f"(id INT PRIMARY KEY, {columns(group, 'v', 'NULL')}, {columns(group, 'w', 'NOT NULL')})",
        [
            f"INSERT IGNORE INTO keyed VALUES {', '.join([*rows, f'(-1, {nulls}, {some[0]})'])}",
            f"UPDATE IGNORE keyed AS a JOIN keyed AS b ON b.id = a.id + 1 SET {swapped}",
            "UPDATE keyed SET v0 = NULL, id = id + 1000 WHERE id % 4 = 2",
            "DELETE FROM keyed WHERE id % 5 = 1",
        ],
    )
    found = [each for each in group if each.alone]
    if found:
        listed = [*rows_of(found, 0), ", ".join("NULL" for _ in found)]
        rows = [f"({i}, {v})" for i, v in enumerate(listed)]
        yield (
            "bare",
            f"(n INT, {columns(found, 'v', 'NULL')})",
            [
                f"INSERT IGNORE INTO bare VALUES {', '.join(rows)}",
                "UPDATE bare SET n = n + 100 WHERE n % 2",
                "DELETE FROM bare WHERE n % 3 = 0",
            ],
        )


def test_rows_of_every_type_arrive(pair: Pair) -> None:
    source, target = pair
    listed = types(mariadb=source.mariadb)
    if not target.row_events:
        listed = [by_sql(each, mariadb=source.mariadb) for each in listed]
    for at in range(0, len(listed), TOGETHER):
        for name, definition, statements in changes(listed[at : at + TOGETHER]):
            create(pair, name, definition)
            carry(pair, name, *statements)
            assert_equal(source, target, name, "id" if name == "keyed" else "n")


# -- tables ----------------------------------------------------------------------------------------

COUNTED = (
    "INSERT INTO t (a, b, c) VALUES (1, 1, 'x'), (2, 2, 'y'), (3, 3, 'z'), (4, 4, 'ä')",
    "UPDATE t SET a = a + 10, c = 'ö' WHERE b > 2",
    "UPDATE t SET b = 9 WHERE b = 1",
    "DELETE FROM t WHERE b = 2",
)
KINDS = {
    "keyless": "(a INT, b INT, c VARCHAR(20))",
    "primary": "(a INT, b INT, c VARCHAR(20), PRIMARY KEY (c, b))",
    "prefix": "(a INT, b INT, c TEXT, PRIMARY KEY (b, c(3)))",
    "unique": "(a INT, b INT NOT NULL UNIQUE, c VARCHAR(20))",
    "uniques": "(a INT NOT NULL UNIQUE, b INT NOT NULL, c VARCHAR(20) NOT NULL, UNIQUE x (b, c))",
    "unique prefix": "(a INT, b INT, c TEXT NOT NULL, UNIQUE (c(3), a), UNIQUE (a))",
    "stored": "(a INT, b INT PRIMARY KEY, c VARCHAR(20), g INT AS (a * 2) STORED, KEY (g))",
    "virtual": (
        "(a INT, b INT PRIMARY KEY, c VARCHAR(20), g INT AS (a * 2) VIRTUAL, h VARCHAR(40)"
        " AS (CONCAT(c, a)) VIRTUAL, UNIQUE (g), KEY (h))"
    ),
    "keyless generated": "(a INT, b INT, c VARCHAR(20), g INT AS (a) STORED, h INT AS (b) VIRTUAL)",
    "moments": "(a INT, b INT PRIMARY KEY, c VARCHAR(20), t TIMESTAMP(3) NOT NULL DEFAULT NOW(3))",
    "check": "(a INT, b INT PRIMARY KEY CHECK (b > 0), c ENUM('x', 'y', 'z', 'ä', 'ö'))",
}
MYSQL_KINDS = {
    "functional": "(a INT, b INT PRIMARY KEY, c VARCHAR(20), UNIQUE ((a + 1)), KEY ((b * 2)))",
    "invisible": "(i INT INVISIBLE PRIMARY KEY AUTO_INCREMENT, a INT, b INT, c TEXT)",
}
MARIADB_KINDS = {
    "long": "(a INT, b INT PRIMARY KEY, c TEXT NOT NULL, d TEXT NULL, UNIQUE (a, c), UNIQUE (d))",
    "compressed": "(a INT, b INT NOT NULL, c TEXT COMPRESSED)",
    "net": "(a INT, b INT, c TEXT, u UUID DEFAULT '00112233-4455-6677-8899-aabbccddee00',"
    " i INET4 DEFAULT '1.2.3.0', j INET6 DEFAULT '::1:0', PRIMARY KEY (u, i, j, b))",
    "keyless net": "(a INT, b INT, c TEXT, i INET4 DEFAULT '1.2.0.0', j INET6 DEFAULT '::1:0')",
}
VERSIONED = {
    "versioned": "(a INT, b INT PRIMARY KEY, c VARCHAR(20)) WITH SYSTEM VERSIONING",
    "versioned unique": "(a INT, b INT NOT NULL UNIQUE, c TEXT) WITH SYSTEM VERSIONING",
    "versioned keyless": "(a INT, b INT, c VARCHAR(20)) WITH SYSTEM VERSIONING",
}


def carry_kind(pair: Pair, definition: str) -> None:
    source, target = pair
    create(pair, "t", f"{definition} CHARACTER SET utf8mb4")
    for statement in COUNTED:
        carry(pair, "t", statement)
    assert_equal(source, target, "t", "a")
    for each in pair:
        assert each.sql("CHECK TABLE t EXTENDED")[-1][-1] == "OK"


@pytest.mark.parametrize("kind", [*KINDS, *MYSQL_KINDS, *MARIADB_KINDS])
def test_rows_of_every_kind_of_table_arrive(pair: Pair, kind: str) -> None:
    only = MARIADB_KINDS if pair[0].mariadb else MYSQL_KINDS
    definition = (KINDS | only).get(kind)
    if definition is None:
        pytest.skip("the other server's")
    carry_kind(pair, definition)


def test_mysql_finds_rows_by_all_columns_where_the_only_unique_keys_have_nulls(pair: Pair) -> None:
    source, target = pair
    definition = "(a INT, b INT UNIQUE, c VARCHAR(20))"
    if target.row_events and target.mariadb:
        create(pair, "t", definition)
        schema = inferred_from(source, source.capture(COUNTED[0]))
        assert matched_wrongly(schema, target.table("t"))
    else:
        carry_kind(pair, definition)


@pytest.mark.parametrize("kind", VERSIONED)
def test_a_versioned_tables_rows_arrive_with_their_history(pair: Pair, kind: str) -> None:
    source, target = pair
    if not (source.mariadb and target.row_events):
        pytest.skip("MariaDB's, by row events")
    carry_kind(pair, VERSIONED[kind])
    ((rows,),) = source.sql("SELECT COUNT(*) FROM t FOR SYSTEM_TIME ALL")
    assert rows > 5


def test_a_sequences_rows_arrive(pair: Pair) -> None:
    source, target = pair
    if not (source.mariadb and target.row_events):
        pytest.skip("MariaDB's, by row events")
    create(pair, "q", "CACHE 3", "SEQUENCE")
    carry(pair, "q", "SELECT NEXTVAL(q)", "SELECT SETVAL(q, 77)", *["SELECT NEXTVAL(q)"] * 5)
    assert source.sql("SELECT * FROM q") == target.sql("SELECT * FROM q")
    for each in pair:
        each.sql("DROP SEQUENCE q")


# -- the target's word -----------------------------------------------------------------------------


def told(pair: Pair, definition: str) -> TableSchema:
    """The version of a table of the source's."""
    source, _ = pair
    source.sql(MODE, "DROP TABLE IF EXISTS t", f"CREATE TABLE t {definition} {GENERAL}")
    return inferred_from(source, source.capture("INSERT INTO t () VALUES ()"))


def there(pair: Pair, definition: str) -> TargetTable:
    _, target = pair
    target.sql(MODE, "DROP TABLE IF EXISTS t", f"CREATE TABLE t {definition} {GENERAL}")
    return target.table("t")


BOTH = "(id INT PRIMARY KEY DEFAULT 1, v {})"


@pytest.mark.parametrize(
    ("source_type", "target_type"),
    [
        ("INT", "INT(5)"),
        ("INT UNSIGNED", "INT(5) ZEROFILL"),
        ("FLOAT", "FLOAT(7,3)"),
        ("DOUBLE UNSIGNED", "DOUBLE(9,3) UNSIGNED ZEROFILL"),
        ("DECIMAL(9,2) UNSIGNED", "DECIMAL(9,2) ZEROFILL"),
        ("YEAR", "YEAR"),
        ("INT", "INT AS (id + 1) STORED"),
        ("INT", "INT UNIQUE DEFAULT 7"),
        ("SET('a', 'b''c') CHARACTER SET binary", "SET('a', 'b''c') CHARACTER SET binary"),
        ("VARCHAR(9) CHARACTER SET binary", "VARBINARY(9)"),
    ],
)
def test_what_a_map_does_not_tell_is_no_difference(
    pair: Pair, source_type: str, target_type: str
) -> None:
    schema = told(pair, BOTH.format(source_type))
    assert differences(schema, there(pair, BOTH.format(target_type))) == []


def test_binary_may_be_one_of_mariadbs_types_of_its_width(pair: Pair) -> None:
    if not pair[0].mariadb:
        pytest.skip("MariaDB's")
    for width, name in ((4, "INET4"), (16, "INET6"), (16, "UUID")):
        schema = told(pair, BOTH.format(name))
        assert schema.column("v").column_type == f"binary({width})"
        for same in (name, f"BINARY({width})"):
            assert differences(schema, there(pair, BOTH.format(same))) == []
        (found,) = differences(schema, there(pair, BOTH.format(f"BINARY({width + 1})")))
        assert (
            found == f"column v: type binary({width}) in the log, binary({width + 1}) on the target"
        )


@pytest.mark.parametrize(
    ("source", "target", "difference"),
    [
        (BOTH.format("INT"), BOTH.format("INT UNSIGNED"), "column v: type int in the log, int uns"),
        (BOTH.format("INT"), BOTH.format("BIGINT"), "column v: type int in the log, bigint on"),
        (BOTH.format("FLOAT"), BOTH.format("DOUBLE"), "column v: type float in the log, double on"),
        (
            BOTH.format("INT"),
            BOTH.format("INT NOT NULL"),
            "column v: nullable True in the log, Fal",
        ),
        (
            BOTH.format("VARCHAR(9)"),
            BOTH.format("VARCHAR(8)"),
            "column v: type varchar(9) in the l",
        ),
        (
            BOTH.format("CHAR(9)"),
            BOTH.format("VARCHAR(9)"),
            "column v: type char(9) in the log, va",
        ),
        (BOTH.format("TEXT"), BOTH.format("MEDIUMTEXT"), "column v: type text in the log, mediumt"),
        (
            BOTH.format("BLOB"),
            BOTH.format("TEXT"),
            "column v: type blob in the log, text on the ta",
        ),
        (
            BOTH.format("TIME(3)"),
            BOTH.format("TIME(2)"),
            "column v: type time(3) in the log, time(",
        ),
        (BOTH.format("DECIMAL(5,2)"), BOTH.format("DECIMAL(5,1)"), "column v: type decimal(5,2) i"),
        (
            BOTH.format("BIT(9)"),
            BOTH.format("BIT(10)"),
            "column v: type bit(9) in the log, bit(10)",
        ),
        (
            BOTH.format("POINT"),
            BOTH.format("GEOMETRY"),
            "column v: type point in the log, geometry",
        ),
        (
            BOTH.format("CHAR(4) CHARACTER SET latin1"),
            BOTH.format("CHAR(4) CHARACTER SET latin2"),
            "column v: character set latin1 in the log, latin2 on the target",
        ),
        (
            BOTH.format("TEXT COLLATE utf8mb4_bin"),
            BOTH.format("TEXT COLLATE utf8mb4_unicode_ci"),
            "column v: collation utf8mb4_bin in the log, utf8mb4_unicode_ci on the target",
        ),
        (
            BOTH.format("ENUM('a','b')"),
            BOTH.format("ENUM('b','a')"),
            "column v: labels ['a', 'b'] in the log, ['b', 'a'] on the target",
        ),
        (
            BOTH.format("SET('a','b')"),
            BOTH.format("SET('a','b','c')"),
            "column v: labels ['a', 'b'] in the log, ['a', 'b', 'c'] on the target",
        ),
        ("(a INT)", "(b INT)", "column a is missing on the target"),
        ("(a INT)", "(a INT, b INT)", "column b is on the target only"),
        ("(a INT PRIMARY KEY DEFAULT 1)", "(a INT NOT NULL)", "primary key (a) is missing on the"),
        ("(a INT NOT NULL DEFAULT 1)", "(a INT PRIMARY KEY)", "primary key (a) is on the target o"),
        (
            "(a INT DEFAULT 1, b INT DEFAULT 1, PRIMARY KEY (a, b))",
            "(a INT, b INT, PRIMARY KEY (b, a))",
            "primary key (b, a) is on the target only",
        ),
        (
            "(a VARCHAR(9) NOT NULL DEFAULT '', PRIMARY KEY (a))",
            "(a VARCHAR(9) NOT NULL, PRIMARY KEY (a(3)))",
            "primary key (a(3)) is on the target only",
        ),
    ],
)
def test_what_the_map_tells_must_be_so(
    pair: Pair, source: str, target: str, difference: str
) -> None:
    found = differences(told(pair, source), there(pair, target))
    assert any(each.startswith(difference) for each in found), found


def test_order_is_no_difference_and_a_unique_key_may_stand_for_the_primary_one(pair: Pair) -> None:
    schema = told(pair, "(a INT, b INT NOT NULL UNIQUE DEFAULT 1)")
    table = there(pair, "(b INT NOT NULL UNIQUE, a INT)")
    assert differences(schema, table) == []
    assert identity_in(schema, table) == ("b",)
    assert differences(schema, there(pair, "(b INT NOT NULL, a INT, UNIQUE (b, a))")) == [
        "primary key (b) is missing on the target"
    ]


def test_transaction_numbers_of_a_versioned_table_are_refused(pair: Pair) -> None:
    if not pair[0].mariadb:
        pytest.skip("MariaDB's")
    number = "BIGINT UNSIGNED GENERATED ALWAYS AS ROW"
    versioned = (
        f"(id INT, s {number} START, e {number} END, PERIOD FOR SYSTEM_TIME (s, e))"
        " WITH SYSTEM VERSIONING"
    )
    plain = "(id INT, s BIGINT UNSIGNED NOT NULL DEFAULT 1, e BIGINT UNSIGNED NOT NULL DEFAULT 1)"
    found = differences(told(pair, plain), there(pair, versioned))
    assert [each.partition(":")[0] for each in found] == ["column s", "column e"]


def test_the_targets_keys_say_by_what_rows_are_found_and_which_way_they_go(pair: Pair) -> None:
    source, target = pair
    schema = told(pair, "(a INT, b VARCHAR(9) NOT NULL DEFAULT 'x', UNIQUE (b(3)))")
    table = there(pair, "(a INT, b VARCHAR(9) NOT NULL, UNIQUE (b(3)))")
    plan = target.plan(schema, "t")
    assert (schema.identity, identity_in(schema, table), plan.keyless) == ((), ("b",), False)
    assert plan.identity_columns == ("b",)
    assert not matched_wrongly(schema, table)
    nullable = there(pair, "(a INT, b VARCHAR(9) NOT NULL, UNIQUE (a))")
    assert identity_in(schema, nullable) == ()
    assert target.plan(schema, "t").keyless
    assert matched_wrongly(schema, nullable) == source.mariadb


def test_a_hashed_unique_key_finds_no_rows(pair: Pair) -> None:
    if not pair[0].mariadb:
        pytest.skip("MariaDB's")
    definition = "(a INT, b TEXT NOT NULL DEFAULT 'x', UNIQUE (b))"
    schema, table = told(pair, definition), there(pair, definition)
    assert differences(schema, table) == []
    assert identity_in(schema, table) == ()


def test_mariadb_takes_rows_of_inferred_versions_one_by_one_whatever_the_table_is() -> None:
    """The log doesn't tell a sequence or a versioned table."""
    schema = replace_state(schema_of())
    for flavor, singly in (("mysql", False), ("mariadb", True)):
        table = target_of(flavor=flavor)
        hot = imported()
        assert hot.rowimage.ImagePlan(schema, table).singly == singly
        assert not hot.rowimage.ImagePlan(schema_of(), table).singly
    versioned = replace(target_of(flavor="mariadb"), table_type="SYSTEM VERSIONED")
    assert differences(schema, versioned) == []


def replace_state(schema: TableSchema) -> TableSchema:
    return schema.model_copy(update={"state": "inferred"})


# -- foreign keys ----------------------------------------------------------------------------------


def possible(parent: str) -> ForeignKey:
    """A foreign key that a statement may have made."""
    return ForeignKey(
        name="",
        columns=(),
        referenced_db="d",
        referenced_table=parent,
        referenced_columns=(),
        on_delete="UNKNOWN",
        on_update="UNKNOWN",
    )


def test_possible_foreign_keys_join_tables_and_may_act() -> None:
    kid = placeholder("d", "kid", [possible("mother")])
    assert possible("mother").acts
    members = frozenset({TableId("d", "kid"), TableId("d", "mother")})
    found = components([kid, placeholder("d", "mother"), placeholder("d", "other")])
    unknown = frozenset({(TableId("d", "mother"), "")})
    assert found == dict.fromkeys(members, Component(members, True, unknown))


def test_foreign_keys_of_inferred_versions_are_not_compared() -> None:
    """Nothing is asked of the target: there is no session."""
    kid = placeholder("d", "kid", [possible("not replicated")])
    known = SimpleNamespace(tables=lambda _generation: {kid.table_id: kid})
    control = SimpleNamespace(knowledge=known)
    bindings = Bindings("p", control, RenameSettings())  # type: ignore[arg-type]
    joined = components([kid])[kid.table_id]
    bindings.compare_foreign_keys(joined, None, 1)  # type: ignore[arg-type]
