"""Tables that are being transferred: their rows may be there or not, and end as the source's."""

from typing import Any

import pytest

from fix_topics import ITEMS, MakeStage, Stage
from mysync_consumer.transfers import Transfers
from mysync_lab.sql import SqlServer
from mysync_schemas.control import Ddl, DdlContext, Transfer
from mysync_schemas.table import TableId

DATA_ERROR = 4

WAYS = [
    ("mysql_b", "row_events"),
    ("mysql_b", "sql"),
    ("mariadb_b", "row_events"),
    ("mariadb_b", "sql"),
]


@pytest.fixture(params=WAYS, ids=[f"{server}-{via}" for server, via in WAYS])
def make(request: pytest.FixtureRequest, make_stage: MakeStage) -> Any:
    """Makes a stage whose rows are written in one of the ways."""
    server, via = request.param

    def begun(*tables: str, partitions: int = 2, **apply: object) -> Stage:
        stage = make_stage(
            request.getfixturevalue(server),
            topics={"partitions": partitions},
            apply={"group_session_timeout_ms": 1500, "via": via} | apply,
        )
        return stage.begin(*(tables or (ITEMS,)))

    return begun


def row(id_: int, v: int) -> dict[str, Any]:
    return {"id": id_, "name": f"n{id_}", "v": v}


def test_every_event_finds_its_row_or_does_without(make: Any) -> None:
    stage = make()
    writer, items = stage.writer, stage.items
    stage.sql("INSERT INTO items VALUES (99, 'old', 1)")
    with writer:
        writer.transfer_begin(items)
        writer.insert(items, row(1, 1))
        writer.read(items, row(2, 2))
    stage.ready()
    stage.wait_applied()
    assert stage.sql("SELECT id, v FROM items ORDER BY id") == [(1, 1), (2, 2)]
    with writer:
        writer.update(items, row(1, 1), row(1, 11))  # there
        writer.update(items, row(3, 3), row(3, 33))  # not there
        writer.update(items, row(4, 4), row(40, 44))  # not there, and moves
        writer.update(items, row(2, 2), row(20, 22))  # there, and moves
        writer.delete(items, row(5, 5))  # not there
        writer.read(items, row(1, 11))  # there
        writer.read(items, row(3, 33))  # there since this batch
        writer.insert(items, row(6, 6))
        writer.delete(items, row(6, 6))
        writer.insert(items, row(6, 66))
        writer.read(items, row(6, 66))
        writer.read(items, row(7, 7))
        writer.delete(items, row(7, 7))
        writer.delete(items, row(8, 8))
        writer.insert(items, row(8, 88))
        writer.update(items, row(8, 88), row(8, 888))
    stage.wait_applied()
    held = {1: 11, 3: 33, 40: 44, 20: 22, 6: 66, 8: 888}
    assert dict(stage.sql("SELECT id, v FROM items")) == held
    with writer:
        writer.read(items, row(40, 44))  # there, and deleted in the same batch
        writer.delete(items, row(40, 44))
        writer.read(items, row(20, 22))
        writer.update(items, row(20, 22), row(20, 23))
    stage.wait_applied()
    del held[40]
    assert dict(stage.sql("SELECT id, v FROM items")) == held | {20: 23}
    with writer:
        writer.transfer_end(items)
        writer.update(items, row(8, 888), row(8, 8))
        writer.delete(items, row(3, 33))
    stage.wait_applied()
    assert dict(stage.sql("SELECT id, v FROM items")) == {1: 11, 20: 23, 6: 66, 8: 8}


