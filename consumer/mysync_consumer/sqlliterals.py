"""Values of a row image as SQL: one exact literal or constructor expression for each.

The image is that of the target's column, so its bytes are in range and in the column's character
set already (`rowvalues`). What is left is to find words for them that the server, in our session
(`time_zone` +00:00, our `sql_mode`, utf8mb4), turns into the same bytes again:

- a number as decimal digits; FLOAT and DOUBLE as all the digits of the double, with an exponent:
  without one the server would read a DECIMAL, and a FLOAT column isn't equal to its short text;
- text as it stands, or behind an introducer and as hex: nothing is converted on the way. MySQL
  warns of some introducers, and of bytes behind one that its character set lacks, and a warning is
  an error: there the plain bytes are assigned, which the server takes as they are, and compared, of
  some sets, is a utf8mb4 text;
- bytes, geometries (4 bytes of SRID, then WKB) and vectors as hex; INET and UUID as well;
- ENUM as the label's number, SET as its bits, YEAR as a number (the text '0' would be 2000).

What SQL has no words for is a BadValue. What was tried on MySQL 9.7 and MariaDB 10.11 stands in
`tests/consumer/test_sqlliterals.py`.
"""

import datetime as dt
import struct
from collections.abc import Callable
from dataclasses import dataclass

from mysync_consumer import sqljson, sqloldtemporal
from mysync_consumer.rowerrors import BadValue
from mysync_consumer.targetcolumn import GEOMETRIES, MARIADB_FIXED, TargetColumn
from mysync_runtime.mysql import quote
from mysync_schemas.columncompression import decompress

Literal = Callable[[bytes], bytes]

