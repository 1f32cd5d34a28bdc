"""A statement's words, read from the first to the last, and the names among them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from mysync_schemas.sqltokens import Token, Unreadable, decode

__all__ = ["Named", "Role", "Words"]


class Role(Enum):
    """What a statement does with what it names."""

    MADE = auto()
    CHANGED = auto()
    DROPPED = auto()
    FROM = auto()  # a rename's old name
    TO = auto()  # its new one
    MODEL = auto()  # of CREATE TABLE … LIKE
    REFERENCED = auto()  # by a foreign key
    MEMBER = auto()  # of a MERGE table
    SEQUENCE = auto()  # that an expression draws from
    WATCHED = auto()  # the table of a trigger


@dataclass(frozen=True)
class Named:
    """A name of two parts, the first empty where it isn't written. `sql[start:end]` is all of it,
    `sql[last:end]` its last part."""

    database: str
    name: str
    start: int
    last: int
    end: int
    role: Role = Role.CHANGED

    def __str__(self) -> str:
        return f"{self.database}.{self.name}" if self.database else self.name


class Words:
    """The tokens of one statement and a place among them."""

    def __init__(self, tokens: Sequence[Token], collation: int) -> None:
        end = len(tokens)
        while end and tokens[end - 1].word == ";":
            end -= 1
        self.tokens = tokens[:end]
        self.collation = collation
        self.at = 0
        self.if_exists = False
        self.modifiers: set[str] = set()
        self.wrapping: list[tuple[int, int]] = []

    def peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.tokens[at].word if at < len(self.tokens) else ""

    @property
    def over(self) -> bool:
        return self.at >= len(self.tokens)

    def take(self, *words: str) -> bool:
        """Goes past the words if they stand here."""
        if all(self.peek(i) == word for i, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def take_one_of(self, words: frozenset[str]) -> str:
        """Goes past one of them, if it stands here, and says which."""
        word = self.peek()
        if word in words:
            self.at += 1
            return word
        return ""

    def find(self, *words: str) -> bool:
        """Goes past the next place outside of parentheses where the words stand; nowhere if there
        is none."""
        depth = 0
        for at in range(self.at, len(self.tokens)):
            word = self.tokens[at].word
            depth += (word == "(") - (word == ")")
            if depth == 0 and all(
                at + i < len(self.tokens) and self.tokens[at + i].word == wanted
                for i, wanted in enumerate(words)
            ):
                self.at = at + len(words)
                return True
        return False

    def rest(self) -> Iterator[int]:
        """The places from here on, each of which is the present one in its turn."""
        for at in range(self.at, len(self.tokens)):
            self.at = at
            yield at

    def part(self) -> tuple[str, Token]:
        """One part of a name."""
        if self.over or self.tokens[self.at].name is None:
            shown = self.peek() or "its end"
            raise Unreadable(f"{shown!r} where a name should stand")
        token = self.tokens[self.at]
        assert token.name is not None
        self.at += 1
        return decode(token.name, self.collation), token

    def named(self, role: Role) -> Named:
        """`name`, `database.name` or `.name`. Raises Unreadable."""
        if self.take("."):
            name, token = self.part()
            return Named("", name, self.tokens[self.at - 2].start, token.start, token.end, role)
        first, token = self.part()
        if not self.take("."):
            return Named("", first, token.start, token.start, token.end, role)
        name, last = self.part()
        return Named(first, name, token.start, last.start, last.end, role)

    def names(self, role: Role) -> tuple[Named, ...]:
        """A list with commas between."""
        found = [self.named(role)]
        while self.take(","):
            found.append(self.named(role))
        return tuple(found)

    def exists(self) -> None:
        """IF EXISTS, IF NOT EXISTS."""
        if self.take("IF", "EXISTS") or self.take("IF", "NOT", "EXISTS"):
            self.if_exists = True

    def wait(self) -> None:
        """MariaDB's WAIT n, NOWAIT."""
        if self.take("WAIT"):
            self.at += 1
        self.take("NOWAIT")

    def nothing_more(self) -> None:
        if not self.over:
            raise Unreadable(f"{self.peek()!r} where it should end")