def test_keys_that_the_collation_holds_for_equal_are_one_row(make: Any) -> None:
    stage = make(
        "CREATE TABLE items (k VARCHAR(20) COLLATE utf8mb4_general_ci, e ENUM('x', 'y'), v INT,"
        " PRIMARY KEY (k, e))"
    )
    writer, items = stage.writer, stage.items

    def row(k: str, v: int, e: str = "x") -> dict[str, Any]:
        return {"k": k, "e": e, "v": v}

    with writer:
        writer.transfer_begin(items)
        writer.read(items, row("a", 1))
        writer.read(items, row("a", 1, "y"))
        writer.read(items, row("Straße '\\", 2))
        writer.insert(items, row("c", 3))
    stage.ready()
    stage.wait_applied()
    with writer:
        writer.update(items, row("a", 1), row("A", 10))  # there, spelled anew
        writer.update(items, row("b", 2), row("B", 20))  # not there
        writer.update(items, row("B", 20), row("b", 21))  # there since
        writer.read(items, row("A", 10))
        writer.read(items, row("b", 21))
        writer.delete(items, row("c", 3))
        writer.insert(items, row("C", 4))
        writer.update(items, row("C", 4), row("c", 5))
        writer.delete(items, row("d", 4))
        writer.insert(items, row("D", 6))
        writer.read(items, row("D", 6))
        writer.delete(items, row("Straße '\\", 2))
        writer.read(items, row("é", 7, "y"))
    stage.wait_applied()
    found = set(stage.sql("SELECT k, e, v FROM items"))
    assert found == {
        ("A", "x", 10),
        ("a", "y", 1),
        ("b", "x", 21),
        ("c", "x", 5),
        ("D", "x", 6),
        ("é", "y", 7),
    }


@pytest.mark.parametrize(
    ("server", "definition", "keys"),
    [
        ("mysql_b", "k VARCHAR(9) CHARACTER SET dec8 NOT NULL, v INT, PRIMARY KEY (k)", "éáö"),
        ("mysql_b", "k BLOB NOT NULL, v INT, PRIMARY KEY (k(3))", (b"abcd", b"\0\xff", b"'")),
        ("mariadb_b", "k VARCHAR(9) NOT NULL, v INT, u INT, UNIQUE KEY (u), UNIQUE (k)", "abé"),
        ("mariadb_b", "k DOUBLE NOT NULL, v INT, PRIMARY KEY (k)", (0.1, 1e300, -2.5)),
    ],
    ids=["no_words", "prefix", "unique", "double"],
)
def test_rows_are_found_by_keys_of_any_kind(
    make_stage: MakeStage,
    server: str,
    definition: str,
    keys: Any,
    request: pytest.FixtureRequest,
) -> None:
    stage = make_stage(request.getfixturevalue(server), topics={"partitions": 1})
    stage.begin(f"CREATE TABLE items ({definition})")
    writer, items = stage.writer, stage.items
    one, two, three = ({"k": key, "v": 1, "u": i} for i, key in enumerate(keys))
    with writer:
        writer.transfer_begin(items)
        writer.read(items, one)
        writer.read(items, two)
    stage.ready()
    stage.wait_applied()
    with writer:
        writer.update(items, one, one | {"v": 2})
        writer.update(items, three, three | {"v": 3})
        writer.delete(items, two)
    stage.wait_applied()
    with writer:
        writer.delete(items, two)
        writer.read(items, three | {"v": 3})
        writer.transfer_end(items)
        writer.update(items, three | {"v": 3}, three | {"v": 4})
    stage.wait_applied()
    assert stage.sql("SELECT v FROM items ORDER BY v") == [(2,), (4,)]


def test_swapped_unique_values_arrive_whichever_rows_are_there(make: Any) -> None:
    stage = make("CREATE TABLE items (id INT PRIMARY KEY, u INT, UNIQUE KEY (u))")
    writer, items = stage.writer, stage.items

    def swap(a: int, b: int) -> None:
        """The values of rows a and b, which have their own numbers."""
        for id_, old, new in ((a, a, None), (b, b, a), (a, None, b)):
            writer.update(items, {"id": id_, "u": old}, {"id": id_, "u": new}, deps=deps())

    def deps() -> list[dict[str, int]]:
        return [{"partition": p, "seq": s} for p, s in enumerate(writer.prev)]

    with writer:
        writer.transfer_begin(items)
        for id_ in (1, 3, 5, 6):
            writer.read(items, {"id": id_, "u": id_})
    stage.ready()
    stage.wait_applied()
    with writer:
        swap(1, 2)  # the first is there
        swap(4, 3)  # the second
        swap(5, 6)  # both
        swap(7, 8)  # none
        writer.read(items, {"id": 9, "u": 9})
    stage.wait_applied()
    held = {1: 2, 2: 1, 3: 4, 4: 3, 5: 6, 6: 5, 7: 8, 8: 7, 9: 9}
    assert dict(stage.sql("SELECT id, u FROM items")) == held


