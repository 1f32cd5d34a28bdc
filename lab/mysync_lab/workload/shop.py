"""A small shop: customers, orders, their items and payments, tied by ids rather than foreign keys.

Every table has a primary key and nothing else unique, so rows spread over all partitions. Orders
are placed, grow, are paid, change their minds and vanish; a few customers are much busier than the
others.
"""

import random
from collections.abc import Sequence

from mysync_lab.tables import Session, execute, quote

TABLES = ("customers", "orders", "items", "payments")

_DEFINITIONS = (
    (
        "CREATE TABLE {db}.customers (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,"
        " name VARCHAR(80) NOT NULL, email VARCHAR(120) NOT NULL, city VARCHAR(40) NOT NULL,"
        " credit DECIMAL(12,2) NOT NULL DEFAULT 0, tier ENUM('new','silver','gold') NOT NULL,"
        " joined DATE NOT NULL, seen_at TIMESTAMP(6) NULL)"
    ),
    (
        "CREATE TABLE {db}.orders (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,"
        " customer_id INT UNSIGNED NOT NULL, state ENUM('cart','placed','paid','sent') NOT NULL,"
        " total DECIMAL(12,2) NOT NULL, note TEXT, placed_at DATETIME(3) NULL,"
        " flags SET('gift','express','b2b') NOT NULL DEFAULT '', KEY by_customer (customer_id))"
    ),
    (
        "CREATE TABLE {db}.items (order_id BIGINT NOT NULL, line SMALLINT NOT NULL,"
        " sku CHAR(8) NOT NULL, quantity INT NOT NULL, price DECIMAL(10,2) NOT NULL,"
        " details JSON, weight DOUBLE, PRIMARY KEY (order_id, line))"
    ),
    (
        "CREATE TABLE {db}.payments (id BINARY(16) NOT NULL PRIMARY KEY, order_id BIGINT NOT NULL,"
        " amount DECIMAL(12,2) NOT NULL, method VARCHAR(12) NOT NULL, took TIME(3) NULL,"
        " paid_at DATETIME(6) NOT NULL, KEY by_order (order_id))"
    ),
)
_NAMES = ("Ada", "Béla", "Chloë", "Dmitri", "Emeka", "Fátima", "Gül", "Håkon", "石川", "Иван", "🙂")
_CITIES = ("Zürich", "São Paulo", "Łódź", "Reykjavík", "東京", "Nairobi", "Αθήνα")
_METHODS = ("card", "invoice", "voucher")
# Orders that a session still works on.
_RECENT = 40


def create(session: Session, db: str) -> None:
    """The database with its four empty tables."""
    execute(session, f"CREATE DATABASE {quote(db)} CHARACTER SET utf8mb4")
    execute(session, *(statement.format(db=quote(db)) for statement in _DEFINITIONS))


def fill(session: Session, db: str, orders: int) -> None:
    """So many orders, and four and a half times as many rows in all."""
    digit = " UNION ALL ".join(f"SELECT {n} AS d" for n in range(10))
    places = len(str(orders - 1))
    number = " + ".join(f"t{p}.d * {10**p}" for p in range(places))
    digits = ", ".join(f"({digit}) AS t{p}" for p in range(places))
    numbers = f"(SELECT {number} AS i FROM {digits}) AS numbers WHERE i < {orders}"
    lines = f"({digit}) AS l, {numbers} AND l.d < 2"
    execute(
        session,
        f"USE {quote(db)}",
        "INSERT INTO customers (name, email, city, credit, tier, joined) SELECT CONCAT('Zoë ', i),"
        f" CONCAT(i, '@example.org'), 'Zürich', i / 7, 1 + i % 3, '2020-02-29' FROM {numbers}"
        " AND i % 2 = 0",
        "INSERT INTO orders (customer_id, state, total, note, placed_at) SELECT 1 + i % 99,"
        f" 1 + i % 4, i / 4, CONCAT('note ', i), '2026-01-01' FROM {numbers}",
        "INSERT INTO items SELECT i, l.d, CONCAT('s', i % 999), 1 + i % 5, i / 8,"
        f" JSON_OBJECT('i', i), (i + 1) / 3 FROM {lines}",
        "INSERT INTO payments SELECT UNHEX(LPAD(HEX(i * 7919), 32, '0')), i, i / 2, 'card',"
        f" '12:34:56.789', '2026-01-01' FROM {numbers}",
    )


def touch(session: Session, db: str) -> None:
    """One small transaction."""
    execute(session, f"UPDATE {quote(db)}.customers SET credit = credit + 1 LIMIT 1")


