"""How far the transfer of a table is, as it stands in the state topic under a key of its own.

The table is walked along its key in chunks: those up to `after` are planned, those of them that
aren't sent yet stand in `open`. Keys are the hexadecimal text of what the source says of the key's
columns. A record is committed with what it tells of: after a crash the chunks in `open` are read
again, and nothing else.
"""

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from mysync_runtime.errors import StateLost
from mysync_schemas.table import TableId

__all__ = ["FORMAT", "Chunk", "Ended", "Key", "Phase", "TransferState", "key_of", "table_of"]

FORMAT = 1

Key = tuple[str, ...]

Phase = Literal["queued", "running", "paused", "done", "cancelled"]
Ended = Literal["done", "cancelled"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Chunk(_Record):
    """The rows behind `after` and up to `upto`; None is an end of the table."""

    after: Key | None = None
    upto: Key | None = None


class TransferState(_Record):
    """`walk` names what the order of the key depends on: a table whose walk is another one begins
    again; it is empty for a table without a key. `partial`: it is queued to begin again, and the
    target has some of its rows only. Times are microseconds since 1970."""

    format: int = FORMAT
    db: str
    table: str
    phase: Phase = "queued"
    partial: bool = False
    id: int = 0  # of the control record that began it; 0 = not begun
    begun_as: tuple[str, str] | None = None  # the table's name then, if it is another one now
    walk: str = ""
    after: Key | None = None
    planned: bool = False  # to the end of the table
    open: tuple[Chunk, ...] = ()
    rows: int = 0
    chunks: int = 0
    redone: int = 0
    estimate: int = 0
    began_us: int = 0
    ended_us: int = 0
    reason: str = ""  # why it was cancelled or begun again

    @property
    def table_id(self) -> TableId:
        return TableId(self.db, self.table)

    @property
    def active(self) -> bool:
        """Whether it has begun and goes on, or will."""
        return self.phase in ("running", "paused")

    @property
    def unfinished(self) -> bool:
        return self.active or self.phase == "queued"

    @property
    def incomplete(self) -> bool:
        """Whether the target may lack rows of the table."""
        return self.active or self.partial

    @property
    def complete(self) -> bool:
        """Whether every chunk is sent."""
        return self.planned and not self.open

    def begun(self, record: int, walk: str, now_us: int) -> "TransferState":
        """From the start: the target's table is empty from here on."""
        return self.model_copy(
            update={
                "phase": "running",
                "begun_as": None,
                "partial": False,
                "id": record,
                "walk": walk,
                "after": None,
                "planned": False,
                "open": (),
                "rows": 0,
                "chunks": 0,
                "began_us": now_us,
                "ended_us": 0,
            }
        )

    def plan(self, upto: Key | None) -> tuple["TransferState", Chunk]:
        """One more chunk, which ends at `upto`."""
        chunk = Chunk(after=self.after, upto=upto)
        planned = {"open": (*self.open, chunk), "after": upto, "planned": upto is None}
        return self.model_copy(update=planned), chunk

    def sent(self, chunk: Chunk, rows: int) -> "TransferState":
        """A chunk's rows are in Kafka with this."""
        return self.model_copy(
            update={
                "open": tuple(other for other in self.open if other != chunk),
                "rows": self.rows + rows,
                "chunks": self.chunks + 1,
            }
        )

    def ended(self, phase: Ended, now_us: int) -> "TransferState":
        ended = {"phase": phase, "partial": False, "ended_us": now_us, "open": ()}
        return self.model_copy(update=ended)

    def encode(self) -> bytes:
        return self.model_dump_json(exclude_defaults=True).encode()

    @classmethod
    def decode(cls, value: bytes, where: str) -> "TransferState":
        """Raises StateLost for bytes that aren't such a record of this release's format."""
        try:
            found = cls.model_validate_json(value)
        except (ValueError, ValidationError) as error:
            raise StateLost(f"a transfer's record can't be read: {error}", where=where) from error
        if found.format != FORMAT:
            raise StateLost(
                f"a transfer's record has format {found.format}, this release reads {FORMAT}",
                where=where,
                mend="Use the release that wrote it.",
            )
        return found


def key_of(pipeline: str, table: TableId) -> bytes:
    """The key of a table's record in the state topic."""
    return json.dumps([pipeline, "transfer", *table], ensure_ascii=False).encode()


def table_of(pipeline: str, key: bytes | None) -> TableId | None:
    """The table whose record has this key; None if it is another kind of record."""
    try:
        found = json.loads(key or b"")
    except ValueError:
        return None
    match found:
        case [str(name), "transfer", str(db), str(table)] if name == pipeline:
            return TableId(db, table)
    return None
