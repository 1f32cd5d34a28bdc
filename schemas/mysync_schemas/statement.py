"""What a statement in the binary log does, told from its tokens: its verb and the objects it names.

What isn't told for certain is `Verb.UNKNOWN`: whoever asks decides by policy, nothing is guessed.
Statements are those that servers write into their logs, so most of what a client may send (SELECT,
SHOW, USE) never comes; the syntax is that of MySQL 9.7 (Reference Manual "SQL Statements") and
MariaDB 10.11 (Knowledge Base "SQL Statements").
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from mysync_schemas import nondeterministic, tablewords
from mysync_schemas.sqltokens import Dialect, Frame, Unreadable, scan
from mysync_schemas.sqlwords import Named, Role, Words

__all__ = ["Named", "Role", "Statement", "Verb", "read_statement"]


class Verb(Enum):
    EMPTY = auto()
    # Transactions
    BEGIN = auto()
    COMMIT = auto()
    ROLLBACK = auto()
    SAVEPOINT = auto()
    ROLLBACK_TO = auto()
    RELEASE = auto()
    XA = auto()
    # Tables
    CREATE_TABLE = auto()
    ALTER_TABLE = auto()
    DROP_TABLE = auto()
    RENAME_TABLE = auto()
    TRUNCATE_TABLE = auto()
    CREATE_INDEX = auto()
    DROP_INDEX = auto()
    TEMPORARY = auto()  # of the session that runs it, never of a replica
    CREATE_SEQUENCE = auto()
    ALTER_SEQUENCE = auto()
    DROP_SEQUENCE = auto()
    # Databases
    CREATE_DATABASE = auto()
    ALTER_DATABASE = auto()
    DROP_DATABASE = auto()
    # What a database holds beside tables
    CREATE_VIEW = auto()
    DROP_VIEW = auto()
    CREATE_TRIGGER = auto()
    DROP_TRIGGER = auto()
    ROUTINE = auto()  # procedures, functions, packages, libraries
    EVENT = auto()
    # Of the server
    ACCOUNT = auto()
    SERVER = auto()  # tablespaces, foreign servers, plugins, functions from libraries
    MAINTENANCE = auto()
    # Rows: only logged as a statement where the format isn't ROW
    ROWS = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class Statement:
    """`objects` are those it makes, changes or removes: tables, views, sequences, triggers,
    routines or events; of a rename, each pair one after the other. `others` are further tables that
    it names. `kind`: of a ROUTINE or EVENT ("PROCEDURE"). `database`: what a statement on a
    database is about, empty for the default one, written at `sql[slice(*database_at)]`. `name`: a
    savepoint's. `why`: of UNKNOWN."""

    verb: Verb
    objects: tuple[Named, ...] = ()
    others: tuple[Named, ...] = ()
    kind: str = ""
    database: str = ""
    database_at: tuple[int, int] | None = None
    name: str = ""
    if_exists: bool = False  # or IF NOT EXISTS
    or_replace: bool = False
    selects: bool = False  # CREATE TABLE … SELECT, as nobody logs it in ROW format
    opaque: bool = False  # holds a query or a program, whose names aren't among the above
    versioning: bool = False  # MariaDB's system versioning is spoken of
    nondeterministic: str = ""  # why its effect on rows may differ from server to server
    wrapping: tuple[tuple[int, int], ...] = ()  # SET STATEMENT … FOR, a logged START TRANSACTION
    frames: tuple[Frame, ...] = field(default=(), repr=False)  # of its executed comments
    why: str = field(default="", compare=False)


def read_statement(sql: bytes, dialect: Dialect) -> Statement:
    """Never raises: what can't be read is UNKNOWN."""
    try:
        tokens, frames = scan(sql, dialect)
        words = Words(tokens, dialect.collation)
        if not words.tokens:
            return Statement(Verb.EMPTY)
        return replace(
            _by_first_word(words),
            if_exists=words.if_exists,
            or_replace="REPLACE" in words.modifiers,
            wrapping=tuple(words.wrapping),
            frames=frames,
        )
    except Unreadable as error:
        return Statement(Verb.UNKNOWN, why=str(error))


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MAINTENANCE: Final = _set(
    "ANALYZE CHECK CHECKSUM OPTIMIZE REPAIR FLUSH RESET CACHE KILL PURGE BINLOG SHUTDOWN HELP SHOW "
    "BACKUP LOCK UNLOCK CHANGE STOP CLONE RESTART"
)
_ROWS: Final = _set("INSERT REPLACE UPDATE DELETE LOAD CALL SELECT DO WITH")
_SERVER_OBJECTS: Final = _set("SERVER TABLESPACE UNDO LOGFILE RESOURCE INSTANCE SPATIAL")
_ROUTINES: Final = _set("PROCEDURE FUNCTION PACKAGE LIBRARY")
_ROLES: Final = {"CREATE": Role.MADE, "ALTER": Role.CHANGED, "DROP": Role.DROPPED}
_MODIFIERS: Final = _set("OR REPLACE ONLINE OFFLINE IGNORE AGGREGATE")


