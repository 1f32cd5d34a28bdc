"""Random transactions in which the order of rows matters, over a table for each way it can.

Keys come from small ranges, so inserts meet rows that exist and updates meet rows that don't: what
the server refuses is a rolled-back statement amid a transaction. Around them savepoints, whole
rollbacks, hot rows, huge and tiny transactions, keys that change, rows deleted and inserted
again, and unique values that rows hand to each other.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mysync_lab.tables import Session, execute, is_mariadb, quote
from mysync_lab.workload import values

# Rows of a huge transaction.
HUGE = 3_000


@dataclass(frozen=True)
class OrderTable:
    """A table and a generator of statements on it; `weight` is its share of the traffic."""

    name: str
    definition: str
    change: Callable[[random.Random], list[str]]
    weight: int = 10


class Order:
    """The transactions. With one thread they depend on the seed alone."""

    def __init__(self, db: str, *, mariadb: bool, only: Sequence[str] | None = None) -> None:
        """`only` restricts the traffic to these tables."""
        known = _tables(mariadb)
        self.db = db
        self.tables = [table for table in known if only is None or table.name in only]
        self._weights = [table.weight for table in self.tables]

    @classmethod
    def on(cls, session: Session, db: str, *, only: Sequence[str] | None = None) -> "Order":
        """For this server's flavour."""
        return cls(db, mariadb=is_mariadb(session), only=only)

    def create(self, session: Session) -> None:
        """The database with its empty tables."""
        execute(session, f"CREATE DATABASE {quote(self.db)} CHARACTER SET utf8mb4")
        execute(session, f"USE {quote(self.db)}", f"SET SESSION sql_mode = '{values.SQL_MODE}'")
        execute(session, *(f"CREATE TABLE {t.name} {t.definition}" for t in self.tables))

    def session(self) -> Sequence[str]:
        return [
            f"USE {quote(self.db)}",
            f"SET SESSION sql_mode = '{values.SQL_MODE}', time_zone = '+00:00'",
            "SET SESSION innodb_lock_wait_timeout = 5",
        ]

    def transaction(self, random_: random.Random) -> Sequence[str]:
        """Tiny ones mostly, sometimes many changes; savepoints in some; one in 25 is undone."""
        count = random_.choices((1, random_.randint(2, 8), random_.randint(9, 40)), (60, 35, 5))[0]
        changes = [
            table.change(random_) for table in random_.choices(self.tables, self._weights, k=count)
        ]
        statements = ["BEGIN"]
        for change in changes:
            fate = random_.random()
            if fate < 0.06:
                statements += ["SAVEPOINT s", *change, "ROLLBACK TO SAVEPOINT s"]
            elif fate < 0.12:
                statements += ["SAVEPOINT s", *change, "RELEASE SAVEPOINT s"]
            else:
                statements += change
        return [*statements, random_.choices(("COMMIT", "ROLLBACK"), (96, 4))[0]]


