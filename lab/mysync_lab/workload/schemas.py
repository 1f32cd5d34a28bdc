"""Random tables with random rows: any types, character sets, collations, keys, generated columns
and partitions that a server takes, and changes to their rows.

Made for pipelines that replicate hundreds of such tables at once; nothing here knows mysync.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pymysql

from mysync_lab.tables import Session, TableName, execute, is_mariadb, quote, rows
from mysync_lab.workload import values

Literal = Callable[[random.Random], str]

_KEY_TYPES = frozenset(
    {
        "TINYINT",
        "SMALLINT",
        "MEDIUMINT",
        "INT",
        "BIGINT",
        "DECIMAL",
        "DATE",
        "DATETIME",
        "TIMESTAMP",
    }
    | {"TIME", "BINARY", "VARBINARY", "CHAR", "VARCHAR", "BIT", "YEAR", "ENUM", "DOUBLE", "FLOAT"}
)
_PREFIXED = frozenset({"TEXT", "TINYTEXT", "BLOB", "TINYBLOB", "LONGTEXT", "MEDIUMTEXT"})
_MARIADB_ONLY = ("INET4", "INET6", "UUID")


@dataclass(frozen=True)
class Collation:
    """A collation and its character set."""

    name: str
    charset: str


def collations(server: Session) -> list[Collation]:
    """All that the server lists, but for binary."""
    column = "full_collation_name" if is_mariadb(server) else "collation_name"
    found = rows(
        server,
        f"SELECT {column}, character_set_name"
        " FROM information_schema.collation_character_set_applicability ORDER BY 1",
    )
    return [Collation(str(n), str(c)) for n, c in found if c not in (None, "binary")]


@dataclass
class RandomTable:
    """A table: its definition, a literal for each column that may be written, its key."""

    name: TableName
    create: str
    literals: dict[str, Literal]
    key: tuple[str, ...]

    def insert(self, r: random.Random, count: int) -> str:
        names = ", ".join(map(quote, self.literals))
        listed = ", ".join(
            "(" + ", ".join(literal(r) for literal in self.literals.values()) + ")"
            for _ in range(count)
        )
        return f"INSERT IGNORE INTO {self.name.quoted} ({names}) VALUES {listed}"

    def update(self, r: random.Random) -> str:
        chosen = r.sample(sorted(self.literals), r.randint(1, min(4, len(self.literals))))
        sets = ", ".join(f"{quote(name)} = {self.literals[name](r)}" for name in chosen)
        return f"UPDATE IGNORE {self.name.quoted} SET {sets}{self._some(r)}"

    def delete(self, r: random.Random) -> str:
        return f"DELETE FROM {self.name.quoted}{self._some(r)}"

    def _some(self, r: random.Random) -> str:
        return f" ORDER BY RAND() LIMIT {r.choice((1, 1, 2, 5))}"

    def changes(self, r: random.Random, inserted: int) -> Iterator[str]:
        """Statements that insert about so many rows, and change and delete some of them."""
        left = inserted
        while left > 0:
            count = min(left, r.choice((1, 3, 10, 40)))
            left -= count
            yield self.insert(r, count)
            for _ in range(r.randrange(3)):
                yield self.update(r)
            if r.random() < 0.3:
                yield self.delete(r)


@dataclass
class RandomSchema:
    """Makes tables for a server; what it refuses is made again otherwise."""

    db: str
    mariadb: bool
    collations: Sequence[Collation]
    r: random.Random
    refused: list[str] = field(default_factory=list)

    @classmethod
    def on(cls, server: Session, db: str, r: random.Random) -> "RandomSchema":
        return cls(db, is_mariadb(server), collations(server), r)

    def create(self, server: Session, count: int) -> list[RandomTable]:
        """Creates so many tables in the database, which must exist."""
        made: list[RandomTable] = []
        tried = 0
        execute(server, f"SET sql_mode = '{values.SQL_MODE}'")
        while len(made) < count:
            tried += 1
            if tried > 4 * count:
                raise RuntimeError(f"the server refuses most tables: {self.refused[-3:]}")
            table = self.table(f"t{len(made)}")
            try:
                execute(server, table.create)
            except pymysql.err.Error as error:
                self.refused.append(f"{error}: {table.create}")
            else:
                made.append(table)
        return made

    def table(self, name: str) -> RandomTable:
        r = self.r
        every = values.columns(mariadb=self.mariadb)
        drawn = r.sample(every, r.randint(1, 9))
        columns = {c.name: (c.definition.removesuffix(" NULL"), c.literal) for c in drawn}
        for i in range(r.randint(0, 4)):
            columns[f"s{i}"] = self._text(r.choice(self.collations))
        if self.mariadb and r.random() < 0.2:
            kind = r.choice(_MARIADB_ONLY)
            columns["net"] = (kind, net(kind))
        names = list(columns)
        if r.random() < 0.2:
            names = [f"{n} ü`{n}" if r.random() < 0.3 else n for n in names]
            columns = dict(zip(names, columns.values(), strict=True))
        r.shuffle(names)
        keyed = [n for n in names if columns[n][0].split("(")[0].split(" ")[0] in _KEY_TYPES]
        key = tuple(r.sample(keyed, min(len(keyed), r.choice((0, 1, 1, 2, 3)))))
        if r.random() < 0.4 or (not key and r.random() < 0.6):
            columns = {"id": ("INT", lambda r: str(r.randrange(500)))} | columns
            names.insert(0, "id")
            key = ("id",) if r.random() < 0.8 else (*key, "id")
        lines = []
        for n in names:
            null = "NOT NULL" if n in key or r.random() < 0.2 else "NULL"
            hidden = " INVISIBLE" if r.random() < 0.05 and len(names) > 2 and n not in key else ""
            lines.append(f"{quote(n)} {columns[n][0]} {null}{hidden}")
        lines += self._generated(names, columns)
        lines += self._keys(names, columns, key)
        options = f" CHARACTER SET utf8mb4{self._partitions(key, columns)}"
        create = f"CREATE TABLE {quote(self.db)}.{name} ({', '.join(lines)}){options}"
        literals = {
            n: (columns[n][1] if f"{quote(n)} {columns[n][0]} NOT NULL" in create
                else values.nullable(columns[n][1]))
            for n in names
        }  # fmt: skip
        if self.mariadb and "UNIQUE KEY" in create and "PRIMARY KEY" not in create:
            literals = {n: _writable(columns[n][0], literal) for n, literal in literals.items()}
        return RandomTable(TableName(self.db, name), create, literals, key)

    def _text(self, collation: Collation) -> tuple[str, Literal]:
        r = self.r
        size = r.choice((1, 4, 10, 30))
        kind = r.choice((f"VARCHAR({size})", f"CHAR({size})", f"VARCHAR({size})", "TEXT"))
        if self.mariadb and not kind.startswith("CHAR") and r.random() < 0.1:
            kind += " COMPRESSED"
        definition = f"{kind} CHARACTER SET {collation.charset} COLLATE {collation.name}"
        return definition, _text_of(collation.charset, size)

    def _generated(
        self, names: Sequence[str], columns: dict[str, tuple[str, Literal]]
    ) -> Iterator[str]:
        r = self.r
        for number, name in enumerate(names):
            kind = columns[name][0].split("(")[0].split(" ")[0]
            if r.random() > 0.12:
                continue
            stored = r.choice(("VIRTUAL", "STORED"))
            if kind in ("INT", "SMALLINT", "TINYINT", "MEDIUMINT"):
                yield f"g{number} BIGINT AS ({quote(name)} % 7 + 1) {stored}"
            elif kind in ("CHAR", "VARCHAR", "TEXT"):
                yield f"g{number} INT AS (CHAR_LENGTH({quote(name)})) {stored}"
            elif kind in ("DATE", "DATETIME"):
                yield f"g{number} INT AS (YEAR({quote(name)})) {stored}"
            elif kind in ("BLOB", "VARBINARY"):
                yield f"g{number} VARCHAR(64) AS (SHA2({quote(name)}, 256)) {stored}"

    def _keys(
        self, names: Sequence[str], columns: dict[str, tuple[str, Literal]], key: Sequence[str]
    ) -> Iterator[str]:
        r = self.r
        if key:
            kind = r.choice(("PRIMARY KEY", "PRIMARY KEY", "PRIMARY KEY", "UNIQUE KEY"))
            yield f"{kind} ({', '.join(self._part(name, columns) for name in key)})"
        if r.random() < 0.25:
            other = r.sample(list(names), min(len(names), r.randint(1, 2)))
            parts = ", ".join(self._part(name, columns) for name in other)
            yield f"{r.choice(('UNIQUE KEY', 'KEY'))} ({parts})"

    def _part(self, name: str, columns: dict[str, tuple[str, Literal]]) -> str:
        kind = columns[name][0].split("(")[0].split(" ")[0]
        prefix = ""
        if kind in _PREFIXED or (kind == "JSON" and self.mariadb):
            prefix = f"({self.r.randint(1, 20)})"
        elif kind == "VARCHAR" and "(80)" in columns[name][0] and self.r.random() < 0.5:
            prefix = "(3)"
        return quote(name) + prefix

    def _partitions(self, key: Sequence[str], columns: dict[str, tuple[str, Literal]]) -> str:
        r = self.r
        if not key or r.random() > 0.15:
            return ""
        name = key[0]
        if columns[name][0].startswith(("INT", "BIGINT", "SMALLINT", "TINYINT", "MEDIUMINT")):
            return r.choice(
                (
                    f" PARTITION BY HASH ({quote(name)}) PARTITIONS 3",
                    (
                        f" PARTITION BY RANGE ({quote(name)}) (PARTITION p0 VALUES LESS THAN (50),"
                        " PARTITION p1 VALUES LESS THAN MAXVALUE)"
                    ),
                )
            )
        return f" PARTITION BY KEY ({quote(name)}) PARTITIONS 3"


_CHARS = (
    "aAbB zZ", "äÄßéÉ", "жЖдД", "あアか中国", "αΑσς", "אב", "เกก", "😀🙂", "ıİ", "\u0301\u00ad",
    "ﾊ￣",
)  # fmt: skip


def _writable(definition: str, literal: Literal) -> Literal:
    """Without the error value of an ENUM, which no strict statement writes: rows of tables with
    only nullable unique keys reach MariaDB as SQL, because its applier wouldn't find them."""

    def writable(r: random.Random) -> str:
        value = literal(r)
        return "1" if value == "0" else value

    return writable if definition.startswith("ENUM") else literal


def _text_of(charset: str, size: int) -> Literal:
    def literal(r: random.Random) -> str:
        alphabet = r.choice(_CHARS) + "aA "
        text = "".join(r.choices(alphabet, k=r.choice((0, 1, 2, r.randint(0, size)))))
        return f"CONVERT(_utf8mb4 X'{text.encode().hex()}' USING {charset})"

    return literal


def net(kind: str) -> Literal:
    """Of INET4, INET6 or UUID."""

    def literal(r: random.Random) -> str:
        if kind == "INET4":
            return f"'{r.randrange(256)}.{r.randrange(3)}.0.{r.randrange(256)}'"
        digits = f"{r.getrandbits(128):032x}"
        if kind == "UUID":
            return f"'{digits}'"
        return "'" + ":".join(digits[at : at + 4] for at in range(0, 32, 4)) + "'"

    return literal
