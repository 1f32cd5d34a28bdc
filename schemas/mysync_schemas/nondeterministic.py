"""Whether an ALTER TABLE gives rows that stand in the table values that another server would choose
otherwise.

The time isn't among them: it is carried with the statement. Neither is a default that only later
rows take, or what a generated column computes: servers refuse to store what isn't the same each
time.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from mysync_schemas.sqltokens import Token

__all__ = ["reason"]

_FUNCTIONS: Final = frozenset(
    {
        *("UUID", "UUID_SHORT", "UUID_V4", "UUID_V7", "SYS_GUID", "RAND", "RANDOM_BYTES"),
        *("SYSDATE", "CONNECTION_ID", "USER", "CURRENT_USER", "SESSION_USER", "SYSTEM_USER"),
        *("CURRENT_ROLE", "VERSION", "NEXTVAL", "SETVAL", "LASTVAL", "LAST_INSERT_ID"),
    }
)
_WITHOUT_PARENTHESES: Final = frozenset({"CURRENT_USER", "CURRENT_ROLE", "SYSDATE"})
_KEYS: Final = frozenset(
    {
        *("INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL", "PRIMARY", "CONSTRAINT", "FOREIGN"),
        *("CHECK", "PARTITION"),
    }
)
_NOT_COLUMNS: Final = frozenset(
    {("VECTOR", "INDEX"), ("VECTOR", "KEY"), ("PERIOD", "FOR"), ("SYSTEM", "VERSIONING")}
)


def reason(changes: Sequence[Token], ignore: bool) -> str:
    """Of the tokens behind the table's name; `ignore`: it is an ALTER IGNORE. Empty if it is
    deterministic."""
    if ignore:
        return "ALTER IGNORE keeps one of several rows with an equal key"
    for change in _parts(changes):
        words = [token.word for token in change]
        if words[:1] in (["IMPORT"], ["DISCARD"]) and "TABLESPACE" in words:
            return f"{words[0]} TABLESPACE is about a file that isn't in the log"
        if words[:1] == ["ADD"]:
            for column in _columns(change[1:]):
                why = _filled(column)
                if why:
                    return why
    return ""


def _parts(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """What commas outside of parentheses separate."""
    depth, start = 0, 0
    for at, token in enumerate(tokens):
        depth += (token.word == "(") - (token.word == ")")
        if token.word == "," and depth == 0:
            yield tokens[start:at]
            start = at + 1
    yield tokens[start:]


def _columns(added: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The definitions of columns in what stands behind ADD."""
    words = [token.word for token in added]
    at = int(words[:1] == ["COLUMN"])
    if words[at : at + 3] == ["IF", "NOT", "EXISTS"]:
        at += 3
    if words[at : at + 1] == ["("]:
        depth = 0
        for end, word in enumerate(words):
            depth += (word == "(") - (word == ")")
            if end > at and depth == 0:
                break
        candidates = [*_parts(added[at + 1 : end])]
    else:
        candidates = [added[at:]]
    for column in candidates:
        first = tuple(token.word for token in column[:2])
        if first and first[0] not in _KEYS and first not in _NOT_COLUMNS:
            yield column


def _filled(column: Sequence[Token]) -> str:
    """Why the new column's values in old rows aren't the same everywhere."""
    words = [token.word for token in column]
    for at, word in enumerate(words[1:], 1):
        following = words[at + 1] if at + 1 < len(words) else ""
        if word in ("AUTO_INCREMENT", "SERIAL"):
            return "it adds an AUTO_INCREMENT column: it numbers rows in the order they are read"
        if words[at - 1] in (".", "REFERENCES"):
            continue
        if word in _FUNCTIONS and (following == "(" or word in _WITHOUT_PARENTHESES):
            return f"it fills a column by {word}"
        if (word, following) in (("NEXT", "VALUE"), ("PREVIOUS", "VALUE")):
            return "it fills a column from a sequence"
        if word.startswith("@"):
            return "it fills a column from a variable"
    return ""
