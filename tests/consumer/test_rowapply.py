"""What the servers' appliers do with our events: rows found, keys enforced, columns joined."""

import dataclasses
import random
import time
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest

from image_rig import Records, Target
from mysync_consumer.applier import binlog
from mysync_consumer.coalesce import Step
from mysync_schemas.table import TableSchema


def made(target: Target, name: str, definition: str) -> tuple[TableSchema, Any, Records]:
    """A new table, and what is needed to write to it."""
    target.sql(f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} ({definition})")
    schema = target.schema(name)
    return schema, target.plan(schema, name), Records(schema)


def apply(target: Target, plan: Any, *records: bytes, flags: int | None = None) -> None:
    writer = target.writer()
    target.add(writer, plan, records, flags)
    target.apply(writer)


def error_of(target: Target, plan: Any, *records: bytes, flags: int | None = None) -> int:
    with pytest.raises(pymysql.MySQLError) as raised:
        apply(target, plan, *records, flags=flags)
    return int(raised.value.args[0])


def test_inserting_a_row_that_is_there_and_changing_one_that_is_not_are_errors(
    target: Target,
) -> None:
    _, plan, records = made(target, "strict", "id INT PRIMARY KEY, v INT")
    one, two = {"id": 1, "v": 1}, {"id": 2, "v": 2}
    apply(target, plan, records.encode("c", None, one))
    assert error_of(target, plan, records.encode("c", None, one)) == 1062
    assert error_of(target, plan, records.encode("u", two, two | {"v": 3})) == 1032
    assert error_of(target, plan, records.encode("d", two, None)) == 1032
    assert target.sql("SELECT id, v FROM strict") == [(1, 1)]


def test_one_row_too_few_or_too_many_among_many_is_an_error_and_nothing_is_written(
    target: Target,
) -> None:
    _, plan, records = made(target, "many", "id INT PRIMARY KEY, v INT, UNIQUE KEY (v)")
    _, only, only_records = made(target, "only", "id INT PRIMARY KEY, v INT")
    rows = [{"id": i, "v": i} for i in range(9)]
    for name, each, its in (("many", plan, records), ("only", only, only_records)):
        apply(target, each, *(its.encode("c", None, row) for row in rows))
        target.sql(f"DELETE FROM {name} WHERE id = 4")
        held = target.sql(f"SELECT * FROM {name} ORDER BY id")
        updates = [its.encode("u", row, row | {"v": row["v"] + 10}) for row in rows]
        assert error_of(target, each, *updates) == 1032
        assert error_of(target, each, *(its.encode("d", row, None) for row in rows)) == 1032
        assert error_of(target, each, *(its.encode("c", None, row) for row in rows[4:])) == 1062
        assert target.sql(f"SELECT * FROM {name} ORDER BY id") == held
    # A unique value of another row: that row isn't touched.
    taken = {"id": 1, "v": 2}
    assert error_of(target, plan, records.encode("u", rows[1], taken)) == 1062
    assert error_of(target, plan, records.encode("c", None, {"id": 40, "v": 2})) == 1062
    assert target.sql("SELECT id FROM many WHERE v = 2") == [(2,)]


def test_a_row_may_change_several_times_in_one_statement(target: Target) -> None:
    _, plan, records = made(target, "often", "id INT PRIMARY KEY, v INT")
    row = {"id": 1, "v": 0}
    apply(
        target, plan, records.encode("c", None, row), records.encode("c", None, {"id": 2, "v": 0})
    )
    steps = [(0, 1), (1, 2), (2, 2), (2, 3)]
    changes = [records.encode("u", row | {"v": a}, row | {"v": b}) for a, b in steps]
    moved = records.encode("u", row | {"v": 3}, {"id": 5, "v": 3})
    last = records.encode("u", {"id": 5, "v": 3}, {"id": 5, "v": 4})
    apply(target, plan, *changes, moved, last)
    assert target.sql("SELECT id, v FROM often ORDER BY id") == [(2, 0), (5, 4)]