def _tables(mariadb: bool) -> list[OrderTable]:
    return [
        OrderTable(
            "pk_only", "(id INT NOT NULL PRIMARY KEY, n INT, note VARCHAR(60))", _pk_only, 30
        ),
        OrderTable("hot", "(id TINYINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)", _hot, 15),
        OrderTable(
            "composite",
            "(code VARCHAR(12) NOT NULL, part SMALLINT UNSIGNED NOT NULL, n INT,"
            " PRIMARY KEY (code, part))",
            _composite,
            20,
        ),
        OrderTable(
            "odd_key",
            "(day DATE NOT NULL, amount DECIMAL(6,2) NOT NULL, kind ENUM('', 'a', 'b') NOT NULL,"
            " bits BIT(3) NOT NULL, n INT, PRIMARY KEY (day, amount, kind, bits))",
            _odd_key,
        ),
        OrderTable("real_key", "(k DOUBLE NOT NULL PRIMARY KEY, n INT)", _real_key, 5),
        OrderTable("prefixed", "(t VARCHAR(20) NOT NULL, n INT, PRIMARY KEY (t(3)))", _prefixed, 5),
        OrderTable("no_pk", "(u BINARY(3) NOT NULL, n INT, UNIQUE KEY u (u))", _no_pk),
        OrderTable(
            "uniq",
            "(id INT NOT NULL PRIMARY KEY, u VARCHAR(20) NULL, v INT NULL, n INT,"
            " UNIQUE KEY u (u), UNIQUE KEY v (v))",
            _uniq,
            20,
        ),
        OrderTable("parent", "(id INT NOT NULL PRIMARY KEY, n INT)", _parent),
        OrderTable(
            "child",
            "(id INT NOT NULL PRIMARY KEY, parent_id INT NOT NULL, n INT, KEY p (parent_id),"
            " CONSTRAINT child_parent FOREIGN KEY (parent_id) REFERENCES parent (id)"
            " ON DELETE CASCADE ON UPDATE CASCADE)",
            _child,
        ),
        OrderTable(
            "grandchild",
            "(id INT NOT NULL PRIMARY KEY, child_id INT NULL, n INT, KEY c (child_id),"
            " CONSTRAINT grandchild_child FOREIGN KEY (child_id) REFERENCES child (id)"
            " ON DELETE SET NULL ON UPDATE CASCADE)",
            _grandchild,
        ),
        OrderTable("keyless", "(a INT, b VARCHAR(20), d DECIMAL(8,2), f DOUBLE)", _keyless, 8),
        OrderTable(
            "parted",
            "(id INT NOT NULL, region INT NOT NULL, n INT, PRIMARY KEY (id, region))"
            " PARTITION BY HASH (region) PARTITIONS 4",
            _parted,
        ),
        OrderTable(
            "hidden",
            "(id INT NOT NULL PRIMARY KEY, n INT INVISIBLE DEFAULT 5, m INT,"
            " CONSTRAINT m_small CHECK (m < 900))",
            _hidden,
        ),
        OrderTable("everything", _everything_definition(mariadb), _Everything(mariadb), 15),
        OrderTable("bulk", "(id INT NOT NULL PRIMARY KEY, n INT, pad VARCHAR(100))", _bulk, 1),
    ]


# The columns that all simple tables share: a key expression, what to set, and the rest of a row.


def _basic(
    table: str, columns: str, r: random.Random, key: Callable[[], dict[str, str]], row: str
) -> list[str]:
    """Insert, replace, update, change of key, delete, or delete and insert again, of one key."""
    here, there = key(), key()
    where = " AND ".join(f"{column} = {value}" for column, value in here.items())
    moved = ", ".join(f"{column} = {value}" for column, value in there.items())
    values_ = ", ".join([*here.values(), row])
    insert = f"INSERT INTO {table} ({columns}) VALUES ({values_})"
    delete = f"DELETE FROM {table} WHERE {where}"
    update = f"UPDATE {table} SET n = {r.randrange(1000)} WHERE {where}"
    changes: list[tuple[int, list[str]]] = [
        (30, [insert]),
        (5, [insert.replace("INSERT", "REPLACE", 1)]),
        (5, [f"{insert} ON DUPLICATE KEY UPDATE n = n + 1"]),
        (30, [update]),
        (8, [f"UPDATE {table} SET {moved} WHERE {where}"]),
        (12, [delete]),
        (8, [delete, insert]),
        (4, [insert, update, delete]),
    ]
    return r.choices([what for _, what in changes], [weight for weight, _ in changes])[0]


def _pk_only(r: random.Random) -> list[str]:
    note = values.nullable(values.text("utf8mb4", 60))(r)
    row = f"{r.randrange(1000)}, {note}"
    return _basic("pk_only", "id, n, note", r, lambda: {"id": str(r.randrange(800))}, row)


def _hot(r: random.Random) -> list[str]:
    """Few rows, changed over and over."""
    key = r.randrange(5)
    if r.random() < 0.1:
        return [f"DELETE FROM hot WHERE id = {key}", f"INSERT INTO hot VALUES ({key}, 0)"]
    increase = "ON DUPLICATE KEY UPDATE n = n + 1"
    return [f"INSERT INTO hot VALUES ({key}, 1) {increase}"] * r.randint(1, 4)


