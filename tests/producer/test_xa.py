"""XA transactions of real servers: their rows come when they are committed, whoever does that and
whatever was restarted between.

On servers of their own: the end of an XA transaction stops every pipeline that began after its
PREPARE.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pymysql
import pytest
from confluent_kafka import Consumer, TopicPartition

from fix_capture import MakePublished, Published
from fix_own_servers import run_sql
from mysync_lab.sql import SqlServer
from mysync_producer.xa import XaRecord, known
from published import assert_in_order, replayed

ITEMS = "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(2000), n BIGINT)"
SMALL = {"topics": {"max_message_bytes": 10_000}, "publish": {"max_bytes": 65_536}}
MANY = (
    "INSERT INTO items WITH RECURSIVE n (i) AS (SELECT {0} UNION ALL SELECT i + 1 FROM n WHERE "
    "i < {0} + 599) SELECT i, REPEAT('name', 100), i FROM n"
)


pytestmark = pytest.mark.xdist_group("own servers")

SOME = "DELETE FROM items WHERE id BETWEEN 1000 AND 1599 AND id % 7 = 0"


@pytest.fixture(params=["own_mysql", "own_mariadb"])
def source(request: pytest.FixtureRequest, make_published: MakePublished) -> Iterator[SqlServer]:
    """Without prepared transactions at the end: their locks would keep the database."""
    server: SqlServer = request.getfixturevalue(request.param)
    yield server
    for format_id, middle, _, data in run_sql(server, "XA RECOVER"):
        data = data if isinstance(data, bytes) else data.encode()
        name = f"X'{data[:middle].hex()}', X'{data[middle:].hex()}', {format_id}"
        run_sql(server, f"XA ROLLBACK {name}")


@contextmanager
def session(published: Published) -> Iterator[Any]:
    """A function that runs statements in one session, which is then cut off."""
    connection = published.source.connect(database=published.db)

    def run(*statements: str) -> None:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    # What is prepared keeps its locks: of rows, not of what stands between them.
    run("SET SESSION innodb_lock_wait_timeout = 10")
    run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    yield run
    connection.close()


def prepare(published: Published, name: str, *statements: str) -> None:
    with session(published) as run:
        run(f"XA START '{name}'", *statements, f"XA END '{name}'", f"XA PREPARE '{name}'")


def held(published: Published) -> list[XaRecord]:
    """What the topic of prepared transactions holds, deleted or not."""
    topic = f"{published.name}.xa"
    consumer = Consumer(
        {
            "bootstrap.servers": published.bootstrap,
            "group.id": topic,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[XaRecord] = []
    while (message := consumer.poll(10)) is not None and message.error() is None:
        found.append((message.offset() or 0, message.key() or b"", message.value()))
    consumer.close()
    assert message is not None
    return found


def left(records: Sequence[XaRecord]) -> set[bytes]:
    """The keys that compaction would keep."""
    last = {key: value for _, key, value in records}
    return {key for key, value in last.items() if value is not None}


def rows_of(published: Published) -> dict[tuple[int], dict[str, object]]:
    columns = ("id", "name", "n")
    return {
        (row[0],): dict(zip(columns, row, strict=True))
        for row in published.select("items", *columns)
    }


def test_rows_come_when_an_xa_transaction_is_committed_and_not_before(
    source: SqlServer, make_published: MakePublished
) -> None:
    published = make_published(source=source, **SMALL)
    table = f"{published.db}.items"
    db = published.db
    published.on_source(ITEMS)
    producer = published.start()
    prepare(published, f"{db} small", "INSERT INTO items VALUES (1, 'one', 1)")
    prepare(published, f"{db} back", "INSERT INTO items VALUES (2, 'two', 1)")
    prepare(published, f"{db} large", MANY.format(1000), SOME)
    prepare(published, f"{db} at once", MANY.format(2000))
    published.on_source(f"XA COMMIT '{db} at once'", "INSERT INTO items VALUES (3, 'three', 3)")
    topics = published.caught_up_topics()
    # Cut by what the source did between, not by when the rows were written.
    ids = [row.value["after"]["id"] for row in topics.rows()]
    assert ids == [*range(2000, 2600), 3]
    prepared = known(held(published), "")
    assert [each.tables for each in prepared.values()] == [(table,)] * 3
    assert max(each.chunks for each in prepared.values()) > 10
    # The one of a predecessor: by its successor, from the topic, with kills on the way.
    producer.kill()
    published.on_source(f"XA COMMIT '{db} large'", f"XA ROLLBACK '{db} back'")
    for crash in ("producer.xa_commit:12", "producer.mid_transaction_commit:2"):
        published.start(crash=crash).wait_exit(60)
    published.start()
    published.on_source(f"XA COMMIT '{db} small'")
    with session(published) as run:
        for phase, first in (("small", 10), ("large", 4000)):
            statement = MANY.format(first) if phase == "large" else "DELETE FROM items WHERE n = 3"
            run(f"XA START '{db} {phase}'", statement, f"XA END '{db} {phase}'")
            run(f"XA COMMIT '{db} {phase}' ONE PHASE")
    topics = published.caught_up_topics()
    assert_in_order(topics)
    assert any(state.get("rows_done") for state in topics.states)
    assert replayed(topics, table, ("id",)) == rows_of(published)
    assert left(held(published)) == set()
    sizes = [
        sum(row.order["txn_seq"] == first for row in topics.rows())
        for first in dict.fromkeys(row.order["txn_seq"] for row in topics.rows())
    ]
    assert sizes == [600, 1, 600 + 86, 1, 1, 600]


def test_an_orphan_is_finished_by_somebody_else_after_the_source_was_killed(
    source: SqlServer, make_published: MakePublished
) -> None:
    """Prepared rows survive that, and so does the lock: nobody can change the table meanwhile."""
    published = make_published(source=source)
    published.on_source(ITEMS)
    published.start()
    for name in ("kept", "back"):
        prepare(
            published, name, f"INSERT INTO items VALUES ({len(name)}{name == 'kept':d}, 'x', 1)"
        )
    published.catch_up()
    for restart in (False, True):
        if restart:
            source.kill()
            source.start()
        with session(published) as run, pytest.raises(pymysql.err.MySQLError, match="1205"):
            run("SET SESSION lock_wait_timeout = 1", "ALTER TABLE items ADD COLUMN more INT")
    published.on_source("XA ROLLBACK 'back'", "XA COMMIT 'kept'")
    topics = published.caught_up_topics()
    assert_in_order(topics)
    assert [row.value["after"]["id"] for row in topics.rows()] == [41]
    assert published.select("items", "id") == [(41,)]
