"""Transfers without servers: a source that shows its commits late, readers that are as slow as they
like, and a target that takes each record as a consumer does.

The product's own `Transfers`, plans and transcoder are at work; what is imitated is what they ask
and whom they tell. The target says at once when it gets what the contract forbids: a row that the
source doesn't have at that place of the stream, or another one than it has.
"""

import queue
import random
import re
import struct
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any, Literal

from binlog_rows import Decoder
from mysync_producer import chunks
from mysync_producer.chunkread import Job
from mysync_producer.definitions import OwnIds, with_schemas
from mysync_producer.filters import Filters
from mysync_producer.rowcodec import EventContext, Sequencer, encode_rows
from mysync_producer.selectmap import table_map_of
from mysync_producer.state import Learning, Server
from mysync_producer.statements import Change
from mysync_producer.tables import PlanSettings, Table, Tables
from mysync_producer.transfers import Transfers
from mysync_producer.transferstate import Chunk, TransferState, table_of
from mysync_runtime.errors import ConnectionLost
from mysync_runtime.settings import Settings
from mysync_schemas.effects import Effects
from mysync_schemas.gtid import GtidSet
from mysync_schemas.partition import anchor_partition
from mysync_schemas.position import BinlogPosition
from mysync_schemas.statement import Verb
from mysync_schemas.table import Column, Key, KeyPart, Routing, TableId, TableSchema
from mysync_schemas.types import complete

TABLE, PARENT = TableId("m", "t"), TableId("m", "p")
_UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
_PARTITIONS = 3
_EVENT = 10
_VALUES = 5
_IDS = 12
_OPS = {"c": ord("c"), "u": ord("u"), "d": ord("d")}

Row = tuple[int, int]
Rows = Counter[Row]
Way = Literal["gtids", "watermark", "naive"]
"""How readers wait until the source shows what the stream had passed."""


class Broken(AssertionError):
    """The target got what it must not get."""


@dataclass(frozen=True)
class Op:
    """`cascade`: a parent's row takes its children (those of `before`) along, unlogged."""

    kind: Literal["c", "u", "d", "cascade", "truncate", "reroute", "other"]
    before: tuple[Row, ...] = ()
    after: tuple[Row, ...] = ()


def image(row: Row) -> bytes:
    """As a rows event has it: no column is NULL, two INTs."""
    return b"\0" + struct.pack("<ii", *row)


def place(count: int) -> BinlogPosition:
    return BinlogPosition("log.000001", 4 + 100 * count)


def gtids(count: int) -> GtidSet:
    return GtidSet.parse(f"{_UUID}:1-{count}" if count else "")


@cache
def definition(*, keyed: bool) -> TableSchema:
    columns = complete(
        str(TABLE),
        [
            Column(name=name, ordinal=i + 1, data_type="int", column_type="int", nullable=False)
            for i, name in enumerate(("id", "n"))
        ],
    )
    primary = Key(name="PRIMARY", unique=True, columns=(KeyPart(column="id"),))
    table = TableSchema(
        id=1,
        db=TABLE.db,
        table=TABLE.table,
        create_sql="CREATE TABLE `t` (…)",
        columns=columns,
        keys=(primary,) if keyed else (),
        identity=("id",) if keyed else (),
        engine="InnoDB",
        routing=Routing(mode="key") if keyed else Routing(mode="whole", anchor=str(TABLE)),
    )
    return with_schemas(table, "model", OwnIds())


@cache
def _settings() -> Settings:
    return Settings(pipeline="model")


@cache
def _decoder(keyed: bool) -> Decoder:
    return Decoder(definition(keyed=keyed))


