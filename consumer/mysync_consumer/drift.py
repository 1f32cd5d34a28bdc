"""Whether the target's tables are what the source's are, after a statement as before.

What the log doesn't carry (the default engine, what `utf8` means, a setting that generates keys)
shows when both definitions are compared. What would let rows differ is drift. Words of the two
`SHOW CREATE TABLE` that differ otherwise are told in the log.
"""

import re
from collections.abc import Callable, Iterable

from mysync_consumer import target
from mysync_consumer.rowerrors import TableDrift
from mysync_consumer.session import Session
from mysync_consumer.targettable import differences
from mysync_runtime import mysql
from mysync_runtime.errors import MysyncError
from mysync_runtime.log import get_logger
from mysync_schemas.table import TableId, TableSchema

_COUNTER = re.compile(r"\sAUTO_INCREMENT=\d+")
_SHOWN = 10


def compare(
    session: Session,
    versions: Iterable[TableSchema],
    renamed: Callable[[TableId], TableId],
    *,
    words: bool,
) -> list[tuple[TableSchema, MysyncError]]:
    """The tables that differ, each with what is wrong with it. `words`: the texts of the
    definitions are comparable, both servers being of a kind.

    Raises what reading the definitions raises when the target can't be asked."""
    found: list[tuple[TableSchema, MysyncError]] = []
    for version in versions:
        name = renamed(version.table_id)
        try:
            definition = target.read(session, name)
        except MysyncError as error:  # a missing table, another engine
            if error.retriable:
                raise
            found.append((version, error))
            continue
        different = differences(version, definition.table)
        if different:
            found.append((version, TableDrift(str(version.table_id), str(name), different)))
        elif words and name == version.table_id:
            _tell(session, version, name)
    return found


def _tell(session: Session, version: TableSchema, name: TableId) -> None:
    with session.connection.cursor() as cursor:
        cursor.execute(f"SHOW CREATE TABLE {mysql.quote_table(*name)}")
        row = cursor.fetchone()
    ours, theirs = (
        _COUNTER.sub("", text).splitlines()
        for text in (version.create_sql, str(row[1]) if row else "")
    )
    if ours != theirs:
        get_logger("drift").warning(
            "the definitions differ in words that let no row differ",
            table=str(name),
            source=[line.strip() for line in ours if line not in theirs][:_SHOWN],
            target=[line.strip() for line in theirs if line not in ours][:_SHOWN],
        )