def test_rows_without_a_key_are_all_inserted(make: Any) -> None:
    stage = make("CREATE TABLE items (a INT, b VARCHAR(10))")
    writer, items = stage.writer, stage.items
    twin = {"a": 1, "b": "twin"}
    with writer:
        writer.transfer_begin(items)
        for row in (twin, twin, {"a": None, "b": None}):
            writer.read(items, row)
        writer.update(items, twin, {"a": 2, "b": "twin"})
        writer.transfer_end(items)
        writer.delete(items, twin)
    stage.ready()
    stage.wait_applied()
    assert set(stage.sql("SELECT a, b FROM items")) == {(2, "twin"), (None, None)}


def test_generated_columns_and_rows_in_parts_arrive(make: Any) -> None:
    stage = make(
        "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(4000),"
        " n INT AS (id + 1) STORED, v INT AS (id * 2) VIRTUAL)"
    )
    stage.writer.part_bytes = 500
    writer, items = stage.writer, stage.items

    def row(id_: int, name: str) -> dict[str, Any]:
        return {"id": id_, "name": name, "n": id_ + 1, "v": id_ * 2}

    with writer:
        writer.transfer_begin(items)
        writer.read(items, row(1, "x" * 3000))
        writer.update(items, row(2, "y" * 2000), row(2, "z" * 2000))
        writer.update(items, row(1, "x" * 3000), row(3, "x" * 3000))
        writer.delete(items, row(4, "4" * 1000))
        writer.read(items, row(2, "z" * 2000))
    stage.ready()
    stage.wait_applied()
    assert sorted(stage.sql("SELECT id, name, n, v FROM items")) == [
        (2, "z" * 2000, 3, 4),
        (3, "x" * 3000, 4, 6),
    ]


def test_versions_of_rows_arrive_whichever_are_there(
    make_stage: MakeStage, mariadb_b: SqlServer
) -> None:
    stage = make_stage(mariadb_b, topics={"partitions": 2})
    stage.begin("CREATE TABLE items (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING")
    writer, items = stage.writer, stage.items
    now = (2**31 - 1) * 10**6 + 999_999

    def version(id_: int, v: int, start: int, end: int = now) -> dict[str, Any]:
        return {"id": id_, "v": v, "row_start": start * 10**6, "row_end": min(end * 10**6, now)}

    with writer:
        writer.transfer_begin(items, empty=False)
        writer.read(items, version(1, 1, 1000, 2000))
        writer.read(items, version(1, 2, 2000))
        writer.insert(items, version(4, 4, 2500))
    stage.ready()
    stage.wait_applied()
    with writer:
        writer.update(items, version(1, 2, 2000), version(1, 3, 3000))
        writer.insert(items, version(1, 2, 2000, 3000))
        writer.update(items, version(2, 2, 1000), version(2, 3, 3000))  # not there
        writer.insert(items, version(2, 2, 1000, 3000))
        writer.update(items, version(3, 3, 1000), version(3, 3, 1000, 4000))  # ended, not there
        writer.update(items, version(4, 4, 2500), version(4, 4, 2500, 4000))  # ended
        writer.read(items, version(1, 1, 1000, 2000))  # there
        writer.transfer_end(items)
    stage.wait_applied()
    found = stage.sql(
        "SELECT id, v, UNIX_TIMESTAMP(row_start) FROM items FOR SYSTEM_TIME ALL ORDER BY 1, 3"
    )
    assert [(id_, v, int(start)) for id_, v, start in found] == [
        (1, 1, 1000),
        (1, 2, 2000),
        (1, 3, 3000),
        (2, 2, 1000),
        (2, 3, 3000),
        (3, 3, 1000),
        (4, 4, 2500),
    ]
    assert stage.sql("SELECT id FROM items ORDER BY id") == [(1,), (2,)]


PARENT = "CREATE TABLE parent (id INT PRIMARY KEY, n INT)"
CHILD = (
    "CREATE TABLE child (id INT PRIMARY KEY, p INT, n INT,"
    " FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE)"
)
LEAF = (
    "CREATE TABLE leaf (id INT PRIMARY KEY, c INT,"
    " FOREIGN KEY (c) REFERENCES child (id) ON DELETE SET NULL ON UPDATE CASCADE)"
)


