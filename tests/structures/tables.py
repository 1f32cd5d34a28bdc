"""What else is serialised: tables of character sets and collations, GTID sets, positions."""

import uuid
import zlib
from typing import Any

from hypothesis import strategies as st

from mysync_schemas.charset import CharsetTable
from mysync_schemas.columncompression import decompress
from mysync_schemas.errors import SchemaError
from mysync_schemas.foldtable import FoldTable, Run
from mysync_schemas.gtid import GtidSet, MariadbGtidSet
from mysync_schemas.position import BinlogPosition
from structures.bend import Bend, Structure
from structures.events import TAGS, U32, UUIDS

CLEAN = (SchemaError,)


# -- character sets and collations

ASCII = {code: bytes((code,)) for code in range(128)}
POINTS = st.dictionaries(st.integers(0x80, 0xD7FF), st.integers(0x8140, 0xFEFE), max_size=5).map(
    lambda found: {point: code for code, point in {c: p for p, c in found.items()}.items()}
)


def charset(model: tuple[str, dict[int, int], bool], bend: Bend) -> bytes:
    name, points, supplementary = model
    codes = ASCII | {point: code.to_bytes(2, "big") for point, code in points.items()}
    before, distances = 0, []
    for point in sorted(codes):
        distances.append(bend.avro(point - before))
        before = point
    sizes = bend.raw(bytes(len(codes[point]) for point in sorted(codes)))
    joined = bend.raw(b"".join(codes[point] for point in sorted(codes)))
    parts = (
        bend.uint(1, 1),
        bend.uint(supplementary, 1),
        bend.avro(len(name)),
        bend.raw(name.encode()),
        bend.avro(len(codes)),
        *bend.order(distances),
        bend.avro(len(sizes)),
        sizes,
        bend.avro(len(joined)),
        joined,
    )
    return bend.raw(zlib.compress(b"".join(parts)))


def read_charset(data: bytes) -> Any:
    """It has to be usable, too."""
    table = CharsetTable.from_bytes(data)
    for value in (b"plain", b"\x81\x40\xfe\xfe", b"\x90\x30\x81\x30" * 3):
        text = table.decode(value)
        assert text is None or table.encode(text) == value
    return table.name, table.codes, table.supplementary


NAMES = st.sampled_from(["wide", "gbk", ""])
CHARSET = Structure(
    st.tuples(NAMES, POINTS, st.booleans()),
    charset,
    read_charset,
    CLEAN,
    lambda m: (m[0], ASCII | {p: c.to_bytes(2, "big") for p, c in m[1].items()}, m[2]),
)

Fold = tuple[list[tuple[int, int, int]], dict[int, bytes]]
RUNS = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 300), st.integers(0, 1)), max_size=4)
SINGLE = st.dictionaries(
    st.integers(0x2000, 0x10FFFF), st.binary(max_size=3).map(lambda b: b * 2), max_size=4
)


def fold_table(model: Fold) -> FoldTable:
    listed, single = model
    runs, end = [], 0
    for gap, length, step in listed:
        runs.append(Run(end + gap, length, step, b"\x01\x02"))
        end += gap + length
    return FoldTable("any_ci", pad_space=True, unit=2, space=b"\0\x20", runs=runs, single=single)


