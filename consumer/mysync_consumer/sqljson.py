"""A MySQL JSON document as SQL that makes the same document again.

Where the document's text says all of it, the text is the literal. Elsewhere the containers around
what text can't carry are built by JSON_OBJECT and JSON_ARRAY, and that by a typed expression:

    unsigned and large signed integers   CAST(n AS UNSIGNED), CAST(n AS SIGNED)
    DECIMAL                              a literal, or CAST(… AS DECIMAL(p,s)): what p is stored as
                                         depends on it (`jsontext.decimal_text`)
    DATE, TIME, DATETIME                 CAST('…' AS …(6))
    TIMESTAMP, BIT                       a column of that type, by JSON_TABLE
    bytes of VARCHAR and the BLOBs       a hex literal, by its greatest length of the right type

The format is described in `mysync_schemas.jsonb`. Opaque values of other types are a BadValue: no
expression is known that makes them.
"""

import json
from collections.abc import Iterator
from struct import Struct

from mysync_consumer.rowerrors import BadValue
from mysync_schemas import jsonb
from mysync_schemas.errors import JsonError
from mysync_schemas.jsontext import opaque_text

_DOUBLE = Struct("<d")
_TIMESTAMP, _DATE, _TIME, _DATETIME, _VARCHAR, _BIT, _DECIMAL = 7, 10, 11, 12, 15, 16, 246
_MEDIUM_BLOB, _LONG_BLOB, _BLOB, _VAR_STRING, _STRING = 250, 251, 252, 253, 254
_CASTS = {_DATE: "DATE", _TIME: "TIME(6)", _DATETIME: "DATETIME(6)"}

# By its greatest length: from 2**16 on MEDIUMBLOB, from 2**24 on LONGBLOB.
_LENGTHS = {_MEDIUM_BLOB: 1 << 16, _LONG_BLOB: 1 << 24}
_MOST_BITS = 64
_MOST_DIGITS = 65


def expression(raw: bytes) -> bytes:
    """What to assign to a JSON column. Raises BadValue."""
    try:
        text, exact = jsonb.to_text(raw)
    except JsonError as error:
        raise BadValue(str(error)) from None
    if exact:
        return _quoted(text)
    if not raw:
        raise BadValue("an empty document, which SQL can't write")
    kind = raw[0]
    found = _value(raw, kind, 1)
    # A container's value is of type JSON already; a scalar has to be made one.
    return found.encode() if kind <= 0x03 else f"JSON_EXTRACT(JSON_ARRAY({found}), '$[0]')".encode()


def condition(name: bytes, raw: bytes) -> bytes:
    """True for this document only: its text, and the type of every value inside."""
    text, _ = jsonb.to_text(raw)
    parts = [b"CAST(%s AS CHAR) COLLATE utf8mb4_bin = %s" % (name, _quoted(text))]
    if raw:
        parts += [
            b"JSON_TYPE(JSON_EXTRACT(%s, %s)) = '%s'" % (name, _quoted(path), kind.encode())
            for path, kind in _types(raw, raw[0], 1, "$")
        ]
    return b" AND ".join(parts)


def _quoted(text: str) -> bytes:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    return b"'" + escaped.encode() + b"'"


def _value(data: bytes, kind: int, pos: int) -> str:
    """The expression of the (validated) value at `pos`."""
    if kind <= 0x03:
        items = [(key, _value(data, k, p)) for key, k, p in _elements(data, kind, pos)]
        if kind <= 0x01:
            joined = ", ".join(f"{_quoted(key or '').decode()}, {value}" for key, value in items)
            return f"JSON_OBJECT({joined})"
        return f"JSON_ARRAY({', '.join(value for _, value in items)})"
    if kind == 0x04:
        return "CAST('" + ("null", "true", "false")[data[pos]] + "' AS JSON)"
    if kind == 0x0B:
        text = repr(_DOUBLE.unpack_from(data, pos)[0])
        return text if "e" in text else text + "e0"
    if kind == 0x0C:
        start, size = _sized(data, pos)
        return _quoted(_text(data[start : start + size])).decode()
    if kind == 0x0F:
        start, size = _sized(data, pos + 1)
        return _opaque(data[pos], data[start : start + size])
    unsigned, number = _integer(data, kind, pos)
    return f"CAST({number} AS {'UNSIGNED' if unsigned else 'SIGNED'})"