class Shop:
    """What happens in the shop. A session finds its own orders again by its variables."""

    def __init__(self, db: str) -> None:
        self._db = quote(db)

    def session(self) -> Sequence[str]:
        return [
            f"USE {self._db}",
            "SET SESSION time_zone = '+00:00'",
            "SET @o = 0",
        ]

    def transaction(self, random_: random.Random) -> Sequence[str]:
        """Mostly a few rows; now and then a campaign that touches hundreds."""
        what = random_.choices(
            (self._join, self._order, self._pay, self._change, self._cancel, self._campaign),
            (8, 40, 25, 20, 6, 1),
        )[0]
        return ["BEGIN", *what(random_), "COMMIT"]

    def _join(self, r: random.Random) -> list[str]:
        rows = ", ".join(
            f"('{r.choice(_NAMES)} {r.randrange(10_000)}', 'c{r.randrange(10**9)}@example.com',"
            f" '{r.choice(_CITIES)}', {r.randrange(10_000)}.{r.randrange(100):02}, 'new',"
            f" DATE'2020-01-01' + INTERVAL {r.randrange(2_000)} DAY, NULL)"
            for _ in range(r.randint(1, 4))
        )
        return [
            (
                "INSERT INTO customers (name, email, city, credit, tier, joined, seen_at)"
                f" VALUES {rows}"
            )
        ]

    def _order(self, r: random.Random) -> list[str]:
        """An order's number is known to the server only: LAST_INSERT_ID() names it."""
        count = r.randint(1, 5)
        items = ", ".join(
            f"(@o, {line}, 'SKU{r.randrange(100_000):05}', {r.randint(1, 9)},"
            f" {r.randrange(500)}.{r.randrange(100):02},"
            f' \'{{"colour": "{r.choice(("red", "grün", "青"))}", "size": {r.randint(30, 50)}}}\','
            f" {r.random() * 10!r})"
            for line in range(count)
        )
        note = r.choice(("NULL", "'please ring'", "'à bientôt 👋'"))
        return [
            (
                "INSERT INTO orders (customer_id, state, total, note, placed_at, flags)"
                f" VALUES ({self._customer(r)}, 'placed',"
                f" {r.randrange(2_000)}.{r.randrange(100):02}, {note},"
                f" NOW(3), '{r.choice(('', 'gift', 'express', 'gift,express'))}')"
            ),
            "SET @o = LAST_INSERT_ID()",
            (
                f"INSERT INTO items (order_id, line, sku, quantity, price, details, weight)"
                f" VALUES {items}"
            ),
        ]

    def _pay(self, r: random.Random) -> list[str]:
        return [
            self._pick(r),
            "UPDATE orders SET state = 'paid' WHERE id = @p AND state <> 'paid'",
            (
                "INSERT INTO payments (id, order_id, amount, method, took, paid_at)"
                f" SELECT X'{r.randbytes(16).hex()}', id, total, '{r.choice(_METHODS)}',"
                f" SEC_TO_TIME({r.randrange(300_000) / 1000:.3f}), NOW(6) FROM orders WHERE id = @p"
            ),
            (
                f"UPDATE customers SET credit = credit - 1, seen_at = NOW(6), tier ="
                f" '{r.choice(('new', 'silver', 'gold'))}' WHERE id = {self._customer(r)}"
            ),
        ]

    def _change(self, r: random.Random) -> list[str]:
        """Quantities; and a line that gets another number, which is another key."""
        return [
            self._pick(r),
            f"UPDATE items SET quantity = {r.randint(1, 20)} WHERE order_id = @p",
            f"UPDATE items SET line = line + 100 WHERE order_id = @p AND line = {r.randrange(5)}",
            (
                f"UPDATE orders SET total = total + {r.randrange(100)}, flags ="
                f" '{r.choice(('', 'b2b', 'gift,b2b'))}' WHERE id = @p"
            ),
        ]

    def _cancel(self, r: random.Random) -> list[str]:
        return [
            self._pick(r),
            "DELETE FROM items WHERE order_id = @p",
            "DELETE FROM payments WHERE order_id = @p",
            "DELETE FROM orders WHERE id = @p",
        ]

    def _campaign(self, r: random.Random) -> list[str]:
        start = r.randrange(2_000)
        return [
            f"UPDATE customers SET credit = credit + 5 WHERE id BETWEEN {start} AND {start + 200}"
        ]

    @staticmethod
    def _customer(r: random.Random) -> int:
        """One of many, and often one of the ten best."""
        return r.randint(1, 10) if r.random() < 0.3 else r.randint(1, 600)

    @staticmethod
    def _pick(r: random.Random) -> str:
        return f"SET @p = CAST(@o AS SIGNED) - {r.randrange(_RECENT)}"
