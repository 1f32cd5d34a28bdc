"""Which databases and tables of the source are replicated.

A pattern is `database.table`, each half a shell glob, case-sensitive as the names in the binary log
are; on a source that folds names (lower_case_table_names isn't 0) their case doesn't matter. A
table is replicated when an include pattern matches it and no exclude pattern does. System databases
and mysync's own are never replicated, whatever the patterns say.

Statements name tables as somebody wrote them: on a source that folds names `TRUNCATE TABLE
APP.Users` is logged as it came. Whether a statement that can't be read may concern a replicated
table is asked with every include pattern's case ignored: too many matches only stop the producer.

The shadow tables of online schema change tools (gh-ost's `_t_gho`, pt-online-schema-change's
`_t_new`) belong to their table `t`: they are replicated when `t` is, unless excluded themselves.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from fnmatch import translate

from mysync_schemas.table import TableId

__all__ = ["NEVER_REPLICATED", "Filters"]

NEVER_REPLICATED = frozenset(
    {"mysql", "information_schema", "performance_schema", "sys", "mysync", "#mysql50#lost+found"}
)

_SHADOW = re.compile(r"_+(?P<table>.+)_(?:gho|ghc|del|new|old)", re.DOTALL | re.IGNORECASE)


class Filters:
    """The include and exclude patterns of a pipeline, compiled.

    `fold`: the source folds names. Raises ValueError for a pattern that isn't of the form
    `database.table`.
    """

    def __init__(
        self, include: Sequence[str], exclude: Sequence[str] = (), *, fold: bool = False
    ) -> None:
        self.include = tuple(include)
        self.exclude = tuple(exclude)
        self._in_any_case = [_split(pattern, fold=True) for pattern in include]
        self._include = [_split(pattern, fold=fold) for pattern in include]
        self._exclude = [_split(pattern, fold=fold) for pattern in exclude]
        self._fold = fold

    def folded(self, fold: bool) -> "Filters":
        """The same patterns for a source that folds names, or doesn't."""
        return Filters(self.include, self.exclude, fold=fold)

    @property
    def hash(self) -> str:
        """Names these filters in the state record: a transaction counted in rows of included
        tables can only be continued under the very same ones."""
        text = json.dumps([sorted(set(self.include)), sorted(set(self.exclude))])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def includes(self, database: str, table: str) -> bool:
        """Whether rows of the table are replicated; names are those of a TABLE_MAP."""
        return self._takes(self._include, database, table)

    def named(self, table: TableId) -> TableId:
        """The table that a statement names so, as TABLE_MAPs do."""
        return TableId(table.db.lower(), table.table.lower()) if self._fold else table

    def includes_some_of(self, database: str) -> bool:
        """Whether tables of the database may be replicated."""
        return database.lower() not in NEVER_REPLICATED and any(
            db.fullmatch(database) for db, _ in self._include
        )

    def includes_all_of(self, database: str) -> bool:
        """Whether every table of the database is replicated."""
        return (
            database.lower() not in NEVER_REPLICATED
            and any(db.fullmatch(database) and table is None for db, table in self._include)
            and not any(db.fullmatch(database) for db, _ in self._exclude)
        )

    def concerns(self, database: str, table: str) -> bool:
        """Whether a statement that names the table so may mean a replicated one."""
        return self._takes(self._in_any_case, database, table)

    def concerns_some_of(self, database: str) -> bool:
        """Whether a statement that names the database so may mean one with replicated tables."""
        if database.lower() in NEVER_REPLICATED:
            return False
        if any(db.fullmatch(database) and table is None for db, table in self._exclude):
            return False
        return any(db.fullmatch(database) for db, _ in self._in_any_case)

    def _takes(self, include: "Sequence[_Pattern]", database: str, table: str) -> bool:
        if database.lower() in NEVER_REPLICATED or _any(self._exclude, database, table):
            return False
        if _any(include, database, table):
            return True
        shadow = _SHADOW.fullmatch(table)
        if shadow is None:
            return False
        table = shadow["table"]
        return _any(include, database, table) and not _any(self._exclude, database, table)


# The second half is None when it matches every table.
_Pattern = tuple[re.Pattern[str], re.Pattern[str] | None]


def _split(pattern: str, *, fold: bool) -> _Pattern:
    database, dot, table = pattern.partition(".")
    if not (database and dot and table):
        raise ValueError(f"filter {pattern!r} isn't of the form database.table")
    flags = re.IGNORECASE if fold else 0
    return (
        re.compile(translate(database), flags),
        None if table == "*" else re.compile(translate(table), flags),
    )


def _any(patterns: Sequence[_Pattern], database: str, table: str) -> bool:
    return any(
        db.fullmatch(database) and (name is None or name.fullmatch(table)) for db, name in patterns
    )
