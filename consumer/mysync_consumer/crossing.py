"""Whether the target has what the pipeline's tables need, asked before a row of any is written."""

from collections.abc import Iterable

from mysync_consumer.spelling import utf8mb3
from mysync_runtime.errors import Failure, PreflightError
from mysync_runtime.mysql import Connection, Flavor, flavor, rows
from mysync_schemas import crossing
from mysync_schemas.control import PipelineInfo
from mysync_schemas.table import TableSchema

__all__ = ["require"]


def require(connection: Connection, info: PipelineInfo, tables: Iterable[TableSchema]) -> None:
    """Raises PreflightError with every table that can't be held exactly, and why."""
    what = flavor(connection)
    known = _collations(connection)
    failures = []
    for table in tables:
        reasons = crossing.refusals(table, info.connector, what.kind)
        reasons += _lacking(table, known, what)
        failures += [
            Failure(
                f"table {table.table_id}: {reason}",
                "replicate it to a server that has the same, or leave it out of a new pipeline: "
                f"filters.exclude: ['{table.table_id}']",
            )
            for reason in reasons
        ]
    if failures:
        raise PreflightError(
            f"the target, {what}, can't hold exactly what this source has ({info.connector})",
            failures,
        )


def _lacking(table: TableSchema, known: set[str | None], what: Flavor) -> list[str]:
    needed = {utf8mb3(column.collation) for column in table.columns if column.collation}
    return [f"collation {name}, which {what} lacks" for name in sorted(map(str, needed - known))]


def _collations(connection: Connection) -> set[str | None]:
    """By the names that columns have them by: MariaDB has some that differ from its lists'."""
    listed = rows(
        connection, "SELECT * FROM information_schema.collation_character_set_applicability"
    )
    found = [{key.lower(): value for key, value in row.items()} for row in listed]
    return {utf8mb3(row.get("full_collation_name") or row["collation_name"]) for row in found}
