"""A transcoder at work on a server's rows events, for the tests around rowcodec."""

from types import ModuleType
from typing import Any

from binlog_rows import PIPELINE, Decoder, RowsEvent, Source
from mysync_schemas.foldtable import FoldTable
from mysync_schemas.table import TableSchema

PARTITIONS = 8
Messages = list[tuple[int, bytes | None, bytes]]


class Lowercase(FoldTable):
    """A fold that needs no server: case and trailing spaces."""

    def __init__(self) -> None:
        super().__init__("any", pad_space=True, exact=True)

    def fold(self, text: str) -> bytes:
        return text.casefold().rstrip(" ").encode()


class AnyFold(dict[str, FoldTable]):
    """The same fold for every collation."""

    def get(self, key: str, default: Any = None) -> Any:
        return Lowercase() if key else default

    def __missing__(self, key: str) -> FoldTable:
        return Lowercase()


class Rig:
    """One plan, and the state that a producer would keep from event to event."""

    def __init__(
        self, rowcodec: ModuleType, schema: TableSchema, event: RowsEvent, **options: Any
    ) -> None:
        self.rowcodec = rowcodec
        self.schema = schema
        self.decoder = Decoder(schema)
        self.plan = rowcodec.TablePlan(
            event.table_map,
            schema,
            **{
                "pipeline": PIPELINE,
                "version": "0.1.0",
                "connector": "mysql",
                "partitions": PARTITIONS,
                "folds": AnyFold(),
            }
            | options,
        )
        self.sequencer = rowcodec.Sequencer(100, list(range(PARTITIONS)))
        self.ctx = rowcodec.EventContext()
        self.ctx.file = "binlog.000007"

    def start(self, event: RowsEvent) -> int:
        start: int = self.rowcodec.columns_present(
            self.plan, self.ctx, event.buf, event.start, event.end, event.op == "u"
        )
        return start

    def call(
        self, event: RowsEvent, start: int, row: int = 0, skip: int = 0, limit: int = 1 << 40
    ) -> tuple[Messages, int, int, int]:
        """(messages in order of seq, rows, bytes, where it stopped)."""
        out: list[list[tuple[bytes | None, bytes]]] = [[] for _ in range(PARTITIONS)]
        rows, size, pos = self.rowcodec.encode_rows(
            self.plan, self.ctx, self.sequencer, ord(event.op), event.buf, start, event.end,
            row, skip, limit, out,
        )  # fmt: skip
        messages = [(p, key, value) for p, sent in enumerate(out) for key, value in sent]
        assert size == sum(len(key or b"") + len(value) for _, key, value in messages)
        return messages, rows, size, pos

    def all(self, *events: RowsEvent) -> list[tuple[int, dict[str, Any] | None, dict[str, Any]]]:
        """(partition, key, envelope) of everything in the events, by seq."""
        found = []
        for event in events:
            messages, _, _, pos = self.call(event, self.start(event))
            assert pos == event.end
            found += [
                (
                    partition,
                    None if key is None else self.decoder.read_key(key),
                    self.decoder.read(value),
                )
                for partition, key, value in messages
            ]
        return sorted(found, key=lambda message: message[2]["source"]["seq"])


def table(source: Source, columns: str) -> str:
    source.sql("DROP TABLE IF EXISTS t", f"CREATE TABLE t ({columns}) CHARACTER SET utf8mb4")
    return "t"