def _opaque(field_type: int, data: bytes) -> str:
    text = opaque_text(field_type, data)
    if field_type in _CASTS:
        return f"CAST('{text[1:-1]}' AS {_CASTS[field_type]})"
    if field_type == _DECIMAL:
        return _decimal(text, *data[:2])
    literal = f"X'{data.hex()}'"
    match field_type:
        case 7:  # TIMESTAMP
            return _typed("TIMESTAMP(6)", text)
        case 16 if 8 * len(data) <= _MOST_BITS:  # BIT
            number = int.from_bytes(data, "big")
            return _typed(f"BIT({8 * len(data) or 1})", str(number))
        case 15:  # VARCHAR
            return literal
        case 250 | 251 if len(data) < _LENGTHS[field_type]:  # MEDIUMBLOB, LONGBLOB
            return f"IF(0, REPEAT(X'00', {_LENGTHS[field_type]}), {literal})"
        case 252:  # BLOB
            return f"COALESCE({_typed('BLOB', 'null')}, {literal})"
    raise BadValue(f"a document with {len(data)} bytes of type {field_type}: SQL can't make them")


def _typed(kind: str, document: str) -> str:
    """A column of this type with the document's value."""
    return f"(SELECT b FROM JSON_TABLE('{document}', '$' COLUMNS (b {kind} PATH '$')) t)"


def _decimal(text: str, precision: int, scale: int) -> str:
    """A literal keeps its digits, and one zero before them; a CAST fills groups of nine."""
    sign, digits = ("-", text[1:]) if text[0] == "-" else ("", text)
    more = precision - len(digits.replace(".", ""))
    if more == 0 or (more == 1 and (precision - scale) % 9):
        return sign + "0" * more + digits
    return f"CAST({text} AS DECIMAL({min(precision, _MOST_DIGITS)},{scale}))"


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise BadValue("a document with a string that isn't UTF-8") from None


def _types(data: bytes, kind: int, pos: int, path: str) -> Iterator[tuple[str, str]]:
    """Path and JSON_TYPE of every number, string and opaque value."""
    if kind <= 0x03:
        for at, (key, k, p) in enumerate(_elements(data, kind, pos)):
            step = f"[{at}]" if key is None else "." + json.dumps(key, ensure_ascii=False)
            yield from _types(data, k, p, path + step)
    elif kind in (0x06, 0x08, 0x0A):
        yield path, "UNSIGNED INTEGER"
    elif kind in (0x05, 0x07, 0x09):
        yield path, "INTEGER"
    elif kind == 0x0B:
        yield path, "DOUBLE"
    elif kind == 0x0C:
        yield path, "STRING"
    elif kind == 0x0F:
        names = {_TIMESTAMP: "TIMESTAMP", _DATE: "DATE", _TIME: "TIME", _DATETIME: "DATETIME"}
        names |= {_DECIMAL: "DECIMAL", _BIT: "BIT"}
        yield path, names.get(data[pos], "BLOB")


def _elements(data: bytes, kind: int, start: int) -> Iterator[tuple[str | None, int, int]]:
    """(key or None, kind, position) of what a container holds."""
    width = 4 if kind & 1 else 2
    count = _little(data, start, width)
    keys = start + 2 * width
    entries = keys + count * (width + 2) if kind <= 0x01 else keys
    for i in range(count):
        key = None
        if kind <= 0x01:
            entry = keys + i * (width + 2)
            at, size = start + _little(data, entry, width), _little(data, entry + width, 2)
            key = _text(data[at : at + size])
        entry = entries + i * (width + 1)
        inner = data[entry]
        inline = inner in (0x04, 0x05, 0x06) or (width == 4 and inner in (0x07, 0x08))
        yield key, inner, entry + 1 if inline else start + _little(data, entry + 1, width)


def _integer(data: bytes, kind: int, pos: int) -> tuple[bool, int]:
    width = 2 if kind <= 0x06 else 4 if kind <= 0x08 else 8
    unsigned = kind in (0x06, 0x08, 0x0A)
    return unsigned, int.from_bytes(data[pos : pos + width], "little", signed=not unsigned)


def _little(data: bytes, pos: int, width: int) -> int:
    return int.from_bytes(data[pos : pos + width], "little")


def _sized(data: bytes, pos: int) -> tuple[int, int]:
    """Where a value behind its length (7 bits a byte) begins, and its length."""
    size = shift = 0
    while True:
        byte = data[pos]
        pos += 1
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            return pos, size
        shift += 7
