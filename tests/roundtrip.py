"""From a server's binlog to another server's tables, without Kafka between: the producer's codec,
then our images."""

from collections.abc import Sequence

from binlog_rows import PIPELINE, RowsEvent, Source
from image_rig import Target
from mysync_producer import rowcodec
from mysync_schemas.fold import FoldTable
from mysync_schemas.table import TableSchema


def transcoded(source: Source, schema: TableSchema, *statements: str) -> list[bytes]:
    """The producer's records of what the statements change."""
    return encoded(source, schema, source.capture(*statements))


def encoded(source: Source, schema: TableSchema, events: Sequence[RowsEvent]) -> list[bytes]:
    """The producer's records of these events."""
    records = []
    for event in events:
        folds: dict[str, FoldTable] = {}
        plan = rowcodec.TablePlan(
            event.table_map,
            schema,
            pipeline=PIPELINE,
            version="1",
            connector="mariadb" if source.mariadb else "mysql",
            partitions=1,
            folds=folds,
            charsets=source.charsets(schema),
        )
        context = rowcodec.EventContext()
        context.file = "binlog.000001"
        out: list[list[tuple[bytes | None, bytes]]] = [[]]
        start = rowcodec.columns_present(
            plan, context, event.buf, event.start, event.end, event.op == "u"
        )
        sequencer = rowcodec.Sequencer(0, [0])
        op = ord(event.op)
        end = event.end
        rowcodec.encode_rows(
            plan, context, sequencer, op, event.buf, start, end, 0, 0, 1 << 40, out
        )
        records += [value for _, value in out[0]]
    return records


def as_target(source: Source) -> Target:
    """Only what `exact` needs: the source's own session."""
    found = Target.__new__(Target)
    found.session, found.db, found.mariadb = source.conn, source.db, source.mariadb
    return found


def apply(target: Target, schema: TableSchema, records: list[bytes]) -> None:
    """Applies records of a table to the one of the same name."""
    writer = target.writer()
    target.add(writer, target.plan(schema, schema.table), records)
    target.apply(writer)


def assert_equal(source: Source, target: Target, table: str, order: str = "id") -> None:
    """Both servers show the same rows, byte for byte."""
    there, here = Target.exact(as_target(source), table, order), target.exact(table, order)
    assert len(there) == len(here)
    for row, other in zip(there, here, strict=True):
        differing = {k: (v, other[k]) for k, v in row.items() if v != other[k]}
        assert not differing, f"(source, target): {differing}"
