"""TABLE_MAP events and row images, field by field.

Formats: `mysync_producer.tablemap`; MySQL source documentation, `Rows_log_event`.
"""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from binlog_rows import PIPELINE, Decoder
from image_rig import Records
from image_tables import EVERY_KIND, schema_of, target_of
from mysync_consumer import rowread
from mysync_consumer.rowimage import ImagePlan
from mysync_producer import rowcodec
from mysync_producer.partialrows import full_rows
from mysync_producer.rowerrors import CorruptTableMap
from mysync_producer.tablemap import TableMap, parse_table_map
from mysync_runtime.errors import MysyncError
from mysync_schemas.envelope import key_schema
from mysync_schemas.table import Routing
from structures.bend import Bend, Structure
from structures.documents import BEFORE, CHANGED, changed, diffs, document
from structures.values import ROWS, printed

TARGET = target_of()
_NUMERIC = ("tinyint", "int", "bigint", "float", "double", "decimal", "year")
_COLLATIONS = {"utf8mb4": 255, "latin1": 8, None: 63}
_BYTES = {"id": 4, "big": 8, "huge": 8, "money": 10, "single": 4, "twice": 8, "day": 3,
          "moment": 8, "stamp": 6, "span": 4, "bits": 2, "state": 1, "tags": 1, "year": 1,
          "tiny": 1}  # fmt: skip
_PREFIXES = {"name": 1, "west": 1, "raw": 1, "doc": 4}
COLUMNS = list(TARGET.columns)
BITMAP = (len(COLUMNS) + 7) // 8