def _composite(r: random.Random) -> list[str]:
    """Codes that the collation finds equal though their bytes differ."""

    def key() -> dict[str, str]:
        word = r.choice(("abc", "straße", "eclair", "ångström", "日本", "x"))
        spelt = r.choice((word, word.upper(), word.title(), word.replace("e", "é"), word + " "))
        return {"code": f"'{spelt}'", "part": str(r.choice((0, 1, 2, 65535)))}

    return _basic("composite", "code, part, n", r, key, str(r.randrange(1000)))


def _odd_key(r: random.Random) -> list[str]:
    def key() -> dict[str, str]:
        return {
            "day": r.choice(("'0000-00-00'", "'2020-00-00'", "'2020-02-30'", "'2020-01-01'")),
            "amount": r.choice(("-9999.99", "0.00", "0.01", "12.50")),
            "kind": r.choice(("'a'", "'b'", "1")),
            "bits": r.choice(("0", "5")),
        }

    return _basic("odd_key", "day, amount, kind, bits, n", r, key, str(r.randrange(1000)))


def _real_key(r: random.Random) -> list[str]:
    choices = ("0.0e0", "-0.0e0", "1.5e0", "0.1e0", "1e300", "-1e-300")
    return _basic("real_key", "k, n", r, lambda: {"k": r.choice(choices)}, str(r.randrange(1000)))


def _prefixed(r: random.Random) -> list[str]:
    def key() -> dict[str, str]:
        return {"t": f"'{r.choice(('abc', 'ABC', 'äbc', 'xyz', 'x'))}{r.choice(('', 'd', 'dé'))}'"}

    return _basic("prefixed", "t, n", r, key, str(r.randrange(1000)))


def _no_pk(r: random.Random) -> list[str]:
    def key() -> dict[str, str]:
        return {"u": f"X'{r.randrange(60):02x}0020'"}

    return _basic("no_pk", "u, n", r, key, str(r.randrange(1000)))


def _uniq(r: random.Random) -> list[str]:
    """Unique values change hands: freed and taken at once, or swapped between two rows."""
    one, other = r.randrange(60), r.randrange(60)
    u = values.nullable(lambda r: f"'{r.choice(('u', 'U', 'ü'))}{r.randrange(40)}'")(r)
    v = values.nullable(lambda r: str(r.randrange(60)))(r)
    what = r.randrange(7)
    if what == 0:
        return [
            (
                f"SET @a = (SELECT u FROM uniq WHERE id = {one}),"
                f" @b = (SELECT u FROM uniq WHERE id = {other})"
            ),
            f"UPDATE uniq SET u = NULL WHERE id = {one}",
            f"UPDATE uniq SET u = @a WHERE id = {other}",
            f"UPDATE uniq SET u = @b WHERE id = {one} AND {one} <> {other}",
        ]
    if what == 1:
        return [
            f"SET @a = (SELECT u FROM uniq WHERE id = {one})",
            f"DELETE FROM uniq WHERE id = {one}",
            f"INSERT INTO uniq VALUES ({other}, @a, NULL, 1)",
        ]
    if what == 2:
        return [f"UPDATE uniq SET v = v + 1 WHERE id BETWEEN {one} AND {one + 5} ORDER BY v DESC"]
    if what == 3:
        return [f"REPLACE INTO uniq VALUES ({one}, {u}, {v}, 7)"]
    if what == 4:
        return [f"UPDATE uniq SET u = {u}, v = {v} WHERE id = {one}"]
    return _basic("uniq", "id, u, v, n", r, lambda: {"id": str(r.randrange(60))}, f"{u}, {v}, 3")


def _parent(r: random.Random) -> list[str]:
    key = r.randrange(30)
    return r.choices(
        (
            [f"INSERT INTO parent VALUES ({key}, 1)"],
            [f"UPDATE parent SET n = n + 1 WHERE id = {key}"],
            [f"UPDATE parent SET id = {r.randrange(30)} WHERE id = {key}"],
            [f"DELETE FROM parent WHERE id = {key}"],
            [f"DELETE FROM parent WHERE id = {key}", f"INSERT INTO parent VALUES ({key}, 2)"],
        ),
        (45, 20, 10, 15, 10),
    )[0]


def _child(r: random.Random) -> list[str]:
    return _descendant(r, "child", "parent_id", 60, 30)


