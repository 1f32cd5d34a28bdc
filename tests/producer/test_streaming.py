"""Rows of a real source as a reader finds them in Kafka."""

import random

import pytest

from fix_capture import MakePublished, Published
from fix_own_servers import run_sql
from mysync_lab.layout import wait_until
from mysync_lab.sql import SqlServer
from published import assert_in_order, replayed

ITEMS = "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(40), n BIGINT)"


def rows_of(published: Published, table: str = "items") -> dict[tuple[int], dict[str, object]]:
    columns = ("id", "name", "n")
    return {
        (row[0],): dict(zip(columns, row, strict=True)) for row in published.select(table, *columns)
    }


def test_a_transaction_arrives_as_its_rows_in_order_under_one_txn_seq(published: Published) -> None:
    published.on_source(ITEMS)
    published.start()
    published.on_source(
        "BEGIN",
        "INSERT INTO items VALUES (1, 'one', 10), (2, 'two', 20)",
        "UPDATE items SET n = n + 1 WHERE id = 1",
        "DELETE FROM items WHERE id = 2",
        "COMMIT",
        "INSERT INTO items VALUES (3, NULL, NULL)",
    )
    topics = published.caught_up_topics()
    assert_in_order(topics)
    rows = topics.rows()
    assert [row.value["op"] for row in rows] == ["c", "c", "u", "d", "c"]
    first = rows[0].seq
    assert [row.order["txn_seq"] for row in rows] == [first] * 4 + [rows[4].seq]
    assert rows[2].value["before"] == {"id": 1, "name": "one", "n": 10}
    assert rows[2].value["after"] == {"id": 1, "name": "one", "n": 11}
    assert rows[3].key == {"id": 2}
    assert {row.table for row in rows} == {f"{published.db}.items"}


def test_heartbeats_tell_every_partition_how_far_the_source_was_read(published: Published) -> None:
    published.on_source(ITEMS)
    published.start()
    published.on_source("INSERT INTO items VALUES (1, 'one', 1)")
    published.catch_up()

    def told() -> set[int]:
        return {beat.partition for beat in published.topics().of_kind("Heartbeat")}

    wait_until(lambda: told() == set(range(8)), "a heartbeat in every partition", 120)
    topics = published.topics()
    state = topics.states[-1]
    beats = topics.of_kind("Heartbeat")
    assert all(beat.value["gtid_set"] for beat in beats)
    assert max((b.value["file"], b.value["pos"]) for b in beats) <= (state["file"], state["pos"])


def test_tables_are_routed_by_key_from_the_adoption_line_on(published: Published) -> None:
    published.on_source(ITEMS)
    published.start()
    values = ", ".join(f"({i}, 'name', {i})" for i in range(100))
    published.on_source(f"INSERT INTO items VALUES {values}")
    topics = published.caught_up_topics()
    assert [line.value["action"] for line in topics.of_kind("Line")] == ["adopt"] * 16
    assert {row.partition for row in topics.rows()} == set(range(8))


def test_definitions_that_are_ahead_of_the_stream_are_adopted_once_it_has_passed_them(
    published: Published,
) -> None:
    """Killed before the adoption: rows of the meantime go whole to one partition."""
    published.on_source(ITEMS)
    published.start(crash="producer.first_start.after_first_commit").wait_exit(60)
    values = ", ".join(f"({i}, 'name', {i})" for i in range(50))
    published.on_source(f"INSERT INTO items VALUES {values}")
    published.start()
    published.on_source("UPDATE items SET n = n + 1")
    topics = published.caught_up_topics()
    assert_in_order(topics)
    assert replayed(topics, f"{published.db}.items", ("id",)) == rows_of(published)
    versions = [r for r in topics.control if type(r).__name__ == "TableSchema"]
    assert [version.routing.mode for version in versions] == ["whole", "key"]
    assert versions[0].value_schema_id == versions[1].value_schema_id


