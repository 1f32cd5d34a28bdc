"""How a table can be walked in ranges of its identity, in the order of the key's index.

A boundary is the key of a row, as the text protocol shows it in a session set up by
`selectlist.SESSION`; it becomes literals that compare as the row itself does: text in its own
bytes, character set and collation. Conditions are written out, `a > x OR (a = x AND b > y)`: the
servers don't both use an index for `(a, b) > (x, y)`.

What compares otherwise than its index is ordered (ENUM and SET; observed: CHAR in MariaDB's NO PAD
collations, which are ordered with their padding, and in tis620), or has no exact literal (JSON, key
prefixes), ends the part of the key that is walked. A range of a part holds all rows that share its
values.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from mysync_producer.rowerrors import CorruptResult
from mysync_runtime.mysql import quote
from mysync_schemas.table import Column, KeyPart, TableSchema

__all__ = ["KeyOrder"]

_Literal = Callable[[bytes], str | None]


class KeyOrder:
    """The walkable columns of a table's identity, from its first on.

    `order_by`, `columns_sql`: lists for ORDER BY and SELECT. `whole`: whether they are the whole
    key, so that no two rows share a boundary.
    """

    def __init__(self, table: str, columns: Sequence[Column], *, whole: bool) -> None:
        self.table = table
        self.whole = whole
        self.columns = tuple(column.name for column in columns)
        self._names = [quote(column.name) for column in columns]
        self._literal_of = [literal for column in columns if (literal := _literal(column))]
        self.order_by = ", ".join(self._names)
        self.columns_sql = ", ".join(
            f"{name} * 1e0" if column.data_type in _REALS else name
            for name, column in zip(self._names, columns, strict=True)
        )

    @classmethod
    def of(cls, schema: TableSchema, *, mariadb: bool) -> "KeyOrder | None":
        """None: it can't be walked."""
        key = schema.identity_key
        if key is None:
            return None
        columns = []
        for part in key.columns:
            column = _walkable(schema, part, mariadb)
            if column is None:
                break
            columns.append(column)
        if not columns:
            return None
        return cls(str(schema.table_id), columns, whole=len(columns) == len(key.columns))

    def literals(self, values: Sequence[bytes]) -> tuple[str, ...]:
        """SQL of the key of a boundary row. Raises CorruptResult for what can't be one."""
        found = []
        if len(values) != len(self._names):
            raise CorruptResult(self.table, None, None, f"a key of {len(values)} values")
        for name, literal_of, value in zip(self.columns, self._literal_of, values, strict=True):
            literal = literal_of(value)
            if literal is None:
                raise CorruptResult(
                    self.table, None, None, f"column {name} of a key shown as {value[:40]!r}"
                )
            found.append(literal)
        return tuple(found)

    def after(self, values: Sequence[bytes]) -> str:
        """The condition for keys behind this one, in parentheses."""
        return self._beyond(">", ">", values)

    def upto(self, values: Sequence[bytes]) -> str:
        """The condition for keys up to this one and with it, in parentheses."""
        return self._beyond("<", "<=", values)

    def _beyond(self, strictly: str, last: str, values: Sequence[bytes]) -> str:
        literals = self.literals(values)
        cases = []
        for i, (name, literal) in enumerate(zip(self._names, literals, strict=True)):
            operator = last if i == len(literals) - 1 else strictly
            equal = [f"{n} = {v}" for n, v in zip(self._names[:i], literals[:i], strict=True)]
            cases.append(" AND ".join([*equal, f"{name} {operator} {literal}"]))
        return "(" + " OR ".join(f"({case})" for case in cases) + ")"


def _walkable(schema: TableSchema, part: KeyPart, mariadb: bool) -> Column | None:
    if part.column is None or part.prefix_length is not None:
        return None
    column = schema.column(part.column)
    if column.data_type in _NETWORK and not mariadb:
        return None
    return None if _literal(column) is None else column


_REALS: Final = frozenset({"double"})
_NETWORK: Final = frozenset({"inet4", "inet6", "uuid"})
_TEXTS: Final = frozenset({"char", "varchar"})
_BINARIES: Final = frozenset({"binary", "varbinary"})


def _shown(pattern: str, quoted: str = "") -> _Literal:
    """Of what stands in SQL as it is shown."""
    form = re.compile(pattern.encode(), re.ASCII)

    def literal(value: bytes) -> str | None:
        return f"{quoted}{value.decode()}{quoted}" if form.fullmatch(value) else None

    return literal


def _bits(value: bytes) -> str | None:
    return str(int.from_bytes(value, "big")) if 0 < len(value) <= 8 else None


def _real(value: bytes) -> str | None:
    """With an exponent, without which it would be a DECIMAL."""
    if not _REAL.fullmatch(value):
        return None
    return value.decode() if b"e" in value else f"{value.decode()}e0"


_REAL: Final = re.compile(rb"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_INTEGER: Final = _shown(r"-?\d{1,255}")
_DAY: Final = r"\d{4}-\d\d-\d\d"
_CLOCK: Final = r"\d\d:\d\d(?:\.\d{1,6})?"
_LITERALS: Final[dict[str, _Literal]] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint"), _INTEGER),
    "decimal": _shown(r"-?\d+(?:\.\d+)?"),
    "double": _real,
    "bit": _bits,
    "date": _shown(_DAY, "'"),
    **dict.fromkeys(("datetime", "timestamp"), _shown(rf"{_DAY} \d\d:{_CLOCK}", "'")),
    "time": _shown(rf"-?\d{{2,3}}:{_CLOCK}", "'"),
    "year": _shown(r"\d{4}", "'"),
    **dict.fromkeys(_BINARIES, lambda value: f"X'{value.hex()}'"),
    **dict.fromkeys(_NETWORK, _shown(r"[0-9a-f:.-]+", "'")),
}


def _literal(column: Column) -> _Literal | None:
    if column.data_type in _TEXTS:
        charset, collation = column.charset, column.collation
        if charset is None or collation is None:
            return None
        if column.data_type == "char" and ("nopad" in collation or charset == "tis620"):
            return None
        return lambda value: f"_{charset} X'{value.hex()}' COLLATE {collation}"
    return _LITERALS.get(column.data_type)
