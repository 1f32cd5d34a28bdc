"""The oracle: is every table of these databases exactly the same on two servers?

Both servers are asked by their own SELECT, nothing of mysync's own codecs takes part. A value is
compared by a text that tells all its distinct values apart (`exact.py`): bytes and texts in hex,
floats in full, JSON with the types of what is inside. Definitions are compared by SHOW CREATE TABLE
with `AUTO_INCREMENT=` masked, because rows that come and go leave no other trace. Databases, views,
triggers and routines are compared where asked for (`objects.py`).

Each table has an order-independent checksum on each side; rows themselves are looked at where the
checksums differ, and in small tables always, so that a weak checksum can't hide anything there.
Nothing may be writing meanwhile: the caller waits for the target first.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mysync_lab.exact import ExactColumns, columns_of, json_paths
from mysync_lab.objects import ObjectComparison, compare_objects
from mysync_lab.schema_copy import create_statement
from mysync_lab.tables import Session, TableName, base_tables, execute, quote, rows

# Tables up to this many rows are compared row by row even when their checksums agree.
SMALL = 2_000
# So many differing rows of a table are shown.
SHOWN = 10
# Rows of a table looked at in memory after a mismatch; beyond, the report says that there are more.
_LOOKED_AT = 200_000

_AUTO_INCREMENT = re.compile(r"\sAUTO_INCREMENT=\d+")
# How MySQL words a column's character set and collation depends on how the column came to be, and
# its own replication doesn't keep that: after CREATE TABLE … SELECT and an ALTER a replica may say
# more, or less. The collations themselves are compared beside.
_CHARSET = re.compile(r" (?:CHARACTER SET|COLLATE) \w+")
_PARENT = re.compile(r"REFERENCES (?:`([^`]+)`\.)?`([^`]+)`")


@dataclass(frozen=True)
class RowDifference:
    """A row that one side has more often than the other; values are texts of `exact.py`."""

    row: Mapping[str, str | None]
    source_count: int
    target_count: int

    def __str__(self) -> str:
        where = f"source has {self.source_count}, target {self.target_count}"
        values = ", ".join(f"{name}={_short(value)}" for name, value in self.row.items())
        return f"{where}: {values}"


@dataclass(frozen=True)
class TableComparison:
    """One table on both sides; a side that lacks it has None for rows and checksum."""

    table: TableName
    source_rows: int | None
    target_rows: int | None
    source_checksum: str | None
    target_checksum: str | None
    definition: tuple[str, ...] = ()
    differences: tuple[RowDifference, ...] = ()

    @property
    def equal(self) -> bool:
        return (
            self.source_rows is not None
            and self.source_rows == self.target_rows
            and self.source_checksum == self.target_checksum
            and not self.definition
            and not self.differences
        )

    def __str__(self) -> str:
        head = (
            f"{self.table}: {'equal' if self.equal else 'DIFFERENT'},"
            f" rows {_or_missing(self.source_rows)} / {_or_missing(self.target_rows)},"
            f" checksums {_or_missing(self.source_checksum)} / {_or_missing(self.target_checksum)}"
        )
        lines = [*self.definition, *map(str, self.differences)]
        return "\n".join([head, *(f"  {line}" for line in lines)])


@dataclass(frozen=True)
class Comparison:
    """All tables that exist on either side, and the other objects that were asked for."""

    tables: tuple[TableComparison, ...] = field(default=())
    objects: tuple[ObjectComparison, ...] = field(default=())

    @property
    def equal(self) -> bool:
        return all(each.equal for each in self._all)

    @property
    def _all(self) -> Sequence[TableComparison | ObjectComparison]:
        return [*self.tables, *self.objects]

    @property
    def rows(self) -> int:
        """Rows on the source, over all tables."""
        return sum(table.source_rows or 0 for table in self.tables)

    def __str__(self) -> str:
        return "\n".join(str(each) for each in self._all)

    @property
    def differences(self) -> str:
        """What differs; of hundreds of tables the rest says nothing."""
        return "\n".join(str(each) for each in self._all if not each.equal)


def compare(
    source: Session,
    target: Session,
    databases: Sequence[str] | Mapping[str, str],
    *,
    tables: Mapping[TableName, TableName] | None = None,
    objects: Sequence[str] = (),
) -> Comparison:
    """Compares every base table of the databases; a mapping gives their names on the target.

    `tables` gives the names on the target of single tables that have another one there. `objects`
    are the kinds of other objects to compare, of `objects.KINDS`.

    Both sessions' open transactions are committed first (an old snapshot would be compared), and
    their time zone is UTC afterwards. Both must use the character set utf8mb4.
    """
    for server in (source, target):
        execute(server, "COMMIT", "SET SESSION time_zone = '+00:00'")
    renamed = databases if isinstance(databases, Mapping) else {db: db for db in databases}
    names = {table: on_target for db in renamed for table, on_target in (
        _on_either(source, target, db, renamed, tables or {})
    )}  # fmt: skip
    return Comparison(
        tuple(
            compare_table(source, target, table, on_target, names=names)
            for table, on_target in sorted(names.items())
        ),
        compare_objects(source, target, renamed, objects),
    )


def compare_table(
    source: Session,
    target: Session,
    table: TableName,
    on_target: TableName | None = None,
    *,
    names: Mapping[TableName, TableName] | None = None,
) -> TableComparison:
    """Compares one table, which has the name `on_target` on the target if that is given.

    `names` are all tables' names on the target: foreign keys say the names of others.
    """
    other = on_target or table
    sides = ((source, table), (target, other))
    here, there = (name in base_tables(server, name.db) for server, name in sides)
    if not (here and there):
        counts = [
            _count(*side) if exists else None
            for side, exists in zip(sides, (here, there), strict=True)
        ]
        lacking = "the target" if here else "the source"
        return TableComparison(
            table, counts[0], counts[1], None, None, (f"{lacking} lacks this table",)
        )
    ours = _with_names(create_statement(source, table), table.db, names or {})
    definition = _definition_differences(
        ours + _collations(source, table),
        create_statement(target, other) + _collations(target, other),
    )
    columns, other_columns = columns_of(source, table), columns_of(target, other)
    if columns.names != other_columns.names:
        counts = [_count(*side) for side in sides]
        return TableComparison(table, counts[0], counts[1], None, None, definition)
    paths = sorted(json_paths(source, table, columns) | json_paths(target, other, other_columns))
    shapes = (columns.with_json_paths(paths), other_columns.with_json_paths(paths))
    source_rows, source_sum = _checksum(source, table, shapes[0])
    target_rows, target_sum = _checksum(target, other, shapes[1])
    differences: tuple[RowDifference, ...] = ()
    if source_sum != target_sum or max(source_rows, target_rows) <= SMALL:
        differences = _row_differences(
            (source, table, shapes[0]), (target, other, shapes[1]), source_sum == target_sum
        )
    return TableComparison(
        table, source_rows, target_rows, source_sum, target_sum, definition, differences
    )


def checksum(server: Session, table: TableName) -> tuple[int, str]:
    """Row count and order-independent checksum of a table, for showing; 0 rows give zeros."""
    return _checksum(server, table, columns_of(server, table))


def _on_either(
    source: Session,
    target: Session,
    db: str,
    renamed: Mapping[str, str],
    tables: Mapping[TableName, TableName],
) -> list[tuple[TableName, TableName]]:
    """Tables of the source's database with their names on the target; those that only the target
    has by the name that they would have."""
    found = {
        table: tables.get(table, TableName(renamed[db], table.table))
        for table in base_tables(source, db)
    }
    known = {*found.values(), *tables.values()}
    for table in base_tables(target, renamed[db]):
        if table not in known:
            found[TableName(db, table.table)] = table
    return sorted(found.items())


def _with_names(definition: str, db: str, names: Mapping[TableName, TableName]) -> str:
    """The definition with its foreign keys' parents as the target names them."""

    def parent(found: re.Match[str]) -> str:
        named = TableName(found.group(1) or db, found.group(2))
        there = names.get(named, named)
        where = f"{quote(there.db)}." if found.group(1) else ""
        return f"REFERENCES {where}{quote(there.table)}"

    return _PARENT.sub(parent, definition)