def test_what_the_server_would_fill_in_stays_as_it_was_sent(target: Target) -> None:
    """A 0 in an AUTO_INCREMENT column, and a time that would move on with every update."""
    _, plan, records = made(
        target,
        "filled",
        "id INT AUTO_INCREMENT PRIMARY KEY, v INT,"
        " t TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
    )
    rows = [{"id": i, "v": 0, "t": 1_000_000} for i in range(2)]
    apply(target, plan, *(records.encode("c", None, row) for row in rows))
    apply(target, plan, *(records.encode("u", row, row | {"v": 1}) for row in rows))
    apply(target, plan, records.encode("u", rows[1] | {"v": 1}, rows[1] | {"id": 7, "v": 2}))
    found = target.sql("SELECT id, v, UNIX_TIMESTAMP(t) FROM filled ORDER BY id")
    assert found == [(0, 1, 1), (7, 2, 1)]


def test_a_row_is_found_by_its_key_alone(target: Target) -> None:
    _, plan, records = made(target, "found", "v TEXT, a INT, b VARCHAR(9), PRIMARY KEY (b, a)")
    apply(target, plan, records.encode("c", None, {"v": "there", "a": 1, "b": "k"}))
    stale = {"v": "something else", "a": 1, "b": "k"}
    apply(target, plan, records.encode("u", stale, stale | {"v": "new"}))
    assert target.sql("SELECT v, a, b FROM found") == [("new", 1, "k")]
    apply(target, plan, records.encode("u", stale, {"v": "moved", "a": 2, "b": "l"}))
    assert target.sql("SELECT v, a, b FROM found") == [("moved", 2, "l")]
    apply(target, plan, records.encode("d", {"v": None, "a": 2, "b": "l"}, None))
    assert target.sql("SELECT v, a, b FROM found") == []


def test_a_not_null_unique_key_identifies_rows_where_there_is_no_primary_one(
    target: Target,
) -> None:
    schema, plan, records = made(
        target, "uniq", "n INT UNIQUE, k BIGINT NOT NULL UNIQUE, v INT, KEY (v)"
    )
    assert schema.identity == ("k",)
    rows = [{"n": None, "k": i, "v": 7} for i in range(4)]
    apply(target, plan, *(records.encode("c", None, row) for row in rows))
    apply(
        target,
        plan,
        records.encode("u", rows[1] | {"v": 99}, rows[1] | {"n": 1}),
        records.encode("d", rows[2] | {"n": 5}, None),
    )
    assert target.sql("SELECT n, k, v FROM uniq ORDER BY k") == [
        *((None, 0, 7), (1, 1, 7), (None, 3, 7)),
    ]


@pytest.mark.parametrize(("long", "short"), [("z", "y"), ("y", "z")])
def test_of_several_keys_without_nulls_any_may_be_the_one_that_finds_the_row(
    target: Target, long: str, short: str
) -> None:
    _, plan, records = made(
        target,
        "keyed",
        "a INT NOT NULL, b INT NOT NULL, c INT NOT NULL,"
        f" UNIQUE KEY {long} (a, b, c), UNIQUE KEY {short} (c, b)",
    )
    rows = [{"a": i + 10, "b": i, "c": i + 20} for i in range(4)]
    apply(target, plan, *(records.encode("c", None, row) for row in rows))
    apply(
        target,
        plan,
        records.encode("u", rows[1], rows[1] | {"a": 99}),
        records.encode("d", rows[2], None),
        records.encode("u", rows[3], rows[3] | {"c": 5}),
    )
    assert target.sql("SELECT a, b, c FROM keyed ORDER BY b") == [
        *((10, 0, 20), (99, 1, 21), (13, 3, 5)),
    ]


