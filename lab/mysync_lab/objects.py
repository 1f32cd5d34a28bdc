"""Definitions of what isn't a table, as a server prints them: for comparing two servers.

A definition is everything that SHOW CREATE says but for the time it was made: the DEFINER, the SQL
mode, character sets and collations too, but whether an event is enabled. Of triggers
their place among those of the same event.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pymysql

from mysync_lab.tables import Session, execute, quote, rows

KINDS = (
    *("database", "view", "trigger", "event"),
    *("procedure", "function", "package", "package body"),
)
"""What can be compared."""

_ENABLED = re.compile(r" (?:ENABLE|DISABLE(?: ON (?:SLAVE|REPLICA))?) (?=COMMENT|DO)")
_NO_SUCH_DATABASE, _NO_SUCH_TABLE, _INVALID_VIEW = 1049, 1146, 1356


@dataclass(frozen=True)
class ObjectComparison:
    """One database, view, trigger or routine; a side that lacks it has None."""

    kind: str
    name: str
    source: str | None
    target: str | None

    @property
    def equal(self) -> bool:
        return self.source == self.target

    def __str__(self) -> str:
        if self.equal:
            return f"{self.kind} {self.name}: equal"
        sides = (f"{of or 'missing'}" for of in (self.source, self.target))
        return f"{self.kind} {self.name}: DIFFERENT\n  " + "\n  ".join(sides)


def compare_objects(
    source: Session, target: Session, databases: Mapping[str, str], kinds: Sequence[str]
) -> tuple[ObjectComparison, ...]:
    """All that exist on either side; `databases` gives the databases' names on the target.

    The sessions' default databases are others afterwards.
    """
    found = []
    for kind in kinds:
        ours: dict[str, str] = {}
        theirs: dict[str, str] = {}
        for db, name in databases.items():
            for key, text in definitions(source, kind, db).items():
                ours[f"{db}.{key}" if key else db] = _renamed(text, databases)
            for key, text in definitions(target, kind, name).items():
                theirs[f"{db}.{key}" if key else db] = text
        found += [
            ObjectComparison(kind, name, ours.get(name), theirs.get(name))
            for name in sorted(ours.keys() | theirs.keys())
        ]
    return tuple(found)


def definitions(server: Session, kind: str, db: str) -> dict[str, str]:
    """By name; that of a database, if it exists, by ''."""
    return _READERS[kind](server, db)


def _renamed(text: str, databases: Mapping[str, str]) -> str:
    """Triggers keep the text as it was written, names without quotes too."""
    for db, name in databases.items():
        text = text.replace(quote(db), quote(name))
        text = re.sub(rf"(?<![\w`$]){re.escape(db)}(?=\.)", name, text)
    return text


def _database(server: Session, db: str) -> dict[str, str]:
    pattern = db.replace("\\", "\\\\").replace("_", r"\_").replace("%", r"\%")
    if not rows(server, "SHOW DATABASES LIKE %s", [pattern]):
        return {}
    return {"": str(rows(server, f"SHOW CREATE DATABASE {quote(db)}")[0][1])}


def _views(server: Session, db: str) -> dict[str, str]:
    """MySQL leaves out the name of the session's default database, so that is the view's."""
    names = rows(
        server, "SELECT table_name FROM information_schema.views WHERE table_schema = %s", [db]
    )
    if names:
        execute(server, f"USE {quote(db)}")
    return {str(name): _view(server, db, str(name)) for (name,) in names}


def _view(server: Session, db: str, name: str) -> str:
    """A view of what isn't there any more can't be shown: both servers say so."""
    try:
        return _said(rows(server, f"SHOW CREATE VIEW {quote(db)}.{quote(name)}")[0][1:])
    except pymysql.err.Error as error:
        if error.args[0] not in (_NO_SUCH_DATABASE, _NO_SUCH_TABLE, _INVALID_VIEW):
            raise
        return f"error {error.args[0]}"


def _triggers(server: Session, db: str) -> dict[str, str]:
    listed = rows(
        server,
        "SELECT trigger_name, event_object_table, action_order FROM information_schema.triggers"
        " WHERE trigger_schema = %s",
        [db],
    )
    found = {}
    for name, table, order in listed:
        shown = rows(server, f"SHOW CREATE TRIGGER {quote(db)}.{quote(str(name))}")[0]
        found[str(name)] = f"on {table}, number {order}: {_said(shown[1:6])}"
    return found


def _routines(kind: str) -> Callable[[Session, str], dict[str, str]]:
    def read(server: Session, db: str) -> dict[str, str]:
        names = rows(
            server,
            "SELECT routine_name FROM information_schema.routines WHERE routine_schema = %s"
            " AND routine_type = %s",
            [db, kind.upper()],
        )
        return {
            str(name): _said(
                rows(server, f"SHOW CREATE {kind.upper()} {quote(db)}.{quote(str(name))}")[0][1:]
            )
            for (name,) in names
        }

    return read


def _events(server: Session, db: str) -> dict[str, str]:
    """A replica has them disabled."""
    names = rows(
        server, "SELECT event_name FROM information_schema.events WHERE event_schema = %s", [db]
    )
    shown = {
        str(name): _said(rows(server, f"SHOW CREATE EVENT {quote(db)}.{quote(str(name))}")[0][1:])
        for (name,) in names
    }
    return {name: _ENABLED.sub(" … ", text, count=1) for name, text in shown.items()}


def _said(values: Sequence[object]) -> str:
    return " | ".join(str(value) for value in values)


_READERS: Mapping[str, Callable[[Session, str], dict[str, str]]] = {
    "database": _database,
    "view": _views,
    "trigger": _triggers,
    "event": _events,
    **{kind: _routines(kind) for kind in KINDS[4:]},
}
