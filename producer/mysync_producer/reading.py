"""Definitions read while the stream goes on: what they were at one moment, and when they hold.

The source tells what a table looks like now; the stream may be anywhere before that. So the log's
end is read after the definitions: once the stream has passed it without another statement on a
table, what was read of the table is what the stream shows. Reading never waits long for a lock that
somebody holds on a table: it is tried again.
"""

import pymysql.err

from mysync_producer.catalog import read_catalog
from mysync_producer.filters import Filters
from mysync_producer.source import Source
from mysync_producer.state import Learning
from mysync_runtime import mysql
from mysync_runtime.errors import Failure
from mysync_schemas.table import TableId, TableSchema

__all__ = ["LOCK_SECONDS", "Reading", "read_definitions"]

LOCK_SECONDS = 1
"""How long a table's metadata lock is waited for."""


class Reading:
    """What was found of the tables `asked`, less those that a statement touched since."""

    def __init__(
        self,
        asked: set[TableId],
        tables: dict[TableId, TableSchema],
        refused: dict[TableId, list[Failure]],
        end: Learning,
    ) -> None:
        self.asked = asked
        self.tables = tables
        self.refused = refused
        self.end = end

    def forget(self, touched: frozenset[TableId]) -> None:
        """These were read too early, or too late."""
        self.asked -= touched
        for table in touched:
            self.tables.pop(table, None)
            self.refused.pop(table, None)


def read_definitions(source: Source, filters: Filters, asked: set[TableId]) -> Reading:
    """Reads these tables. Raises what `mysql.error_of` makes of an error; a lock that isn't had in
    time is a TransientError."""
    try:
        with source.connection.cursor() as cursor:
            cursor.execute(f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}")
    except (pymysql.err.Error, OSError) as error:
        raise mysql.error_of(error, "read the tables' definitions", source.address) from error
    catalog = read_catalog(source.connection, source.flavor, filters, asked)
    return Reading(
        set(asked),
        {table.table_id: table for table in catalog.tables},
        catalog.refused_tables,
        Learning.after(source.server(), source.end()),
    )
