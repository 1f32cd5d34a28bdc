"""What the control topic has said of transfers: which tables are being transferred at a place.

A table is so behind the line of its transfer's begin and before that of its end, complete or
cancelled. One that is renamed meanwhile goes on under its new name; its transfer's end bears the
name under which it began, and no schema: a table that has that name now may be on its way too. The
topic is read ahead of the rows, so whoever asks says for which seq. Safe for one writer and many
readers."""

from bisect import bisect_right

from mysync_schemas.control import Ddl, Transfer
from mysync_schemas.effects import effects
from mysync_schemas.sqltokens import Dialect
from mysync_schemas.statement import Verb, read_statement
from mysync_schemas.table import TableId

NONE: frozenset[TableId] = frozenset()
_RENAMING = frozenset({Verb.RENAME_TABLE.name, Verb.ALTER_TABLE.name})


class Transfers:
    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._ever: set[TableId] = set()
        self._names: list[tuple[TableId, TableId]] = []  # as it began, as it is now
        self._seqs: list[int] = []
        self._under_way: list[frozenset[TableId]] = []

    def take(self, record: Transfer) -> None:
        """One more record, whose seq isn't below the last one's."""
        table = TableId(record.db, record.table)
        self._ids.add(record.id)
        if record.phase == "begin":
            self._ever.add(table)
            others = [name for name in self._names if name[1] != table]
            self._now([*others, (table, table)], record.seq)
            return
        renamed = [name for name in self._names if name[0] == table != name[1]]
        if renamed and not record.schema_id:
            ended = renamed[:1]
        else:
            ended = [name for name in self._names if name[1] == table]
        self._now([name for name in self._names if name not in ended], record.seq)

    def follow(self, ddl: Ddl, *, mariadb: bool) -> None:
        """A statement among them: what it renames has its new name from its line on."""
        if not self._names or ddl.verb not in _RENAMING:
            return
        context = ddl.context
        dialect = Dialect(
            mariadb, ddl.server_version, context.sql_mode or 0, context.client_collation or 0
        )
        names = self._names
        for old, new in effects(read_statement(ddl.sql, dialect), context.database or "").renames:
            names = [(begun, new if now == old else now) for begun, now in names]
        if names != self._names:
            self._now(names, ddl.seq)

    def knows(self, number: int) -> bool:
        return number in self._ids

    def ever(self) -> frozenset[TableId]:
        """The tables of which a transfer ever began."""
        return frozenset(self._ever)

    def under_way(self, seq: int) -> frozenset[TableId]:
        """The tables that are being transferred at a seq, by their names there."""
        at = bisect_right(self._seqs, seq)
        return self._under_way[at - 1] if at else NONE

    def _now(self, names: list[tuple[TableId, TableId]], seq: int) -> None:
        """From this seq on. Readers find the place by the seqs: they come last."""
        self._names = names
        self._under_way.append(frozenset(now for _, now in names))
        self._seqs.append(seq)
