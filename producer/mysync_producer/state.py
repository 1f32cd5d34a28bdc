"""The producer's state as it stands in the state topic, and in short beside the committed offset.

One record per Kafka transaction, written in it, keyed by the pipeline. It holds everything that a
successor needs; nothing else of a process survives.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from mysync_runtime.errors import StateLost
from mysync_schemas.gtid import GtidSet, MariadbGtidSet
from mysync_schemas.position import BinlogPosition

__all__ = ["FORMAT", "Initial", "LastTransaction", "Learning", "LogEnd", "Server", "State"]

FORMAT = 2

Initial = Literal["schema", "full", "again"]
"""`again`: everything, and the target may have other tables than those that the source has now."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Server(_Record):
    """Who the source is. MySQL: its server_uuid. MariaDB has none: what it has instead."""

    flavor: Literal["mysql", "mariadb"]
    identity: str


@dataclass(frozen=True)
class LogEnd:
    """The end of the binary log at one moment. `gtids` is None on a source without GTIDs."""

    position: BinlogPosition
    gtids: GtidSet | MariadbGtidSet | None


class Learning(_Record):
    """The end of the log after the tables' definitions were read: until the stream has passed it,
    tables are routed whole.

    `anchor`: tables that are met before, of which nothing is known, are joined with this one."""

    server: Server
    file: str
    pos: int
    gtids: str | None = None
    anchor: tuple[str, str] | None = None

    @classmethod
    def after(
        cls, server: Server, end: LogEnd, anchor: tuple[str, str] | None = None
    ) -> "Learning":
        """The end of `server`'s log at this moment."""
        return cls(
            server=server,
            file=end.position.file,
            pos=end.position.pos,
            gtids=None if end.gtids is None else str(end.gtids),
            anchor=anchor,
        )

    def renamed(self, renames: Iterable[tuple[tuple[str, str], tuple[str, str]]]) -> "Learning":
        """The same, after tables were renamed, in this order."""
        anchor = self.anchor
        for old, new in renames:
            anchor = (new[0], new[1]) if anchor == old else anchor
        return self.model_copy(update={"anchor": anchor})

    def passed(
        self, server: Server, boundary: BinlogPosition, gtids: GtidSet | MariadbGtidSet | None
    ) -> bool:
        """Whether a stream of `server` that stands at `boundary`, having `gtids`, is past it."""
        here = BinlogPosition(self.file, self.pos)
        if server == self.server and boundary.base == here.base:
            return boundary >= here
        if self.gtids is None or gtids is None:
            return False
        if isinstance(gtids, GtidSet):
            return gtids.covers(GtidSet.parse(self.gtids))
        return gtids.covers(MariadbGtidSet.parse(self.gtids))


class LastTransaction(NamedTuple):
    """The last transaction before the position, by what another server can be asked for."""

    gtid: str
    committed_us: int  # on the server that it comes from; 0 = not said
    before: str = ""  # MariaDB: the GTID of its domain before it; "" = none


class State(_Record):
    """Where the pipeline stands after a Kafka transaction.

    `file` and `pos` are a boundary between source transactions. With `rows_done` the transaction
    after it is partly done: its first `rows_done` rows (of replicated tables) are in Kafka.
    """

    format: int = FORMAT
    pipeline_uuid: str
    server: Server
    file: str
    pos: int
    gtids: str | None
    log_created: int = 0  # when `file` was begun, by its own word, s since 1970; 0 = not known
    last: LastTransaction | None = None
    rows_done: int = 0
    left_out: int = 0  # of them, those that the source took back: they aren't in Kafka
    open_gtid: str | None = None
    txn_seq: int = 0  # of the open transaction; 0 = no record of it yet
    seq: int
    last_seqs: tuple[int, ...]  # by partition; 0 = no record yet
    offsets: tuple[int, ...]  # by partition: of the last record before this commit; -1 = not known
    next_ddl_id: int = 1
    next_transfer_id: int = 1
    next_schema_id: int
    next_version_id: int
    filter_hash: str
    learning: Learning | None = None
    uncertain: tuple[tuple[str, str], ...] = ()  # tables whose definition is to be read again
    initial: Initial | None = None  # what the target is still to be given of the tables
    ts_us: int = 0

    @property
    def position(self) -> BinlogPosition:
        return BinlogPosition(self.file, self.pos)

    def gtid_set(self) -> GtidSet | MariadbGtidSet | None:
        """A fresh set, to be added to."""
        if self.gtids is None:
            return None
        kind = MariadbGtidSet if self.server.flavor == "mariadb" else GtidSet
        return kind.parse(self.gtids)

    def encode(self) -> bytes:
        return self.model_dump_json(exclude_defaults=True).encode()

    @classmethod
    def decode(cls, value: bytes, where: str) -> "State":
        """Raises StateLost for bytes that aren't a state record of this release's format."""
        try:
            raw: Any = json.loads(value)
            if isinstance(raw, dict) and raw.get("format", FORMAT) != FORMAT:
                raise StateLost(
                    f"the state record has format {raw['format']}, this release reads {FORMAT}",
                    where=where,
                    mend="Use the release that wrote it.",
                )
            return cls.model_validate(raw)
        except (ValueError, ValidationError) as error:
            raise StateLost(f"the state record can't be read: {error}", where=where) from error

    def metadata(self) -> str:
        """The short form beside the offset (Kafka allows 4,096 bytes)."""
        short = {
            "format": self.format,
            "file": self.file,
            "pos": self.pos,
            "rows_done": self.rows_done,
            "seq": self.seq,
        }
        return json.dumps(short, separators=(",", ":"))
