"""Random literals of any column type: what `every_type` inserts beside the edges."""

import random
import re
import struct
from collections.abc import Iterator

from mysync_lab.workload import values
from mysync_lab.workload.schemas import net
from mysync_lab.workload.values import Literal
from producer.type_values import FRACTIONS, SPANS

INTS = {"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 24, "INT": 32, "BIGINT": 64}
GEOMETRIES = (
    *("POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON"),
    "GEOMETRYCOLLECTION",
)
_JAPANESE = "あアカガ日本語表示中国ー～"
_ALPHABETS = {
    **dict.fromkeys(("sjis", "ujis"), _JAPANESE),
    **dict.fromkeys(("cp932", "eucjpms"), _JAPANESE + "①㈱"),
    **dict.fromkeys(("ucs2", "utf16", "utf16le", "utf32"), "aßжあ中한\u0301\u200d\uffff"),
    "big5": "中國漢字測試許功蓋",
    "gbk": "中国汉字測試丂",
    "gb2312": "中国汉字测试",
    "euckr": "한국어가나다漢字",
    "gb18030": "中国汉字測試한あä€😀𠀀",
}
_PLANES = frozenset({"utf16", "utf16le", "utf32"})  # with characters beyond the first plane
_SIZES = {"TINYTEXT": 60, "TINYBLOB": 255}
_TEXTS = ("CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT")
_BINARIES = ("BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB")


def any_of(definition: str, *, mariadb: bool) -> Literal:
    """Literals of a column of this definition, on that server."""
    kind, *rest = re.split(r"\W+", definition.upper())
    if kind in _TEXTS:
        found = re.search(r"CHARACTER SET (\w+)", definition)
        return text(found[1] if found else "utf8mb4", _size(kind, rest))
    if kind in _BINARIES:
        return values.binary(_size(kind, rest))
    if kind in INTS or kind in ("DECIMAL", "FLOAT", "DOUBLE", "BIT"):
        return _number(kind, rest)
    if kind in ("DATE", "YEAR", "DATETIME", "TIMESTAMP", "TIME"):
        return _temporal(kind, rest)
    if kind in ("ENUM", "SET"):
        labels = len(re.findall(r"'(?:[^'\\]|''|\\.)*'", definition))
        return lambda r: str(r.randint(1, labels) if kind == "ENUM" else r.randrange(1 << labels))
    if kind == "GEOMETRY" or kind in GEOMETRIES:
        return _geometry(kind, rest, nested=not mariadb)
    if kind == "VECTOR":
        return lambda r: f"X'{b''.join(_float(r) for _ in range(_size(kind, rest))).hex()}'"
    if kind == "JSON":
        return values.document_text if mariadb else values.document
    return net(kind)


def _size(kind: str, rest: list[str]) -> int:
    return int(rest[0]) if rest and rest[0].isdigit() else _SIZES.get(kind, 300)


def _number(kind: str, rest: list[str]) -> Literal:
    if kind in INTS:
        bits, signed = INTS[kind], "UNSIGNED" not in rest
        return values.integer(-(1 << bits - 1) if signed else 0, (1 << bits - signed) - 1)
    if kind == "BIT":
        return values.integer(0, (1 << int(rest[0])) - 1)
    if kind == "DECIMAL":
        return values.decimal(int(rest[0]), int(rest[1]))
    if kind == "FLOAT":
        return values.real("3.4028234e38", "1.1754944e-38")
    return values.real("1.7976931348623157e308", "2.2250738585072014e-308")


def _temporal(kind: str, rest: list[str]) -> Literal:
    fsp = int(rest[0]) if rest and rest[0].isdigit() else 0
    match kind:
        case "DATE":
            return values.date
        case "YEAR":
            return lambda r: str(r.choice((0, r.randint(1901, 2155))))
        case "DATETIME":
            return values.datetime(fsp)
        case "TIMESTAMP":
            return values.timestamp(fsp)
    return lambda r: r.choice((values.time(fsp), _odd_time))(r)


def _odd_time(r: random.Random) -> str:
    return f"'{r.choice(('', '-'))}{r.choice(SPANS)}.{r.choice(FRACTIONS)}'"


def _float(r: random.Random) -> bytes:
    """Any finite float's bytes."""
    while True:
        raw = r.randbytes(4)
        if struct.unpack("<I", raw)[0] >> 23 & 255 != 255:
            return raw


def text(charset: str, longest: int) -> Literal:
    """Characters of the set; of those of one byte all bytes."""
    if charset in ("utf8mb4", "utf8mb3", "ascii", "latin1"):
        return values.text(charset, longest)
    alphabet = _ALPHABETS.get(charset)

    def literal(r: random.Random) -> str:
        length = r.choice((0, 1, r.randint(0, longest), longest))
        if alphabet is None:
            return f"_{charset} X'{r.randbytes(length).hex()}'"
        chosen = alphabet + "aA z'\\" + ("😀𐀀" if charset in _PLANES else "")
        chars = "".join(r.choices(chosen, k=length)).encode()
        return f"CONVERT(_utf8mb4 X'{chars.hex()}' USING {charset})"

    return literal


def _geometry(kind: str, rest: list[str], *, nested: bool) -> Literal:
    fixed = rest[1:2] if rest[:1] == ["SRID"] else []

    def literal(r: random.Random) -> str:
        chosen = r.choice(GEOMETRIES) if kind == "GEOMETRY" else kind
        wkt = shape(chosen, r, nested=nested)
        return f"ST_GeomFromText('{wkt}', {fixed[0] if fixed else r.choice((0, 4326))})"

    return literal


def shape(kind: str, r: random.Random, *, nested: bool) -> str:
    """A geometry as well-known text, within the degrees of the globe."""
    return kind + _inside(kind, r, nested=nested)


def _inside(kind: str, r: random.Random, *, nested: bool) -> str:
    def point() -> str:
        return " ".join(repr(r.choice((0.0, 1.0, r.uniform(-90, 90)))) for _ in range(2))

    def points(least: int) -> Iterator[str]:
        return (point() for _ in range(r.randint(least, least + 3)))

    def several(of: str) -> str:
        return ",".join(_inside(of, r, nested=nested) for _ in range(r.randint(1, 3)))

    match kind:
        case "POINT":
            return f"({point()})"
        case "LINESTRING" | "MULTIPOINT":
            return f"({','.join(points(2))})"
        case "POLYGON":
            start = point()
            return f"(({','.join([start, *points(3), start])}))"
        case "MULTILINESTRING":
            return f"({several('LINESTRING')})"
        case "MULTIPOLYGON":
            return f"({several('POLYGON')})"
    inner = r.choices(GEOMETRIES if nested else GEOMETRIES[:-1], k=r.randint(1, 2))
    return f"({','.join(shape(each, r, nested=False) for each in inner)})"
