"""Avro records in their frames, field by field, whatever their schema. Avro 1.12, "Binary
Encoding"."""

import json
import struct
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from image_rig import plain
from image_tables import EVERY_KIND, schema_of, target_of
from mysync_consumer import rowread
from mysync_consumer.rowerrors import CorruptRecord, UnwritableValue
from mysync_consumer.rowimage import ImagePlan
from mysync_schemas import control, framing, markers
from mysync_schemas.errors import SchemaError
from structures.bend import Bend, Structure
from structures.values import ROWS

LONGS = st.integers(-(1 << 63), (1 << 63) - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_SIMPLE: Mapping[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(1 << 31), (1 << 31) - 1),
    "long": st.just(0) | LONGS,
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "string": TEXTS,
    "bytes": st.binary(max_size=8),
}
_PYTHON: Mapping[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "int": (int,),
    "long": (int,),
    "float": (float,),
    "double": (float,),
    "string": (str,),
    "bytes": (bytes,),
    "array": (list, tuple),
    "record": (dict,),
}
Names = dict[str, Any]
Given = Mapping[str, st.SearchStrategy[Any]]
"""Strategies of fields by their names, where not every value of the type will do."""


def kind_of(schema: Any) -> str:
    return schema if isinstance(schema, str) else str(schema["type"])


def values_of(schema: Any, given: Given, most: int = 2) -> st.SearchStrategy[Any]:
    """Any value of an Avro schema whose types are named where they are used."""
    if isinstance(schema, list):
        return st.one_of([values_of(each, given, most) for each in schema])
    match kind_of(schema):
        case "array":
            return st.lists(values_of(schema["items"], given, most), max_size=most)
        case "record":
            return st.fixed_dictionaries(
                {
                    field["name"]: given[field["name"]]
                    if field["name"] in given
                    else values_of(field["type"], given, most)
                    for field in schema["fields"]
                }
            )
        case kind:
            return _SIMPLE[kind]


def avro(schema: Any, value: Any, bend: Bend, names: Names) -> bytes:
    """A value as Avro has it. `names`: of records, by which they are meant again."""
    if isinstance(schema, list):
        kinds = [kind_of(names.get(each, each) if isinstance(each, str) else each)
                 for each in schema]  # fmt: skip
        index = next(i for i, kind in enumerate(kinds) if isinstance(value, _PYTHON[kind]))
        return bend.avro(index) + avro(schema[index], value, bend, names)
    if isinstance(schema, str) and schema in names:
        schema = names[schema]
    match kind_of(schema):
        case "null":
            return b""
        case "boolean":
            return bend.uint(value, 1)
        case "int" | "long":
            return bend.avro(value)
        case "float":
            return bend.raw(struct.pack("<f", value))
        case "double":
            return bend.raw(struct.pack("<d", value))
        case "string" | "bytes":
            data = value.encode() if isinstance(value, str) else value
            return bend.avro(len(data)) + bend.raw(data)
        case "array":
            return array(schema["items"], value, bend, names)
        case _:
            return b"".join(
                avro(field["type"], value[field["name"]], bend, names) for field in schema["fields"]
            )


def named(schema: Any) -> Names:
    """The records in a schema by their full names."""
    if isinstance(schema, list):
        return {name: found for each in schema for name, found in named(each).items()}
    if isinstance(schema, str) or kind_of(schema) not in ("record", "array"):
        return {}
    if kind_of(schema) == "array":
        return named(schema["items"])
    inner = named([field["type"] for field in schema["fields"]])
    return {f"{schema.get('namespace', '')}.{schema['name']}": schema} | inner


def array(items: Any, values: Any, bend: Bend, names: Names) -> bytes:
    """One block; with its size where there are two items, which no writer of ours does."""
    written = b"".join(bend.order([avro(items, each, bend, names) for each in values]))
    if not values:
        return bend.avro(0)
    if len(values) == 2:
        return bend.avro(-2) + bend.avro(len(written)) + written + bend.avro(0)
    return bend.avro(len(values)) + written + bend.avro(0)


def framed(schema_id: int, body: bytes, bend: Bend) -> bytes:
    return bend.uint(0, 1) + bend.uint(schema_id, 4, "big") + body


FRAME = Structure(
    st.tuples(st.integers(0, framing.MAX_SCHEMA_ID), st.binary(max_size=8)),
    lambda m, bend: framed(*m, bend),
    lambda value: (found := framing.unframe(value), value[found[1] :]),
    (SchemaError,),
    lambda m: ((m[0], 5), m[1]),
)


# -- lines, heartbeats, parts