def _by_first_word(words: Words) -> Statement:
    if words.peek() == "SET" and words.peek(1) == "STATEMENT":
        if not words.find("FOR") or words.over:
            raise Unreadable("SET STATEMENT without its FOR")
        words.wrapping.append((words.tokens[0].start, words.tokens[words.at].start))
    verb = words.peek()
    if verb in _MAINTENANCE:
        return Statement(Verb.MAINTENANCE)
    if verb in _ROWS:
        return Statement(Verb.ROWS)
    words.at += 1
    reader = _READERS.get(verb)
    if reader is None:
        raise Unreadable(f"a statement that begins with {verb or 'no word'}")
    return reader(words)


# -- transactions and the server


def _begin(words: Words) -> Statement:
    if words.peek(-1) == "START" and not words.take("TRANSACTION"):
        return Statement(Verb.MAINTENANCE)  # START REPLICA
    return Statement(Verb.BEGIN)


def _rollback(words: Words) -> Statement:
    if not words.find("TO"):
        return Statement(Verb.ROLLBACK)
    if len(words.tokens) > words.at + 1:
        words.take("SAVEPOINT")
    return Statement(Verb.ROLLBACK_TO, name=words.part()[0])


def _savepoint(words: Words) -> Statement:
    return Statement(Verb.SAVEPOINT, name=words.part()[0])


def _set_something(words: Words) -> Statement:
    if words.peek() == "PASSWORD" or (words.peek(), words.peek(1)) == ("DEFAULT", "ROLE"):
        return Statement(Verb.ACCOUNT)
    raise Unreadable(f"SET {words.peek()}")


def _always(verb: Verb) -> Callable[[Words], Statement]:
    return lambda _: Statement(verb)


# -- definitions


def _create(words: Words) -> Statement:
    _modifiers(words)
    what = words.peek()
    if what in ("UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR") and words.peek(1) == "INDEX":
        words.at += 1
        what = "INDEX"
    if what == "SPATIAL" and words.peek(1) != "REFERENCE":
        raise Unreadable("CREATE SPATIAL")
    if what == "JSON" and words.find("VIEW"):
        return _view(words)
    words.at += 1
    reader = _CREATED.get(what)
    if reader is not None:
        return reader(words)
    return _common("CREATE", what, words)


def _modifiers(words: Words) -> None:
    """What may stand between CREATE or ALTER and the kind of object."""
    while True:
        taken = words.take_one_of(_MODIFIERS)
        if taken:
            words.modifiers.add(taken)
            continue
        if words.take("ALGORITHM", "=") or words.take("SQL", "SECURITY"):
            words.at += 1
        elif words.take("DEFINER", "="):
            words.at += 1
            if words.take("("):
                words.take(")")
            elif words.take("@"):
                words.at += 1
        else:
            return


def _alter(words: Words) -> Statement:
    _modifiers(words)
    what = words.peek()
    words.at += 1
    if what == "TABLE":
        return _alter_table(words)
    if what == "VIEW":
        return _view(words, Role.CHANGED)
    if what == "SEQUENCE":
        words.exists()
        return Statement(Verb.ALTER_SEQUENCE, (words.named(Role.CHANGED),))
    if what in ("DATABASE", "SCHEMA"):
        return _alter_database(words)
    return _common("ALTER", what, words)


def _drop(words: Words) -> Statement:
    words.take_one_of(_set("ONLINE OFFLINE"))
    what = words.peek()
    words.at += 1
    if what == "TEMPORARY":
        return Statement(Verb.TEMPORARY)
    if what in ("UNDO", "PREPARE", "DEALLOCATE"):
        return Statement(Verb.SERVER)
    words.exists()
    if what in ("TABLE", "TABLES", "VIEW", "SEQUENCE"):
        verb = {"VIEW": Verb.DROP_VIEW, "SEQUENCE": Verb.DROP_SEQUENCE}.get(what, Verb.DROP_TABLE)
        names = words.names(Role.DROPPED)
        words.wait()
        words.take_one_of(_set("RESTRICT CASCADE"))
        words.nothing_more()
        return Statement(verb, names)
    if what in ("DATABASE", "SCHEMA"):
        return _database(words, Verb.DROP_DATABASE)
    if what == "INDEX":
        words.part()
        return _index_on(words, Verb.DROP_INDEX)
    if what == "TRIGGER":
        return Statement(Verb.DROP_TRIGGER, (words.named(Role.DROPPED),))
    return _common("DROP", what, words)