def bits(flags: Sequence[bool], *, last_first: bool) -> bytes:
    """A bit for each; `last_first`: beginning with the highest of the first byte."""
    out = bytearray((len(flags) + 7) // 8)
    for i, flag in enumerate(flags):
        out[i >> 3] |= flag << (7 - (i & 7) if last_first else i & 7)
    return bytes(out)


# -- TABLE_MAP

Map = tuple[list[int], int, int, bool]
MAPS = st.tuples(
    st.lists(st.integers(0, len(COLUMNS) - 1), unique=True, min_size=1),
    st.integers(0, (1 << 48) - 1),
    st.integers(0, 0xFFFF),
    st.booleans(),
)
WHOLE: Map = (list(range(len(COLUMNS))), 7, 1, False)


def sized(data: bytes, bend: Bend) -> bytes:
    return bend.lenenc(len(data)) + data


def table_map(model: Map, bend: Bend) -> bytes:
    """`model`: which columns, table id, flags, whether collations are said by their default."""
    chosen, table_id, flags, by_default = model
    columns = [COLUMNS[i] for i in chosen]
    types, metas = b"", b""
    for column in columns:
        code, meta = column.binlog_type()
        types += bend.uint(code, 1)
        metas += bend.raw(meta) if meta else b""
    names = b"".join(
        bend.uint(len(name), 1) + bend.raw(name) + bend.raw(b"\0") for name in TARGET.names()
    )
    head = bend.uint(table_id, 6) + bend.uint(flags, 2) + names
    nullable = bend.raw(bits([column.nullable for column in columns], last_first=False))
    fields = [
        bend.uint(kind, 1) + sized(value, bend)
        for kind, value in optional(columns, by_default, bend)
    ]
    return head + sized(types, bend) + sized(metas, bend) + nullable + b"".join(bend.order(fields))


def optional(columns: Any, by_default: bool, bend: Bend) -> list[tuple[int, bytes]]:
    numeric = [c.unsigned for c in columns if c.data_type in _NUMERIC]
    character = [c for c in columns if c.data_type in ("varchar", "varbinary")]
    fields = [(1, bend.raw(bits(numeric, last_first=True)))]
    if by_default:
        others = [(i, _COLLATIONS[c.charset]) for i, c in enumerate(character)]
        pairs = [bend.lenenc(i) + bend.lenenc(found) for i, found in others if found != 255]
        fields.append((2, bend.lenenc(255) + b"".join(bend.order(pairs))))
        fields.append((10, bend.lenenc(255)))
    else:
        listed = [bend.lenenc(_COLLATIONS[c.charset]) for c in character]
        fields.append((3, b"".join(bend.order(listed))))
        enums = [bend.lenenc(255) for c in columns if c.data_type in ("enum", "set")]
        fields.append((11, b"".join(bend.order(enums))))
    names = [sized(bend.raw(c.name.encode()), bend) for c in columns]
    fields.append((4, b"".join(bend.order(names))))
    for kind, data_type in ((5, "set"), (6, "enum")):
        lists = [labels(c.labels, bend) for c in columns if c.data_type == data_type]
        fields.append((kind, b"".join(lists)))
    keys = [i for i, c in enumerate(columns) if c.name in ("id", "name")]
    if by_default:
        fields.append((9, b"".join(bend.lenenc(i) + bend.lenenc(3) for i in keys)))
    else:
        fields.append((8, b"".join(bend.lenenc(i) for i in keys)))
    fields.append((12, bend.raw(bits([True] * len(columns), last_first=True))))
    return fields


def labels(found: Sequence[str], bend: Bend) -> bytes:
    listed = bend.order([sized(bend.raw(label.encode()), bend) for label in found])
    return bend.lenenc(len(found)) + b"".join(listed)


def described(found: TableMap) -> Any:
    """What has to agree between the parts of it."""
    for each in (found.names, found.unsigned, found.collations, found.labels, found.visible):
        assert len(each) in (0, found.columns)
    assert len(found.metas) == len(found.nullable) == found.columns
    texts = [c and tuple(label.decode("utf-8", "replace") for label in c) for c in found.labels]
    return found.table_id, found.flags, found.names, found.nullable, texts, found.primary_key


def description(model: Map) -> Any:
    chosen, table_id, flags, by_default = model
    columns = [COLUMNS[i] for i in chosen]
    texts = [c.labels or None for c in columns]
    keys = tuple((i, 3 * by_default) for i, c in enumerate(columns) if c.name in ("id", "name"))
    nullable = tuple(c.nullable for c in columns)
    return (table_id, flags, tuple(c.name for c in columns), nullable,
            texts if any(texts) else [], keys)  # fmt: skip


TABLE_MAP = Structure(
    MAPS,
    table_map,
    lambda body: described(parse_table_map(body)),
    (CorruptTableMap,),
    description,
)
TABLE_MAP_OF_MARIADB = Structure(
    MAPS,
    table_map,
    lambda body: described(parse_table_map(body, mariadb=True)),
    (CorruptTableMap,),
    description,
)


# -- rows

_PLAIN = schema_of().model_copy(
    update={
        "key_schema_id": 102,
        "routing": Routing(mode="key", anchor="shop.orders"),
    }
)
SCHEMA = _PLAIN.model_copy(update={"key_schema": json.dumps(key_schema(PIPELINE, _PLAIN))})
RECORDS = Records(SCHEMA)
READER = rowread.TableReader(SCHEMA)
EMITTER = ImagePlan(SCHEMA, TARGET)
DECODER = Decoder(SCHEMA)
MAP = parse_table_map(table_map(WHOLE, Bend()))
TRANSCODER = rowcodec.TablePlan(
    MAP, SCHEMA, pipeline=PIPELINE, version="1", connector="mysql", partitions=4, folds={}
)
Row = dict[str, Any]
Event = tuple[str, list[tuple[Row, Row]]]


def image(row: Row, bend: Bend, doc: bytes | None = None) -> bytes:
    """The image that our emitter makes of a row, cut into its fields; `doc` in its JSON's place."""
    value = RECORDS.encode("c", None, row)
    found = rowread.read_row(READER, value)
    made = bytearray()
    EMITTER.after(value, found.after_start, found.after_end, made)
    parts, at = [bend.raw(bytes(made[:BITMAP]))], BITMAP
    for column in EVERY_KIND:
        name = column["name"]
        if row[name] is None:
            continue
        prefix = _PREFIXES.get(name, 0)
        size = int.from_bytes(made[at : at + prefix], "little") if prefix else _BYTES[name]
        data = bytes(made[at + prefix : at + prefix + size])
        at += prefix + size
        if name == "doc" and doc is not None:
            data = doc
        else:
            data = bend.raw(data)
        parts.append((bend.uint(len(data), prefix) if prefix else b"") + data)
    assert at == len(made)
    return b"".join(parts)


def with_one_key(row: Row, after: Row) -> tuple[Row, Row]:
    """A row of an update that stays where it is."""
    return row, after | {"id": row["id"]}


ROW_EVENTS = st.tuples(
    st.sampled_from("cud"),
    st.lists(st.builds(with_one_key, ROWS, ROWS), min_size=1, max_size=2),
)


def present(op: str, bend: Bend) -> bytes:
    full = b"\xff" * BITMAP
    return bend.lenenc(len(COLUMNS)) + bend.raw(full) + (bend.raw(full) if op == "u" else b"")


def rows_event(model: Event, bend: Bend) -> bytes:
    op, rows = model
    parts = []
    for before, after in rows:
        one = image(before, bend) if op in "ud" else b""
        parts.append(one + (image(after, bend) if op in "cu" else b""))
    return op.encode() + present(op, bend) + b"".join(bend.order(parts))


def transcoded(op: str, body: bytes) -> list[Any]:
    """The images in the records that the producer makes of the rows, read by another reader."""
    out: list[list[tuple[bytes | None, bytes]]] = [[] for _ in range(4)]
    ctx = rowcodec.EventContext()
    start = rowcodec.columns_present(TRANSCODER, ctx, body, 0, len(body), op == "u")
    sequencer = rowcodec.Sequencer(0, [0] * 4)
    rowcodec.encode_rows(
        TRANSCODER, ctx, sequencer, ord(op), body, start, len(body), 0, 0, 1 << 40, out
    )
    records = [DECODER.read(value) for sent in out for _, value in sent]
    records.sort(key=lambda record: record["source"]["seq"])
    return [tuple(row and row[1] for row in (r["before"], r["after"])) for r in records]


def shown(model: Event) -> list[Any]:
    op, rows = model
    return [(b if op in "ud" else None, a if op in "cu" else None) for b, a in rows]


ROWS_EVENT = Structure(
    ROW_EVENTS,
    rows_event,
    lambda data: transcoded(chr(data[0]), data[1:]),
    (MysyncError,),
    shown,
)


# -- partial updates


def partial_event(model: tuple[Row, Row, dict[str, Any]], bend: Bend) -> bytes:
    before, after, changes = model
    doc = document((BEFORE, False), bend)
    parts = [image(before | {"doc": "{}"}, bend, doc), bend.lenenc(1), bend.raw(b"\1")]
    parts.append(image(after | {"doc": "{}"}, bend, diffs(changes, bend)))
    return b"".join(parts)


def read_partial(body: bytes) -> list[Any]:
    full = b"\xff" * BITMAP
    whole = full_rows(body, 0, MAP)
    return transcoded("u", bytes((len(COLUMNS),)) + full + full + whole)


def updated(model: tuple[Row, Row, dict[str, Any]]) -> list[Any]:
    before, after, changes = model
    return [(before | {"doc": printed(BEFORE)}, after | {"doc": printed(changed(changes))})]


PARTIAL_EVENT = Structure(
    st.builds(
        lambda rows, changes: (*with_one_key(*rows), changes), st.tuples(ROWS, ROWS), CHANGED
    ),
    partial_event,
    read_partial,
    (MysyncError,),
    updated,
)

STRUCTURES = {
    "TABLE_MAP": TABLE_MAP,
    "TABLE_MAP of MariaDB": TABLE_MAP_OF_MARIADB,
    "row images": ROWS_EVENT,
    "partial row images": PARTIAL_EVENT,
}
