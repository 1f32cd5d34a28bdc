"""What a statement in the binary log means for the replicated tables.

Classification looks at tokens only (sqlglot's tokenizer, after `/*!NNNNN … */` and `/*M! … */` were
unwrapped). A statement passes when it belongs to a class that never changes a table, or when every
object that it changes is told for certain and none of them is replicated. Everything else, and
whatever can't be told, stops the producer: nothing is guessed.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar

from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from mysync_producer.events import QueryEvent
from mysync_producer.filters import Filters
from mysync_producer.rowtext import latin1_text
from mysync_schemas.collations import charset_of

__all__ = ["Kind", "Statement", "classify", "unwrap_comments"]


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
class Statement:
    kind: Kind
    why: str = ""
    name: str = ""


# Frequent statements, recognised by their bytes.
_PLAIN = {
    b"BEGIN": Statement(Kind.BEGIN),
    b"COMMIT": Statement(Kind.COMMIT),
    b"ROLLBACK": Statement(Kind.ROLLBACK),
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HARMLESS_VERBS = _words(
    # Maintenance
    "ANALYZE CHECK CHECKSUM OPTIMIZE REPAIR FLUSH RESET CACHE KILL PURGE BINLOG SHUTDOWN "
    "INSTALL UNINSTALL HELP SHOW "
    # Accounts
    "GRANT REVOKE"
)
# Second words after CREATE, ALTER, DROP, RENAME that name nothing of a replicated database.
_HARMLESS_OBJECTS = _words(
    "USER ROLE SERVER TABLESPACE UNDO LOGFILE RESOURCE INSTANCE SPATIAL_REFERENCE"
)

# These change rows, and are logged as statements only when the format isn't ROW.
_WRITING_VERBS = _words("INSERT REPLACE UPDATE DELETE LOAD CALL SELECT DO WITH")

# What may follow ALTER DATABASE without a name.
_DATABASE_OPTIONS = _words("DEFAULT CHARACTER CHARSET COLLATE COMMENT ENCRYPTION READ UPGRADE")

_SQL_MODE_ANSI_QUOTES = 0x4
_SQL_MODE_NO_BACKSLASH_ESCAPES = 0x100000

# Client character sets whose text is UTF-8, if it is any. Bytes of others may be valid UTF-8 too,
# and then say something else.
_UTF8 = frozenset({"utf8mb3", "utf8mb4", "ascii", "binary"})


def classify(query: QueryEvent, filters: Filters) -> Statement:
    """What a QUERY (or EXECUTE_LOAD_QUERY) event means for the tables that `filters` include."""
    plain = _PLAIN.get(query.sql)
    if plain is not None:
        return plain
    text = _decode(query)
    if text is None:
        return Statement(Kind.CONCERNS, "its character set can't be read here")
    try:
        tokens = _tokenize(text, query.sql_mode)
    except TokenError:
        return Statement(Kind.CONCERNS, "its tokens can't be told")
    if not tokens:
        return Statement(Kind.HARMLESS, "empty")
    return _by_verb(_Words(tokens), query, filters)


def _by_verb(words: "_Words", query: QueryEvent, filters: Filters) -> Statement:
    verb = words.upper(0)
    if verb == "SET" and words.upper(1) == "STATEMENT":  # MariaDB: SET STATEMENT … FOR statement
        words = words.after("FOR")
        verb = words.upper(0)
    if verb in ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "START", "XA"):
        return _transaction_control(verb, words)
    if verb in _HARMLESS_VERBS or (verb == "SET" and words.upper(1) in ("PASSWORD", "DEFAULT")):
        return Statement(Kind.HARMLESS, verb)
    if verb in ("CREATE", "ALTER", "DROP", "RENAME"):
        return _definition(verb, words, query, filters)
    if verb == "TRUNCATE":
        at = 2 if words.upper(1) == "TABLE" else 1
        return _tables(words.names(at, stop=(";",)), words, query, filters)
    return _scan(words, query, filters, f"a {verb} statement")


def _transaction_control(verb: str, words: "_Words") -> Statement:
    if verb == "XA":
        return Statement(Kind.XA, "XA")
    if verb == "SAVEPOINT":
        return Statement(Kind.SAVEPOINT, name=words.text(1))
    if verb == "ROLLBACK":
        to = next((i for i in range(1, len(words)) if words.upper(i) == "TO"), None)
        if to is None:
            return Statement(Kind.ROLLBACK)
        name = to + 2 if words.upper(to + 1) == "SAVEPOINT" and len(words) > to + 2 else to + 1
        return Statement(Kind.ROLLBACK_TO, name=words.text(name))
    if verb == "RELEASE":
        return Statement(Kind.HARMLESS, "RELEASE SAVEPOINT")
    return Statement(Kind.COMMIT if verb == "COMMIT" else Kind.BEGIN)


def _definition(verb: str, words: "_Words", query: QueryEvent, filters: Filters) -> Statement:
    """CREATE, ALTER, DROP, RENAME."""
    at = 1
    while words.upper(at) in ("OR", "REPLACE", "ONLINE", "OFFLINE", "IGNORE"):
        at += 1
    what = words.upper(at)
    if what in _HARMLESS_OBJECTS:
        return Statement(Kind.HARMLESS, f"{verb} {what}")
    if what == "TEMPORARY":
        return Statement(Kind.HARMLESS, f"{verb} TEMPORARY TABLE")
    if what in ("DATABASE", "SCHEMA"):
        return _database(words, at + 1, query, filters)
    if what in ("TABLE", "TABLES"):
        at = words.skip_exists(at + 1)
        if verb == "DROP":
            names = words.names(at, stop=(";", "RESTRICT", "CASCADE", "WAIT", "NOWAIT"))
        elif verb == "RENAME":
            names = words.names(at, stop=(";",), between=(",", "TO"))
        else:
            names = words.one_name(at)
            if names is not None and verb == "ALTER":
                names = names + words.partners(at)
        return _tables(names, words, query, filters)
    if "INDEX" in (what, words.upper(at + 1)) and verb in ("CREATE", "DROP"):
        on = words.find("ON", at)
        return _tables(words.one_name(on + 1) if on else None, words, query, filters)
    return _scan(words, query, filters, f"{verb} {what}")


def _database(words: "_Words", at: int, query: QueryEvent, filters: Filters) -> Statement:
    at = words.skip_exists(at)
    # ALTER DATABASE without a name means the default one.
    named = words.is_name(at) and words.upper(at).split(" ")[0] not in _DATABASE_OPTIONS
    name = words.text(at) if named else query.database
    if filters.concerns_some_of(name):
        return Statement(Kind.CONCERNS, f"database {name}")
    return Statement(Kind.HARMLESS, f"database {name} is not replicated")


def _tables(
    names: Sequence[tuple[str, str]] | None, words: "_Words", query: QueryEvent, filters: Filters
) -> Statement:
    """The statement changes exactly `names`; None: they could not be told."""
    if not names:
        return _scan(words, query, filters, "names that can't be told")
    for database, table in names:
        if filters.concerns(database or query.database, table):
            return Statement(Kind.CONCERNS, f"table {database or query.database}.{table}")
    return Statement(Kind.HARMLESS, "only tables that are not replicated")


def _scan(words: "_Words", query: QueryEvent, filters: Filters, what: str) -> Statement:
    """The last resort: any name, qualified or not, or the default database may be meant."""
    kind = Kind.WRITES if words.upper(0) in _WRITING_VERBS else Kind.CONCERNS
    for database, table in words.qualified():
        if filters.concerns(database, table) or filters.concerns_some_of(database):
            return Statement(kind, f"{what}, naming {database}.{table}")
    if query.database and filters.concerns_some_of(query.database):
        return Statement(kind, f"{what} in database {query.database}")
    for word in words.all_names():
        if filters.concerns_some_of(word) and not _matches_everything(filters):
            return Statement(kind, f"{what}, naming {word}")
    return Statement(Kind.HARMLESS, f"{what} names nothing replicated")


def _matches_everything(filters: Filters) -> bool:
    """With `*.*` every column's name would be a database that might be replicated."""
    return filters.concerns_some_of("\x01no such database\x01")


