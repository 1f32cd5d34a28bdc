"""Every column type that a server takes, with literals at its edges and any number between them.

A definition may end in a comment that says what its values are about. The literals need a session
with the lab's SQL_MODE and the statements INSERT IGNORE and UPDATE IGNORE: some are out of range.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mysync_lab.workload.values import Literal
from producer import type_values
from producer.type_values import COMMON
from type_literals import GEOMETRIES, INTS, any_of, shape

CHARSETS = (
    *("armscii8", "big5", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866"),
    *("cp932", "dec8", "eucjpms", "euckr", "gb2312", "gbk", "geostd8", "greek", "hebrew", "hp8"),
    *("keybcs2", "koi8r", "koi8u", "latin2", "latin5", "latin7", "macce", "macroman", "sjis"),
    *("swe7", "tis620", "ucs2", "ujis", "utf16", "utf16le", "utf32"),
)


@dataclass(frozen=True)
class Type:
    """`key` is how a key names column v of it; "" where no key can, or is another type's.
    `alone` says that rows are found by it."""

    definition: str
    edges: tuple[str, ...]
    literal: Literal
    key: str
    alone: bool = True

    @property
    def sql(self) -> str:
        """The definition without its comment."""
        return self.definition.partition("--")[0].strip()

    @property
    def kind(self) -> str:
        return re.split(r"\W", self.definition, maxsplit=1)[0]


def types(*, mariadb: bool) -> list[Type]:
    """All that such a server has, but for MariaDB's old temporals."""
    found: dict[str, list[str]] = {}
    only = (type_values.MARIADB_ONLY, _MARIADB) if mariadb else (type_values.MYSQL_ONLY, _MYSQL)
    for listed in (
        COMMON,
        _TEMPORALS,
        _NUMBERS,
        _TEXTS,
        _LABELS,
        _shapes(nested=not mariadb),
        *only,
    ):
        for definition, edges in listed.items():
            found.setdefault(definition, []).extend(edges)
    return [_type(definition, edges, mariadb=mariadb) for definition, edges in found.items()]


def old_types() -> list[Type]:
    """Temporals of a MariaDB with mysql56_temporal_format=OFF: another format in its files."""
    return [
        _type(f"{kind} -- old", [*COMMON[kind], *edges], mariadb=True)
        for kind, edges in _TEMPORALS.items()
        if "(" in kind
    ]


def _type(definition: str, edges: Sequence[str], *, mariadb: bool) -> Type:
    literal = any_of(definition, mariadb=mariadb)
    plain = Type(definition, tuple(edges), literal, _key(definition))
    return replace(plain, key="", alone=False) if _alike(plain) else plain


def _alike(each: Type) -> bool:
    """Whether another one is the same as a key and in a table without one."""
    if "CHARACTER SET" not in each.definition or each.kind in ("ENUM", "SET"):
        return False
    if any(f"CHARACTER SET {name}" in each.definition for name in CHARSETS):
        return each.kind == "CHAR"
    return "--" not in each.definition and each.sql.split(" ")[0] not in _OF_EACH


# -- more edges ------------------------------------------------------------------------------------

_TEMPORALS = {
    "DATE": ["'2024-13-01'", "'10000-01-01'", "''"],
    "YEAR": ["'0'", "1900", "2156"],
    **{
        f"{kind}({fsp})": edges
        for kind, edges in (
            ("DATETIME", ["'9999-12-31 23:59:59.999999'", "'0000-00-00 00:00:00'", "''"]),
            ("TIMESTAMP", ["'2038-01-19 03:14:07.999999'", "'1970-01-01 00:00:00'", "''"]),
            (
                "TIME",
                [
                    *("'24:00'", "'24:00:00'", "'838:59:59.999999'", "'-838:59:59.999999'", "''"),
                    *("'-00:00:00.000001'", "'-00:00:00.5'", "'-00:00:01.999999'", "'900:00:00'"),
                ],
            ),
        )
        for fsp in range(7)
    },
}
_NUMBERS = {
    **{kind: ["-1", "99999999999999999999"] for kind in INTS},
    **{f"{kind} UNSIGNED": ["-1", "99999999999999999999"] for kind in INTS},
    "TINYINT(1)": ["0", "1", "-128"],
    "INT(8) UNSIGNED ZEROFILL": ["0", "7", "4294967295"],
    "DECIMAL(10,2) UNSIGNED": ["0", "99999999.99", "-1", "0.005"],
    "FLOAT UNSIGNED": ["0", "-1", "3.4028234e38", "1e-45"],
    "DOUBLE UNSIGNED": ["0", "-1", "1.7976931348623157e308", "5e-324"],
    "FLOAT(7,3)": ["0", "-0e0", "9999.999", "-9999.999", "0.0005"],
    "DOUBLE(15,4)": ["0", "-0e0", "99999999999.9999", "0.00005"],
}
_TEXTS = {
    **{
        f"{kind} CHARACTER SET {charset}": ["''", "'a'", "' a '", "'a\\0b'", "'A  '"]
        for charset in CHARSETS
        for kind in ("VARCHAR(20)", "CHAR(20)")
        if (kind, charset) not in (("CHAR(20)", "cp1250"), ("CHAR(20)", "swe7"))
    },
    **{
        f"{kind} CHARACTER SET utf8mb4 -- longest": [f"REPEAT('{char}', {size})" for char in "a€"]
        for kind, size in (("TINYTEXT", 85), ("TEXT", 21_845), ("MEDIUMTEXT", 40_000))
    },
    "VARCHAR(1000) CHARACTER SET utf8mb4 -- longest": ["REPEAT('😀', 1000)", "REPEAT(' ', 1000)"],
    # Bytes that the set has no character for.
    "CHAR(20) CHARACTER SET cp1250": ["_cp1250 X'818388'"],
    "CHAR(20) CHARACTER SET swe7": ["_swe7 X'80ff'"],
    "BLOB -- longest": ["REPEAT(x'00', 65535)"],
    "VARBINARY(2000) -- longest": ["REPEAT(x'00', 2000)"],
}
_OF_EACH = ("CHAR(20)", "VARCHAR(20)", "TEXT")
_LABELS = {"ENUM('a','ä','c d') CHARACTER SET utf8mb4": ["''", "9"]}