def _count(server: Session, table: TableName) -> int:
    return int(rows(server, f"SELECT COUNT(*) FROM {table.quoted}")[0][0])


def _checksum(server: Session, table: TableName, columns: ExactColumns) -> tuple[int, str]:
    """Rows are hashed one by one; the sums of two 60-bit pieces don't depend on their order."""
    count, first, second = rows(
        server,
        "SELECT COUNT(*), SUM(CAST(CONV(SUBSTRING(h, 1, 15), 16, 10) AS UNSIGNED)),"
        " SUM(CAST(CONV(SUBSTRING(h, 16, 15), 16, 10) AS UNSIGNED))"
        f" FROM (SELECT {columns.row_hash} AS h FROM {columns.all_of(table)}) AS hashed",
    )[0]
    low, high = int(first or 0) % 2**64, int(second or 0) % 2**64
    return int(count), f"{high:016x}{low:016x}"


def _row_differences(
    source: tuple[Session, TableName, ExactColumns],
    target: tuple[Session, TableName, ExactColumns],
    all_buckets: bool,
) -> tuple[RowDifference, ...]:
    """Rows by their first differing hash buckets, or all rows of a small table."""
    where = "" if all_buckets else _differing_buckets(source, target)
    counts = [Counter(_exact_rows(*side, where)) for side in (source, target)]
    differing = (counts[0] - counts[1]) + (counts[1] - counts[0])
    names = source[2].names
    return tuple(
        RowDifference(dict(zip(names, row, strict=True)), counts[0][row], counts[1][row])
        for row in sorted(differing, key=repr)[:SHOWN]
    )


