"""What a statement in the binary log means for the replicated tables.

A statement passes when it is of a kind that never changes a table, or when every object that it
changes is told for certain and none of them is replicated. Everything else, and whatever can't be
told, stops the producer: nothing is guessed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto

from mysync_producer.filters import Filters
from mysync_producer.queries import QueryEvent
from mysync_schemas.sqltokens import Dialect, Unreadable, decode, tokens_of
from mysync_schemas.statement import Statement, Verb, read_statement

__all__ = ["Kind", "Meaning", "classify", "dialect_of"]


class Kind(Enum):
    BEGIN = auto()
    COMMIT = auto()
    ROLLBACK = auto()
    SAVEPOINT = auto()
    ROLLBACK_TO = auto()  # to the savepoint `name`
    XA = auto()
    HARMLESS = auto()  # maintenance, accounts, or objects that aren't replicated
    CONCERNS = auto()  # may change a replicated table: `why` says which
    WRITES = auto()  # may change rows of one


@dataclass(frozen=True)
class Meaning:
    kind: Kind
    why: str = ""
    name: str = ""


# Frequent statements, recognised by their bytes.
_PLAIN = {
    b"BEGIN": Meaning(Kind.BEGIN),
    b"COMMIT": Meaning(Kind.COMMIT),
    b"ROLLBACK": Meaning(Kind.ROLLBACK),
}
_TRANSACTIONS = {
    Verb.BEGIN: Kind.BEGIN,
    Verb.COMMIT: Kind.COMMIT,
    Verb.ROLLBACK: Kind.ROLLBACK,
    Verb.SAVEPOINT: Kind.SAVEPOINT,
    Verb.ROLLBACK_TO: Kind.ROLLBACK_TO,
    Verb.XA: Kind.XA,
}
_HARMLESS = frozenset(
    {Verb.EMPTY, Verb.RELEASE, Verb.TEMPORARY, Verb.ACCOUNT, Verb.SERVER, Verb.MAINTENANCE}
)
_DATABASES = frozenset({Verb.CREATE_DATABASE, Verb.ALTER_DATABASE, Verb.DROP_DATABASE})
# Their objects have names beside those of tables: a pattern of tables doesn't tell.
_OTHER_OBJECTS = frozenset({Verb.ROUTINE, Verb.EVENT, Verb.DROP_TRIGGER})

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def dialect_of(server: str) -> Dialect:
    """Of a server's version as its log files name it: "9.7.4", "10.11.18-MariaDB-log"."""
    found = _VERSION.match(server)
    version = 0
    if found is not None:
        major, minor, patch = map(int, found.groups())
        version = major * 10_000 + minor * 100 + patch
    return Dialect(mariadb="mariadb" in server.lower(), version=version)


def classify(query: QueryEvent, filters: Filters, server: Dialect) -> Meaning:
    """What a QUERY (or EXECUTE_LOAD_QUERY) event means for the tables that `filters` include."""
    plain = _PLAIN.get(query.sql)
    if plain is not None:
        return plain
    dialect = replace(server, sql_mode=query.sql_mode, collation=query.client_collation)
    statement = read_statement(query.sql, dialect)
    verb = statement.verb
    if verb in _TRANSACTIONS:
        return Meaning(_TRANSACTIONS[verb], name=statement.name)
    if verb in _HARMLESS:
        return Meaning(Kind.HARMLESS, verb.name)
    if verb in (Verb.UNKNOWN, Verb.ROWS):
        kind = Kind.WRITES if verb is Verb.ROWS else Kind.CONCERNS
        return _any_name(kind, statement.why or "a change of rows", query, filters, dialect)
    for concern in _concerns(statement, query, filters):
        return Meaning(Kind.CONCERNS, concern)
    return Meaning(Kind.HARMLESS, "nothing of it is replicated")


def _concerns(statement: Statement, query: QueryEvent, filters: Filters) -> Iterator[str]:
    """What of the statement is replicated."""
    if statement.verb in _DATABASES:
        database = statement.database or query.database
        if filters.concerns_some_of(database):
            yield f"database {database}"
        return
    by_table = statement.others if statement.verb is Verb.CREATE_TRIGGER else statement.objects
    for named in by_table:
        database = named.database or query.database
        if statement.verb in _OTHER_OBJECTS:
            if filters.concerns_some_of(database):
                yield f"{named} in database {database}"
        elif filters.concerns(database, named.name):
            yield f"table {database}.{named.name}"


def _any_name(
    kind: Kind, what: str, query: QueryEvent, filters: Filters, dialect: Dialect
) -> Meaning:
    """The last resort: any name, qualified or not, or the default database may be meant."""
    try:
        tokens = tokens_of(query.sql, dialect)
        names = [None if t.name is None else decode(t.name, dialect.collation) for t in tokens]
    except Unreadable as error:
        return Meaning(kind, str(error))
    for at, database in enumerate(names[:-2]):
        table = names[at + 2]
        if database is None or table is None or tokens[at + 1].word != ".":
            continue
        if filters.concerns(database, table) or filters.concerns_some_of(database):
            return Meaning(kind, f"{what}, naming {database}.{table}")
    if query.database and filters.concerns_some_of(query.database):
        return Meaning(kind, f"{what}, in database {query.database}")
    for name in names:
        if name and filters.concerns_some_of(name) and not _matches_everything(filters):
            return Meaning(kind, f"{what}, naming {name}")
    return Meaning(Kind.HARMLESS, f"{what}, naming nothing replicated")


def _matches_everything(filters: Filters) -> bool:
    """With `*.*` every column's name would be a database that might be replicated."""
    return filters.concerns_some_of("\x01no such database\x01")