def _shapes(*, nested: bool) -> dict[str, list[str]]:
    r = random.Random("shapes")
    wkt = {kind: [shape(kind, r, nested=nested)] for kind in GEOMETRIES}
    empty = "GEOMETRYCOLLECTION EMPTY"
    wkt |= {"GEOMETRY": [empty], "GEOMETRYCOLLECTION": [*wkt["GEOMETRYCOLLECTION"], empty]}
    return {
        kind: [f"ST_GeomFromText('{text}', {srid})" for text in texts for srid in (0, 4326)]
        for kind, texts in wkt.items()
    }


def _cell(kind: str, json: str) -> str:
    """A document around a value as a column of this type gives it."""
    columns = f"JSON_TABLE('[{json}]', '$[*]' COLUMNS (c {kind} PATH '$'))"
    return f"(SELECT JSON_ARRAY(c) FROM {columns} AS t)"


_MYSQL = {
    "JSON": [
        *(
            _cell(kind, json)
            for kind, json in (
                *(("BIT(1)", "1"), ("BIT(64)", "9"), ("YEAR", "2024"), ("SET('a','b')", '"a,b"')),
                *(("TINYBLOB", '"x"'), ("BLOB", '"é"'), ("MEDIUMBLOB", '""'), ("LONGBLOB", '"x"')),
                *(("BINARY(3)", '"x"'), ("VARBINARY(3)", '"x"'), ("DECIMAL(65,30)", "1.5")),
                *(("DATE", '"2024-02-29"'), ("TIME(6)", '"-838:59:59"'), ("FLOAT", "0.1")),
                *(("DATETIME(6)", '"2024-02-29 01:02:03.4"'), ("TINYINT UNSIGNED", "200")),
                ("TIMESTAMP(6)", '"2024-02-29 01:02:03.4"'),
            )
        ),
        *("'true'", "'false'", "'\"\"'", "'[]'", "'0'", "'-0.0'", "'1e-320'", "'1.7e308'"),
        *("'-9223372036854775808'", "'9223372036854775807'", "CAST(1 AS JSON)"),
        "CAST(CAST('0000-00-00' AS DATE) AS JSON)",
        "CAST(CAST('-00:00:00.5' AS TIME(6)) AS JSON)",
        "CAST(-99999999999999999999999999999999999.999999999999999999999999999999 AS JSON)",
        *("JSON_ARRAY(REPEAT('x', 70000), 1)", "JSON_OBJECT(REPEAT('k', 9000), 'v')"),
        "CAST(CONCAT(REPEAT('[', 99), REPEAT(']', 99)) AS JSON)",
        "JSON_OBJECT('p', ST_GeomFromText('POINT(1 2)'))",
    ],
    "POINT SRID 4326": ["ST_GeomFromText('POINT(90 180)', 4326)"],
    "GEOMETRY SRID 0": ["ST_GeomFromText('POINT(1e300 -1e-300)')"],
    "VECTOR(3)": ["X'000000800100008000007F7F'", "TO_VECTOR('[0,0,0]')"],
    "VECTOR(1)": ["TO_VECTOR('[1]')"],
    "VECTOR(256)": ["REPEAT(X'0000803F', 256)"],
    "VARCHAR(20) CHARACTER SET gb18030": ["''", "'a'", "' a '", "_gb18030 X'90308130'"],
}  # fmt: skip
_MARIADB = {
    "DECIMAL(38,38)": ["0", f"0.{'9' * 38}", f"-0.{'0' * 37}1"],
    "DECIMAL(65,38)": ["0", f"{'9' * 27}.{'9' * 38}", "-1"],
    "JSON": ["'{}'", "'[]'", "' [1, 1.0, 1e0] '", "'\"ä\\\\u0000\"'", "'-0.0'"],
}


def _key(definition: str) -> str:
    kind = re.split(r"\W", definition, maxsplit=1)[0]
    unkeyed = "COMPRESSED" in definition or ("(0)" in definition and kind in ("CHAR", "BINARY"))
    if unkeyed or kind in ("JSON", "VECTOR", "GEOMETRY", *GEOMETRIES):
        return ""
    if kind.endswith(("TEXT", "BLOB")) or "longest" in definition:
        return "v(20)"
    return "v"


# -- what a server or an applier can't have --------------------------------------------------------


def crosses(each: Type, *, mariadb: bool) -> bool:
    """Whether the other flavour can have the type of this one."""
    if mariadb:
        lacking = each.kind in ("INET4", "INET6", "UUID") or "COMPRESSED" in each.definition
        return not (lacking or each.definition.endswith((",38)", "-- old", "-- surrogates")))
    return each.kind not in ("JSON", "VECTOR") and "gb18030" not in each.definition


def named(found: list[Type]) -> Mapping[str, Type]:
    """Names for tables."""
    return {f"t{number}": each for number, each in enumerate(found)}