class History:
    """The source: its log, and its rows after each transaction."""

    def __init__(self, seeded: random.Random, *, keyed: bool) -> None:
        self.random = seeded
        self.keyed = keyed
        self.log: list[list[Op]] = []
        start = Counter(
            (i, seeded.randrange(_VALUES)) for i in range(_IDS) if seeded.random() < 0.6
        )
        self.states: list[Rows] = [start]
        self.visible = 0  # of the transactions

    @property
    def now(self) -> Rows:
        return self.states[-1]

    def write(self) -> None:
        rows = Counter(self.now)
        kinds = ("row", "cascade", "truncate", "reroute", "other")
        (kind,) = self.random.choices(kinds, (20, 2, 0.5, 0.7, 3))
        ops = []
        if kind == "row":
            ops += [self._change(rows) for _ in range(self.random.randint(1, 3))]
        elif kind == "cascade" and self.keyed:
            n = self.random.randrange(_VALUES)
            gone = tuple(row for row in rows if row[1] == n)
            for row in gone:
                del rows[row]
            ops.append(Op("cascade", gone))
        elif kind == "truncate":
            rows.clear()
            ops.append(Op("truncate"))
        elif kind == "reroute" and self.keyed:
            ops.append(Op("reroute"))
        self.log.append(ops or [Op("other")])
        self.states.append(rows)

    def _change(self, rows: Rows) -> Op:
        """Of several rows in one event, sometimes."""
        r = self.random
        there = sorted(rows.elements())
        kind = r.choice("cuudm")
        if kind == "c" or not there:
            free = [i for i in range(_IDS) if not self.keyed or all(i != row[0] for row in rows)]
            if not free:
                return Op("other")
            row = (r.choice(free), r.randrange(_VALUES))
            rows[row] += 1
            return Op("c", after=(row,))
        old = r.choice(there)
        rows[old] -= 1
        rows += Counter()
        if not rows[old]:
            del rows[old]
        if kind == "d":
            return Op("d", (old,))
        new = (old[0], r.randrange(_VALUES))
        if kind == "m":
            ids = {row[0] for row in rows} if self.keyed else set()
            new = (r.choice([i for i in range(_IDS) if i not in ids]), old[1])
        rows[new] += 1
        return Op("u", (old,), (new,))


class Reader:
    """What a SELECT that is under way still gives."""

    def __init__(self, rows: list[Row], r: random.Random) -> None:
        self.failed: BaseException | None = None
        self._rows = rows
        self._breaks_at = r.randint(0, 20) if r.random() < 0.2 else -1

    def read(self, _most: int) -> bytes | None:
        if len(self._rows) == self._breaks_at:
            self.failed = ConnectionLost("within the rows")
            raise self.failed
        return image(self._rows.pop()) if self._rows else None

    def close(self) -> None:
        pass


@dataclass(eq=False)
class Reading:
    """A job on its way: it stands at one of the steps of `chunkread.Connection`."""

    job: Job
    step: str = "begin"
    wait: int = 0
    locked: bool = False