def test_sigterm_ends_it_cleanly_and_a_restart_goes_on_where_it_was(published: Published) -> None:
    published.on_source(ITEMS)
    producer = published.start()
    published.on_source("INSERT INTO items VALUES (1, 'one', 1)")
    published.catch_up()
    assert producer.stop() == 0
    published.on_source("INSERT INTO items VALUES (2, 'two', 2)")
    published.start()
    topics = published.caught_up_topics()
    assert_in_order(topics)
    assert [row.value["after"]["id"] for row in topics.rows()] == [1, 2]


@pytest.mark.xdist_group("own servers")
@pytest.mark.parametrize("server", ["own_mysql", "own_mariadb"])
def test_a_connection_that_is_made_again_and_again_delivers_nothing_twice(
    make_published: MakePublished, server: str, request: pytest.FixtureRequest
) -> None:
    """Readers by GTID that begin where they first did would send everything again."""
    source: SqlServer = request.getfixturevalue(server)
    published = make_published(source)
    published.on_source(ITEMS)
    service = published.start()

    def cut() -> None:
        began = service.log.read_text().count('"streaming"')
        dumps = "FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'"
        for (id_,) in run_sql(source, f"SELECT id {dumps}"):
            run_sql(source, f"KILL {id_}")
        wait_until(lambda: service.log.read_text().count('"streaming"') > began, "another dump", 60)

    for id_ in range(1, 4):
        published.on_source(f"INSERT INTO items VALUES ({id_}, 'n', 1)")
        published.catch_up()
        cut()
        cut()
    topics = published.caught_up_topics()
    assert_in_order(topics)
    assert [row.key for row in topics.rows()] == [{"id": id_} for id_ in range(1, 4)]


def test_random_kills_lose_and_double_nothing(published: Published) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    published.on_source(ITEMS)
    producer = published.start()
    for _ in range(4):
        for _ in range(20):
            key = chance.randrange(20)
            published.on_source(
                "BEGIN",
                f"REPLACE INTO items VALUES ({key}, 'r', {chance.random()})",
                f"UPDATE items SET n = n + 1 WHERE id > {chance.randrange(20)}",
                f"DELETE FROM items WHERE id = {chance.randrange(20)}",
                chance.choice(["COMMIT", "COMMIT", "ROLLBACK"]),
            )
            if chance.random() < 0.1 and producer.running:
                producer.kill()
        if not producer.running:
            published.start()
    topics = published.caught_up_topics()
    assert_in_order(topics)
    assert replayed(topics, f"{published.db}.items", ("id",)) == rows_of(published)


def test_a_huge_transaction_is_committed_in_pieces_and_survives_kills_between_them(
    make_published: MakePublished,
) -> None:
    published = make_published(publish={"max_bytes": 65_536})
    published.on_source(ITEMS)
    published.start().stop()
    published.on_source(
        "INSERT INTO items WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 1000) SELECT i, 'a name of some length', i FROM n",
        "INSERT INTO items SELECT id + 1000, name, n FROM items",
        "INSERT INTO items SELECT id + 2000, name, n FROM items",
    )
    for passes in (1, 3):
        published.start(crash=f"producer.mid_transaction_commit:{passes}").wait_exit(60)
    published.start(crash="producer.after_kafka_commit:3").wait_exit(60)
    published.start()
    topics = published.caught_up_topics()
    assert_in_order(topics)
    assert any(state.get("rows_done") for state in topics.states)
    assert replayed(topics, f"{published.db}.items", ("id",)) == rows_of(published)
    assert len({row.order["txn_seq"] for row in topics.rows()}) == 3