def test_rows_without_a_key_are_found_by_all_their_values_one_per_image(target: Target) -> None:
    schema, plan, records = made(target, "keyless", "a INT, b VARCHAR(10), c DOUBLE, KEY (a)")
    assert schema.identity == ()
    twin = {"a": 1, "b": None, "c": 0.5}
    other = {"a": 1, "b": "x", "c": 0.5}
    apply(target, plan, *(records.encode("c", None, row) for row in (twin, twin, twin, other)))
    apply(target, plan, records.encode("d", twin, None))
    apply(target, plan, records.encode("u", twin, twin | {"c": 1.5}))
    assert sorted(map(str, target.sql("SELECT a, b, c FROM keyless"))) == sorted(
        map(str, [(1, None, 0.5), (1, None, 1.5), (1, "x", 0.5)])
    )
    assert error_of(target, plan, records.encode("d", twin | {"b": "y"}, None)) == 1032


def test_columns_are_joined_by_name_whatever_their_order(target: Target) -> None:
    target.sql(
        "DROP TABLE IF EXISTS there, here",
        "CREATE TABLE there (id INT PRIMARY KEY, a INT, b INT, s VARCHAR(5))",
        "CREATE TABLE here (s VARCHAR(5), b INT, id INT PRIMARY KEY, a INT)",
    )
    schema = target.schema("there")
    plan, records = target.plan(schema, "here"), Records(schema)
    row = {"id": 1, "a": 2, "b": None, "s": "x"}
    apply(target, plan, records.encode("c", None, row))
    apply(target, plan, records.encode("u", row, row | {"a": 5}))
    assert target.sql("SELECT id, a, b, s FROM here") == [(1, 5, None, "x")]


def test_foreign_keys_are_checked_unless_the_flag_says_no(target: Target) -> None:
    target.sql("DROP TABLE IF EXISTS child, parent")
    target.sql("CREATE TABLE parent (id INT PRIMARY KEY)")
    _, plan, records = made(
        target, "child", "id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent(id)"
    )
    orphan = records.encode("c", None, {"id": 1, "p": 9})
    assert error_of(target, plan, orphan, flags=0) == 1452
    apply(target, plan, orphan, flags=0x2)
    second = records.encode("c", None, {"id": 2, "p": 9})
    assert error_of(target, plan, second, flags=0x10) == 1452


def test_one_statement_writes_several_tables_and_kinds_in_order(target: Target) -> None:
    _, plan_a, records_a = made(target, "a", "id INT PRIMARY KEY, v INT UNIQUE")
    _, plan_b, records_b = made(target, "b", "id INT PRIMARY KEY, v VARCHAR(50)")
    writer = target.writer()
    one = {"id": 1, "v": 1}
    target.add(writer, plan_a, [records_a.encode("c", None, one)])
    target.add(
        writer, plan_b, [records_b.encode("c", None, {"id": i, "v": "x"}) for i in range(50)]
    )
    # The unique value passes from row 1 to row 2: only in this order.
    target.add(writer, plan_a, [records_a.encode("u", one, {"id": 1, "v": 5})])
    target.add(writer, plan_a, [records_a.encode("c", None, {"id": 2, "v": 1})])
    target.add(
        writer, plan_b, [records_b.encode("d", {"id": i, "v": "x"}, None) for i in range(49)]
    )
    target.apply(writer)
    assert target.sql("SELECT id, v FROM a ORDER BY id") == [(1, 5), (2, 1)]
    assert target.sql("SELECT id, v FROM b") == [(49, "x")]
    assert not target.row_events or [len(group.rows) for group in writer.groups] == [5]


