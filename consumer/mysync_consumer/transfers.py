"""What the control topic has said of transfers: which tables are being transferred at a place.

A table is so behind the line of its transfer's begin and before that of its end, complete or
cancelled. The topic is read ahead of the rows, so whoever asks says for which seq. Safe for one
writer and many readers."""

from bisect import bisect_right

from mysync_schemas.control import Transfer
from mysync_schemas.table import TableId

NONE: frozenset[TableId] = frozenset()


class Transfers:
    def __init__(self) -> None:
        self._by_id: dict[int, Transfer] = {}
        self._seqs: list[int] = []
        self._under_way: list[frozenset[TableId]] = []

    def take(self, record: Transfer) -> None:
        """One more record, whose seq isn't below the last one's."""
        table = TableId(record.db, record.table)
        before = self._under_way[-1] if self._under_way else NONE
        self._by_id[record.id] = record
        self._under_way.append(before | {table} if record.phase == "begin" else before - {table})
        self._seqs.append(record.seq)

    def knows(self, number: int) -> bool:
        return number in self._by_id

    def ever(self) -> frozenset[TableId]:
        """The tables of which a transfer ever began."""
        return NONE.union(*self._under_way)

    def under_way(self, seq: int) -> frozenset[TableId]:
        """The tables that are being transferred at a seq."""
        at = bisect_right(self._seqs, seq)
        return self._under_way[at - 1] if at else NONE