def _exact_rows(
    server: Session, table: TableName, columns: ExactColumns, where: str
) -> list[tuple[str | None, ...]]:
    found = rows(
        server,
        f"SELECT {', '.join(columns.texts)} FROM {columns.all_of(table)}{where} LIMIT {_LOOKED_AT}",
    )
    return [tuple(None if value is None else str(value) for value in row) for row in found]


def _differing_buckets(
    source: tuple[Session, TableName, ExactColumns], target: tuple[Session, TableName, ExactColumns]
) -> str:
    """A WHERE for up to four of 4,096 buckets of rows whose contents differ."""
    found = []
    for server, table, columns in (source, target):
        grouped = rows(
            server,
            "SELECT LEFT(h, 3) AS bucket, COUNT(*),"
            " SUM(CAST(CONV(SUBSTRING(h, 4, 15), 16, 10) AS UNSIGNED))"
            f" FROM (SELECT {columns.row_hash} AS h FROM {columns.all_of(table)}) AS hashed"
            " GROUP BY bucket",
        )
        found.append({str(bucket): (int(count), int(total)) for bucket, count, total in grouped})
    ours, theirs = found
    buckets = sorted(b for b in ours.keys() | theirs.keys() if ours.get(b) != theirs.get(b))[:4]
    chosen = ", ".join(f"'{bucket}'" for bucket in buckets) or "''"
    return f" WHERE LEFT({source[2].row_hash}, 3) IN ({chosen})"


def _collations(server: Session, table: TableName) -> str:
    """A line for each column that has one."""
    found = rows(
        server,
        "SELECT column_name, collation_name FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name = %s AND collation_name IS NOT NULL"
        " ORDER BY ordinal_position",
        [table.db, table.table],
    )
    return "".join(f"\n{quote(str(name))} has {collation}" for name, collation in found)


def _definition_differences(source: str, target: str) -> tuple[str, ...]:
    ours, theirs = (
        _CHARSET.sub("", _AUTO_INCREMENT.sub("", text)).splitlines()[1:]
        for text in (source, target)
    )
    if ours == theirs:
        return ()
    only_ours = [f"only on the source: {line.strip()}" for line in ours if line not in theirs]
    only_theirs = [f"only on the target: {line.strip()}" for line in theirs if line not in ours]
    return (*only_ours, *only_theirs) or ("the definition's lines are in another order",)


def _or_missing(value: object) -> str:
    return "missing" if value is None else str(value)


def _short(value: str | None) -> str:
    if value is None:
        return "NULL"
    return value if len(value) <= 80 else f"{value[:77]}…({len(value)} characters)"
