"""PARTIAL_UPDATE_ROWS (39) as the UPDATE_ROWS that it stands for.

With binlog_row_value_options=PARTIAL_JSON the after image of an updated JSON column may hold the
differences to the before image instead of the document. Format: MySQL source documentation,
`Rows_log_event::pack_row`: before an after image stand its value options (a length-encoded integer;
1: partial JSON) and then a bit for each JSON column of the table, set where it is partial; a
partial value is 4 bytes of length and the differences (`mysync_schemas.jsondiff`).

Both images hold all columns here: `columns_present` has made sure of that.
"""

from collections.abc import Callable

from mysync_producer.tablemap import ColumnType, TableMap
from mysync_runtime.errors import CorruptEvent
from mysync_schemas.errors import JsonError
from mysync_schemas.jsondiff import apply_diffs

__all__ = ["full_rows"]

_PARTIAL_JSON = 1
_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
_FIXED = {
    ColumnType.TINY: 1,
    ColumnType.SHORT: 2,
    ColumnType.INT24: 3,
    ColumnType.LONG: 4,
    ColumnType.LONGLONG: 8,
    ColumnType.YEAR: 1,
    ColumnType.DATE: 3,
}
_TEMPORAL = {ColumnType.TIME2: 3, ColumnType.TIMESTAMP2: 4, ColumnType.DATETIME2: 5}

_Extent = Callable[[bytes, int], int]
"""Of a value that begins at a place: where it ends."""


def full_rows(body: bytes, start: int, table_map: TableMap) -> bytes:
    """The rows from `start` to the body's end with full after images. Raises CorruptEvent."""
    images = _Images(body, table_map)
    parts: list[bytes] = []
    at = start
    while at < len(body):
        before, middle = images.values(at)
        parts.append(body[at:middle])
        at = images.after(middle, before, parts)
    return b"".join(parts)


class _Images:
    """Cuts the row images of one event into values."""

    def __init__(self, body: bytes, table_map: TableMap) -> None:
        self.body = body
        self.table = f"{table_map.db}.{table_map.table}"
        self.bitmap = (table_map.columns + 7) // 8
        types = [ColumnType(code) for code in table_map.types]
        pairs = zip(types, table_map.metas, strict=True)
        self.extents = [_extent(kind, meta) for kind, meta in pairs]
        json_columns = [i for i, kind in enumerate(types) if kind is ColumnType.JSON]
        self.bit = {column: number for number, column in enumerate(json_columns)}

    def values(self, at: int) -> tuple[list[tuple[int, int]], int]:
        """Where the values of the image at `at` begin and end (NULL: −1), and where it ends."""
        nulls = self._take(at, self.bitmap)
        at += self.bitmap
        found = []
        for column, extent in enumerate(self.extents):
            if nulls[column >> 3] & 1 << (column & 7):
                found.append((-1, -1))
                continue
            end = self._end(extent(self.body, at))
            found.append((at, end))
            at = end
        return found, at

    def after(self, at: int, before: list[tuple[int, int]], parts: list[bytes]) -> int:
        """Appends the full after image that begins with its value options at `at`; its end."""
        options, at = self._options(at)
        partial = b""
        if options & _PARTIAL_JSON:
            size = (len(self.bit) + 7) // 8
            partial = self._take(at, size)
            at += size
        nulls = self._take(at, self.bitmap)
        parts.append(nulls)
        at += self.bitmap
        copied = at
        for column, extent in enumerate(self.extents):
            if nulls[column >> 3] & 1 << (column & 7):
                continue
            end = self._end(extent(self.body, at))
            bit = self.bit.get(column, -1)
            if partial and bit >= 0 and partial[bit >> 3] & 1 << (bit & 7):
                document = self._document(column, before[column], self.body[at + 4 : end])
                parts += (self.body[copied:at], len(document).to_bytes(4, "little"), document)
                copied = end
            at = end
        parts.append(self.body[copied:at])
        return at

    def _document(self, column: int, before: tuple[int, int], diffs: bytes) -> bytes:
        start, end = before
        if start < 0:
            raise self._corrupt(f"column {column + 1} was NULL before a partial update")
        try:
            return apply_diffs(self.body[start + 4 : end], diffs)
        except JsonError as error:
            raise self._corrupt(f"column {column + 1}: {error}") from error

    def _options(self, at: int) -> tuple[int, int]:
        first = self._take(at, 1)[0]
        size = {252: 2, 253: 3, 254: 8}.get(first, 0)
        options = int.from_bytes(self._take(at + 1, size), "little") if size else first
        if options & ~_PARTIAL_JSON:
            raise self._corrupt(f"value options {options:#x} are not known")
        return options, at + 1 + size

    def _take(self, at: int, size: int) -> bytes:
        return self.body[at : self._end(at + size)]

    def _end(self, end: int) -> int:
        if end > len(self.body):
            raise self._corrupt("the event ends within a row")
        return end

    def _corrupt(self, what: str) -> CorruptEvent:
        return CorruptEvent(f"a partial update of {self.table}: {what}")


def _extent(kind: ColumnType, meta: int) -> _Extent:
    """How the values of a column are measured. Metadata bytes: `tablemap.TableMap.metas`."""
    if kind in _FIXED:
        return _fixed(_FIXED[kind])
    if kind in _TEMPORAL:
        return _fixed(_TEMPORAL[kind] + (meta + 1) // 2)
    match kind:
        case ColumnType.FLOAT | ColumnType.DOUBLE:
            return _fixed(meta)
        case ColumnType.NEWDECIMAL:
            whole, scale = (meta & 255) - (meta >> 8), meta >> 8
            if whole < 0:
                raise CorruptEvent(f"a column of type DECIMAL({meta & 255},{scale})")
            return _fixed(
                (whole // 9 + scale // 9) * 4 + _DIGIT_BYTES[whole % 9] + _DIGIT_BYTES[scale % 9]
            )
        case ColumnType.BIT:
            return _fixed((meta >> 8) + (1 if meta & 255 else 0))
        case ColumnType.ENUM | ColumnType.SET:
            return _fixed(meta >> 8)
        case ColumnType.STRING:
            # Lengths over 255 take two bits of the type byte, inverted (`Field_string`).
            return _sized(1 if (meta >> 8) | (meta & 0x30 ^ 0x30) << 4 < 256 else 2)
        case ColumnType.VARCHAR:
            return _sized(1 if meta < 256 else 2)
        case ColumnType.BLOB | ColumnType.JSON | ColumnType.GEOMETRY | ColumnType.VECTOR:
            return _sized(meta)
        case _:
            raise CorruptEvent(f"a partial update of a table with a column of type {kind.name}")


def _fixed(size: int) -> _Extent:
    return lambda _body, at: at + size


def _sized(width: int) -> _Extent:
    return lambda body, at: at + width + int.from_bytes(body[at : at + width], "little")