def marker(kind: Any, schema: Any, given: Given) -> Structure:
    return Structure(
        values_of(schema, given),
        lambda m, bend: framed(5, avro(schema, m, bend, {}), bend),
        lambda value: kind.decode(value, framing.unframe(value)[1]),
        (SchemaError,),
        lambda m: kind(**m),
    )


MARKERS = {
    "line": marker(markers.Line, markers.LINE_SCHEMA, {}),
    "heartbeat": marker(markers.Heartbeat, markers.HEARTBEAT_SCHEMA, {}),
    "part": marker(
        markers.Part,
        markers.PART_SCHEMA,
        {"index": st.integers(0, 9), "count": st.integers(10, 1 << 20)},
    ),
}


# -- control records

# What the models take of what Avro could hold.
_CHOICES: Given = {
    "connector": st.sampled_from(["mysql", "mariadb"]),
    "schema_id_mode": st.sampled_from(["own", "registry"]),
    "phase": st.sampled_from(["begin", "end", "cancelled"]),
    "mode": st.sampled_from(["key", "whole"]),
    "generated": st.sampled_from(["", "VIRTUAL", "STORED"]),
    "table_type": st.sampled_from(["BASE TABLE", "SEQUENCE", "SYSTEM VERSIONED"]),
    "state": st.sampled_from(["defined", "inferred", "dropped"]),
}
_SCHEMAS = {own: json.dumps(control.FIXED_SCHEMAS[name]) for name, own in control.OWN_IDS.items()}


def control_record(name: str) -> Structure:
    schema, model = control.FIXED_SCHEMAS[name], control._MODELS[name]
    # A TableSchema has many fields: one item of each list is enough.
    most = 1 if name == "TableSchema" else 2
    return Structure(
        values_of(schema, _CHOICES, most),
        lambda m, bend: framed(control.OWN_IDS[name], avro(schema, m, bend, {}), bend),
        lambda value: control.decode(value, _SCHEMAS),
        (SchemaError,),
        model.model_validate,
    )


CONTROL = {f"control record {name}": control_record(name) for name in control._MODELS}


# -- row events

SCHEMA = schema_of()
ENVELOPE = plain(json.loads(SCHEMA.value_schema))
RECORDS = named(ENVELOPE)
READER = rowread.TableReader(SCHEMA)
PLAN = ImagePlan(SCHEMA, target_of(EVERY_KIND))
_SOURCE = next(field["type"] for field in ENVELOPE["fields"] if field["name"] == "source")
_DEPS = next(field["type"] for field in ENVELOPE["fields"] if field["name"] == "deps")
ROW_EVENTS = st.tuples(
    st.sampled_from("cudr"), LONGS, values_of(_SOURCE, {}), values_of(_DEPS, {}), ROWS, ROWS
)


def envelope(model: Any, bend: Bend) -> bytes:
    op, ts_ms, source, deps, before, after = model
    value = {
        "op": op,
        "ts_ms": ts_ms,
        "source": source,
        "deps": deps,
        "before": before if op in "ud" else None,
        "after": after if op in "cur" else None,
    }
    return framed(101, avro(ENVELOPE, value, bend, RECORDS), bend)


def read_row(value: bytes) -> Any:
    """What steers applying, and both images as the target would get them."""
    row = rowread.read_row(READER, value)
    images, shown = bytearray(), []
    if row.before_start >= 0:
        PLAN.identity(value, row.before_start, row.before_end, images)
        shown.append(rowread.decode(READER, value, row.before_start, row.before_end)["id"])
    if row.after_start >= 0:
        PLAN.after(value, row.after_start, row.after_end, images)
        shown.append(rowread.decode(READER, value, row.after_start, row.after_end)["id"])
    assert PLAN.measure(images, row.before_start >= 0, row.after_start >= 0) == 1
    texts = row.gtid(), row.file(), row.snapshot(), row.time_zone()
    return chr(row.op), row.ts_ms, row.seq, row.prev, row.key_hash, row.half, texts, row.deps, shown


def steering(model: Any) -> Any:
    op, ts_ms, source, deps, before, after = model
    pairs = None if deps is None else tuple((d["partition"], d["seq"]) for d in deps)
    texts = source["gtid"], source["file"], source["snapshot"], source["time_zone"]
    shown = [row["id"] for row, ops in ((before, "ud"), (after, "cur")) if op in ops]
    numbers = source["seq"], source["prev"], source["key_hash"], source["half"]
    return op, ts_ms, *numbers, texts, pairs, shown


ROW_EVENT = Structure(ROW_EVENTS, envelope, read_row, (CorruptRecord, UnwritableValue), steering)

STRUCTURES = {"frame of a record": FRAME, **MARKERS, **CONTROL, "row event": ROW_EVENT}
