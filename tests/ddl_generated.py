"""Statements put together from the grammar: random names, quoting, comments, case and character
sets around each form."""

from dataclasses import dataclass

from hypothesis import strategies as st

from mysync_schemas.sqltokens import Dialect
from mysync_schemas.statement import Verb

Name = tuple[str, str]
"""Database, empty where the statement doesn't say, and table."""

# {o}: an object; {x}: one of the others; {s}: a string; {c}: a column's name; {d}: a database.
FORMS: tuple[tuple[Verb, str], ...] = (
    (Verb.CREATE_TABLE, "CREATE TABLE {o} ( {c} INT COMMENT {s} )"),
    (Verb.CREATE_TABLE, "CREATE TABLE IF NOT EXISTS {o} ( {c} INT ) COMMENT = {s}"),
    (Verb.CREATE_TABLE, "CREATE OR REPLACE TABLE {o} LIKE {x}"),
    (Verb.CREATE_TABLE, "CREATE TABLE {o} ( LIKE {x} )"),
    (
        Verb.CREATE_TABLE,
        "CREATE TABLE {o} ( {c} INT REFERENCES {x} ( {c} ) , FOREIGN KEY ( a ) REFERENCES {x} )",
    ),
    (Verb.CREATE_TABLE, "CREATE TABLE {o} ( {c} INT DEFAULT NEXTVAL ( {x} ) )"),
    (Verb.CREATE_TABLE, "CREATE TABLE {o} ( {c} INT ) ENGINE = MERGE UNION = ( {x} , {x} )"),
    (Verb.ALTER_TABLE, "ALTER TABLE {o} ADD {c} INT COMMENT {s}"),
    (Verb.ALTER_TABLE, "ALTER TABLE {o} ADD COLUMN ( {c} VARCHAR ( 9 ) DEFAULT {s} , {c} INT )"),
    (Verb.ALTER_TABLE, "ALTER TABLE {o} DROP {c} , RENAME COLUMN {c} TO {c} , COMMENT {s}"),
    (Verb.ALTER_TABLE, "ALTER TABLE {o} COMMENT {s} , RENAME TO {o}"),
    (Verb.ALTER_TABLE, "ALTER TABLE {o} RENAME {o} , ADD FOREIGN KEY ( {c} ) REFERENCES {x} ( a )"),
    (Verb.ALTER_TABLE, "ALTER TABLE {o} RENAME INDEX {c} TO {c} , ADD KEY {c} ( {c} )"),
    (Verb.ALTER_TABLE, "ALTER TABLE {o} EXCHANGE PARTITION {c} WITH TABLE {o}"),
    (Verb.ALTER_TABLE, "ALTER TABLE {o} CONVERT PARTITION {c} TO TABLE {o}"),
    (
        Verb.ALTER_TABLE,
        "ALTER TABLE {o} CONVERT TABLE {o} TO PARTITION {c} VALUES LESS THAN ( 9 )",
    ),
    (Verb.ALTER_TABLE, "ALTER TABLE {o} CONVERT TO CHARACTER SET latin1"),
    (Verb.DROP_TABLE, "DROP TABLE {o}"),
    (Verb.DROP_TABLE, "DROP TABLE IF EXISTS {o} , {o} , {o} CASCADE"),
    (Verb.DROP_VIEW, "DROP VIEW {o} , {o}"),
    (Verb.DROP_SEQUENCE, "DROP SEQUENCE {o}"),
    (Verb.RENAME_TABLE, "RENAME TABLE {o} TO {o}"),
    (Verb.RENAME_TABLE, "RENAME TABLES {o} TO {o} , {o} WAIT 5 TO {o} , {o} TO {o}"),
    (Verb.TRUNCATE_TABLE, "TRUNCATE {o}"),
    (Verb.TRUNCATE_TABLE, "TRUNCATE TABLE {o}"),
    (Verb.CREATE_INDEX, "CREATE UNIQUE INDEX {c} ON {o} ( {c} ) COMMENT {s}"),
    (Verb.DROP_INDEX, "DROP INDEX {c} ON {o}"),
    (Verb.CREATE_SEQUENCE, "CREATE SEQUENCE {o} START WITH 5"),
    (Verb.ALTER_SEQUENCE, "ALTER SEQUENCE IF EXISTS {o} RESTART 9"),
    (Verb.DROP_TRIGGER, "DROP TRIGGER IF EXISTS {o}"),
    (Verb.ROUTINE, "DROP PROCEDURE {o}"),
    (Verb.ROUTINE, "ALTER FUNCTION {o} COMMENT {s}"),
    (Verb.EVENT, "DROP EVENT {o}"),
    (Verb.CREATE_DATABASE, "CREATE DATABASE {d} CHARACTER SET latin1"),
    (Verb.ALTER_DATABASE, "ALTER SCHEMA {d} COLLATE latin1_bin"),
    (Verb.DROP_DATABASE, "DROP DATABASE IF EXISTS {d}"),
    (Verb.CREATE_VIEW, "CREATE DEFINER = {c} @ {c} VIEW {o} AS SELECT {s} FROM {c} . {c}"),
    (Verb.CREATE_TRIGGER, "CREATE TRIGGER {o} BEFORE INSERT ON {x} FOR EACH ROW SET @a = {s}"),
)