def _common(verb: str, what: str, words: Words) -> Statement:
    """What CREATE, ALTER and DROP have alike."""
    if what in ("USER", "ROLE", "MASKING"):
        return Statement(Verb.ACCOUNT)
    if what in _SERVER_OBJECTS:
        return Statement(Verb.SERVER)
    if what not in _ROUTINES and what != "EVENT":
        raise Unreadable(f"{verb} {what}")
    kind = f"{what} BODY" if what == "PACKAGE" and words.take("BODY") else what
    words.exists()
    if what == "FUNCTION" and any(t.word == "SONAME" for t in words.tokens[-2:-1]):
        return Statement(Verb.SERVER)
    objects = [words.named(_ROLES[verb])]
    opaque = verb == "CREATE"
    if (verb, what) == ("ALTER", "EVENT"):
        start, end = words.at, len(words.tokens)
        if words.find("DO"):
            opaque, end = True, words.at
        words.at = start
        if words.find("RENAME", "TO") and words.at < end:
            objects = [replace(objects[0], role=Role.FROM), words.named(Role.TO)]
    return Statement(
        Verb.EVENT if what == "EVENT" else Verb.ROUTINE, tuple(objects), kind=kind, opaque=opaque
    )


def _create_table(words: Words) -> Statement:
    objects, others = tablewords.created(words)
    selects = tablewords.selects(words)
    return Statement(
        Verb.CREATE_TABLE,
        objects,
        others,
        selects=selects,
        opaque=selects,
        versioning=tablewords.versioning(words),
    )


def _alter_table(words: Words) -> Statement:
    objects, others = tablewords.altered(words)
    changes = [token for token in words.tokens if token.start >= objects[0].end]
    return Statement(
        Verb.ALTER_TABLE,
        objects,
        others,
        versioning=tablewords.versioning(words),
        nondeterministic=nondeterministic.reason(changes, ignore="IGNORE" in words.modifiers),
    )


def _rename(words: Words) -> Statement:
    if words.take("USER"):
        return Statement(Verb.ACCOUNT)
    if not words.take_one_of(_set("TABLE TABLES")):
        raise Unreadable(f"RENAME {words.peek()}")
    return Statement(Verb.RENAME_TABLE, tablewords.renamed(words))


def _truncate(words: Words) -> Statement:
    words.take("TABLE")
    cut = words.named(Role.CHANGED)
    words.wait()
    words.nothing_more()
    return Statement(Verb.TRUNCATE_TABLE, (cut,))


def _create_index(words: Words) -> Statement:
    words.exists()
    words.part()
    return _index_on(words, Verb.CREATE_INDEX)


def _index_on(words: Words, verb: Verb) -> Statement:
    if not words.find("ON"):
        raise Unreadable("an index without its table")
    return Statement(verb, (words.named(Role.CHANGED),))


def _create_sequence(words: Words) -> Statement:
    words.exists()
    return Statement(Verb.CREATE_SEQUENCE, (words.named(Role.MADE),))


def _create_database(words: Words) -> Statement:
    words.exists()
    return _database(words, Verb.CREATE_DATABASE)


def _database(words: Words, verb: Verb) -> Statement:
    name, token = words.part()
    return Statement(verb, database=name, database_at=(token.start, token.end))


_DATABASE_OPTIONS: Final = _set(
    "DEFAULT CHARACTER CHARSET CHAR COLLATE COMMENT ENCRYPTION READ UPGRADE"
)


def _alter_database(words: Words) -> Statement:
    """Without a name it means the default one."""
    if words.peek() in _DATABASE_OPTIONS:
        return Statement(Verb.ALTER_DATABASE)
    return _database(words, Verb.ALTER_DATABASE)


def _view(words: Words, role: Role = Role.MADE) -> Statement:
    words.exists()
    return Statement(Verb.CREATE_VIEW, (words.named(role),), opaque=True)


def _trigger(words: Words) -> Statement:
    words.exists()
    made = words.named(Role.MADE)
    if not words.find("ON"):
        raise Unreadable("a trigger without its table")
    return Statement(Verb.CREATE_TRIGGER, (made,), (words.named(Role.WATCHED),), opaque=True)


_CREATED: Final[dict[str, Callable[[Words], Statement]]] = {
    "TABLE": _create_table,
    "TEMPORARY": _always(Verb.TEMPORARY),
    "INDEX": _create_index,
    "SEQUENCE": _create_sequence,
    "DATABASE": _create_database,
    "SCHEMA": _create_database,
    "VIEW": _view,
    "TRIGGER": _trigger,
}
_READERS: Final[dict[str, Callable[[Words], Statement]]] = {
    "BEGIN": _always(Verb.BEGIN),
    "START": _begin,
    "COMMIT": _always(Verb.COMMIT),
    "ROLLBACK": _rollback,
    "SAVEPOINT": _savepoint,
    "RELEASE": _always(Verb.RELEASE),
    "XA": _always(Verb.XA),
    "SET": _set_something,
    "GRANT": _always(Verb.ACCOUNT),
    "REVOKE": _always(Verb.ACCOUNT),
    "INSTALL": _always(Verb.SERVER),
    "UNINSTALL": _always(Verb.SERVER),
    "CREATE": _create,
    "ALTER": _alter,
    "DROP": _drop,
    "RENAME": _rename,
    "TRUNCATE": _truncate,
}
