"""A statement's tokens, with the bytes of the statement where each stands.

A statement is bytes in its client's character set. For the tokenizer (sqlglot's) every byte that
isn't ASCII, or belongs to a character of several bytes, becomes a letter of its own, and the frame
of an executed comment (`/*!NNNNN … */`, `/*M!NNNNNN … */`) becomes spaces: so a place in the text
is the place in the bytes, and a backslash or quote that is half of a character isn't taken for one
(sjis, gbk, big5). Names are read from the bytes.

Comments: MySQL Reference Manual "Comments"; MariaDB Knowledge Base "Comment Syntax".
"""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import ClassVar, Final, NamedTuple

from sqlglot import tokenizer_core
from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from mysync_schemas.collations import charset_of

__all__ = ["Dialect", "Frame", "Token", "Unreadable", "decode", "encode", "scan", "tokens_of"]

_SQL_MODE_ANSI_QUOTES: Final = 0x4
_SQL_MODE_NO_BACKSLASH_ESCAPES: Final = 0x100000

_LETTER: Final = "ÿ"


class Unreadable(ValueError):
    """Why a statement's tokens or names can't be told."""


@dataclass(frozen=True)
class Dialect:
    """How the source read a statement. `collation`: the client's, by id, 0 for unknown; `version`:
    the server's as one number (90704, 101118), 0 to take every comment for executed."""

    mariadb: bool = False
    version: int = 0
    sql_mode: int = 0
    collation: int = 0

    @property
    def ansi(self) -> bool:
        return bool(self.sql_mode & _SQL_MODE_ANSI_QUOTES)

    @property
    def plain(self) -> bool:
        """A backslash in a string is a backslash."""
        return bool(self.sql_mode & _SQL_MODE_NO_BACKSLASH_ESCAPES)


class Token(NamedTuple):
    """`word`: in capitals if it may be a keyword, else empty. `name`: what it says as a name, None
    if it can't be one. `sql[start:end]` are its bytes."""

    word: str
    name: bytes | None
    start: int
    end: int


class Frame(NamedTuple):
    """Where an executed comment begins or ends: `sql[start:end]` is `/*!NNNNN` or `*/`."""

    start: int
    end: int
    opens: bool


def tokens_of(sql: bytes, dialect: Dialect) -> list[Token]:
    """Raises Unreadable."""
    return scan(sql, dialect)[0]


def scan(sql: bytes, dialect: Dialect) -> tuple[list[Token], tuple[Frame, ...]]:
    """The tokens, and the frames of the executed comments around some. Raises Unreadable."""
    text, frames = _executed(_letters(sql, dialect.collation), dialect)
    try:
        found = _tokenizer(dialect.ansi, dialect.plain).tokenize(text)
    except TokenError as error:
        raise Unreadable(f"its tokens can't be told: {error}") from error
    return list(_tokens(sql, found)), tuple(frames)


def decode(name: bytes, collation: int) -> str:
    """A name as the server's dictionary has it. Raises Unreadable."""
    try:
        if name.isascii():
            return name.decode("ascii")
        charset = charset_of(collation)
        if charset == "latin1":
            return name.decode("cp1252")
        if collation and charset not in _UTF8:
            raise Unreadable(f"its character set can't be read here: {charset}")
        return name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"its character set can't be read: {error}") from error


def encode(name: str, collation: int) -> bytes:
    """The inverse of `decode`. Raises Unreadable."""
    charset = charset_of(collation)
    try:
        if name.isascii() or charset == "ascii":
            return name.encode("ascii")
        if charset == "latin1":
            return name.encode("cp1252")
        if collation and charset not in _UTF8:
            raise Unreadable(f"{name!r} can't be written in its character set here: {charset}")
        return name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Unreadable(f"its character set doesn't have it: {error}") from error


# -- characters

# Client character sets in which a byte of ASCII may be half of a character.
_DOUBLE: Final = {
    "sjis": re.compile(rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]"),
    "cp932": re.compile(rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]"),
    "big5": re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]"),
    "gbk": re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]"),
    "gb18030": re.compile(
        rb"[\x81-\xfe](?:[\x30-\x39][\x81-\xfe][\x30-\x39]|[\x40-\x7e\x80-\xfe])"
    ),
}
# Those whose text is UTF-8, if it is any. Bytes of others may be valid UTF-8 that says another
# thing.
_UTF8: Final = frozenset({"utf8mb3", "utf8mb4", "ascii", "binary"})


def _letters(sql: bytes, collation: int) -> str:
    """As many characters as bytes."""
    charset = charset_of(collation)
    if charset == "swe7":
        raise Unreadable("its character set can't be read here: swe7, with letters for quotes")
    if charset in _DOUBLE:
        sql = _DOUBLE[charset].sub(lambda found: b"\xff" * len(found[0]), sql)
    return re.sub("[\x80-\xff]", _LETTER, sql.decode("latin-1"))