class Readers:
    """In the place of `ChunkReaders`; `go_on` does one step of one of the jobs."""

    def __init__(self, history: History, way: Way) -> None:
        self.planned: queue.SimpleQueue[tuple[Job, Any]] = queue.SimpleQueue()
        self.found: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.readings: list[Reading] = []
        self._history = history
        self._way = way

    @property
    def locked(self) -> bool:
        """Whether nobody may write the table."""
        for reading in self.readings:
            if reading.locked and (reading.job.passed.is_set() or reading.job.void):
                reading.locked = False
        return any(reading.locked for reading in self.readings)

    def ask(self, job: Job) -> None:
        self.readings.append(Reading(job))

    def close(self) -> None:
        self.readings.clear()

    def go_on(self, r: random.Random) -> None:
        under_way = [reading for reading in self.readings if reading.step != "done"]
        if not under_way:
            return
        reading = r.choice(under_way)
        if reading.job.void or r.random() < 0.02:
            reading.job.error = ConnectionLost("the model's")
            self._done(reading)
            return
        getattr(self, f"_{reading.step}")(reading, r)

    def _done(self, reading: Reading) -> None:
        reading.step = "done"
        self.found.put(reading.job)

    def _begin(self, reading: Reading, _r: random.Random) -> None:
        job, history = reading.job, self._history
        if not job.stream and job.chunk is None:
            ids = sorted(row[0] for row in history.states[history.visible])
            after = -1 if job.after is None else int(bytes.fromhex(job.after[0]))
            behind = [i for i in ids if i > after]
            upto = (str(behind[2]).encode().hex(),) if len(behind) > 2 else None
            job.chunk = Chunk(after=job.after, upto=upto)
            self.planned.put((job, upto))
        reading.step = "show"
        if self._way == "gtids":
            reading.wait = int(re.split("[:-]", job.seen)[-1]) if job.seen else 0
        elif self._way == "watermark":
            job.open = True
            reading.wait = len(history.log)
        else:
            job.open = True

    def _show(self, reading: Reading, r: random.Random) -> None:
        history = self._history
        if history.visible < reading.wait:
            return
        reading.step = "select"
        if reading.job.lock:
            history.visible = len(history.log)  # no transaction is left that wrote the table
            reading.locked = True
            self._select(reading, r)
            self._high(reading, r)

    def _select(self, reading: Reading, r: random.Random) -> None:
        job, history = reading.job, self._history
        rows = sorted(history.states[history.visible].elements())
        if job.chunk is not None:
            after, upto = job.chunk.after, job.chunk.upto
            rows = [
                row
                for row in rows
                if (after is None or row[0] > int(bytes.fromhex(after[0])))
                and (upto is None or row[0] <= int(bytes.fromhex(upto[0])))
            ]
        if not job.stream and r.random() < 0.05:
            job.too_much = True
            self._done(reading)
            return
        if job.stream:
            job.reader = Reader(rows, r)  # type: ignore[assignment]
        else:
            job.images = [image(row) for row in rows]
        job.rows = len(rows)
        job.seconds = 0.01
        reading.step = "high"

    def _high(self, reading: Reading, _r: random.Random) -> None:
        end = place(len(self._history.log))
        reading.job.high = Learning(server=reading.job.server, file=end.file, pos=end.pos)
        self._done(reading)


@dataclass
class Committed:
    """What survives a kill."""

    rows: Rows
    place: int
    seq: int
    prev: list[int]
    records: dict[TableId, TransferState] = field(default_factory=dict)
    schema: TableSchema | None = None


