"""What the source says of character sets and collations: each is asked for once."""

from collections.abc import Iterable

from mysync_runtime.log import get_logger
from mysync_schemas.charset import TABLED, CharsetTable
from mysync_schemas.charsetbuild import Cell
from mysync_schemas.charsetbuild import build as build_charset
from mysync_schemas.control import CharsetRecord, FoldRecord
from mysync_schemas.fold import FoldTable, NotFoldable, asker, asker_of_codes
from mysync_schemas.fold import build as build_fold
from mysync_schemas.table import CharsetRef, FoldRef, TableSchema
from mysync_schemas.types import Kind

__all__ = ["Collations"]

log = get_logger("collations")


class Collations:
    """Fold tables and character sets' tables, numbered as they are first needed.

    `cell` runs a SELECT on the source. Raises what it raises, BadFold and BadCharset. `known` are
    records that were published before.
    """

    def __init__(self, cell: Cell, known: Iterable[FoldRecord | CharsetRecord] = ()) -> None:
        self._cell = cell
        self._folds: dict[str, FoldRecord | None] = {}
        self._charsets: dict[str, CharsetRecord] = {}
        self._tables: dict[str, CharsetTable] = {}
        self._next_fold = 1
        for record in known:
            if isinstance(record, FoldRecord):
                self._folds[record.collation] = record
                self._next_fold = max(self._next_fold, record.id + 1)
            else:
                self._charsets[record.charset] = record
                self._tables[record.charset] = CharsetTable.from_bytes(record.data)

    @property
    def fold_records(self) -> list[FoldRecord]:
        return [record for record in self._folds.values() if record is not None]

    @property
    def charset_records(self) -> list[CharsetRecord]:
        return list(self._charsets.values())

    def table(self, charset: str) -> CharsetTable:
        """The table of one of `TABLED`."""
        self._charset(charset)
        return self._tables[charset]

    @property
    def records(self) -> list[FoldRecord | CharsetRecord]:
        """All of them: those that table versions refer to."""
        return [*self.fold_records, *self.charset_records]

    def completed(self, table: TableSchema) -> TableSchema:
        """The table with references to all that its values and keys need."""
        charsets = sorted({column.charset for column in table.columns if column.charset in TABLED})
        return table.model_copy(
            update={
                "folds": tuple(self._fold_refs(table)),
                "charsets": tuple(
                    CharsetRef(charset=name, charset_id=self._charset(name).id) for name in charsets
                ),
            }
        )

    def _fold_refs(self, table: TableSchema) -> Iterable[FoldRef]:
        for column in (table.column(name) for name in table.identity):
            if column.kind != Kind.STRING or column.collation is None:
                continue
            record = self._fold(column.collation, column.charset)
            if record is not None:
                yield FoldRef(column=column.name, collation=record.collation, fold_id=record.id)

    def _fold(self, collation: str, charset: str | None) -> FoldRecord | None:
        if collation not in self._folds:
            table = None
            if charset in TABLED:
                table = self.table(charset)
            cell = self._cell
            made = build_fold(collation, asker(cell), table, asker_of_codes(cell))
            self._folds[collation] = self._record(collation, made)
        return self._folds[collation]

    def _record(self, collation: str, made: FoldTable | NotFoldable) -> FoldRecord | None:
        if isinstance(made, NotFoldable):
            log.info(
                "tables with such keys go whole to one partition",
                collation=collation,
                reason=made.reason,
            )
            return None
        self._next_fold += 1
        return FoldRecord(id=self._next_fold - 1, collation=collation, data=made.to_bytes())

    def _charset(self, name: str) -> CharsetRecord:
        record = self._charsets.get(name)
        if record is None:
            table = self._tables[name] = build_charset(name, self._cell)
            record = CharsetRecord(id=len(self._charsets) + 1, charset=name, data=table.to_bytes())
            self._charsets[name] = record
        return record