class _Words:
    """Tokens of one statement, looked at by index; out of range is the empty word."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens

    def __len__(self) -> int:
        return len(self._tokens)

    def text(self, at: int) -> str:
        return self._tokens[at].text if 0 <= at < len(self._tokens) else ""

    def upper(self, at: int) -> str:
        """The word in capitals; empty for a quoted one, which is never a keyword."""
        if 0 <= at < len(self._tokens):
            token = self._tokens[at]
            if token.token_type not in (TokenType.IDENTIFIER, TokenType.STRING):
                return token.text.upper()
        return ""

    def after(self, keyword: str) -> "_Words":
        at = self.find(keyword, 0)
        return _Words(self._tokens[at + 1 :] if at is not None else [])

    def find(self, keyword: str, start: int) -> int | None:
        return next((i for i in range(start, len(self)) if self.upper(i) == keyword), None)

    def is_name(self, at: int) -> bool:
        if not 0 <= at < len(self._tokens):
            return False
        token = self._tokens[at]
        if token.token_type == TokenType.IDENTIFIER:
            return True
        if token.token_type in (TokenType.STRING, TokenType.NUMBER):
            return False
        return bool(token.text) and (
            token.text[0].isalnum() or token.text[0] in "_$" or ord(token.text[0]) > 127
        )

    def skip_exists(self, at: int) -> int:
        if self.upper(at) == "IF":
            at += 3 if self.upper(at + 1) == "NOT" else 2
        elif self.upper(at) in ("IF NOT EXISTS", "IF EXISTS"):
            at += 1
        return at

    def one_name(self, at: int) -> list[tuple[str, str]] | None:
        """The name at `at`: (database or empty, table)."""
        named = self._name(at)
        return None if named is None else [named[0]]

    def _name(self, at: int) -> tuple[tuple[str, str], int] | None:
        if not self.is_name(at):
            return None
        if self.text(at + 1) == ".":
            if not self.is_name(at + 2):
                return None
            return (self.text(at), self.text(at + 2)), at + 3
        return ("", self.text(at)), at + 1

    def names(
        self, at: int, stop: Sequence[str], between: Sequence[str] = (",",)
    ) -> list[tuple[str, str]] | None:
        """A list of names up to the end or one of `stop`; None when something else stands there."""
        found = []
        while True:
            named = self._name(at)
            if named is None:
                return None
            found.append(named[0])
            at = named[1]
            if at >= len(self) or self.upper(at) in stop:
                return found
            if self.upper(at) not in between:
                return None
            at += 1

    def partners(self, start: int) -> list[tuple[str, str]]:
        """What else an ALTER TABLE changes: its new name, the table it exchanges a partition with.
        Every qualified name counts too: better one too many."""
        found = list(self.qualified(start))
        for at in range(start, len(self)):
            if self.upper(at) in ("RENAME", "TABLE"):
                after = at + 1
                while self.upper(after) in ("TO", "AS", "="):
                    after += 1
                if self.upper(after) in ("COLUMN", "INDEX", "KEY"):
                    continue
                named = self._name(after)
                if named is not None:
                    found.append(named[0])
        return found

    def qualified(self, start: int = 0) -> list[tuple[str, str]]:
        """Every `a.b` in the statement."""
        return [
            (self.text(at), self.text(at + 2))
            for at in range(start, len(self) - 2)
            if self.text(at + 1) == "." and self.is_name(at) and self.is_name(at + 2)
        ]

    def all_names(self) -> list[str]:
        return [self.text(at) for at in range(len(self)) if self.is_name(at)]


class _Tokens(MySQL.Tokenizer):
    COMMANDS: ClassVar[set[TokenType]] = set()  # whose rest would be one opaque string


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


def _tokenize(text: str, sql_mode: int) -> list[Token]:
    ansi = bool(sql_mode & _SQL_MODE_ANSI_QUOTES)
    plain = bool(sql_mode & _SQL_MODE_NO_BACKSLASH_ESCAPES)
    text = unwrap_comments(text, ansi=ansi, plain=plain)
    return list(_tokenizer(ansi, plain).tokenize(text))


def _decode(query: QueryEvent) -> str | None:
    """None when the client's character set could hide quotes or names."""
    if query.sql.isascii():
        return query.sql.decode("ascii")
    charset = charset_of(query.client_collation)
    if charset == "latin1":
        return latin1_text(query.sql)
    if query.client_collation and charset not in _UTF8:
        return None
    try:
        return query.sql.decode("utf-8")
    except UnicodeDecodeError:
        return None


