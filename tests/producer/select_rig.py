"""Rows of a table as the log has them and as a SELECT shows them, both through the transcoder."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import ModuleType
from typing import Any

from binlog_rows import PIPELINE, RowsEvent, Source
from mysync_producer import rowcodec as compiled_codec
from mysync_producer.selectimage import RowImages
from mysync_producer.selectlist import SESSION, from_suffix, select_list
from mysync_producer.selectmap import table_map_of
from mysync_producer.selectreader import ResultReader
from mysync_producer.tablemap import TableMap
from mysync_schemas.table import TableSchema
from producer.rig import PARTITIONS, AnyFold

Message = tuple[int, bytes | None, bytes]
"""Partition, key, image."""


@contextmanager
def reading(source: Source) -> Iterator[Any]:
    """A connection that is set up to read rows."""
    with closing(source.server.connect(database=source.db)) as connection:
        with connection.cursor() as cursor:
            for statement in SESSION:
                cursor.execute(statement)
        yield connection


def select(source: Source, schema: TableSchema, rest: str = "") -> str:
    wanted = select_list(schema, mariadb=source.mariadb)
    return f"SELECT {wanted} FROM `{schema.table}`{from_suffix(schema)} {rest}"


def read_images(
    source: Source,
    schema: TableSchema,
    rest: str = "",
    most: int = 1 << 20,
    images: type[RowImages] = RowImages,
) -> list[bytes]:
    """The pieces in which the table's rows come."""
    with reading(source) as connection:
        rows = images(schema, mariadb=source.mariadb, charsets=source.charsets(schema))
        reader = ResultReader(connection, select(source, schema, rest), rows)
        pieces = []
        while (piece := reader.read(most)) is not None:
            pieces.append(piece)
        reader.close()
        assert connection.open
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
    return pieces


def plan_of(
    codec: ModuleType, source: Source, schema: TableSchema, table_map: TableMap | None
) -> Any:
    charsets = source.charsets(schema)
    if table_map is None:
        table_map = table_map_of(schema, mariadb=source.mariadb, charsets=charsets)
    return codec.TablePlan(
        table_map,
        schema,
        pipeline=PIPELINE,
        version="1",
        connector="mysql",
        partitions=PARTITIONS,
        folds=AnyFold(),
        charsets=charsets,
    )


def encoded(codec: ModuleType, plan: Any, buf: bytes, start: int, end: int) -> list[Message]:
    """The rows of an insert, in their order."""
    out: list[list[tuple[bytes | None, bytes]]] = [[] for _ in range(PARTITIONS)]
    sequencer = codec.Sequencer(0, [0] * PARTITIONS)
    ctx = codec.EventContext()
    at = start
    found: list[Message] = []
    while at < end:
        # One row at a time: the order is then known; numbers are the same each time.
        sequencer.seq, sequencer.prev = 0, [0] * PARTITIONS
        _, _, at = codec.encode_rows(plan, ctx, sequencer, ord("c"), buf, at, end, 0, 0, 1, out)
        ctx.txn_seq = 0
        for partition, sent in enumerate(out):
            found += [(partition, key, value) for key, value in sent]
            sent.clear()
    return found


def logged(source: Source, schema: TableSchema, events: list[RowsEvent]) -> list[Message]:
    """The rows of insert events."""
    found: list[Message] = []
    for event in events:
        plan = plan_of(compiled_codec, source, schema, event.table_map)
        ctx = compiled_codec.EventContext()
        start = compiled_codec.columns_present(plan, ctx, event.buf, event.start, event.end, False)
        found += encoded(compiled_codec, plan, event.buf, start, event.end)
    return found


def selected(
    source: Source, schema: TableSchema, rest: str = "", images: type[RowImages] = RowImages
) -> list[Message]:
    """The same rows by SELECT."""
    plan = plan_of(compiled_codec, source, schema, None)
    return [
        message
        for piece in read_images(source, schema, rest, images=images)
        for message in encoded(compiled_codec, plan, piece, 0, len(piece))
    ]


def assert_same(source: Source, table: str, events: list[RowsEvent], rest: str = "") -> None:
    """The rows that the events inserted are those that a SELECT reads, in their order."""
    schema = source.describe(table)
    from_log = logged(source, schema, events)
    by_select = selected(source, schema, rest)
    assert len(by_select) == len(from_log)
    for one, other in zip(by_select, from_log, strict=True):
        assert one == other, (schema.columns[1].column_type, one, other)
