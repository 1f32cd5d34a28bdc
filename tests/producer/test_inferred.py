"""What a TABLE_MAP tells of its table, beside what the server's information_schema says: rows
encoded by one are, byte for byte, those encoded by the other."""

from dataclasses import replace

import pytest

from binlog_rows import PIPELINE, Decoder, RowsEvent, Source
from consumer.test_oldtemporals import old_format
from every_type import types
from inferred_rig import inferred_from, inferred_of, placeholder
from mysync_lab.sql import SqlServer
from mysync_lab.workload import values
from mysync_producer import rowcodec
from mysync_producer.inferred import inferred, label_charsets
from mysync_producer.rowerrors import NotInferable
from mysync_producer.tablemap import ColumnType, TableMap
from mysync_schemas.charset import TABLED
from mysync_schemas.charsetbuild import build
from mysync_schemas.table import Column, ForeignKey, TableSchema
from mysync_schemas.types import UNREADABLE, labels_of

Message = tuple[bytes | None, bytes]

WIDTHS = {"uuid": 16, "inet6": 16, "inet4": 4}
"""MariaDB's types that look like BINARY."""

SIZED = ("char", "varchar", "binary", "varbinary")


def messages(source: Source, schema: TableSchema, events: list[RowsEvent]) -> list[Message]:
    """Keys and values of all records."""
    found = []
    for event in events:
        plan = rowcodec.TablePlan(
            event.table_map,
            schema,
            pipeline=PIPELINE,
            version="1",
            connector="mysql",
            partitions=1,
            folds={},
            charsets=source.charsets(schema),
        )
        ctx = rowcodec.EventContext()
        out: list[list[Message]] = [[]]
        update = event.op == "u"
        start = rowcodec.columns_present(plan, ctx, event.buf, event.start, event.end, update)
        sequencer = rowcodec.Sequencer(0, [0])
        rowcodec.encode_rows(
            plan, ctx, sequencer, ord(event.op), event.buf, start, event.end, 0, 0, 1 << 40, out
        )
        found += out[0]
    return found


def described(source: Source, table: str) -> TableSchema:
    """What information_schema says, routed whole as inferred versions are."""
    return source.describe(table, by_key=False)


def told(column: Column) -> dict[str, object]:
    """What of a column's description has to do with its values."""
    found = column.model_dump(
        include={"name", "ordinal", "nullable", "unsigned", "fsp", "labels", "avro_name", "kind"}
    )
    if column.charset != "binary":
        found |= {"charset": column.charset, "collation": column.collation}
    width = WIDTHS.get(column.data_type)
    found["type"] = "binary" if width else column.data_type
    if width or column.data_type in SIZED:
        found["lengths"] = (width or column.char_length, width or column.octet_length)
    if column.data_type in ("decimal", "bit"):
        found["digits"] = (column.precision, column.scale or 0)
    if column.data_type in ("enum", "set"):
        assert labels_of(column.column_type) == column.labels
    return {"charset": None, "collation": None} | found


def assert_tells_all(source: Source, table: str, events: list[RowsEvent], rows: int) -> None:
    """Both versions say the same of the table, and make the same records of its rows."""
    real, found = described(source, table), inferred_from(source, events)
    assert [told(c) for c in found.columns] == [told(c) for c in real.columns]
    by_map = messages(source, found, events)
    assert len(by_map) == rows
    assert by_map == messages(source, real, events)


def test_rows_of_every_type_are_the_same_bytes(source: Source) -> None:
    source.sql(f"SET sql_mode = '{values.SQL_MODE}'")
    for each in types(mariadb=source.mariadb):
        source.sql(
            "DROP TABLE IF EXISTS t",
            f"CREATE TABLE t (id INT PRIMARY KEY, v {each.sql} NULL, w {each.sql} NOT NULL)",
        )
        rows = [f"({i}, {value}, {value})" for i, value in enumerate(each.edges)]
        rows.append(f"(-1, NULL, {each.edges[0]})")
        events = source.capture(f"INSERT IGNORE INTO t VALUES {', '.join(rows)}")
        assert_tells_all(source, "t", events, len(rows))
        changed = source.capture("UPDATE t SET id = id + 1000, v = NULL ORDER BY id DESC")
        assert_tells_all(source, "t", changed, len(rows))


def values_of(source: Source, schema: TableSchema, events: list[RowsEvent]) -> list[object]:
    """The images alone, without what the identity decides."""
    decoder = Decoder(schema)
    records = [decoder.read(value) for _, value in messages(source, schema, events)]
    return [(record["before"], record["after"]) for record in records]


