"""What a claim passes over: rows of quarantined tables.

The first of a table in each partition is kept in `mysync.skipped`, by the transaction that moves
the checkpoint past it: whoever brings the table back knows where to begin, exactly."""

from collections.abc import Iterable

from mysync_consumer import metrics
from mysync_consumer.checkpoint import Claimed, Escape
from mysync_consumer.quarantine import Quarantine
from mysync_consumer.rowread import Row
from mysync_schemas.table import TableId


class Skipping:
    """Of one claim."""

    def __init__(self, quarantine: Quarantine, escape: Escape) -> None:
        self._quarantine = quarantine
        self._escape = escape
        self._noted: set[TableId] = set()

    def split(self, due: list[Row]) -> tuple[list[Row], list[Row]]:
        """The rows that are written, and those that aren't."""
        held = self._quarantine.tables()
        if not held:
            return due, []
        readers = {row.schema_id: row.reader for row in due}
        aside = {number for number, reader in readers.items() if reader.schema.table_id in held}
        if not aside:
            return due, []
        return (
            [row for row in due if row.schema_id not in aside],
            [row for row in due if row.schema_id in aside],
        )

    def notes(self, skipped: Iterable[Row], claimed: Claimed) -> list[str]:
        """Statements for the transaction that passes over these rows. An earlier claim's note of a
        table stays."""
        first: dict[TableId, Row] = {}
        for row in skipped:
            first.setdefault(row.reader.schema.table_id, row)
        return [
            self._note(table, row, claimed)
            for table, row in first.items()
            if table not in self._noted
        ]

    def committed(self, skipped: list[Row]) -> None:
        """That transaction is committed."""
        if skipped:
            self._noted |= {row.reader.schema.table_id for row in skipped}
            metrics.skipped(skipped)

    def forget(self) -> None:
        """Other tables may be quarantined now, or the same anew."""
        self._noted.clear()

    def _note(self, table: TableId, row: Row, claimed: Claimed) -> str:
        escape, gtid = self._escape, row.gtid()
        return (
            "INSERT INTO mysync.skipped (pipeline, db, tbl, partition_id, first_offset, first_seq,"
            f" file, pos, gtid, since) VALUES ({escape(claimed.pipeline)}, {escape(table.db)},"
            f" {escape(table.table)}, {claimed.partition:d}, {row.first_offset:d}, {row.seq:d},"
            f" {escape(row.file())}, {row.pos:d}, {'NULL' if gtid is None else escape(gtid)},"
            " SYSDATE(6)) ON DUPLICATE KEY UPDATE pipeline = pipeline"
        )
