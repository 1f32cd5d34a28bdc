"""A random history of a source, and a random transfer of its tables beside it: the target ends
equal, strictly."""

import random
from decimal import Decimal
from typing import Any

import pytest

from fix_topics import MakeStage, Stage

ITEMS = "CREATE TABLE items (id VARCHAR(10) COLLATE {} PRIMARY KEY, v INT)"
TAGS = "CREATE TABLE tags (id INT PRIMARY KEY, v INT, UNIQUE KEY (v))"
PARTS = "CREATE TABLE parts (a INT, id SMALLINT, v DECIMAL(6, 2), PRIMARY KEY (id, a))"

Row = dict[str, Any]


class Source:
    """A table's rows by key, and what the transfer has yet to read of it."""

    def __init__(self, stage: Stage, name: str, choose: random.Random) -> None:
        self.table = f"{stage.db}.{name}"
        self.name = name
        self.rows: dict[object, Row] = {}
        self.touched: set[object] = set()
        self.values = 0
        self._choose = choose
        self._writer = stage.writer

    def row(self, number: int) -> Row:
        self.values += 1
        if self.name == "items":
            spelled = self._choose.choice((str.upper, str.lower))(f"k{number}")
            return {"id": spelled, "v": self.values}
        if self.name == "parts":
            return {"a": number % 3, "id": number, "v": Decimal(self.values) / 4}
        return {"id": number, "v": self.values}

    def key(self, row: Row) -> object:
        return str(row["id"]).lower()

    def change(self) -> None:
        """An insert, an update, a move, a swap of two values, or a deletion."""
        new = self.row(self._choose.randrange(60))
        key, what = self.key(new), self._choose.random()
        old = self.rows.get(key)
        if old is None:
            self._insert(new)
        elif what < 0.4:
            self._update(old, new)
        elif what < 0.55:
            other = self.row(self._choose.randrange(60))
            if self.key(other) not in self.rows:
                self._update(old, other)
        elif what < 0.7 and self.name == "tags":
            self._swap(old, self._choose.choice(list(self.rows.values())))
        else:
            self._writer.delete(self.table, old)
            del self.rows[key]
            self.touched.add(key)

    def _insert(self, row: Row) -> None:
        self._writer.insert(self.table, row)
        self.rows[self.key(row)] = row
        self.touched.add(self.key(row))

    def _update(self, old: Row, new: Row) -> None:
        self._writer.update(self.table, old, new)
        del self.rows[self.key(old)]
        self.rows[self.key(new)] = new
        self.touched |= {self.key(old), self.key(new)}

    def _swap(self, one: Row, two: Row) -> None:
        if one is not two:
            free = {**one, "v": None}
            self._update(one, free)
            self._update(two, {**two, "v": one["v"]})
            self._update(free, {**free, "v": two["v"]})

    def read(self, keys: set[object], between: Any) -> None:
        """A chunk: what the stream touches between its two places isn't sent."""
        chunk = {key: self.rows[key] for key in keys & self.rows.keys()}
        self.touched.clear()
        between()
        for key in chunk.keys() - self.touched:
            self._writer.read(self.table, chunk[key])


@pytest.mark.parametrize("server", ["mysql_b", "mariadb_b"])
@pytest.mark.parametrize("via", ["row_events", "sql"])
def test_a_random_transfer_beside_a_random_history_ends_equal(
    make_stage: MakeStage, server: str, via: str, request: pytest.FixtureRequest
) -> None:
    seed = f"{request.config.getoption('--seed')} {server} {via}"
    print(f"seed: {seed}")
    choose = random.Random(seed)
    stage = make_stage(
        request.getfixturevalue(server),
        topics={"partitions": 3},
        apply={
            "via": via,
            "coalesce": choose.random() < 0.5,
            "batch_rows": choose.choice((3, 50, 2000)),
            "group_session_timeout_ms": 1500,
        },
    )
    stage.begin(ITEMS.format("utf8mb4_general_ci"), TAGS, PARTS)
    writer = stage.writer
    sources = [Source(stage, name, choose) for name in ("items", "tags", "parts")]
    consumer = stage.ready()

    def history() -> None:
        for _ in range(choose.randrange(15)):
            choose.choice(sources).change()

    def transfer(source: Source) -> None:
        """Chunks of keys in any order; cancelled now and then, and begun anew."""
        with writer:
            writer.transfer_begin(source.table)
        numbers = list(range(60))
        choose.shuffle(numbers)
        while numbers:
            size = choose.randrange(1, 25)
            keys, numbers = numbers[:size], numbers[size:]
            if choose.random() < 0.05:
                with writer:
                    writer.transfer_end(source.table, cancelled=True)
                    history()
                transfer(source)
                return
            with writer:
                prefix = "k" if source.name == "items" else ""
                source.read({f"{prefix}{number}" for number in keys}, history)
            if choose.random() < 0.1:
                consumer.kill()
                consumer.start()
        with writer:
            writer.transfer_end(source.table)
            history()

    with writer:
        for _ in range(5):
            history()
    # Before its transfer what the target holds of a table may be anything.
    stage.wait_applied()
    stage.sql("DELETE FROM items WHERE v % 2 = 0", "UPDATE tags SET v = -id - 1")
    order = choose.sample(sources, len(sources))
    with writer:
        for source in order:
            writer.transfer_begin(source.table)
    for source in order:
        transfer(source)
    with writer:
        history()
    stage.wait_applied()
    for source in sources:
        names = list(next(iter(source.rows.values())))
        found = stage.sql(f"SELECT {', '.join(names)} FROM {source.name}")
        rows = [tuple(row[name] for name in names) for row in source.rows.values()]
        assert sorted(map(repr, map(_plain, found))) == sorted(map(repr, map(_plain, rows)))


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each if each is None or isinstance(each, str) else float(each) for each in row)