@pytest.mark.parametrize(
    ("definition", "rows", "identity"),
    [
        ("(a INT, b VARCHAR(5))", "(1, 'a'), (NULL, NULL)", []),
        ("(a INT, b INT NOT NULL UNIQUE)", "(1, 2), (NULL, 3)", ["b"]),
        ("(a INT UNIQUE, b INT NOT NULL)", "(1, 2), (NULL, 2)", []),
        ("(`ä` INT, `a b` INT, v INT, PRIMARY KEY (`a b`, `ä`))", "(1, 2, 3)", ["a b", "ä"]),
        (
            (
                "(v VARCHAR(9), t TEXT, b BLOB, c CHAR(3), PRIMARY KEY (c, t(4), b(5), v(2)))"
                " CHARACTER SET utf8mb4"
            ),
            "('abc', 'äbcdef', 'äbcdef', 'x')",
            ["c", "t", "b", "v"],
        ),
        (
            "(id INT PRIMARY KEY, a INT, s INT AS (a + 1) STORED, v INT AS (a * 2) VIRTUAL)",
            "(1, 2, DEFAULT, DEFAULT), (2, NULL, DEFAULT, DEFAULT)",
            ["id"],
        ),
    ],
    ids=["keyless", "unique", "nullable", "names", "prefixes", "generated"],
)
def test_the_key_is_the_primary_one_or_the_first_unique_one_without_nulls(
    source: Source, definition: str, rows: str, identity: list[str]
) -> None:
    source.sql("DROP TABLE IF EXISTS t", f"CREATE TABLE t {definition}")
    events = source.capture(f"INSERT INTO t VALUES {rows}")
    found, real = inferred_from(source, events), described(source, "t")
    assert found.identity == real.identity == tuple(identity)
    assert [key.columns for key in found.keys] == [
        key.columns for key in real.keys if [part.column for part in key.columns] == identity
    ]
    assert all(key.name == "PRIMARY" and key.unique for key in found.keys)
    assert_tells_all(source, "t", events, rows.count("("))


def test_a_unique_key_over_a_prefix_is_not_told(source: Source) -> None:
    source.sql(
        "DROP TABLE IF EXISTS t", "CREATE TABLE t (a INT, b VARCHAR(9) NOT NULL, UNIQUE (b(3)))"
    )
    events = source.capture("INSERT INTO t VALUES (1, 'abcd')")
    found, real = inferred_from(source, events), described(source, "t")
    assert (found.identity, found.keys, real.identity) == ((), (), ("b",))
    assert values_of(source, found, events) == values_of(source, real, events)


@pytest.mark.parametrize(
    ("definition", "rows"),
    [
        ("(id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING", "(1, 2), (3, 4)"),
        ("(a INT, b INT NOT NULL UNIQUE) WITH SYSTEM VERSIONING", "(1, 2), (3, 4)"),
        (
            (
                "(s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, id INT PRIMARY KEY,"
                " e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e))"
                " WITH SYSTEM VERSIONING"
            ),
            "(DEFAULT, 1, DEFAULT)",
        ),
        (
            "(id INT, s DATE, e DATE, PERIOD FOR p (s, e), PRIMARY KEY (id, p WITHOUT OVERLAPS))",
            "(1, '2020-01-01', '2020-02-02')",
        ),
        ("(a INT, t TEXT, b BLOB NOT NULL, UNIQUE (t), UNIQUE (b))", "(1, 'a', 'b')"),
        (
            (
                "(id INT PRIMARY KEY, t TEXT, b BLOB NOT NULL, UNIQUE (t), UNIQUE (b))"
                " WITH SYSTEM VERSIONING"
            ),
            "(1, 'a', 'b')",
        ),
    ],
    ids=["versioned", "unique", "named", "overlaps", "long", "long-versioned"],
)
def test_the_map_names_mariadbs_hidden_columns(
    mariadb_source: Source, definition: str, rows: str
) -> None:
    source = mariadb_source
    source.sql("DROP TABLE IF EXISTS t", f"CREATE TABLE t {definition}")
    events = source.capture(f"INSERT INTO t VALUES {rows}")
    assert inferred_from(source, events).identity == described(source, "t").identity
    assert_tells_all(source, "t", events, rows.count("("))
    events = source.capture("DELETE FROM t")
    assert_tells_all(source, "t", events, rows.count("("))


def test_a_sequence_is_a_table_of_eight_columns(mariadb_source: Source) -> None:
    source = mariadb_source
    source.sql("DROP SEQUENCE IF EXISTS q", "CREATE SEQUENCE q")
    assert_tells_all(source, "q", source.capture("SELECT NEXTVAL(q)"), 1)
    source.sql("DROP SEQUENCE q")


def test_functional_indexes_are_not_told_and_invisible_columns_are(mysql_source: Source) -> None:
    source = mysql_source
    source.sql(
        "DROP TABLE IF EXISTS t",
        "SET sql_generate_invisible_primary_key = ON",
        "CREATE TABLE t (a INT, b INT INVISIBLE, UNIQUE ((a + 1)), KEY ((b * 2)))",
        "SET sql_generate_invisible_primary_key = OFF",
    )
    events = source.capture("INSERT INTO t (a, b) VALUES (1, 2)")
    found = inferred_from(source, events)
    shown = {column.name: column.invisible for column in found.columns}
    assert shown == {"my_row_id": True, "a": False, "b": True}
    assert found.identity == ("my_row_id",)
    assert_tells_all(source, "t", events, 1)