def unwrap_comments(text: str, *, ansi: bool = False, plain: bool = False) -> str:
    """Replaces `/*!NNNNN … */` and `/*M!NNNNN … */` by what they hold.

    Strings and quoted names are left alone; ordinary comments stay for the tokenizer to drop.
    """
    if "/*!" not in text and "/*M!" not in text:
        return text
    out: list[str] = []
    at, inside = 0, 0
    while at < len(text):
        char = text[at]
        if char in "'\"`":
            end = _end_of_quoted(
                text, at, backslash=not plain and char != "`" and not (ansi and char == '"')
            )
            out.append(text[at:end])
            at = end
        elif text.startswith(("/*!", "/*M!"), at):
            at = text.index("!", at) + 1
            digits = at
            while digits < len(text) and text[digits].isdigit() and digits - at < 6:
                digits += 1
            at = digits
            out.append(" ")
            inside += 1
        elif inside and text.startswith("*/", at):
            out.append(" ")
            at += 2
            inside -= 1
        elif text.startswith("/*", at):
            end = text.find("*/", at + 2)
            end = len(text) if end < 0 else end + 2
            out.append(" ")
            at = end
        else:
            out.append(char)
            at += 1
    return "".join(out)


def _end_of_quoted(text: str, start: int, *, backslash: bool) -> int:
    quote, at = text[start], start + 1
    while at < len(text):
        if backslash and text[at] == "\\":
            at += 2
        elif text[at] == quote:
            if text.startswith(quote, at + 1):
                at += 2
            else:
                return at + 1
        else:
            at += 1
    return len(text)