def test_alternating_parents_and_children_arrive_in_order_with_keys_checked(
    target: Target,
) -> None:
    target.sql("DROP TABLE IF EXISTS kid, mother")
    _, mothers, mother_records = made(target, "mother", "id INT PRIMARY KEY, v INT")
    _, kids, kid_records = made(
        target,
        "kid",
        "id INT PRIMARY KEY, m INT NOT NULL, FOREIGN KEY (m) REFERENCES mother(id)",
    )
    writer = target.writer()
    for i in range(20):
        target.add(writer, mothers, [mother_records.encode("c", None, {"id": i, "v": 0})], 0)
        target.add(writer, kids, [kid_records.encode("c", None, {"id": i, "m": i})], 0)
    for i in range(0, 20, 2):
        target.add(writer, kids, [kid_records.encode("d", {"id": i, "m": i}, None)], 0)
        target.add(writer, mothers, [mother_records.encode("d", {"id": i, "v": 0}, None)], 0)
    assert not target.row_events or len(writer.groups) == 1
    target.apply(writer)
    assert target.sql("SELECT COUNT(*), MIN(id) FROM mother") == [(10, 1)]
    assert target.sql("SELECT COUNT(*), SUM(id = m) FROM kid") == [(10, 10)]

    writer.clear()
    target.add(writer, mothers, [mother_records.encode("c", None, {"id": 50, "v": 0})], 0)
    target.add(writer, mothers, [mother_records.encode("d", {"id": 1, "v": 0}, None)], 0)
    with pytest.raises(pymysql.MySQLError) as raised:
        target.apply(writer)
    assert raised.value.args[0] == 1451
    assert target.sql("SELECT COUNT(*) FROM mother") == [(10,)]


def test_flags_differ_between_groups_of_one_statement(target: Target) -> None:
    target.sql("DROP TABLE IF EXISTS kid, mother")
    target.sql("CREATE TABLE mother (id INT PRIMARY KEY)")
    _, kids, records = made(
        target, "kid", "id INT PRIMARY KEY, m INT, FOREIGN KEY (m) REFERENCES mother(id)"
    )
    orphans = [records.encode("c", None, {"id": i, "m": 9}) for i in range(3)]
    writer = target.writer()
    target.add(writer, kids, orphans[:1], 0x2)
    target.add(writer, kids, [records.encode("c", None, {"id": 7, "m": None})], 0)
    target.add(writer, kids, orphans[1:2], 0x2)
    target.apply(writer)
    target.add(writer, kids, orphans[2:], 0)
    with pytest.raises(pymysql.MySQLError) as raised:
        target.apply(writer)
    assert raised.value.args[0] in (1452, 1062)
    assert target.sql("SELECT id FROM kid ORDER BY id") == [(0,), (1,), (7,)]


def test_generated_columns_are_right_and_indexed_whoever_computes_them_s4(target: Target) -> None:
    """S4: a MariaDB that isn't sent them keeps stale ones, and indexes that lack rows."""
    _, plan, records = made(
        target,
        "computed",
        "id INT PRIMARY KEY, a INT, s INT AS (a + 1) STORED, v INT AS (a * 2) VIRTUAL, z INT, "
        "KEY (v), KEY (s)",
    )
    assert [c.generated for c in plan.target.columns] == ["", "", "STORED", "VIRTUAL", ""]

    def row(id_: int, a: int) -> dict[str, int]:
        return {"id": id_, "a": a, "s": a + 1, "v": a * 2, "z": -id_}

    apply(target, plan, *(records.encode("c", None, row(i, i)) for i in range(10)))
    apply(target, plan, *(records.encode("u", row(i, i), row(i, i + 100)) for i in range(5)))
    apply(target, plan, *(records.encode("d", row(i, i), None) for i in (8, 9)))
    expected = [(i, i + 100, i + 101, 2 * i + 200, -i) for i in range(5)]
    expected += [(i, i, i + 1, 2 * i, -i) for i in range(5, 8)]
    assert target.sql("SELECT id, a, s, v, z FROM computed ORDER BY id") == expected
    by_index = "SELECT COUNT(*) FROM computed FORCE INDEX ({}) WHERE {} IS NOT NULL"
    assert target.sql(by_index.format("v", "v")) == target.sql(by_index.format("s", "s")) == [(8,)]
    assert checked(target, "computed") == "OK"


