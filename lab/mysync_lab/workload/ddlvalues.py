"""Columns for random tables, and literals that fit a column as the server describes it."""

import random
import re
from collections.abc import Callable, Sequence

from mysync_lab.workload.ddlshape import NARROW, WIDE, Column
from mysync_lab.workload.schemas import net

_LETTERS = "abcXYZ 019'\\\"%"
_LATIN = "äéßÑ"
_ANY = "日本жα🙂"
LABELS = ("new", "old", "fünf", "a b")


def text_type(r: random.Random) -> str:
    """A text type, with a character set and collation of its own at times."""
    kind = r.choice(("VARCHAR({})", "VARCHAR({})", "CHAR({})", "TEXT"))
    kind = kind.format(r.choice((1, 8, 20, 40)))
    if r.random() < 0.3:
        collation = r.choice((*WIDE, *NARROW))
        kind += f" CHARACTER SET {collation.split('_')[0]} COLLATE {collation}"
    return kind


def _fsp(r: random.Random) -> str:
    return r.choice(("", "(1)", "(3)", "(6)"))


def random_type(r: random.Random, *, mariadb: bool, spatial: bool = True) -> str:
    """A type as CREATE TABLE takes it. Partitioned tables have no spatial ones."""
    point = "POINT" if spatial else "INT"
    makers: Sequence[Callable[[], str]] = (
        lambda: r.choice(("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT")),
        lambda: r.choice(("SMALLINT UNSIGNED", "INT UNSIGNED", "BIGINT UNSIGNED")),
        lambda: r.choice(("DECIMAL(10,2)", "DECIMAL(20,6)", "DOUBLE", "FLOAT")),
        lambda: text_type(r),
        lambda: text_type(r),
        lambda: r.choice(("VARBINARY(24)", "BINARY(6)", "BLOB")),
        lambda: r.choice(("DATE", f"DATETIME{_fsp(r)}", f"TIME{_fsp(r)}", "YEAR")),
        lambda: f"TIMESTAMP{_fsp(r)}",
        lambda: r.choice((f"ENUM({labels()})", "SET('x', 'y', 'z')", "BIT(9)", "BOOL")),
        lambda: "JSON",
        lambda: r.choice(("UUID", "INET6", "TEXT COMPRESSED")) if mariadb else point,
    )
    return r.choices(makers, (4, 2, 2, 3, 2, 2, 3, 2, 2, 1, 0.4))[0]()


def labels() -> str:
    return ", ".join(f"'{label}'" for label in LABELS)