def test_a_row_larger_than_a_message_comes_in_parts_that_give_it_back(
    make_published: MakePublished,
) -> None:
    published = make_published(topics={"max_message_bytes": 20_000})
    published.on_source("CREATE TABLE blobs (id INT PRIMARY KEY, data LONGBLOB)")
    published.start()
    published.on_source("INSERT INTO blobs VALUES (1, REPEAT('abcdefgh', 20000)), (2, 'small')")
    topics = published.caught_up_topics()
    assert_in_order(topics)
    parts = topics.of_kind("Part")
    assert len(parts) == parts[0].value["count"] > 5
    assert {part.value["row_id"] for part in parts} == {parts[-1].seq}
    whole = b"".join(part.value["data"] for part in parts)
    assert b"abcdefgh" * 20000 in whole
    assert [row.value["after"] for row in topics.rows()] == [{"id": 2, "data": b"small"}]


def test_excluded_tables_may_do_anything(make_published: MakePublished) -> None:
    published = make_published()
    published.on_source(ITEMS)
    include = [f"{published.db}.*"]
    other = make_published(filters={"include": include, "exclude": [f"{published.db}.x*"]})
    other.start()
    published.on_source(
        "CREATE TABLE x1 (id INT PRIMARY KEY, g INT AS (id + 1))",
        "INSERT INTO x1 (id) VALUES (1)",
        "ALTER TABLE x1 ADD COLUMN c INT",
        "RENAME TABLE x1 TO x2",
        "INSERT INTO items VALUES (1, 'one', 1)",
        "ANALYZE TABLE items",
        "FLUSH TABLES",
        f"CREATE USER 'someone_{published.db}'@'localhost'",
        f"GRANT SELECT ON {published.db}.* TO 'someone_{published.db}'@'localhost'",
        f"DROP USER 'someone_{published.db}'@'localhost'",
        "DROP TABLE x2",
    )
    topics = other.caught_up_topics()
    assert [row.table for row in topics.rows()] == [f"{published.db}.items"]


def test_rows_that_savepoints_took_back_are_not_published(
    make_published: MakePublished, mariadb_a: SqlServer
) -> None:
    """With a table that can't roll back in the transaction, rows are logged, then ROLLBACK TO."""
    published = make_published(source=mariadb_a)
    published.on_source(ITEMS, "CREATE TABLE plain (id INT PRIMARY KEY) ENGINE=MyISAM")
    published.start()
    published.on_source(
        "BEGIN",
        "INSERT INTO items VALUES (1, 'kept', 1)",
        "SAVEPOINT here",
        "INSERT INTO items VALUES (2, 'taken back', 2)",
        "INSERT INTO plain VALUES (7)",
        "ROLLBACK TO SAVEPOINT here",
        "INSERT INTO items VALUES (3, 'kept', 3)",
        "COMMIT",
        "BEGIN",
        "INSERT INTO items VALUES (4, 'taken back', 4)",
        "INSERT INTO plain VALUES (8)",
        "ROLLBACK",
        "INSERT INTO items VALUES (5, 'kept', 5)",
    )
    topics = published.caught_up_topics()
    assert_in_order(topics)
    assert replayed(topics, f"{published.db}.items", ("id",)) == rows_of(published)


def test_mariadb_streams_too(make_published: MakePublished, mariadb_a: SqlServer) -> None:
    published = make_published(source=mariadb_a)
    published.on_source(ITEMS)
    producer = published.start()
    published.on_source(
        "INSERT INTO items VALUES (1, 'one', 1), (2, 'two', 2)",
        "BEGIN",
        "UPDATE items SET id = id + 10",
        "SAVEPOINT s",
        "DELETE FROM items",
        "ROLLBACK TO s",
        "COMMIT",
    )
    published.catch_up()
    producer.kill()
    published.on_source("INSERT INTO items VALUES (3, 'three', 3)")
    published.start()
    topics = published.caught_up_topics()
    assert_in_order(topics)
    assert replayed(topics, f"{published.db}.items", ("id",)) == rows_of(published)
    assert topics.rows()[0].value["source"]["gtid"].count("-") == 2
    assert topics.rows()[0].value["source"]["connector"] == "mariadb"
