"""Tables with the statements that write them, several in one pipeline, compared by the servers' own
SELECT: the data of tests of kinds and limits of tables."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from fix_pipeline import Replica

VIA = pytest.mark.parametrize("via", ["row_events", "sql"])


@dataclass(frozen=True)
class Kind:
    """A table, statements that write it, and a session variable to be ON when it is made."""

    create: str
    changes: tuple[str, ...]
    variable: str = ""
    what: str = "TABLE"


def replicated(replica: Replica, kinds: Mapping[str, Kind]) -> None:
    """Creates the tables, runs all statements, compares."""
    with replica.source.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {replica.db}")
        cursor.execute(f"USE {replica.db}")
        for name, kind in kinds.items():
            if kind.variable:
                cursor.execute(f"SET {kind.variable} = ON")
            cursor.execute(f"CREATE {kind.what} {name} {kind.create}")
            if kind.variable:
                cursor.execute(f"SET {kind.variable} = OFF")
    replica.copy_schema()
    replica.start()
    replica.on_source(*(change for kind in kinds.values() for change in kind.changes))
    replica.catch_up()
    replica.assert_equal()
    tables = ", ".join(name for name, kind in kinds.items() if kind.what == "TABLE")
    for server in (replica.source, replica.target):
        with server.connect(database=replica.db) as connection, connection.cursor() as cursor:
            cursor.execute(f"CHECK TABLE {tables}")
            for table, _, _, verdict in cursor.fetchall():
                assert verdict == "OK", (server.name, table)