def fold(model: Fold, bend: Bend) -> bytes:
    runs, single = model
    parts = [bend.uint(1, 1), bend.uint(1, 1), bend.uint(2, 1), bend.avro(6), bend.raw(b"any_ci")]
    parts += [bend.avro(2), bend.raw(b"\0\x20"), bend.avro(len(runs))]
    listed = []
    for gap, length, step in runs:
        head = bend.avro(gap) + bend.avro(length) + bend.avro(step)
        listed.append(head + bend.avro(2) + bend.raw(b"\x01\x02"))
    parts += [*bend.order(listed), bend.avro(len(single))]
    before = 0
    for point in sorted(single):
        parts.append(bend.avro(point - before))
        before = point
    parts += [bend.avro(len(single[point]) // 2) for point in sorted(single)]
    parts += [bend.raw(single[point]) for point in sorted(single)]
    return bend.raw(zlib.compress(b"".join(parts)))


def read_fold(data: bytes) -> FoldTable:
    """It has to be usable, too: a character it lacks is said to be missing."""
    table = FoldTable.from_bytes(data)
    for text in ("", "Text ", "\u2000\u0101"):
        try:
            table.fold(text)
        except SchemaError:
            continue
    return table


FOLD = Structure(st.tuples(RUNS, SINGLE), fold, read_fold, CLEAN, fold_table)


# -- COMPRESSED columns of MariaDB


def stored(model: tuple[bytes, bool], bend: Bend) -> bytes:
    value, wrapped = model
    width = max(1, (len(value).bit_length() + 7) // 8)
    deflate = zlib.compressobj(wbits=zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
    data = deflate.compress(value) + deflate.flush()
    head = bend.uint(0x80 | (0 if wrapped else 8) | width, 1)
    return head + bend.uint(len(value), width, "big") + bend.raw(data)


COMPRESSED = Structure(
    st.tuples(st.binary(min_size=1, max_size=300), st.booleans()),
    stored,
    lambda data: decompress(data, 1000),
    CLEAN,
    lambda m: m[0],
)


# -- GTID sets and positions

INTERVALS = st.lists(st.tuples(st.integers(1, 100), st.integers(1, 100)), min_size=1, max_size=3)
GTIDS = st.dictionaries(st.tuples(UUIDS, st.just("") | TAGS), INTERVALS, max_size=3)
Gtids = dict[tuple[bytes, str], list[tuple[int, int]]]


def intervals(model: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """From (gap, length): [start, end), apart from one another."""
    found, at = [], 0
    for gap, length in model:
        found.append((at + gap, at + gap + length))
        at += gap + length
    return found


def text_of(model: Gtids) -> str:
    entries = []
    for (source, tag), listed in model.items():
        name = f"{uuid.UUID(bytes=source)}:{tag}:" if tag else f"{uuid.UUID(bytes=source)}:"
        entries.append(name + ":".join(f"{a}-{b - 1}" for a, b in intervals(listed)))
    return ",".join(entries)


def gtid_set(model: Gtids, bend: Bend) -> bytes:
    tagged = any(tag for _, tag in model)
    count = len(model)
    parts = [bend.uint(count << 8 | 1 | 1 << 56 if tagged else count, 8)]
    for (source, tag), listed in model.items():
        parts.append(bend.raw(source))
        if tagged:
            parts += [bend.uint(len(tag) << 1, 1), bend.raw(tag.encode())]
        pairs = [bend.uint(a, 8) + bend.uint(b, 8) for a, b in intervals(listed)]
        parts += [bend.uint(len(listed), 8), *bend.order(pairs)]
    return b"".join(parts)


GTID_SET = Structure(GTIDS, gtid_set, GtidSet.decode, CLEAN, lambda m: GtidSet.parse(text_of(m)))


def pieces(text: str, bend: Bend) -> bytes:
    """A text whose words and signs may be bent."""
    found, word = [], ""
    for letter in text:
        if letter in "-:,.":
            found += [bend.raw(word.encode()), bend.raw(letter.encode())]
            word = ""
        else:
            word += letter
    return b"".join((*found, bend.raw(word.encode())))


def text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


GTID_TEXT = Structure(
    GTIDS,
    lambda m, bend: pieces(text_of(m), bend),
    lambda data: GtidSet.parse(text(data)),
    CLEAN,
    lambda m: GtidSet.decode(gtid_set(m, Bend())),
)


def one_gtid(data: bytes) -> str:
    found = GtidSet()
    found.add(text(data))
    assert found.contains(text(data))
    # Now that the source is known: the short way.
    found.add(text(data))
    return str(found)


ONE_GTID = Structure(
    st.tuples(UUIDS, st.just("") | TAGS, st.integers(1, (1 << 63) - 2)),
    lambda m, bend: pieces(f"{uuid.UUID(bytes=m[0])}:{m[1]}{':' * bool(m[1])}{m[2]}", bend),
    one_gtid,
    CLEAN,
    lambda m: f"{uuid.UUID(bytes=m[0])}:{m[1]}{':' * bool(m[1])}{m[2]}",
)

DOMAINS = st.dictionaries(U32, st.tuples(U32, st.integers(0, (1 << 64) - 1)), max_size=3)
MARIADB_GTID_SET = Structure(
    DOMAINS,
    lambda m, bend: pieces(",".join(f"{d}-{s}-{n}" for d, (s, n) in m.items()), bend),
    lambda data: MariadbGtidSet.parse(text(data)).domains,
    CLEAN,
    lambda m: m,
)
POSITION = Structure(
    st.tuples(st.integers(0, (1 << 31) - 1), st.integers(0, 1 << 40)),
    lambda m, bend: pieces(f"binlog.{m[0]:06}:{m[1]}", bend),
    lambda data: BinlogPosition.parse(text(data)),
    CLEAN,
    lambda m: BinlogPosition(f"binlog.{m[0]:06}", m[1]),
)

STRUCTURES = {
    "character set": CHARSET,
    "collation": FOLD,
    "COMPRESSED value of MariaDB": COMPRESSED,
    "GTID set": GTID_SET,
    "text of a GTID set": GTID_TEXT,
    "text of a GTID": ONE_GTID,
    "text of MariaDB's GTIDs": MARIADB_GTID_SET,
    "text of a position": POSITION,
}