_UTF8, _LATIN1, _SJIS, _GBK = 45, 8, 13, 28
_ENCODINGS = {_UTF8: "utf-8", _LATIN1: "cp1252", _SJIS: "ascii", _GBK: "ascii"}
_HALVES = {_SJIS: b"\x83\x5c", _GBK: b"\xd5\x5c"}  # whose second half is a backslash
_ODD = (
    "select",
    "to",
    "a`b",
    "a.b",
    "rename to x",
    "*/",
    "/*!",
    "-- ",
    "'",
    '"',
    "like",
    "1x",
    "#",
)


@dataclass(frozen=True)
class Generated:
    sql: bytes
    dialect: Dialect
    verb: Verb
    objects: tuple[Name, ...]
    others: tuple[Name, ...]
    database: str


@st.composite
def generated(draw: st.DrawFn) -> Generated:
    verb, form = draw(st.sampled_from(FORMS))
    collation = draw(st.sampled_from(sorted(_ENCODINGS)))
    ansi = draw(st.booleans())
    encoding = _ENCODINGS[collation]
    characters = st.characters(
        codec="ascii" if encoding == "ascii" else encoding,
        exclude_characters="\0",
        max_codepoint=0xFFFF,
    )
    names = st.sampled_from(_ODD) | st.text(characters, min_size=1, max_size=8)
    plain = st.from_regex(r"n_[a-z0-9_$]{0,5}", fullmatch=True)
    separator = st.sampled_from((" ", "\n", "\t", "/**/", " /* to `b` */ ", " -- it's\n", " #`\n"))

    def part() -> tuple[str, bytes]:
        if draw(st.booleans()):
            name = draw(plain)
            return name, name.encode()
        name = draw(names)
        quote = '"' if ansi and draw(st.booleans()) else "`"
        return name, (quote + name.replace(quote, quote * 2) + quote).encode(encoding)

    def string() -> bytes:
        text = draw(st.text(characters, max_size=8)).replace("\\", "\\\\").replace("'", "''")
        return b"'" + text.encode(encoding) + _HALVES.get(collation, b"") + b"'"

    sql, found = b"", {"{o}": [], "{x}": []}  # type: tuple[bytes, dict[str, list[Name]]]
    database = ""
    inside = False
    for word in form.split():
        if not inside and sql and draw(st.integers(0, 15)) == 0:
            sql += b" /*!50000 "
            inside = True
        if word in found:
            before, written = part() if draw(st.booleans()) else ("", b"")
            name, last = part()
            found[word].append((before, name))
            dot = draw(st.sampled_from((b".", b" . "))) if before else b""
            sql += written + dot + last
        elif word == "{d}":
            database, written = part()
            sql += written
        elif word == "{c}":
            sql += part()[1]
        elif word == "{s}":
            sql += string()
        else:
            cased = draw(st.sampled_from((word, word.lower(), word.capitalize())))
            sql += (cased if word.isalpha() else word).encode()
        if inside and draw(st.booleans()):
            sql += b" */"
            inside = False
        sql += draw(separator).encode()
    sql += b" */" if inside else b""
    dialect = Dialect(mariadb=True, version=0, sql_mode=4 if ansi else 0, collation=collation)
    return Generated(sql, dialect, verb, tuple(found["{o}"]), tuple(found["{x}"]), database)