def checked(target: Target, table: str) -> str:
    """The verdict of CHECK TABLE, which compares rows and indexes."""
    return str(target.sql(f"CHECK TABLE {table}")[-1][-1])


@pytest.mark.parametrize(
    "key",
    [
        "PRIMARY KEY (s)",
        "UNIQUE (s)",
        "UNIQUE (v)",
        "UNIQUE (n)",
        "UNIQUE ((a * 7))",
        "KEY (v)",
    ],
)
def test_rows_are_found_by_keys_over_generated_columns(target: Target, key: str) -> None:
    null, more = "NOT NULL", ", n INT AS (a + 5) VIRTUAL"
    if target.mariadb:
        null = ""
        if "PRIMARY" in key or "((" in key:
            pytest.skip("MariaDB has no such keys")
        if "UNIQUE" in key and target.row_events:
            pytest.skip("MariaDB's applier finds by nullable unique keys only: such go by SQL")
    _, plan, records = made(
        target,
        "computed",
        f"a INT, z INT, s INT AS (a + 1) STORED {null}, v INT AS (a * 2) VIRTUAL {null}{more}, "
        f"{key}",
    )

    def row(a: int, z: int) -> dict[str, int]:
        return {"a": a, "z": z, "s": a + 1, "v": a * 2, "n": a + 5}

    apply(target, plan, *(records.encode("c", None, row(i, i)) for i in range(6)))
    apply(target, plan, records.encode("u", row(3, 3), row(3, 30)))
    apply(target, plan, records.encode("u", row(4, 4), row(40, 4)))
    apply(target, plan, records.encode("d", row(5, 5), None))
    rows = [(0, 0), (1, 1), (2, 2), (3, 30), (40, 4)]
    expected = [(a, z, a + 1, a * 2, a + 5) for a, z in rows]
    assert target.sql("SELECT a, z, s, v, n FROM computed ORDER BY a") == expected
    assert checked(target, "computed") == "OK"
    assert error_of(target, plan, records.encode("d", row(5, 5), None)) == 1032


def test_the_error_value_of_an_enum_and_bytes_outside_of_its_charset_arrive(
    row_events_target: Target,
) -> None:
    target = row_events_target
    _, plan, records = made(
        target,
        "odd",
        "id INT PRIMARY KEY, e ENUM('a',''), l VARCHAR(9) CHARACTER SET latin1",
    )
    apply(
        target,
        plan,
        records.encode("c", None, {"id": 1, "e": 0, "l": b"\x81\xff"}),
        records.encode("c", None, {"id": 2, "e": "", "l": "\x81ÿ"}),
    )
    assert target.sql("SELECT id, e + 0, e, HEX(l) FROM odd ORDER BY id") == [
        *((1, 0, "", "81FF"), (2, 2, "", "81FF")),
    ]


def test_a_key_prefix_identifies_rows(target: Target) -> None:
    _, plan, records = made(target, "prefix", "t TEXT NOT NULL, v INT, PRIMARY KEY (t(3))")
    row = {"t": "abcdef", "v": 1}
    apply(target, plan, records.encode("c", None, row))
    apply(target, plan, records.encode("u", row, row | {"v": 2}))
    assert target.sql("SELECT t, v FROM prefix") == [("abcdef", 2)]


def test_hundreds_of_columns_and_nulls_arrive(target: Target) -> None:
    listed = ", ".join(f"c{i} SMALLINT" for i in range(300))
    _, plan, records = made(target, "wide", f"id INT PRIMARY KEY, {listed}")
    rng = random.Random(1)
    rows = [{"id": i} | {f"c{k}": rng.choice([None, k]) for k in range(300)} for i in range(5)]
    apply(target, plan, *(records.encode("c", None, row) for row in rows))
    found = target.sql("SELECT * FROM wide ORDER BY id")
    assert [tuple(row.values()) for row in rows] == list(found)


