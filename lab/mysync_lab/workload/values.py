"""Every accepted column type, with values as SQL literals: ordinary, extreme, and odd ones.

The odd ones are what types hold without a permissive look at them: zero and partial dates, the
error value of an ENUM, negative zeros, documents whose numbers have types that text can't tell.
They need a session with `SQL_MODE`.
"""

import random
import string
from collections.abc import Callable
from dataclasses import dataclass

SQL_MODE = "ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO"

Literal = Callable[[random.Random], str]

_ALPHABETS = {
    "utf8mb4": (
        string.ascii_letters + " '\\\"%_\x00\t\n" + "äßéøłİıſ"
        + "日本語あア" + "🙂🏳️‍🌈👍🏽" + "\u0301\u200d\ufeff"
    ),
    "utf8mb3": string.ascii_letters + "äßéøłİ" + "日本語" + "\u0301\uffff",
    "ascii": "".join(map(chr, range(128))),
}  # fmt: skip


@dataclass(frozen=True)
class TypedColumn:
    """A column's name, its type as written in CREATE TABLE, and a generator of literals."""

    name: str
    definition: str
    literal: Literal


def columns(*, mariadb: bool) -> list[TypedColumn]:
    """One column of each type, all nullable."""
    listed = [
        *_numbers(),
        *_temporals(),
        *_texts(),
        *_bytes(),
        ("labels", "ENUM('', 'a', 'ä', 'long label')", _one_of("1", "2", "'ä'", "4", "0")),
        ("label_set", "SET('x', 'y', 'ü', 'z')", lambda r: str(r.randrange(16))),
        ("doc", "JSON", document_text if mariadb else document),
    ]
    return [TypedColumn(name, f"{kind} NULL", literal) for name, kind, literal in listed]


def nullable(literal: Literal, share: float = 0.1) -> Literal:
    """The same with some NULLs."""
    return lambda r: "NULL" if r.random() < share else literal(r)


def text(charset: str, longest: int) -> Literal:
    """Up to `longest` characters of any kind that the character set has."""

    def literal(r: random.Random) -> str:
        length = r.choice((0, 1, r.randint(0, longest), longest))
        if charset == "latin1":
            value = bytes(r.randrange(256) for _ in range(length))
        else:
            value = "".join(r.choices(_ALPHABETS[charset], k=length)).encode()
        return f"_{charset} X'{value.hex()}'"

    return literal


def binary(longest: int) -> Literal:
    """Up to `longest` bytes, often with zeros or spaces at the end."""

    def literal(r: random.Random) -> str:
        value = r.randbytes(r.choice((0, 1, r.randint(0, longest), longest)))
        tail = r.choice((b"", b"\0\0", b"  "))
        return f"X'{(value[: longest - len(tail)] + tail)[:longest].hex()}'"

    return literal


def _numbers() -> list[tuple[str, str, Literal]]:
    sizes = (("tiny", "TINYINT", 8), ("small", "SMALLINT", 16), ("medium", "MEDIUMINT", 24))
    found: list[tuple[str, str, Literal]] = []
    for name, kind, bits in (*sizes, ("plain", "INT", 32), ("big", "BIGINT", 64)):
        found.append((name, kind, integer(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)))
        found.append((f"{name}_u", f"{kind} UNSIGNED", integer(0, 2**bits - 1)))
    found += [
        (f"bit_{bits}", f"BIT({bits})", integer(0, 2**bits - 1)) for bits in (1, 7, 8, 9, 33, 64)
    ]
    for precision, scale in ((5, 0), (12, 2), (18, 9), (38, 20), (65, 30), (30, 30)):
        kind = f"DECIMAL({precision},{scale})"
        found.append((f"dec_{precision}_{scale}", kind, decimal(precision, scale)))
    found.append(("money_u", "DECIMAL(10,2) UNSIGNED", lambda r: f"{r.randrange(10**10) / 100}"))
    found.append(("real_4", "FLOAT", real("3.4028234e38", "1.1754944e-38")))
    found.append(("real_8", "DOUBLE", real("1.7976931348623157e308", "2.2250738585072014e-308")))
    found.append(("year", "YEAR", _one_of("0", "1901", "2155", "2024")))
    return found


def integer(low: int, high: int) -> Literal:
    def literal(r: random.Random) -> str:
        return str(r.choice((low, high, 0, 1, r.randint(low, high), r.randint(0, min(high, 100)))))

    return literal


def decimal(precision: int, scale: int) -> Literal:
    def literal(r: random.Random) -> str:
        digits = r.choice((0, 1, 10**precision - 1, r.randrange(10**precision)))
        padded = f"{digits:0{precision + 1}}"
        cut = len(padded) - scale
        return r.choice(("", "-")) + padded[:cut] + ("." + padded[cut:] if scale else "")

    return literal


def real(largest: str, smallest: str) -> Literal:
    def literal(r: random.Random) -> str:
        choices = ("0", "-0.0e0", largest, f"-{largest}", smallest, "0.1", "1e10", "-1.5")
        any_size = f"{r.uniform(-1, 1):.17f}e{r.randint(-30, 30)}"
        return r.choice((*choices, repr(r.gauss(0, 1)), any_size))

    return literal


