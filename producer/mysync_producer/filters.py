"""Which databases and tables of the source are replicated.

A pattern is `database.table`, each half a shell glob, case-sensitive as the names in the binary log
are. A table is replicated when an include pattern matches it and no exclude pattern does. System
databases and mysync's own are never replicated, whatever the patterns say.

The shadow tables of online schema change tools (gh-ost's `_t_gho`, pt-online-schema-change's
`_t_new`) belong to their table `t`: they are replicated when `t` is.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from fnmatch import translate

__all__ = ["NEVER_REPLICATED", "Filters"]

NEVER_REPLICATED = frozenset(
    {"mysql", "information_schema", "performance_schema", "sys", "mysync", "#mysql50#lost+found"}
)

_SHADOW = re.compile(r"_+(?P<table>.+)_(?:gho|ghc|del|new|old)", re.DOTALL)


class Filters:
    """The include and exclude patterns of a pipeline, compiled.

    Raises ValueError for a pattern that isn't of the form `database.table`.
    """

    def __init__(self, include: Sequence[str], exclude: Sequence[str] = ()) -> None:
        self.include = tuple(include)
        self.exclude = tuple(exclude)
        self._include = [_split(pattern) for pattern in include]
        self._exclude = [_split(pattern) for pattern in exclude]

    @property
    def hash(self) -> str:
        """Names these filters in the state record: a transaction counted in rows of included
        tables can only be continued under the very same ones."""
        text = json.dumps([sorted(set(self.include)), sorted(set(self.exclude))])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def includes(self, database: str, table: str) -> bool:
        """Whether rows of the table are replicated."""
        if database.lower() in NEVER_REPLICATED:
            return False
        if self._matches(database, table):
            return True
        shadow = _SHADOW.fullmatch(table)
        return shadow is not None and self._matches(database, shadow["table"])

    def includes_some_of(self, database: str) -> bool:
        """Whether some table of this database may be replicated."""
        if database.lower() in NEVER_REPLICATED:
            return False
        if any(db.fullmatch(database) and table is None for db, table in self._exclude):
            return False
        return any(db.fullmatch(database) for db, _ in self._include)

    def _matches(self, database: str, table: str) -> bool:
        return _any(self._include, database, table) and not _any(self._exclude, database, table)


# The second half is None when it matches every table.
_Pattern = tuple[re.Pattern[str], re.Pattern[str] | None]


def _split(pattern: str) -> _Pattern:
    database, dot, table = pattern.partition(".")
    if not (database and dot and table):
        raise ValueError(f"filter {pattern!r} isn't of the form database.table")
    return re.compile(translate(database)), (None if table == "*" else re.compile(translate(table)))


def _any(patterns: Sequence[_Pattern], database: str, table: str) -> bool:
    return any(
        db.fullmatch(database) and (name is None or name.fullmatch(table)) for db, name in patterns
    )
