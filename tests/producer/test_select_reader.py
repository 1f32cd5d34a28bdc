"""Reading a result: in pieces, to its end or not, over a link that breaks, in a wrong session."""

from contextlib import closing
from typing import Any

import pytest

from binlog_rows import Source
from mysync_producer import rowcodec
from mysync_producer.rowerrors import CorruptResult
from mysync_producer.selectimage import RowImages
from mysync_producer.selectreader import ResultReader
from mysync_runtime.errors import ConnectionLost, MysyncError, TransientError
from mysync_schemas.table import TableSchema
from producer.select_rig import encoded, plan_of, read_images, reading, select

ROWS = 3_000


@pytest.fixture(scope="module")
def schema(source: Source) -> TableSchema:
    source.sql(
        "CREATE TABLE n (n INT PRIMARY KEY)",
        f"INSERT INTO n VALUES {', '.join(f'({i})' for i in range(1000))}",
        "CREATE TABLE t (id INT PRIMARY KEY, a TEXT CHARACTER SET latin1)",
        "INSERT INTO t SELECT a.n * 1000 + b.n, REPEAT('x', b.n % 200) FROM n a, n b WHERE a.n < 3",
    )
    return source.describe("t")


def reader_of(source: Source, connection: Any, schema: TableSchema, rest: str = "") -> ResultReader:
    images = RowImages(schema, mariadb=source.mariadb)
    return ResultReader(connection, select(source, schema, rest), images)


def drain(reader: ResultReader) -> None:
    while reader.read(1 << 20):
        pass


@pytest.mark.parametrize("most", [1, 1000, 1 << 30])
def test_pieces_hold_whole_rows(source: Source, schema: TableSchema, most: int) -> None:
    plan = plan_of(rowcodec, source, schema, None)
    found = 0
    with reading(source) as connection:
        reader = reader_of(source, connection, schema, f"ORDER BY id LIMIT {ROWS}")
        while (piece := reader.read(most)) is not None:
            found += len(encoded(rowcodec, plan, piece, 0, len(piece)))
            assert reader.rows == found
            assert len(piece) < most + 300
        assert reader.read(most) is None
        reader.close()
        assert connection.open
    assert found == ROWS


def test_an_empty_result_has_no_pieces(source: Source, schema: TableSchema) -> None:
    assert read_images(source, schema, "WHERE id < 0") == []


def test_one_reader_after_another_on_a_connection(source: Source, schema: TableSchema) -> None:
    with reading(source) as connection:
        images = RowImages(schema, mariadb=source.mariadb)
        for start in (0, 100, 200):
            query = select(source, schema, f"WHERE id >= {start} ORDER BY id LIMIT 100")
            reader = ResultReader(connection, query, images)
            assert reader.read(1 << 20)
            assert reader.read(1 << 20) is None
            assert reader.rows == 100
            reader.close()


def test_a_result_that_is_left_closes_the_connection(source: Source, schema: TableSchema) -> None:
    with reading(source) as connection:
        reader = reader_of(source, connection, schema)
        assert reader.read(1)
        reader.close()
        assert not connection.open


def test_a_killed_query_is_tried_again(source: Source, schema: TableSchema) -> None:
    with reading(source) as connection:
        reader = reader_of(source, connection, schema, "CROSS JOIN n")
        assert reader.read(1)
        source.sql(f"KILL QUERY {connection.thread_id()}")
        with pytest.raises(TransientError, match=r"read rows of .*1317"):
            drain(reader)
        assert reader.read(1) is None
        # The error came in its place: nothing is left to be read.
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")


def test_a_killed_connection_is_lost(source: Source, schema: TableSchema) -> None:
    with reading(source) as connection:
        reader = reader_of(source, connection, schema, "CROSS JOIN n")
        assert reader.read(1)
        source.sql(f"KILL {connection.thread_id()}")
        with pytest.raises(ConnectionLost):
            drain(reader)


def test_a_server_that_says_nothing_is_lost(source: Source, schema: TableSchema) -> None:
    with (
        closing(source.server.connect(database=source.db, read_timeout=0.2)) as connection,
        pytest.raises(ConnectionLost),
    ):
        reader_of(source, connection, schema, "WHERE id = 0 AND SLEEP(2)")


def test_what_the_server_refuses_leaves_the_connection(source: Source, schema: TableSchema) -> None:
    with reading(source) as connection:
        with pytest.raises(MysyncError, match="1054"):
            reader_of(source, connection, schema, "WHERE nothing = 1")
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")


def test_text_in_another_character_set_is_refused(source: Source, schema: TableSchema) -> None:
    with (
        closing(source.server.connect(database=source.db)) as connection,
        pytest.raises(CorruptResult, match="utf8mb4 instead of its own, latin1"),
    ):
        reader_of(source, connection, schema)


def test_another_number_of_columns_is_refused(source: Source, schema: TableSchema) -> None:
    with reading(source) as connection:
        images = RowImages(schema, mariadb=source.mariadb)
        with pytest.raises(CorruptResult, match="3 columns where 2"):
            ResultReader(connection, "SELECT id, a, 1 FROM t", images)
        assert not connection.open


def test_a_warning_is_refused(source: Source, schema: TableSchema) -> None:
    with reading(source) as connection:
        images = RowImages(schema, mariadb=source.mariadb)
        query = "SELECT CAST('x' AS SIGNED), a FROM t LIMIT 1"
        reader = ResultReader(connection, query, images)
        with pytest.raises(CorruptResult, match="1292"):
            drain(reader)