def _temporals() -> list[tuple[str, str, Literal]]:
    found: list[tuple[str, str, Literal]] = [("day", "DATE", date)]
    for fsp in (0, 1, 3, 6):
        found.append((f"moment_{fsp}", f"DATETIME({fsp})", datetime(fsp)))
        found.append((f"stamp_{fsp}", f"TIMESTAMP({fsp})", timestamp(fsp)))
        found.append((f"span_{fsp}", f"TIME({fsp})", time(fsp)))
    return found


def date(r: random.Random) -> str:
    return f"'{_date(r)}'"


def datetime(fsp: int) -> Literal:
    return _moment(fsp, _date)


def timestamp(fsp: int) -> Literal:
    return _moment(fsp, _stamp_date)


def _date(r: random.Random) -> str:
    odd = ("0000-00-00", "2023-00-00", "2023-02-31", "0000-01-01", "9999-12-31", "1000-01-01")
    if r.random() < 0.3:
        return r.choice(odd)
    return f"{r.randint(1, 9999):04}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"


def _stamp_date(r: random.Random) -> str:
    if r.random() < 0.1:
        return "0000-00-00"
    return f"{r.randint(1971, 2037):04}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"


def _moment(fsp: int, date: Callable[[random.Random], str]) -> Literal:
    def literal(r: random.Random) -> str:
        day = date(r)
        if day == "0000-00-00":
            return f"'{day} 00:00:00'"
        clock = f"{r.randrange(24):02}:{r.randrange(60):02}:{r.randrange(60):02}"
        return f"'{day} {clock}{_part(r, fsp)}'"

    return literal


def time(fsp: int) -> Literal:
    """Signed, up to 838 hours."""

    def literal(r: random.Random) -> str:
        if r.random() < 0.2:
            return r.choice(("'838:59:59'", "'-838:59:59'", "'00:00:00'"))
        sign = r.choice(("", "-"))
        hours = r.choice((0, r.randrange(838)))
        return f"'{sign}{hours:02}:{r.randrange(60):02}:{r.randrange(60):02}{_part(r, fsp)}'"

    return literal


def _part(r: random.Random, fsp: int) -> str:
    return f".{r.choice((0, 1, r.randrange(10**fsp))):0{fsp}}" if fsp else ""


def _texts() -> list[tuple[str, str, Literal]]:
    found: list[tuple[str, str, Literal]] = []
    for charset in ("utf8mb4", "utf8mb3", "ascii", "latin1"):
        kind = f"CHARACTER SET {charset}"
        found.append((f"char_{charset}", f"CHAR(10) {kind}", text(charset, 10)))
        found.append((f"varchar_{charset}", f"VARCHAR(80) {kind}", text(charset, 80)))
        found.append((f"text_{charset}", f"TEXT {kind}", text(charset, 400)))
    found.append(("tiny_text", "TINYTEXT CHARACTER SET utf8mb4", text("utf8mb4", 60)))
    found.append(("long_text", "LONGTEXT CHARACTER SET utf8mb4", text("utf8mb4", 2_000)))
    return found


def _bytes() -> list[tuple[str, str, Literal]]:
    return [
        ("fixed_bytes", "BINARY(7)", binary(7)),
        ("var_bytes", "VARBINARY(300)", binary(300)),
        ("tiny_blob", "TINYBLOB", binary(255)),
        ("blob_", "BLOB", binary(1_000)),
        ("long_blob", "LONGBLOB", binary(5_000)),
    ]


def _one_of(*literals: str) -> Literal:
    return lambda r: r.choice(literals)


_DOCUMENTS = (
    "null", "true", "[]", "{}", '""', "0", "-1", "1.0", "-0.0", "1e-320", "18446744073709551615",
    '{"a": [1, {"b": null}], "": "x", "ä": "🙂\\u0000"}', "[[[[1, 2.5]]]]",
    '{"k": "' + "v" * 300 + '"}',
)  # fmt: skip


def document_text(r: random.Random) -> str:
    """JSON as text."""
    document = r.choice(
        (*_DOCUMENTS, f'{{"n": {r.randint(-(2**63), 2**63 - 1)}, "f": {r.random()}}}')
    )
    return f"CONVERT(X'{document.encode().hex()}' USING utf8mb4)"


def document(r: random.Random) -> str:
    """MySQL's documents hold typed values that JSON text has no words for."""
    if r.random() < 0.6:
        return f"CAST({document_text(r)} AS JSON)"
    return r.choice(
        (
            f"JSON_OBJECT('u', CAST({r.randrange(2**63)} AS UNSIGNED), 'i', {r.randrange(1000)})",
            f"JSON_ARRAY({r.randrange(1000)}.{r.randrange(100):02}, 1.5e0, 'x')",
            (
                "JSON_OBJECT('d', DATE'2020-02-29', 't', TIME'-12:00:00.5', 'm',"
                " TIMESTAMP'2024-01-01 00:00:00.000001')"
            ),
            f"JSON_ARRAY(CAST(X'{r.randbytes(8).hex()}' AS JSON))",
            "JSON_ARRAY(b'101')",
            f"CAST(CAST({r.randrange(100)} AS UNSIGNED) AS JSON)",
        )
    )
