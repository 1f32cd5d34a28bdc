"""Which renames may concern a statement whose names aren't read one by one: that of a view, a
routine, a trigger, a grant.

Any of its words may be a table's name, those in strings too: a routine may put a statement together
from them. So a rename is found to concern more statements than it does, never fewer.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from mysync_schemas.sqltokens import Dialect, Token, Unreadable, decode, tokens_of
from mysync_schemas.table import TableId

__all__ = ["concern"]

_WORDS: Final = re.compile(r"([\w$]+)(?:\s*\.\s*([\w$]+))?")

Mention = tuple[str, str]
"""A name with another before it and a dot between, or with nothing before it."""


def concern(
    sql: bytes,
    dialect: Dialect,
    databases: Sequence[str],
    table: Callable[[TableId], TableId],
    db: Callable[[str], str],
    *,
    account: bool = False,
) -> str:
    """What has another name on the target and may be meant; empty for nothing. `databases`: those
    that a name without one may be in. `account`: of a statement on accounts only what a grant is on
    counts."""
    homes = databases
    try:
        tokens = tokens_of(sql, dialect)
        if account:
            tokens = _level(tokens)
            if not tokens or any(token.word == "." for token in tokens):
                homes = ()
        found = list(_mentions(sql, tokens, dialect.collation))
    except Unreadable:  # its bytes can be looked through all the same
        found = list(_words(sql.decode("utf-8", "replace")))
    for home in homes:
        if db(home) != home:
            return f"database {home}"
    for before, name in found:
        if before and db(before) != before:
            return f"database {before}"
        for home in (before, *homes):
            meant = TableId(home, name)
            if home and table(meant) != meant:
                return f"table {meant}"
    return ""


def _level(tokens: Sequence[Token]) -> list[Token]:
    """What a grant is on, if it is one."""
    words = [token.word for token in tokens]
    if "ON" not in words:
        return []
    start = words.index("ON") + 1
    ends = [at for at, word in enumerate(words) if word in ("TO", "FROM") and at > start]
    return list(tokens[start : ends[0] if ends else len(words)])


def _mentions(sql: bytes, tokens: Sequence[Token], collation: int) -> Iterator[Mention]:
    names = [None if t.name is None else decode(t.name, collation) for t in tokens]
    for at, name in enumerate(names):
        if name is None:
            string = sql[tokens[at].start : tokens[at].end]
            yield from _words(string.decode("utf-8", "replace"))
            continue
        before = names[at - 2] if at >= 2 and tokens[at - 1].word == "." else None
        yield (before or "", name)
        if at + 2 < len(names) and tokens[at + 1].word == "." and names[at + 2] is None:
            yield (name, "*")


def _words(text: str) -> Iterator[Mention]:
    for found in _WORDS.finditer(text):
        yield ("", found[1])
        if found[2]:
            yield (found[1], found[2])
            yield ("", found[2])
