"""A statement with parts of it left out or added; all others stay byte for byte what they are.

`renaming.renamed`, which writes other names, is to be had here as well.
"""

from collections.abc import Callable
from typing import Final

from mysync_schemas.effects import identified
from mysync_schemas.renaming import Unrewritable, renamed
from mysync_schemas.sqlsplice import Edit, spliced
from mysync_schemas.sqltokens import Dialect, tokens_of
from mysync_schemas.sqlwords import Named, Role
from mysync_schemas.statement import Statement, Verb
from mysync_schemas.table import TableId

__all__ = [
    "Spanning",
    "Unrewritable",
    "cut",
    "disabled",
    "plain",
    "renamed",
    "with_if_exists",
]


class Spanning(ValueError):
    """A statement can't be parted into what concerns kept tables and what concerns others."""

    def __init__(self, verb: Verb, kept: tuple[TableId, ...], left: tuple[TableId, ...]) -> None:
        super().__init__(
            f"{verb.name} that can't be parted: {_list(kept)} is replicated, {_list(left)} isn't"
        )
        self.verb = verb
        self.kept = kept
        self.left = left


def plain(sql: bytes, statement: Statement) -> bytes:
    """Without MariaDB's SET STATEMENT … FOR, whose settings the event's context holds, and without
    the START TRANSACTION of a logged CREATE TABLE … SELECT, after which nothing but rows may come
    (error 3977)."""
    return spliced(sql, statement.frames, [Edit(*part) for part in statement.wrapping])


_DROPS: Final = frozenset({Verb.DROP_TABLE, Verb.DROP_VIEW, Verb.DROP_SEQUENCE})
# Whose objects are tables, or are named like tables.
_OF_TABLES: Final = frozenset(
    {
        *_DROPS,
        *(Verb.CREATE_TABLE, Verb.ALTER_TABLE, Verb.TRUNCATE_TABLE, Verb.CREATE_VIEW),
        *(Verb.CREATE_INDEX, Verb.DROP_INDEX, Verb.CREATE_SEQUENCE, Verb.ALTER_SEQUENCE),
    }
)
_ON_REPLICA: Final = b"DISABLE ON SLAVE"  # as both flavours have it
_NEEDED: Final = frozenset({Role.MODEL, Role.MEMBER, Role.SEQUENCE})


def cut(
    sql: bytes, statement: Statement, database: str, keep: Callable[[TableId], bool]
) -> bytes | None:
    """The statement about kept tables only, None if it is about none of them; `database` is the
    default one. Of a list those that aren't kept are cut out. A foreign key may refer to a table
    that isn't kept. Statements on databases, routines, events and DROP TRIGGER name no table, and
    come back as they are.

    Raises `Spanning` if it joins a kept table with another: a pair of RENAME TABLE, ALTER TABLE …
    RENAME, EXCHANGE PARTITION, CONVERT, LIKE, a MERGE table, a sequence in a default."""

    def sides(names: tuple[Named, ...]) -> tuple[tuple[TableId, ...], tuple[TableId, ...]]:
        tables = [identified(statement, named, database) for named in names]
        kept = tuple(table for table in tables if keep(table))
        return kept, tuple(table for table in tables if table not in kept)

    def whole(names: tuple[Named, ...]) -> bool:
        """Whether they are kept, together or not at all."""
        kept, left = sides(names)
        if kept and left:
            raise Spanning(statement.verb, kept, left)
        return bool(kept)

    objects, others = statement.objects, statement.others
    if statement.verb in _DROPS:
        return _shortened(sql, statement, [((named,), whole((named,))) for named in objects])
    if statement.verb is Verb.RENAME_TABLE:
        pairs = [objects[at : at + 2] for at in range(0, len(objects), 2)]
        return _shortened(sql, statement, [(pair, whole(pair)) for pair in pairs])
    if statement.verb is Verb.CREATE_TRIGGER:
        return sql if whole(others) else None
    if statement.verb not in _OF_TABLES:
        return sql
    if not whole(objects):
        return None
    whole((*objects, *(named for named in others if named.role in _NEEDED)))
    return sql


def _shortened(
    sql: bytes, statement: Statement, items: list[tuple[tuple[Named, ...], bool]]
) -> bytes | None:
    """Each item that isn't kept goes with the comma behind it, or with the one before it if nothing
    is kept behind it."""
    spans = [(names[0].start, names[-1].end) for names, _ in items]
    kept = [at for at, (_, keep) in enumerate(items) if keep]
    if not kept:
        return None
    last = kept[-1]
    edits = [Edit(spans[at][0], spans[at + 1][0]) for at in range(last) if at not in kept]
    if last + 1 < len(items):
        edits.append(Edit(spans[last][1], spans[-1][1]))
    return spliced(sql, statement.frames, edits)


def with_if_exists(sql: bytes, statement: Statement) -> bytes:
    """A DROP of tables, views or sequences that doesn't mind if some are gone: MariaDB logs one
    that failed halfway, over a name that wasn't there, as if all had been well."""
    if statement.verb not in _DROPS or statement.if_exists:
        return sql
    at = statement.objects[0].start
    return spliced(sql, statement.frames, [Edit(at, at, b"IF EXISTS ")])


def disabled(sql: bytes, statement: Statement, dialect: Dialect) -> bytes:
    """A CREATE or ALTER EVENT that leaves it as it is on a replica: known, and not run. What the
    source's event does is in its log."""
    if statement.verb is not Verb.EVENT or statement.objects[0].role is Role.DROPPED:
        return sql
    depth, end = 0, len(sql)
    tokens = [t for t in tokens_of(sql, dialect) if t.start >= statement.objects[0].end]
    for token in tokens:
        depth += (token.word == "(") - (token.word == ")")
        if depth == 0 and token.word == "DISABLE":
            return sql
        if depth == 0 and token.word == "ENABLE":
            return spliced(sql, statement.frames, [Edit(token.start, token.end, _ON_REPLICA)])
        if depth == 0 and token.word in ("COMMENT", "DO", ";"):
            end = token.start
            break
    if statement.objects[0].role is not Role.MADE:
        return sql
    return spliced(sql, statement.frames, [Edit(end, end, _ON_REPLICA + b" ")])


def _list(tables: tuple[TableId, ...]) -> str:
    return ", ".join(map(str, tables))
