"""Every type's values, as the server shows them and as our records carry them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType

import pytest

from binlog_rows import PIPELINE, Decoder, RowsEvent, Source
from mysync_schemas.charset import UNICODE, Charset
from mysync_schemas.table import TableSchema
from producer.type_values import COMMON, MARIADB_ONLY, MYSQL_ONLY


@dataclass
class Captured:
    """A table with a nullable and a NOT NULL column of the type: events, and the rows then."""

    schema: TableSchema
    inserted: list[RowsEvent]
    changed: list[RowsEvent]
    shown: list[tuple[object, ...]] = field(default_factory=list)


@pytest.fixture(scope="module")
def captured(source: Source) -> dict[str, Captured]:
    """What was captured in this module, by type: both codecs read the same bytes."""
    source.sql("SET sql_mode = 'ALLOW_INVALID_DATES'")
    return {}


def capture(source: Source, table: str, definition: str, values: list[str]) -> Captured:
    source.sql(
        f"DROP TABLE IF EXISTS {table}",
        f"CREATE TABLE {table} (id INT PRIMARY KEY, v {definition} NULL, w {definition} NOT NULL)",
    )
    rows = [f"({i}, {value}, {value})" for i, value in enumerate(values)]
    rows.append(f"({len(rows)}, NULL, {values[0]})")
    inserted = source.capture(f"INSERT INTO {table} VALUES {', '.join(rows)}")
    schema = source.describe(table)
    shown = source.shown(schema, "id")
    changed = source.capture(
        f"UPDATE {table} SET id = id + 1000, v = NULL ORDER BY id",
        f"DELETE FROM {table} ORDER BY id",
    )
    return Captured(schema, inserted, changed, shown)


def images(
    rowcodec: ModuleType,
    schema: TableSchema,
    events: list[RowsEvent],
    charsets: Mapping[str, Charset] = UNICODE,
) -> list[dict[str, dict[str, object]]]:
    """The before and after images of all records, in the order of their seq."""
    decoder = Decoder(schema)
    records = []
    for event in events:
        plan = rowcodec.TablePlan(
            event.table_map,
            schema,
            pipeline=PIPELINE,
            version="1",
            connector="mysql",
            partitions=3,
            folds={},
            charsets=charsets,
        )
        ctx = rowcodec.EventContext()
        out: list[list[tuple[bytes, bytes]]] = [[], [], []]
        update = event.op == "u"
        start = rowcodec.columns_present(plan, ctx, event.buf, event.start, event.end, update)
        sequencer = rowcodec.Sequencer(0, [0, 0, 0])
        _, _, pos = rowcodec.encode_rows(
            plan, ctx, sequencer, ord(event.op), event.buf, start, event.end, 0, 0, 1 << 40, out
        )
        assert pos == event.end
        found = [decoder.read(value) for messages in out for _, value in messages]
        records += sorted(found, key=lambda record: record["source"]["seq"])
    return [
        {name: record[name][1] for name in ("before", "after") if record[name] is not None}
        for record in records
    ]


def check(rowcodec: ModuleType, case: Captured) -> None:
    decoder = Decoder(case.schema)
    afters = [image["after"] for image in images(rowcodec, case.schema, case.inserted)]
    assert len(afters) == len(case.shown)
    for after, shown in zip(afters, case.shown, strict=True):
        decoder.assert_shows(after, shown)
    changed = images(rowcodec, case.schema, case.changed)
    befores = [image["before"] for image in changed if "before" in image]
    assert befores[: len(afters)] == afters
    emptied = [after | {"id": after["id"] + 1000, "v": None} for after in afters]
    assert [image["after"] for image in changed if "after" in image] == emptied
    assert befores[len(afters) :] == emptied


def check_type(
    source: Source,
    rowcodec: ModuleType,
    captured: dict[str, Captured],
    definition: str,
    values: list[str],
) -> None:
    name = definition.partition("--")[0]
    if definition not in captured:
        captured[definition] = capture(source, f"t{len(captured)}", name, values)
    check(rowcodec, captured[definition])


@pytest.mark.parametrize("definition", COMMON)
def test_values_are_what_the_server_shows(
    source: Source, captured: dict[str, Captured], rowcodec: ModuleType, definition: str
) -> None:
    check_type(source, rowcodec, captured, definition, COMMON[definition])


@pytest.mark.parametrize("definition", MYSQL_ONLY | MARIADB_ONLY)
def test_values_of_types_that_only_one_server_has(
    source: Source, captured: dict[str, Captured], rowcodec: ModuleType, definition: str
) -> None:
    types = MARIADB_ONLY if source.mariadb else MYSQL_ONLY
    if definition not in types:
        pytest.skip("the other server's")
    check_type(source, rowcodec, captured, definition, types[definition])