def test_unlogged_cascades_run_for_rows_that_are_not_there_yet(make: Any) -> None:
    stage = make(PARENT, CHILD, LEAF, partitions=1)
    writer = stage.writer
    parent, child, leaf = (f"{stage.db}.{name}" for name in ("parent", "child", "leaf"))

    def one(id_: int, n: int = 0) -> dict[str, Any]:
        return {"id": id_, "n": n}

    def kid(id_: int, p: int, n: int = 0) -> dict[str, Any]:
        return {"id": id_, "p": p, "n": n}

    with writer:
        for table in (parent, child, leaf):
            writer.transfer_begin(table)
        # The source: parents 1 to 5, children 10 p + 1 and 10 p + 2 of each, a leaf of each child.
        writer.read(leaf, {"id": 111, "c": 11}, flags=0)
        writer.read(leaf, {"id": 221, "c": 21}, flags=0)
        writer.read(leaf, {"id": 311, "c": 31}, flags=0)
        writer.read(child, kid(11, 1), flags=0)
        writer.read(child, kid(21, 2), flags=0)
        writer.read(child, kid(31, 3), flags=0)
        writer.read(parent, one(3), flags=0)
        writer.insert(child, kid(12, 1), flags=0)  # the parent isn't there
        writer.update(child, kid(22, 2), kid(22, 4, 1), flags=0)  # nor is any of them
        writer.update(child, kid(31, 3), kid(31, 5, 1), flags=0)  # nor is the new one
    stage.ready()
    stage.wait_applied()
    assert set(stage.sql("SELECT id, p FROM child")) == {
        (11, 1),
        (12, 1),
        (21, 2),
        (22, 4),
        (31, 5),
    }
    with writer:
        writer.delete(parent, one(1), flags=0)  # takes 11 and 12 along, and 111's child
        writer.read(leaf, {"id": 112, "c": None}, flags=0)
        writer.update(leaf, {"id": 111, "c": None}, {"id": 111, "c": 21}, flags=0)
        writer.update(parent, one(2), one(20), flags=0)  # 21 follows
        writer.update(child, kid(21, 20), kid(21, 20, 7), flags=0)
        writer.update(parent, one(3), one(3, 9), flags=0)  # changes nothing that is referred to
        writer.delete(child, kid(51, 5), flags=0)  # not there
        writer.read(parent, one(4), flags=0)
        writer.read(parent, one(5), flags=0)
        writer.update(child, kid(31, 5, 1), kid(310, 5, 1), flags=0)  # 311 follows
    stage.wait_applied()
    assert set(stage.sql("SELECT id, n FROM parent")) == {(20, 0), (3, 9), (4, 0), (5, 0)}
    assert set(stage.sql("SELECT id, p, n FROM child")) == {(21, 20, 7), (22, 4, 1), (310, 5, 1)}
    assert set(stage.sql("SELECT id, c FROM leaf")) == {
        (111, 21),
        (112, None),
        (221, 21),
        (311, 310),
    }
    with writer:
        for table in (parent, child, leaf):
            writer.transfer_end(table)
        writer.delete(parent, one(5), flags=0)
    stage.wait_applied()
    assert (311, None) in stage.sql("SELECT id, c FROM leaf")


@pytest.mark.parametrize("server", ["mysql_b", "mariadb_b"])
def test_a_parent_alone_is_transferred_under_its_children(
    make_stage: MakeStage, server: str, request: pytest.FixtureRequest
) -> None:
    stage = make_stage(request.getfixturevalue(server), topics={"partitions": 1})
    stage.begin(PARENT, CHILD)
    writer = stage.writer
    parent, child = f"{stage.db}.parent", f"{stage.db}.child"
    with writer:
        for id_ in (1, 2):
            writer.insert(parent, {"id": id_, "n": 0}, flags=0)
            writer.insert(child, {"id": id_, "p": id_, "n": 0}, flags=0)
        writer.transfer_begin(parent)
        writer.insert(child, {"id": 3, "p": 2, "n": 0}, flags=0)
        writer.update(child, {"id": 3, "p": 2, "n": 0}, {"id": 3, "p": 1, "n": 0}, flags=0)
        writer.delete(parent, {"id": 1, "n": 0}, flags=0)
        writer.read(parent, {"id": 2, "n": 0}, flags=0)
        writer.transfer_end(parent)
    stage.ready()
    stage.wait_applied()
    assert stage.sql("SELECT id, p FROM child") == [(2, 2)]
    assert stage.sql("SELECT id FROM parent") == [(2,)]