_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 (the session's zone is UTC)
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")
_TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint"})

DEPRECATED = frozenset({"utf8mb3", "utf8", "ucs2", "macroman", "macce", "dec8", "hp8"})
"""Character sets whose introducers MySQL warns of (1287)."""

_NOT_ASCII = frozenset({"ucs2", "utf16", "utf16le", "utf32", "sjis", "swe7"})
_UNICODE = {"utf8mb3": "utf-8", "utf8": "utf-8", "ucs2": "utf-16-be"}

PRECISE_LABELS = 53
"""MySQL compares a SET with a number as doubles: beyond so many labels not exactly."""


@dataclass(frozen=True, slots=True)
class Words:
    """How a column's value is written.

    `assign` is for SET and VALUES, `match` for a comparison with `=` as the column's key compares,
    `exact` makes a condition that is true for this value's bytes only. `listed` says that `match`
    may stand in an IN.
    """

    assign: Literal
    match: Literal
    exact: Callable[[bytes], bytes]
    listed: bool = True


def words_for(column: TargetColumn, *, mariadb: bool) -> Words:
    """The column's words. Each raises BadValue for what SQL can't write."""
    words = _words(column, mariadb=mariadb)
    if not column.compressed:
        return words
    # Its image holds what is stored; SQL speaks of the value.
    size = column.octets
    assign, match, exact = words.assign, words.match, words.exact
    return Words(_inflated(assign, size), _inflated(match, size), _inflated(exact, size))


def _inflated(words: Literal, limit: int) -> Literal:
    return lambda raw: words(decompress(raw, limit))


def _words(column: TargetColumn, *, mariadb: bool) -> Words:
    name = quote(column.name).encode()
    kind = column.data_type
    if kind in _TEXTS or (mariadb and kind == "json"):
        return _text(name, column.charset or "utf8mb4", mariadb=mariadb)
    if kind == "json":
        return Words(sqljson.expression, _never, lambda raw: sqljson.condition(name, raw), False)
    if kind in ("float", "double"):
        return _real(name, _FLOAT if kind == "float" else _DOUBLE, mariadb=mariadb)
    if kind == "enum":
        return _plain(name, _unsigned, assign=_label)
    if kind == "set":
        return _set(name, len(column.labels))
    if kind in GEOMETRIES or kind == "vector":
        return Words(
            hexadecimal, _never, lambda raw: b"CAST(%s AS BINARY) <=> %s" % (name, hexadecimal(raw))
        )
    if kind in MARIADB_FIXED or kind == "binary":
        size = column.octets
        return _plain(name, lambda raw: hexadecimal(raw.ljust(size, b"\0")))
    return _plain(name, _scalar(column, mariadb=mariadb))


def _scalar(column: TargetColumn, *, mariadb: bool) -> Literal:
    if column.old_temporal:
        return sqloldtemporal.literal(column)
    match column.data_type:
        case kind if kind in _INTEGERS:
            return _unsigned if column.unsigned else _signed
        case "decimal":
            return _decimal(column.precision or 0, column.scale or 0)
        case "year":
            return _year
        case "bit":
            return lambda raw: b"%d" % int.from_bytes(raw, "big")
        case "date":
            return _date
        case "datetime":
            return lambda raw: _datetime(raw, column.fsp)
        case "timestamp":
            return lambda raw: _timestamp(raw, column.fsp)
        case "time":
            return lambda raw: _time(raw, column.fsp, mariadb=mariadb)
    return hexadecimal


def _plain(name: bytes, literal: Literal, *, assign: Literal | None = None) -> Words:
    """What is equal only if it is the same."""
    return Words(assign or literal, literal, lambda raw: name + b" <=> " + literal(raw))


def _never(raw: bytes) -> bytes:
    raise BadValue(f"{len(raw)} bytes of a type that can't be a key")


# -- numbers ---------------------------------------------------------------------------------------


def _unsigned(raw: bytes) -> bytes:
    return b"%d" % int.from_bytes(raw, "little")


def _signed(raw: bytes) -> bytes:
    return b"%d" % int.from_bytes(raw, "little", signed=True)


def _decimal(precision: int, scale: int) -> Literal:
    """Groups of nine digits in four bytes each, the outer ones shorter; the sign is the first bit,
    inverted, and a negative number is complemented (MySQL's decimal2bin)."""
    whole = precision - scale
    sizes = (whole % 9, *[9] * (whole // 9), *[9] * (scale // 9), scale % 9)
    widths = [(digits, (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)[digits]) for digits in sizes if digits]
    bits = 8 * sum(width for _, width in widths)
    top, ones = 1 << bits - 1, (1 << bits) - 1
    groups: list[tuple[int, int, int]] = []
    for digits, width in widths:
        bits -= 8 * width
        groups.append((bits, (1 << 8 * width) - 1, int(10**digits)))

    def literal(raw: bytes) -> bytes:
        packed = int.from_bytes(raw, "big") ^ top
        sign = ""
        if packed & top:
            sign, packed = "-", packed ^ ones
        number = 0
        for shift, mask, power in groups:
            number = number * power + (packed >> shift & mask)
        if scale == 0:
            return f"{sign}{number}".encode()
        text = f"{number:0{scale + 1}}"
        return f"{sign}{text[:-scale]}.{text[-scale:]}".encode()

    return literal


def _year(raw: bytes) -> bytes:
    return b"%d" % (raw[0] + 1900 if raw[0] else 0)


def real(number: float) -> bytes:
    """A DOUBLE: the shortest digits that give it back, with an exponent."""
    text = repr(number)
    return text.encode() if "e" in text else text.encode() + b"e0"


def _real(name: bytes, packed: struct.Struct, *, mariadb: bool) -> Words:
    def match(raw: bytes) -> bytes:
        return real(packed.unpack(raw)[0])

    def assign(raw: bytes) -> bytes:
        literal = match(raw)
        if mariadb and literal == b"-0.0e0":
            raise BadValue("MariaDB's SQL makes 0 of -0.0")
        return literal

    def exact(raw: bytes) -> bytes:
        literal = match(raw)
        condition = name + b" <=> " + literal
        if float(literal) == 0:
            # Only the angle tells the sign of a zero.
            sign = b">" if literal[:1] == b"-" else b"<"
            condition = b"%s AND ATAN2(0, %s) %s 1" % (condition, name, sign)
        return condition

    return Words(assign, match, exact)


def _label(raw: bytes) -> bytes:
    number = int.from_bytes(raw, "little")
    if number == 0:
        raise BadValue("the error value of an ENUM, which SQL can't write in strict mode")
    return b"%d" % number


def _set(name: bytes, labels: int) -> Words:
    def match(raw: bytes) -> bytes:
        # Compared is a signed number of 64 bits.
        bits = int.from_bytes(raw, "little")
        return b"%d" % (bits - (bits >> 63 << 64))

    def exact(raw: bytes) -> bytes:
        # `|` works on all bits; the first condition is what an index knows.
        return b"%s <=> %s AND %s | 0 = %s" % (name, match(raw), name, _unsigned(raw))

    return Words(_unsigned, match, exact, labels <= PRECISE_LABELS)


# -- times -----------------------------------------------------------------------------------------


def _fraction(micros: int, fsp: int) -> str:
    return f".{micros:06}"[: fsp + 1] if fsp else ""


def _micros(raw: bytes) -> int:
    return int(int.from_bytes(raw, "big") * 10 ** (6 - 2 * len(raw)))


def _date(raw: bytes) -> bytes:
    packed = int.from_bytes(raw, "little")
    return b"'%04d-%02d-%02d'" % (packed >> 9, packed >> 5 & 15, packed & 31)


def _datetime(raw: bytes, fsp: int) -> bytes:
    packed = int.from_bytes(raw[:5], "big") - (1 << 39)
    months = packed >> 22
    day = f"{months // 13:04}-{months % 13:02}-{packed >> 17 & 31:02}"
    clock = f"{packed >> 12 & 31:02}:{packed >> 6 & 63:02}:{packed & 63:02}"
    return f"'{day} {clock}{_fraction(_micros(raw[5:]), fsp)}'".encode()


def _timestamp(raw: bytes, fsp: int) -> bytes:
    seconds, micros = int.from_bytes(raw[:4], "big"), _micros(raw[4:])
    if seconds == 0:
        return f"'0000-00-00 00:00:00{_fraction(0, fsp)}'".encode()
    moment = _EPOCH + dt.timedelta(seconds=seconds)
    return f"'{moment:%Y-%m-%d %H:%M:%S}{_fraction(micros, fsp)}'".encode()


_LAST_SECOND = 838 << 12 | 59 << 6 | 59


def _time(raw: bytes, fsp: int, *, mariadb: bool) -> bytes:
    bits = 8 * (len(raw) - 3)
    packed = int.from_bytes(raw, "big") - (1 << 23 + bits)
    sign, packed = ("-", -packed) if packed < 0 else ("", packed)
    whole, part = packed >> bits, packed & (1 << bits) - 1
    if whole == _LAST_SECOND and part and not mariadb:
        raise BadValue("a TIME past 838:59:59, where MySQL's SQL ends")
    clock = f"{whole >> 12:02}:{whole >> 6 & 63:02}:{whole & 63:02}"
    return f"'{sign}{clock}{_fraction(part * 10 ** (6 - bits // 4), fsp)}'".encode()


# -- text and bytes --------------------------------------------------------------------------------


def hexadecimal(raw: bytes) -> bytes:
    return b"X'" + raw.hex().encode() + b"'"


def quoted(utf8: bytes) -> bytes:
    """A literal of the session's character set."""
    escaped = utf8.replace(b"\\", b"\\\\").replace(b"'", b"\\'").replace(b"\0", b"\\0")
    return b"'" + escaped + b"'"


def _text(name: bytes, charset: str, *, mariadb: bool) -> Words:
    ascii_too = charset not in _NOT_ASCII
    warned = charset in DEPRECATED and not mariadb
    introducer = b"_" + charset.encode() + b" "

    def assign(raw: bytes) -> bytes:
        if mariadb or charset in ("utf8mb4", "ascii") or (ascii_too and raw.isascii()):
            return introduced(raw)
        return hexadecimal(raw)

    def introduced(raw: bytes) -> bytes:
        if ascii_too and raw.isascii():
            return quoted(raw)
        if charset == "utf8mb4":
            return unicode(raw, "utf-8")
        if charset == "ascii" and not mariadb:
            raise BadValue("a byte beyond ASCII, which MySQL's SQL can't write here")
        return introducer + hexadecimal(raw)

    def match(raw: bytes) -> bytes:
        if warned and not (ascii_too and raw.isascii()):
            if charset not in _UNICODE:
                raise BadValue(
                    f"a key in {charset}, which MySQL's SQL can't name without a warning"
                )
            return unicode(raw, _UNICODE[charset])
        return introduced(raw)

    def unicode(raw: bytes, codec: str) -> bytes:
        try:
            return quoted(raw.decode(codec).encode())
        except UnicodeError:
            if mariadb:
                return introducer + hexadecimal(raw)
            raise BadValue("not valid Unicode, which MySQL's SQL can't write") from None

    return Words(assign, match, lambda raw: b"CAST(%s AS BINARY) <=> %s" % (name, hexadecimal(raw)))