def options(r: random.Random, type_: str) -> str:
    """NULL or NOT NULL with a default, or what the type has of its own."""
    word = re.split(r"[ (]", type_)[0]
    if word in ("TIMESTAMP", "DATETIME"):
        fsp = re.search(r"\(\d\)", type_)
        now = f"CURRENT_TIMESTAMP{fsp.group() if fsp else ''}"
        return r.choice(
            (
                " NULL",
                f" NOT NULL DEFAULT {now}",
                f" NULL DEFAULT {now} ON UPDATE {now}",
                " NOT NULL DEFAULT '2020-02-29 12:00:00'",
            )
        )
    defaults = {
        **dict.fromkeys(("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "BOOL"), "7"),
        **dict.fromkeys(("DECIMAL", "DOUBLE", "FLOAT"), "1.5"),
        **dict.fromkeys(("VARCHAR", "CHAR"), "'é'"),
        **dict.fromkeys(("VARBINARY", "BINARY"), "'b'"),
        "DATE": "'2020-02-29'",
        "TIME": "'-01:02:03'",
        "YEAR": "2020",
        "ENUM": "'old'",
        "SET": "'x,z'",
        "BIT": "b'101'",
    }
    if word not in defaults or r.random() < 0.5:
        return " NULL"
    return f"{r.choice((' NOT NULL', ' NULL', ' NOT NULL'))} DEFAULT {defaults[word]}"


def generated(r: random.Random, column: Column) -> str | None:
    """A deterministic generated column on this one, without its name."""
    name = "`" + column.name.replace("`", "``") + "`"
    stored = r.choice(("VIRTUAL", "STORED"))
    if column.is_integer:
        return f"BIGINT GENERATED ALWAYS AS ({name} % 7 + 1) {stored}"
    if column.is_text:
        return f"INT AS (CHAR_LENGTH({name})) {stored}"
    if column.kind == "date":
        return f"INT AS (YEAR({name})) {stored}"
    if column.kind in ("varbinary", "blob"):
        return f"VARCHAR(64) AS (SHA2({name}, 256)) {stored}"
    return None


def literal(r: random.Random, column: Column, *, spread: int = 1_000) -> str:
    """A value that the column takes; numbers are below `spread` mostly. Sometimes NULL."""
    if column.nullable and r.random() < 0.1:
        return "NULL"
    kind = column.kind
    if column.is_integer:
        top = {"tinyint": 127, "smallint": 32_767}.get(kind, spread)
        low = 0 if "unsigned" in column.type else -3
        return str(r.randint(low, min(top, spread)))
    if column.is_text or kind in ("longtext", "tinytext"):
        return _text(r, column)
    makers: dict[str, Callable[[], str]] = {
        "decimal": lambda: f"{r.randrange(-999, 99_999)}.{r.randrange(100):02}",
        "double": lambda: repr(r.gauss(0, 100)),
        "float": lambda: f"{r.randrange(-999, 999)}.5",
        "varbinary": lambda: f"X'{r.randbytes(r.randint(0, _size(column, 24))).hex()}'",
        "binary": lambda: f"X'{r.randbytes(r.randint(0, _size(column, 6))).hex()}'",
        "mediumblob": lambda: f"X'{r.randbytes(r.randint(0, 90)).hex()}'",
        "blob": lambda: f"X'{r.randbytes(r.randint(0, 60)).hex()}'",
        "date": lambda: f"'{_day(r)}'",
        "datetime": lambda: f"'{_day(r)} {_clock(r)}'",
        "timestamp": lambda: f"'{_day(r)} {_clock(r)}'",
        "time": lambda: f"'{r.choice(('', '-'))}{_clock(r)}'",
        "year": lambda: str(r.randint(1901, 2155)),
        "enum": lambda: str(r.randint(1, len(LABELS))),
        "set": lambda: str(r.randrange(8)),
        "bit": lambda: str(r.randrange(512)),
        "json": lambda: _document(r),
        "point": lambda: f"ST_GeomFromText('POINT({r.randrange(90)} {r.randrange(90)})')",
        "uuid": lambda: net("UUID")(r),
        "inet6": lambda: net("INET6")(r),
    }
    return makers[kind]()


def _text(r: random.Random, column: Column) -> str:
    if column.collation == "utf8mb4_bin" and column.kind == "longtext":
        return _document(r)  # MariaDB's JSON
    alphabet = _LETTERS + (_LATIN if r.random() < 0.5 else "")
    if column.collation in WIDE and r.random() < 0.5:
        alphabet += _ANY
    length = r.randint(0, min(_size(column, 60), 60))
    return f"_utf8mb4 X'{''.join(r.choices(alphabet, k=length)).encode().hex()}'"


def _document(r: random.Random) -> str:
    return r.choice(
        (f'\'{{"n": {r.randrange(99)}, "s": "ä{r.randrange(9)}"}}\'', "'[1, 2.5, null]'", "'{}'")
    )


def _size(column: Column, otherwise: int) -> int:
    found = re.search(r"\((\d+)\)", column.type)
    return int(found.group(1)) if found else otherwise


def _day(r: random.Random) -> str:
    return f"{r.randint(1972, 2036)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"


def _clock(r: random.Random) -> str:
    return f"{r.randrange(24):02}:{r.randrange(60):02}:{r.randrange(60):02}.{r.randrange(10**6):06}"
