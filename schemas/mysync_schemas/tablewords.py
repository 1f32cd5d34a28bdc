"""The names in CREATE TABLE, ALTER TABLE and RENAME TABLE, and what happens to what they name."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from mysync_schemas.sqltokens import Token, Unreadable
from mysync_schemas.sqlwords import Named, Role, Words

__all__ = ["altered", "created", "renamed", "selects", "versioning"]

Names = tuple[Named, ...]

_QUERIES: Final = ("VALUES", "TABLE")  # besides SELECT; all three are reserved words


def created(words: Words) -> tuple[Names, Names]:
    """The table that CREATE TABLE makes, and the further ones that it names. The words START
    TRANSACTION, which MySQL logs behind the columns of a CREATE TABLE … SELECT, wrap it."""
    words.exists()
    made = words.named(Role.MADE)
    start = words.at
    if words.find("START", "TRANSACTION"):
        words.wrapping.append((words.tokens[words.at - 3].end, words.tokens[words.at - 1].end))
    words.at = start
    others = (*_model(words), *_mentioned(words))
    words.at = start
    return (made,), others


def altered(words: Words) -> tuple[Names, Names]:
    """The tables that ALTER TABLE changes, its own first, and the further ones that it names."""
    words.exists()
    changed = words.named(Role.CHANGED)
    words.wait()
    start = words.at
    partners = [*_new_name(words)]
    words.at = start
    while words.find("EXCHANGE", "PARTITION"):
        words.part()
        if not words.take("WITH", "TABLE"):
            raise Unreadable("EXCHANGE PARTITION without its table")
        partners.append(words.named(Role.CHANGED))
    words.at = start
    while words.find("CONVERT"):
        if words.take("TABLE"):
            partners.append(words.named(Role.DROPPED))
        elif words.take("PARTITION"):
            words.part()
            if not words.take("TO", "TABLE"):
                raise Unreadable("CONVERT PARTITION without its table")
            partners.append(words.named(Role.MADE))
    words.at = start
    return (changed, *partners), (*_mentioned(words),)


def renamed(words: Words) -> Names:
    """The pairs of RENAME TABLE, one after the other."""
    words.exists()
    found: list[Named] = []
    while not found or words.take(","):
        found.append(words.named(Role.FROM))
        words.wait()
        if not words.take("TO"):
            raise Unreadable(f"RENAME TABLE {found[-1]} without TO")
        found.append(words.named(Role.TO))
    words.nothing_more()
    return tuple(found)


def selects(words: Words) -> bool:
    """Whether CREATE TABLE fills the table with the rows of a query; words are past its name."""
    if any(token.word == "SELECT" and before.word != "." for before, token in _pairs(words)):
        return True
    first = words.peek(1) if words.peek() == "(" else words.peek()
    if first in _QUERIES:
        return True
    start = words.at
    found = False
    for query in _QUERIES:
        found = found or words.find(query)
        words.at = start
    return found


def versioning(words: Words) -> bool:
    """Whether MariaDB's system versioning is spoken of."""
    return any(
        token.word == "SYSTEM_TIME" or (before.word, token.word) == ("SYSTEM", "VERSIONING")
        for before, token in _pairs(words)
    )


def _pairs(words: Words) -> Iterator[tuple[Token, Token]]:
    """Each token but the first with the one before it."""
    return pairwise(words.tokens)


def _new_name(words: Words) -> Names:
    """Of ALTER TABLE … RENAME; of several the last."""
    found: Names = ()
    while words.find("RENAME"):
        if words.peek() in ("COLUMN", "INDEX", "KEY"):
            continue
        words.take_one_of(frozenset({"TO", "AS", "="}))
        found = (words.named(Role.TO),)
    return found


def _model(words: Words) -> Names:
    """Of CREATE TABLE … LIKE, with or without parentheses."""
    words.take("(")
    return (words.named(Role.MODEL),) if words.take("LIKE") else ()


# What an index's name may stand behind: it may be called as a function is.
_INDEXES: Final = frozenset({"KEY", "INDEX", "UNIQUE", "FULLTEXT", "SPATIAL", "EXISTS", "."})


def _mentioned(words: Words) -> Iterator[Named]:
    """Tables that foreign keys refer to, members of a MERGE table, and sequences in expressions."""
    for at in words.rest():
        before, word = words.peek(-1) if at else "", words.peek()
        if word == "REFERENCES" and before != ".":
            words.at += 1
            yield words.named(Role.REFERENCED)
        elif word in ("NEXTVAL", "LASTVAL", "SETVAL") and words.peek(1) == "(":
            if before not in _INDEXES:
                words.at += 2
                yield words.named(Role.SEQUENCE)
        elif word in ("NEXT", "PREVIOUS") and words.peek(1) == "VALUE" and words.peek(2) == "FOR":
            words.at += 3
            yield words.named(Role.SEQUENCE)
        elif word == "UNION":
            yield from _members(words)


def _members(words: Words) -> Names:
    words.at += 1
    words.take("=")
    if not words.take("(") or words.peek() in ("SELECT", "VALUES", "TABLE", "WITH", "(", ")"):
        return ()
    return words.names(Role.MEMBER)
