"""A statement with the names that its tables and databases have on the target, token by token."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from mysync_schemas.effects import identified
from mysync_schemas.mentions import concern
from mysync_schemas.sqlsplice import Edit, spliced
from mysync_schemas.sqltokens import Dialect, Token, Unreadable, decode, encode, tokens_of
from mysync_schemas.sqlwords import Named, Role
from mysync_schemas.statement import Statement, Verb
from mysync_schemas.table import TableId

__all__ = ["Unrewritable", "renamed"]


class Unrewritable(ValueError):
    """A statement in which names can't be replaced."""


# Which name a table or a database, but not where.
_UNREAD: Final = frozenset(
    {Verb.UNKNOWN, Verb.ROWS, Verb.MAINTENANCE, Verb.TEMPORARY, Verb.ACCOUNT}
)
# Whose names have a database, but aren't those of tables.
_IN_DATABASES: Final = frozenset({Verb.DROP_TRIGGER, Verb.ROUTINE, Verb.EVENT})
# In whose expressions columns may be qualified.
_QUALIFYING: Final = frozenset({Verb.CREATE_TABLE, Verb.ALTER_TABLE, Verb.CREATE_INDEX})


def renamed(
    sql: bytes,
    statement: Statement,
    dialect: Dialect,
    database: str,
    table: Callable[[TableId], TableId],
    db: Callable[[str], str],
) -> bytes:
    """The statement as it is right on the target: `table` and `db` say what tables and databases
    are called there. `database` is the source's default one; the target's is to be db(database).
    Byte for byte the same if no name in it changes.

    Raises `Unrewritable` if it holds a query or a program that may name something renamed, or if a
    name can't be written in its character set. Names of constraints stay, and so do those that a
    server made from a table's name (`t_ibfk_1`), which the target makes from its own."""
    if statement.opaque or statement.verb in _UNREAD:
        homes = [database, *(n.database for n in statement.objects if n.database)]
        account = statement.verb is Verb.ACCOUNT
        what = concern(sql, dialect, homes, table, db, account=account)
        if what:
            raise Unrewritable(
                f"{statement.verb.name} that may be about {what}, which is called otherwise on the"
                " target: what it names can't be told"
            )
        return sql
    try:
        return spliced(
            sql,
            statement.frames,
            _Renaming(sql, statement, dialect, database, table, db).edits(),
        )
    except Unreadable as error:
        raise Unrewritable(f"{statement.verb.name}: {error}") from error


@dataclass(frozen=True)
class _Renaming:
    sql: bytes
    statement: Statement
    dialect: Dialect
    database: str
    table: Callable[[TableId], TableId]
    db: Callable[[str], str]

    def edits(self) -> Iterator[Edit]:
        statement = self.statement
        if statement.database_at is not None and self.db(statement.database) != statement.database:
            yield Edit(*statement.database_at, self._quoted(self.db(statement.database)))
        for named in (*statement.objects, *statement.others):
            yield from self._name(named)
        if statement.verb in _QUALIFYING:
            yield from self._qualifiers()

    def _called(self, named: Named) -> TableId:
        """On the target."""
        found = identified(self.statement, named, self.database)
        if self.statement.verb in _IN_DATABASES:
            return TableId(self.db(found.db), found.table)
        return self.table(found)

    def _home(self, named: Named) -> str:
        """The database that it means on the target if it says none."""
        if named.role is not Role.REFERENCED:
            return self.db(self.database)
        objects = self.statement.objects
        return self._called(next((n for n in objects if n.role is Role.TO), objects[0])).db

    def _name(self, named: Named) -> Iterator[Edit]:
        called = self._called(named)
        if named.database:
            if called != (named.database, named.name):
                yield Edit(named.start, named.end, self._quoted(*called))
        elif called.db != self._home(named):
            yield Edit(named.start, named.end, self._quoted(*called))
        elif called.table != named.name:
            yield Edit(named.start, named.end, self._quoted(called.table))

    def _qualifiers(self) -> Iterator[Edit]:
        """The statement's own table before a column: `t.a`, `d.t.a`."""
        objects = self.statement.objects
        own = [n for n in objects if n.role is not Role.DROPPED]
        read = [(n.start, n.end) for n in (*objects, *self.statement.others)]
        for chain in _chains(tokens_of(self.sql, self.dialect)):
            start, end = chain[0].start, chain[-1].end
            if len(chain) > 3 or any(start < last and first < end for first, last in read):
                continue
            *before, _ = (decode(token.name or b"", self.dialect.collation) for token in chain)
            for named in own:
                found = identified(self.statement, named, self.database)[-len(before) :]
                if [part.casefold() for part in before] == [part.casefold() for part in found]:
                    called = self._called(named)[-len(before) :]
                    if called != found:
                        yield Edit(start, chain[-2].end, self._quoted(*called))
                    break

    def _quoted(self, *parts: str) -> bytes:
        written = (encode(part, self.dialect.collation).replace(b"`", b"``") for part in parts)
        return b".".join(b"`" + part + b"`" for part in written)


def _chains(tokens: list[Token]) -> Iterator[list[Token]]:
    """Names with dots between them, at least two, that aren't a function's."""
    at = 0
    while at < len(tokens):
        chain = [tokens[at]]
        while (
            chain[-1].name is not None
            and [token.word for token in tokens[at + 1 : at + 2]] == ["."]
            and at + 2 < len(tokens)
            and tokens[at + 2].name is not None
        ):
            at += 2
            chain.append(tokens[at])
        at += 1
        if len(chain) > 1 and (at == len(tokens) or tokens[at].word != "("):
            yield chain
