"""Memory is bounded whatever comes: one transaction of a million rows, a backlog of 2 GB."""

import pytest

from fix_pipeline import MakeReplica
from mysync_lab.kafka import KafkaServer
from mysync_lab.services import Service
from mysync_lab.sql import SqlServer

pytestmark = pytest.mark.soak

LIMIT = 400 * 1000 * 1000
LARGE = 100_000_000
MULTIPLE = 20  # of a row: what either service may take while it passes
BACKLOG = 2_000_000_000
PATIENCE = 1_500

TABLE = "CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, n INT, pad VARBINARY(1000))"
# 10,000 rows a time, made by the server itself.
DIGITS = "(SELECT 0 d UNION ALL " + " UNION ALL ".join(f"SELECT {d}" for d in range(1, 10)) + ")"
TEN_THOUSAND = f"{DIGITS} a CROSS JOIN {DIGITS} b CROSS JOIN {DIGITS} c CROSS JOIN {DIGITS} e"


def say(what: str, **services: Service) -> None:
    for name, service in services.items():
        peak = service.peak_rss()
        print(f"\n{what}: peak RSS of the {name} {peak / 1e6:.0f} MB", end="")
        assert 0 < peak < LIMIT, f"{name}: {peak} bytes"


def test_one_transaction_of_a_million_rows(make_replica: MakeReplica) -> None:
    replica = make_replica()
    replica.create(TABLE)
    producer, consumer = replica.start()
    with replica.source.connect(database=replica.db, autocommit=False) as connection:
        with connection.cursor() as cursor:
            for _ in range(100):
                cursor.execute(
                    f"INSERT INTO t (n, pad) SELECT 1, RANDOM_BYTES(50) FROM {TEN_THOUSAND}"
                )
        connection.commit()
    replica.catch_up(PATIENCE)
    say("a transaction of 1,000,000 rows", producer=producer, consumer=consumer)
    replica.assert_equal()


@pytest.mark.xdist_group("own servers")
@pytest.mark.parametrize("how", ["compressed", "xa", "xa in one phase"])
def test_one_transaction_of_a_million_rows_that_comes_as_a_whole(
    how: str, own_mysql: SqlServer, make_replica: MakeReplica
) -> None:
    """Its rows are known only when all of it was read, or are in one event."""
    replica = make_replica(own_mysql)
    replica.create(TABLE)
    producer, consumer = replica.start()
    begin, *end = {
        "compressed": ("BEGIN", "COMMIT"),
        "xa": ("XA START 'm'", "XA END 'm'", "XA PREPARE 'm'", "XA COMMIT 'm'"),
        "xa in one phase": ("XA START 'm'", "XA END 'm'", "XA COMMIT 'm' ONE PHASE"),
    }[how]
    insert = f"INSERT INTO t (n, pad) SELECT 1, REPEAT('p', 300) FROM {TEN_THOUSAND}"
    compress = f"SET SESSION binlog_transaction_compression = {how == 'compressed'}"
    replica.on_source(compress, begin, *[insert] * 100, *end)
    replica.catch_up(PATIENCE)
    replica.assert_equal()
    say(f"1,000,000 rows, {how}", producer=producer, consumer=consumer)


def test_a_backlog_of_two_gigabytes(make_replica: MakeReplica, kafka: KafkaServer) -> None:
    replica = make_replica()
    replica.create(TABLE)
    producer, consumer = replica.start()
    assert consumer.stop() == 0
    topic = f"{replica.pipeline.name}.rows-*"
    stored = 0
    while stored < BACKLOG:
        for _ in range(10):
            replica.on_source(
                f"INSERT INTO t (n, pad) SELECT 1, RANDOM_BYTES(1000) FROM {TEN_THOUSAND}"
            )
        stored = sum(log.stat().st_size for log in kafka.data_dir.glob(f"{topic}/*.log"))
    say(f"{stored / 1e9:.1f} GB in Kafka", producer=producer)
    consumer.start().wait_ready()
    replica.catch_up(PATIENCE)
    say("the backlog applied", producer=producer, consumer=consumer)
    replica.assert_equal()


@pytest.mark.parametrize("via", ["row_events", "sql"])
def test_a_row_of_100_megabytes_passes_in_parts(via: str, make_replica: MakeReplica) -> None:
    replica = make_replica(apply={"via": via})
    replica.create("CREATE TABLE large (id INT PRIMARY KEY, data LONGBLOB)")
    producer, consumer = replica.start()
    row = f"REPEAT(RANDOM_BYTES(1000), {LARGE // 1000})"
    replica.on_source(
        f"INSERT INTO large VALUES (1, {row}), (2, 'small')",
        f"UPDATE large SET data = {row} WHERE id = 2",
        "DELETE FROM large WHERE id = 1",
    )
    replica.catch_up(PATIENCE)
    replica.assert_equal()
    for name, service in (("producer", producer), ("consumer", consumer)):
        peak = service.peak_rss()
        print(f"\n100 MB by {via}: {name} {peak / 1e6:.0f} MB, {peak / LARGE:.1f} times the row")
        assert 0 < peak < MULTIPLE * LARGE