@pytest.mark.parametrize("via", ["row_events", "sql"])
def test_an_insert_of_a_row_that_is_there_diverges_in_a_transfer_too(
    make_stage: MakeStage, via: str
) -> None:
    stage = make_stage(topics={"partitions": 1}, apply={"via": via}).begin()
    writer, items = stage.writer, stage.items
    with writer:
        writer.transfer_begin(items)
        writer.read(items, row(1, 1))
        writer.read(items, row(2, 2))
        writer.insert(items, row(2, 2))
        writer.read(items, row(3, 3))
    consumer = stage.consumer()
    assert consumer.wait_exit(90) == DATA_ERROR
    assert f"insert of {items}" in consumer.log_tail(1)
    assert stage.sql("SELECT id FROM items ORDER BY id") == [(1,), (2,)]


def test_behind_its_end_a_row_that_is_missing_diverges(make_stage: MakeStage) -> None:
    stage = make_stage(topics={"partitions": 1}).begin()
    writer, items = stage.writer, stage.items
    with writer:
        writer.transfer_begin(items)
        writer.delete(items, row(1, 1))
        writer.transfer_end(items)
        writer.delete(items, row(1, 1))
    consumer = stage.consumer()
    assert consumer.wait_exit(90) == DATA_ERROR
    assert f"delete of {items}" in consumer.log_tail(1)


def transfer(number: int, table: str, phase: Any, seq: int, schema_id: int = 1) -> Transfer:
    return Transfer(
        id=number, seq=seq, db="d", table=table, phase=phase, schema_id=schema_id, file="f", pos=4
    )


def test_a_table_is_being_transferred_from_its_begin_to_its_end() -> None:
    transfers = Transfers()
    assert not transfers.under_way(100)
    transfers.take(transfer(1, "a", "begin", 10))
    transfers.take(transfer(2, "b", "begin", 20))
    transfers.take(transfer(3, "a", "end", 30))
    transfers.take(transfer(4, "b", "cancelled", 40))
    a, b = TableId("d", "a"), TableId("d", "b")
    found = [transfers.under_way(seq) for seq in (9, 10, 20, 30, 39, 40)]
    assert found == [set(), {a}, {a, b}, {b}, {b}, set()]
    assert transfers.knows(3)
    assert not transfers.knows(5)


def test_a_table_that_is_renamed_is_still_being_transferred() -> None:
    """Its transfer's end bears the old name, which another table may have by then."""
    transfers = Transfers()

    def statement(seq: int, sql: str) -> None:
        context = DdlContext(database="d", client_collation=45)
        verb = "ALTER_TABLE" if sql.startswith("ALTER") else "RENAME_TABLE"
        ddl = Ddl(id=seq, seq=seq, sql=sql.encode(), context=context, verb=verb, server_id=1)
        transfers.follow(ddl, mariadb=True)

    def found(*seqs: int) -> list[set[str]]:
        return [{table.table for table in transfers.under_way(seq)} for seq in seqs]

    statement(5, "RENAME TABLE a TO z")
    transfers.take(transfer(1, "a", "begin", 10))
    transfers.take(transfer(2, "b", "begin", 11))
    statement(20, "RENAME TABLE a TO passing, b TO a, passing TO b")
    statement(30, "ALTER TABLE a ADD x INT, RENAME TO c")
    assert found(10, 19, 20, 29, 30) == [{"a"}, {"a", "b"}, {"a", "b"}, {"a", "b"}, {"b", "c"}]
    transfers.take(transfer(3, "a", "begin", 40))
    assert found(40) == [{"a", "b", "c"}]
    transfers.take(transfer(4, "b", "end", 50, schema_id=0))  # what is c now
    assert found(49, 50) == [{"a", "b", "c"}, {"a", "b"}]
    transfers.take(transfer(5, "a", "end", 60))  # the third
    assert found(60) == [{"b"}]
    transfers.take(transfer(6, "a", "end", 70, schema_id=0))
    assert found(70) == [set()]
    assert transfers.ever() == {TableId("d", "a"), TableId("d", "b")}