def _grandchild(r: random.Random) -> list[str]:
    return _descendant(r, "grandchild", "child_id", 90, 60)


def _descendant(r: random.Random, table: str, column: str, own: int, parents: int) -> list[str]:
    key, parent = r.randrange(own), r.randrange(parents)
    return r.choices(
        (
            [f"INSERT INTO {table} VALUES ({key}, {parent}, 1)"],
            [f"UPDATE {table} SET n = n + 1 WHERE id = {key}"],
            [f"UPDATE {table} SET {column} = {parent} WHERE id = {key}"],
            [f"UPDATE {table} SET id = {r.randrange(own)} WHERE id = {key}"],
            [f"DELETE FROM {table} WHERE id = {key}"],
        ),
        (50, 15, 15, 8, 12),
    )[0]


def _keyless(r: random.Random) -> list[str]:
    """Equal rows on purpose: one of several is changed, or all of them."""
    a = r.choice(("NULL", "1", "2", "3"))
    b = r.choice(("NULL", "''", "'x'", "'X '"))
    row = f"({a}, {b}, {r.randrange(3)}.50, 0.1)"
    limit = r.choice(("", " LIMIT 1", " LIMIT 3"))
    return r.choices(
        (
            [f"INSERT INTO keyless VALUES {', '.join([row] * r.randint(1, 3))}"],
            [f"UPDATE keyless SET d = d + 1 WHERE a <=> {a} ORDER BY a, b, d, f{limit}"],
            [f"DELETE FROM keyless WHERE a <=> {a} ORDER BY a, b, d, f{limit}"],
        ),
        (45, 25, 30),
    )[0]


def _parted(r: random.Random) -> list[str]:
    """A change of region moves the row to another partition of the table."""

    def key() -> dict[str, str]:
        return {"id": str(r.randrange(50)), "region": str(r.randrange(8))}

    return _basic("parted", "id, region, n", r, key, str(r.randrange(1000)))


def _hidden(r: random.Random) -> list[str]:
    """Checks refuse some rows; the invisible column is written at times."""
    key, m = r.randrange(100), r.randrange(1000)
    return r.choice(
        (
            [f"INSERT INTO hidden (id, m) VALUES ({key}, {m})"],
            [f"INSERT INTO hidden (id, n, m) VALUES ({key}, {r.randrange(9)}, {m})"],
            [f"UPDATE hidden SET n = n + 1, m = {m} WHERE id = {key}"],
            [f"DELETE FROM hidden WHERE id = {key}"],
        )
    )


def _everything_definition(mariadb: bool) -> str:
    columns = ", ".join(f"{c.name} {c.definition}" for c in values.columns(mariadb=mariadb))
    return f"(id INT NOT NULL PRIMARY KEY, {columns})"


class _Everything:
    """Rows with a value in every column, and updates of a few columns."""

    def __init__(self, mariadb: bool) -> None:
        self._columns = values.columns(mariadb=mariadb)

    def __call__(self, r: random.Random) -> list[str]:
        key = r.randrange(150)
        what = r.random()
        if what < 0.45:
            row = ", ".join(values.nullable(column.literal)(r) for column in self._columns)
            verb = r.choice(("INSERT", "REPLACE"))
            return [f"{verb} INTO everything VALUES ({key}, {row})"]
        if what < 0.85:
            chosen = r.sample(self._columns, r.randint(1, 6))
            settings = ", ".join(f"{c.name} = {values.nullable(c.literal)(r)}" for c in chosen)
            return [f"UPDATE everything SET {settings} WHERE id = {key}"]
        return [f"DELETE FROM everything WHERE id = {key}"]


def _bulk(r: random.Random) -> list[str]:
    """Thousands of rows in one transaction, by one statement."""
    start = r.randrange(5) * HUGE
    what = r.randrange(4)
    if what <= 1:
        rows = ", ".join(f"({start + n}, {n}, 'pad {n % 7}')" for n in range(HUGE))
        return [f"REPLACE INTO bulk VALUES {rows}"]
    if what == 2:
        return [f"UPDATE bulk SET n = n + 1 WHERE id >= {start}"]
    return [f"DELETE FROM bulk WHERE id BETWEEN {start} AND {start + HUGE}"]