def test_labels_are_read_in_every_character_set(source: Source) -> None:
    names = {name for (name,) in source.sql("SELECT character_set_name FROM "
             "information_schema.character_sets")}  # fmt: skip
    source.sql("SET SESSION sql_mode = ''")  # some sets' collations hold two of the labels equal
    for name in sorted(names & TABLED):
        table = build(name, lambda sql: source.sql(sql)[0][0])
        chars = [chr(point) for point in sorted(table.codes) if point > 0xA0][:2]
        listed = f"('{chars[0]}', 'it''s', '{chars[1]}') CHARACTER SET {name}"
        source.sql("DROP TABLE IF EXISTS t", f"CREATE TABLE t (e ENUM {listed}, s SET {listed})")
        events = source.capture("INSERT INTO t VALUES (1, 3), (2, 2), (NULL, 7)")
        assert label_charsets(events[0].table_map) == {name}
        assert_tells_all(source, "t", events, 3)


def test_a_label_that_is_no_text_is_one_all_the_same(source: Source) -> None:
    source.sql(
        "DROP TABLE IF EXISTS t",
        "CREATE TABLE t (e ENUM (x'ff', 'b') CHARACTER SET binary, f ENUM('a\\\\b''c\n'))",
    )
    events = source.capture("INSERT INTO t VALUES (1, 1), (2, NULL)")
    found = inferred_from(source, events)
    assert found.column("e").labels == (UNREADABLE, "b")
    assert found.column("f").labels == ("a\\b'c\n",)
    assert labels_of(found.column("f").column_type) == ("a\\b'c\n",)
    assert len(messages(source, found, events)) == 2


# -- what no map tells -----------------------------------------------------------------------------


def test_only_a_definition_from_before_tells_the_digits_of_old_temporals(
    own_mariadb: SqlServer,
) -> None:
    source = Source(own_mariadb, "inferred_old")
    kinds = [f"{kind}({fsp})" for kind in ("DATETIME", "TIMESTAMP", "TIME") for fsp in range(7)]
    columns = ", ".join(f"c{i} {kind} NULL" for i, kind in enumerate(kinds))
    literals = ["'2024-02-29 01:02:03.456789'"] * 14 + ["'-01:02:03.456789'"] * 7
    with old_format(own_mariadb):
        source.sql(f"CREATE TABLE t (id INT PRIMARY KEY, {columns})")
    real = described(source, "t")
    events = source.capture(f"INSERT INTO t VALUES (1, {', '.join(literals)})")
    with pytest.raises(NotInferable, match="the seconds of a DATETIME in MariaDB's old format"):
        inferred_from(source, events)
    found = inferred_of(source, events[0].table_map, before=real)
    assert messages(source, found, events) == messages(source, real, events)
    other = real.model_copy(
        update={
            "columns": tuple(
                c.model_copy(update={"column_type": "datetime"}) if c.name == "c0" else c
                for c in real.columns
            )
        }
    )
    with pytest.raises(NotInferable, match="column c0"):
        inferred_of(source, events[0].table_map, before=other)
    source.close()


def one_column(kind: ColumnType, meta: int = 0, collation: int | None = None) -> TableMap:
    return TableMap(
        table_id=1,
        flags=0,
        db="d",
        table="t",
        types=bytes((kind,)),
        metas=(meta,),
        nullable=(True,),
        names=("c",),
        collations=(collation,),
    )


@pytest.mark.parametrize(
    ("table_map", "what"),
    [
        (one_column(ColumnType.NULL), "columns of type NULL aren't known"),
        (one_column(ColumnType.VAR_STRING, 9, 8), "columns of type VAR_STRING aren't known"),
        (one_column(ColumnType.VARCHAR, 9, 1900), "collation has the id 1900, which isn't known"),
        (one_column(ColumnType.VARCHAR, 9), "collation has the id None"),
        (replace(one_column(ColumnType.LONG), names=()), "the log has no column names"),
    ],
)
def test_what_is_not_told_is_refused_by_name(table_map: TableMap, what: str) -> None:
    with pytest.raises(NotInferable, match=what) as raised:
        inferred(table_map, placeholder("d", "t"), mariadb=False)
    assert "d.t" in str(raised.value)


def test_joins_and_routing_stay_as_they_were_known(source: Source) -> None:
    source.sql("DROP TABLE IF EXISTS t", "CREATE TABLE t (id INT PRIMARY KEY)")
    (event,) = source.capture("INSERT INTO t VALUES (1)")
    key = ForeignKey(
        name="k",
        columns=(),
        referenced_db="d",
        referenced_table="p",
        referenced_columns=(),
        on_delete="UNKNOWN",
    )
    known = placeholder(source.db, "t", [key]).model_copy(update={"engine": "MyISAM", "seq": 7})
    found = inferred(event.table_map, known, mariadb=source.mariadb)
    assert (found.foreign_keys, found.engine, found.seq) == ((key,), "MyISAM", 7)
    assert (found.routing, found.state, found.id) == (known.routing, "inferred", 0)
