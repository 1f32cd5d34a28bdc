"""A bank: every transaction moves money between accounts of several tables, so that the sum over
all of them is the same after each, and adds one row to a journal.

So one SELECT tells whether a copy is of one moment, and the source's log tells of which: it has one
table map of the journal for each transaction.
"""

import random
from collections.abc import Sequence
from typing import Any

from mysync_lab.sql import SqlServer

TABLES = ("checking", "savings", "loans")
ACCOUNTS = 400
BALANCE = 1_000
SUM = len(TABLES) * ACCOUNTS * BALANCE
PAYROLL = 300
"""Accounts that a large transaction writes to, of each table."""

HUGE = 30
"""How often a huge one does that: it takes the producer longer than a heartbeat."""


class Bank:
    """The workload. `large`: the share of transactions that write to hundreds of accounts, `huge`:
    of those that do so many times."""

    def __init__(self, db: str, large: float = 0.03, huge: float = 0.0) -> None:
        self._db = db
        self._large = large
        self._huge = huge

    def tables(self) -> list[str]:
        """Statements that create it, with its accounts."""
        columns = "id INT PRIMARY KEY, balance BIGINT NOT NULL"
        made = [f"CREATE TABLE {table} ({columns})" for table in TABLES]
        journal = "CREATE TABLE journal (id BIGINT AUTO_INCREMENT PRIMARY KEY, what TEXT)"
        return [*made, *self.accounts(), journal]

    def accounts(self) -> list[str]:
        """Statements that fill them."""
        accounts = ", ".join(f"({number}, {BALANCE})" for number in range(ACCOUNTS))
        return [f"INSERT INTO {table} VALUES {accounts}" for table in TABLES]

    def session(self) -> Sequence[str]:
        return (f"USE {self._db}",)

    def transaction(self, random_: random.Random) -> Sequence[str]:
        moves = self._payroll(random_) if random_.random() < self._large else self._few(random_)
        if random_.random() < self._huge:
            moves = self._payroll(random_) * HUGE
        journal = f"INSERT INTO journal (what) VALUES ('{len(moves)} moves')"
        at = random_.randrange(len(moves) + 1)
        return ["BEGIN", *moves[:at], journal, *moves[at:], "COMMIT"]

    def _few(self, random_: random.Random) -> list[str]:
        moves = []
        for _ in range(random_.randint(1, 3)):
            amount = random_.randint(1, 500)
            for sign in "-+":
                table, number = random_.choice(TABLES), random_.randrange(ACCOUNTS)
                moves.append(
                    f"UPDATE {table} SET balance = balance {sign} {amount} WHERE id = {number}"
                )
        # In one order everywhere, or most transactions would be deadlocks.
        return sorted(moves, key=lambda move: (move.split()[1], int(move.split()[-1])))

    def _payroll(self, random_: random.Random) -> list[str]:
        """From many accounts of each table to as many of the next."""
        first = random_.randrange(ACCOUNTS - PAYROLL)
        return [
            f"UPDATE {table} SET balance = balance + IF(id % 2, 7, -7)"
            f" WHERE id BETWEEN {first} AND {first + PAYROLL - 1}"
            for table in sorted(TABLES)
        ]


def money(server: SqlServer, db: str) -> tuple[int, int]:
    """The sum over all accounts, and how many transactions the journal has, of one SELECT."""
    parts = " + ".join(f"(SELECT SUM(balance) FROM {table})" for table in TABLES)
    with server.connect(database=db) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {parts}, (SELECT COUNT(*) FROM journal)")
        found: Any = cursor.fetchone()
    return int(found[0]), int(found[1])


class Log:
    """The source's log from where it ended at the beginning, counted further with each question."""

    def __init__(self, server: SqlServer, db: str) -> None:
        self._server = server
        self._map = f"({db}.journal)"
        self._file, self._pos = end_of_log(server)
        self._count = 0

    def transactions(self, file: str, pos: int) -> int:
        """How many of the bank's end up to there; not before the last position asked for."""
        with self._server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW BINARY LOGS")
            names = [str(row[0]) for row in cursor.fetchall()]
            for name in names[names.index(self._file) : names.index(file) + 1]:
                start = self._pos if name == self._file else 4
                cursor.execute(f"SHOW BINLOG EVENTS IN '{name}' FROM {start}")
                for _, _, kind, _, end, info in cursor.fetchall():
                    if name == file and int(end) > pos:
                        break
                    self._count += kind == "Table_map" and self._map in str(info)
        self._file, self._pos = file, pos
        return self._count


def end_of_log(server: SqlServer) -> tuple[str, int]:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        version = str((cursor.fetchone() or ("",))[0])
        cursor.execute("SHOW MASTER STATUS" if "Maria" in version else "SHOW BINARY LOG STATUS")
        found: Any = cursor.fetchone()
    return str(found[0]), int(found[1])