# -- comments

_DASHES: Final = re.compile(r"--(?=[\s\x00-\x1f]|$)")
_OPENING: Final = re.compile(r"/\*(M?)!(\d{5,6})?")
_QUOTED: Final = {
    (quote, plain): re.compile(
        f"{quote}(?:[^{quote}]|{quote}{quote})*{quote}?"
        if plain
        else f"{quote}(?:[^{quote}\\\\]|\\\\.|{quote}{quote})*{quote}?",
        re.DOTALL,
    )
    for quote in "'\"`"
    for plain in (True, False)
}


def _executed(text: str, dialect: Dialect) -> tuple[str, list[Frame]]:
    """Comments that the server executes without their frame, all others as spaces; as long as
    before."""
    frames: list[Frame] = []
    if "/*" not in text:
        return text, frames
    out: list[str] = []
    at, inside = 0, 0
    while at < len(text):
        char = text[at]
        if char in "'\"`":
            plain = dialect.plain or char == "`" or (char == '"' and dialect.ansi)
            quoted = _QUOTED[char, plain].match(text, at)
            assert quoted is not None
            out.append(quoted[0])
            at = quoted.end()
            continue
        opening = _OPENING.match(text, at)
        if opening is not None and _executes(opening, dialect):
            frame = opening[0]
            frames.append(Frame(at, at + len(frame), True))
            inside += 1
        elif text.startswith("/*", at):
            end = text.find("*/", at + 2)
            frame = text[at : len(text) if end < 0 else end + 2]
        elif inside and text.startswith("*/", at):
            frame = "*/"
            frames.append(Frame(at, at + 2, False))
            inside -= 1
        elif char == "#" or _DASHES.match(text, at):
            end = text.find("\n", at)
            frame = text[at : len(text) if end < 0 else end]
        else:
            out.append(char)
            at += 1
            continue
        out.append(" " * len(frame))
        at += len(frame)
    return "".join(out), frames


def _executes(opening: re.Match[str], dialect: Dialect) -> bool:
    only_mariadb, digits = bool(opening[1]), opening[2]
    if only_mariadb and not dialect.mariadb:
        return False
    if digits is None or not dialect.version:
        return True
    number = int(digits)
    if dialect.mariadb and not only_mariadb and 50700 <= number <= 99999:
        return False  # meant for later versions of MySQL
    return number <= dialect.version


# -- tokens

# Only those that aren't words: a word is a word here, whatever it may mean.
_SIGNS: Final = {
    sign: kind
    for sign, kind in MySQL.Tokenizer.KEYWORDS.items()
    if not any(char.isalnum() for char in sign) and "{" not in sign and "}" not in sign
}


class _Tokens(MySQL.Tokenizer):
    COMMANDS: ClassVar[set[TokenType]] = set()  # whose rest would be one opaque string
    KEYWORDS: ClassVar[dict[str, TokenType]] = _SIGNS


class _Ansi(_Tokens):
    QUOTES: ClassVar[list[str | tuple[str, str]]] = ["'"]
    IDENTIFIERS: ClassVar[list[str | tuple[str, str]]] = ["`", '"']


class _Plain(_Tokens):
    STRING_ESCAPES: ClassVar[list[str]] = ["'", '"']


class _AnsiPlain(_Ansi):
    STRING_ESCAPES: ClassVar[list[str]] = ["'"]


@functools.cache
def _tokenizer(ansi: bool, plain: bool) -> _Tokens:
    if ansi:
        return _AnsiPlain() if plain else _Ansi()
    return _Plain() if plain else _Tokens()


_UNQUOTED: Final = re.compile(rb"[0-9A-Za-z_$\x80-\xff]+")
_NEVER_NAMES: Final = frozenset({TokenType.STRING, TokenType.NATIONAL_STRING})


def _tokens(sql: bytes, found: Sequence[tokenizer_core.Token]) -> Iterator[Token]:
    """A name may begin with digits: the tokenizer makes two tokens of it."""
    start = None
    for token, following in zip_longest(found, found[1:]):
        first, end = token.start if start is None else start, token.end + 1
        glued = following is not None and following.start == end
        if token.token_type == TokenType.NUMBER and glued and _is_word(sql[end : end + 1]):
            start = first
            continue
        start = None
        raw = sql[first:end]
        if token.token_type == TokenType.IDENTIFIER:
            quote = raw[:1]
            yield Token("", raw[1:-1].replace(quote * 2, quote), first, end)
        elif token.token_type not in _NEVER_NAMES and _UNQUOTED.fullmatch(raw):
            yield Token(raw.decode("latin-1").upper(), raw, first, end)
        else:
            yield Token(raw.decode("latin-1") if len(raw) <= 3 else "", None, first, end)


def _is_word(byte: bytes) -> bool:
    return _UNQUOTED.fullmatch(byte) is not None