class Model:
    """One run. Raises Broken."""

    def __init__(self, seed: int, *, keyed: bool, way: Way) -> None:
        self.random = random.Random(seed)
        self.keyed = keyed
        self.way = way
        self.history = History(self.random, keyed=keyed)
        self.schema = definition(keyed=keyed)
        self.sent: list[tuple[int, bytes | None, bytes]] = []
        self.rows: Rows = Counter({(99, 1): 1})  # what the target happens to have
        self.place = 0
        self.kills = self.redone = 0
        self.server = Server(flavor="mysql", identity="model")
        self.committed = Committed(Counter(self.rows), 0, 0, [0] * _PARTITIONS, {}, self.schema)
        self._start()

    # -- the session around the transfers

    def _start(self) -> None:
        kept = self.committed
        self.rows, self.place = Counter(kept.rows), kept.place
        assert kept.schema is not None
        self.schema = kept.schema
        self.sequencer = Sequencer(kept.seq, kept.prev.copy())
        self.records = dict(kept.records)
        self.table: Table | None = None
        self.planned: TableSchema | None = None
        self.tables = Tables(
            Filters(["m.*"]), PlanSettings("model", "0", "mysql", _PARTITIONS, 1_000_000, 7)
        )
        self.tables.learn([self.schema])
        self.transaction: Any = SimpleNamespace(
            boundary=place(self.place),
            gtids=gtids(self.place) if self.way != "watermark" else None,
        )
        self.knowledge: Any = SimpleNamespace(
            definitions=SimpleNamespace(schemas={TABLE: self.schema}, next_version=1),
            certain=lambda table: self.knowledge.definitions.schemas.get(table),
            info=SimpleNamespace(connector="mysql"),
            sequencer=self.sequencer,
            publisher=SimpleNamespace(send=self._send),
            transaction=self.transaction,
        )
        changes: Any = SimpleNamespace(
            transfer=self._transfer, issue=self._issue, followed=None, unchecked=False
        )
        asked: Any = SimpleNamespace(
            flavor=SimpleNamespace(text="10.11.6-MariaDB", is_mariadb=True), rows=lambda *_: []
        )
        self.readers = Readers(self.history, self.way)
        self.capture: Any = SimpleNamespace(
            transaction=self.transaction, batch=[[] for _ in range(_PARTITIONS)]
        )
        self.transfers = Transfers(
            _settings(),
            self.records.values(),
            self.tables,
            self.knowledge,
            changes,
            self.readers,  # type: ignore[arg-type]
            lambda: asked,
        )
        self._cascades()

    def _cascades(self) -> None:
        """Whatever is transferred is below the parent."""
        self.transfers._disturbance.ancestry.below = {PARENT: frozenset({TABLE})}

    def kill(self) -> None:
        self.kills += 1
        self.transfers.close()
        self._start()

    def commit(self) -> None:
        for key, value in self.transfers.unsaved():
            table = table_of("model", key)
            assert table is not None
            if value is None:
                self.records.pop(table, None)
            else:
                self.records[table] = TransferState.decode(value, "")
        self.committed = Committed(
            Counter(self.rows),
            self.place,
            self.sequencer.seq,
            self.sequencer.prev.copy(),
            dict(self.records),
            self.schema,
        )

    def advance(self) -> None:
        def commit_now_and_then() -> None:
            if self.random.random() < 0.2:
                self.commit()

        if self.transfers.advance(self.server, self.capture, commit_now_and_then):
            self.commit()
        self._cascades()
        self.check()

    # -- the stream

    def follow(self) -> None:
        """The next transaction of the log."""
        operations = self.history.log[self.place]
        for op in operations:
            match op.kind:
                case "cascade":
                    self.tables.disturb(PARENT)
                    for row in op.before:
                        self.rows.pop(row, None)
                case "truncate":
                    self.transfers.followed(
                        Change(b"TRUNCATE t", Verb.TRUNCATE_TABLE, Effects(changed=(TABLE,)))
                    )
                    self._cascades()
                    self.rows.clear()
                case "reroute":
                    self._reroute()
                case "c" | "u" | "d":
                    self._carry(op)
        self.place += 1
        self.transaction.boundary = place(self.place)
        if self.transaction.gtids is not None:
            self.transaction.gtids = gtids(self.place)
        if self.random.random() < 0.3:
            self.commit()

    def _reroute(self) -> None:
        """Another table's statement: this one's rows go elsewhere from here on."""
        whole = self.schema.routing.mode == "whole"
        routing = Routing(mode="key") if whole else Routing(mode="whole", anchor="m.a")
        self.schema = self.schema.model_copy(update={"routing": routing})
        self.knowledge.definitions.schemas[TABLE] = self.schema
        self.knowledge.definitions.next_version += 1
        self.tables.learn([self.schema])

    def _carry(self, op: Op) -> None:
        table, mode = self.table, self.tables._mode(TABLE)
        if table is None or table.mode is not mode or self.planned is not self.schema:
            table = self.tables.plan_of(table_map_of(self.schema, mariadb=False))
            self.table, self.planned = table, self.schema
        if table.mode.held:
            self.tables.disturb(TABLE)
            return
        context = EventContext()
        context.snapshot = table.snapshot
        images = b"".join(
            image(row)
            for pair in zip(op.before or op.after, op.after or op.before, strict=True)
            for row in (pair if op.kind == "u" else pair[:1])
        )
        _, size, _ = encode_rows(
            table.plan, context, self.sequencer, _OPS[op.kind], images, 0, len(images), 0, 0,
            1 << 20, self.capture.batch,
        )  # fmt: skip
        if size:
            self._send(self.capture.batch, size)
        touched = table.mode.touched
        if touched is not None and len(touched) > chunks.TOUCHED_MOST:
            self.tables.overflow(TABLE)

    # -- the target

    def _transfer(
        self, _schema: TableSchema, phase: str, _boundary: BinlogPosition, _rows: int | None = None
    ) -> int:
        if phase == "end" and self.rows != self.history.states[self.place]:
            raise Broken(f"done at {self.place}, and not equal")
        return 1

    def _issue(self, made: Any, _boundary: BinlogPosition, _version: int) -> None:
        if made.verb is Verb.TRUNCATE_TABLE:
            self.rows.clear()

    def _send(self, batch: list[list[tuple[bytes | None, bytes]]], _size: int) -> None:
        found = []
        for partition, records in enumerate(batch):
            found += [(partition, _decoder(self.keyed).read(value)) for _, value in records]
            records.clear()
        for partition, envelope in sorted(found, key=lambda each: each[1]["source"]["seq"]):
            routing = self.schema.routing
            if routing.mode == "whole" and partition != anchor_partition(
                routing.anchor, _PARTITIONS
            ):
                raise Broken("a row in a partition that isn't its table's")
            self._apply(envelope)

    def _apply(self, envelope: dict[str, Any]) -> None:
        tolerant = envelope["source"]["snapshot"] == "true"
        before, after = (self._row(envelope[side]) for side in ("before", "after"))
        taken = {row[0]: row for row in self.rows} if self.keyed else {}
        match envelope["op"]:
            case "r":
                assert after is not None
                there = taken.get(after[0])
                if there is None:
                    self.rows[after] += 1
                elif there != after:
                    raise Broken(f"{after} is transferred, and {there} is there")
                return
            case "c":
                pass
            case _:
                assert before is not None
                there = taken.get(before[0]) if self.keyed else before
                if there is not None and there != before:
                    raise Broken(f"{before} changes, and {there} is there")
                if self.rows[before]:
                    self.rows[before] -= 1
                elif not tolerant:
                    raise Broken(f"{before} changes, and isn't there")
                self.rows += Counter()
        if after is not None:
            if self.keyed and any(row[0] == after[0] for row in self.rows):
                raise Broken(f"{after} comes, and its key is there")
            self.rows[after] += 1

    def _row(self, found: Any) -> Row | None:
        return None if found is None else (found[1]["id"], found[1]["n"])

    # -- what has to hold

    @property
    def record(self) -> TransferState | None:
        return self.transfers.records.get(TABLE)

    def check(self) -> None:
        """Some of the source's rows, each as it is; all of them when the transfer is done."""
        there, record = self.history.states[self.place], self.record
        if record is None or not record.id:
            return
        if record.phase == "done" and self.rows != there:
            raise Broken(
                f"at {self.place}: {self.rows - there} too much, {there - self.rows} lacks"
            )
        if not self.rows <= there:
            raise Broken(f"at {self.place}: {self.rows - there} isn't the source's")

    def run(self, writes: int) -> None:
        """To the end of the transfer and of the log."""
        r, history = self.random, self.history
        self.transfers.begin(self.schema, self.transaction.boundary, 90700, 0)
        self.transfers.carry()
        self._cascades()
        self.commit()
        busy, shown = r.uniform(0.03, 1.0), r.choice((0.03, 0.2, 1.0))
        for _ in range(100_000):
            done = self.record is not None and self.record.phase == "done"
            if len(history.log) < writes:
                if r.random() < busy and not self.readers.locked:
                    history.write()
            elif done and self.place == len(history.log):
                break
            if r.random() < shown:
                history.visible = r.randint(history.visible, len(history.log))
            step = r.random()
            if step < 0.35 and self.place < len(history.log):
                self.follow()
                if r.random() < 0.7:
                    self.advance()
            elif step < 0.85:
                self.readers.go_on(r)
            elif step < 0.99:
                self.advance()
            elif step < 0.995:
                # A replica of the same history takes over.
                self.server = Server(flavor="mysql", identity=f"model {r.randrange(3)}")
            elif self.kills < 3:
                self.kill()
        else:
            raise Broken(f"no end: {self.record}")
        self.check()
        assert self.record is not None
        self.redone += self.record.redone