def test_rows_of_megabytes_arrive_in_events_of_their_own(target: Target) -> None:
    _, plan, records = made(target, "large", "id INT PRIMARY KEY, b LONGBLOB, t LONGTEXT")
    rows = [{"id": i, "b": bytes([i]) * 1_500_000, "t": "é" * 400_000} for i in range(3)]
    writer = target.writer()
    target.add(writer, plan, [records.encode("c", None, row) for row in rows])
    assert not target.row_events or [len(group.rows) for group in writer.groups] == [3]
    target.apply(writer)
    found = target.sql(
        "SELECT id, LENGTH(b), HEX(LEFT(b, 1)), CHAR_LENGTH(t) FROM large ORDER BY id"
    )
    assert found == [(i, 1_500_000, f"{i:02X}", 400_000) for i in range(3)]


def test_the_header_gives_the_target_its_time(row_events_target: Target) -> None:
    target = row_events_target
    _, plan, records = made(target, "clock", "id INT PRIMARY KEY")
    writer = target.writer()
    target.add(writer, plan, [records.encode("c", None, {"id": 1})])
    target.run(writer.statement(int(time.time())))
    target.run("SET timestamp=DEFAULT")
    ((seconds,),) = target.run("SELECT ABS(UNIX_TIMESTAMP() - UNIX_TIMESTAMP(SYSDATE()))")
    assert seconds <= 1


def test_another_definition_on_the_target_than_the_plan_was_made_for_is_an_error(
    row_events_target: Target,
) -> None:
    target = row_events_target
    schema, _, records = made(target, "drifted", "id INT PRIMARY KEY, v VARCHAR(10)")
    plan = target.plan(schema, "drifted")
    target.sql("ALTER TABLE drifted MODIFY v VARCHAR(300)")
    assert error_of(target, plan, records.encode("c", None, {"id": 1, "v": "x"})) == 1105


def test_the_target_may_have_other_names(target: Target) -> None:
    target.sql(
        "DROP TABLE IF EXISTS `re``named`, origin",
        "CREATE TABLE origin (`a.b` INT PRIMARY KEY, `spät` INT)",
        "CREATE TABLE `re``named` LIKE origin",
    )
    schema = target.schema("origin")
    names = {column.name: column.avro_name for column in schema.columns}
    table = dataclasses.replace(target.table("origin"), table="re`named")
    plan, records = target.hot.rowimage.ImagePlan(schema, table), Records(schema)
    apply(target, plan, records.encode("c", None, {names["a.b"]: 1, names["spät"]: 2}))
    assert target.sql("SELECT * FROM `re``named`") == [(1, 2)]


@pytest.mark.parametrize("index", ["", ", KEY (a)"])
@pytest.mark.parametrize("size", [1, 3000, 20000])
def test_a_keyless_row_that_changes_twice_is_changed_twice(
    target: Target, index: str, size: int
) -> None:
    """MySQL's applier scans the table for all rows of an event at once: it would meet it once."""
    _, plan, records = made(target, "twice", f"a INT, v TEXT, w LONGTEXT{index}")
    rows = [{"a": i % 3, "v": f"{i}", "w": "w" * size} for i in range(9)]
    apply(target, plan, *(records.encode("c", None, row) for row in rows))
    reader = target.hot.rowread.TableReader(plan.schema)
    steps = []
    for row in rows:
        for step in "xyz":
            changed = row | {"v": step}
            read = target.hot.rowread.read_row(reader, records.encode("u", row, changed))
            steps.append(Step(SimpleNamespace(plan=plan), read.op, 0, read, read))
            row = changed
    for statement in binlog(steps, 1 << 20):
        target.run(statement)
    assert sorted(target.sql("SELECT v FROM twice")) == [("z",) for i in range(9)]
