"""Many row events in, few rows to write out: what one transaction does to the target.

Pure. `Plan.add` takes the events of one partition in their order; `Plan.steps` says what to write,
in an order that has the same effect. Two ways to keep a table's events:

*In order.* Nothing is left out; the events stay in the stream's order among all tables kept so
(foreign keys, secondary unique keys and keyless tables see each other's order).

*Coalesced.* Events are folded per key over a **run**, found by the event's key hash. Net effect: an
insert, an update from the first old image to the last new one, a delete, or nothing. Within a run
deletes go first, then updates, then inserts. A run ends where folding could be wrong:

- an update that changes the key (it is written by itself, in its place);
- an equal hash with other key bytes (two keys, or one key in two spellings: only order is safe);
- an event that can't follow the one before it (an insert of a row that is there, an update of one
  that isn't): both are written in order, so that a strict target refuses exactly what it should.

Tables kept in different lists don't see each other, so the lists may be written one after the
other."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

INSERT, UPDATE, DELETE = ord("c"), ord("u"), ord("d")

EventT = TypeVar("EventT")
TableT = TypeVar("TableT", bound="TableRules")


class TableRules(Protocol):
    """What the plan must know of a table; `Event` is the table's own kind of event."""

    @property
    def coalesced(self) -> bool: ...
    @property
    def independent(self) -> bool:
        """True when no other table's order matters to this one."""
        ...

    def key_before(self, event: Any, /) -> bytes: ...
    def key_after(self, event: Any, /) -> bytes: ...
    def unchanged(self, first: Any, last: Any, /) -> bool:
        """Whether the old image of `first` equals the new image of `last`."""
        ...


@dataclass(slots=True)
class Step(Generic[TableT, EventT]):
    """Write `op` with the old image of `first` and the new image of `last`."""

    table: TableT
    op: int
    flags: int
    first: EventT
    last: EventT


@dataclass(slots=True)
class _Slot(Generic[EventT]):
    key: bytes
    first_op: int
    first: EventT
    last_op: int
    last: EventT
    flags: int
    events: int = 1


@dataclass(slots=True)
class _Run(Generic[TableT, EventT]):
    table: TableT
    slots: dict[int, _Slot[EventT]] = field(default_factory=dict)
    done: list[Step[TableT, EventT]] = field(default_factory=list)

    def add(self, event: EventT, op: int, flags: int, key_hash: int, *, moves: bool) -> None:
        table = self.table
        if op == UPDATE:
            key = table.key_before(event)
            moves = moves or key != table.key_after(event)
        elif op == INSERT:
            key = table.key_after(event)
        else:
            key = table.key_before(event)
        if moves:
            self.close()
            self.done.append(Step(table, op, flags, event, event))
            return
        slot = self.slots.get(key_hash)
        if slot is not None:
            exists = slot.last_op != DELETE
            if slot.key == key and slot.flags == flags and exists == (op != INSERT):
                slot.last_op = op
                slot.last = event
                slot.events += 1
                return
            self.close()
        self.slots[key_hash] = _Slot(key, op, event, op, event, flags)

    def close(self) -> None:
        """Ends the run: its net effect goes to `done`."""
        if not self.slots:
            return
        table = self.table
        deletes, updates, inserts = [], [], []
        for slot in self.slots.values():
            if slot.first_op == INSERT:
                if slot.last_op != DELETE:
                    inserts.append(Step(table, INSERT, slot.flags, slot.last, slot.last))
            elif slot.last_op == DELETE:
                deletes.append(Step(table, DELETE, slot.flags, slot.first, slot.first))
            elif slot.events == 1 or not table.unchanged(slot.first, slot.last):
                updates.append(Step(table, UPDATE, slot.flags, slot.first, slot.last))
        self.done += deletes
        self.done += updates
        self.done += inserts
        self.slots = {}


class Plan(Generic[TableT, EventT]):
    """What one target transaction writes. `coalesce=False` keeps every event, in order per
    table."""

    def __init__(self, *, coalesce: bool = True) -> None:
        self.coalesce = coalesce
        self.events = 0
        self._ordered: list[Step[TableT, EventT]] = []
        self._runs: dict[int, _Run[TableT, EventT]] = {}

    def add(
        self, table: TableT, event: EventT, op: int, flags: int, key_hash: int, *, moves: bool
    ) -> None:
        """`moves`: the event says itself that its key changes (it bears two key hashes)."""
        self.events += 1
        if not table.independent:
            self._ordered.append(Step(table, op, flags, event, event))
            return
        run = self._runs.get(id(table))
        if run is None:
            run = self._runs[id(table)] = _Run(table)
        if self.coalesce and table.coalesced:
            run.add(event, op, flags, key_hash, moves=moves)
        else:
            run.done.append(Step(table, op, flags, event, event))

    def steps(self) -> list[Step[TableT, EventT]]:
        """The steps in the order to write them. The plan is finished after this."""
        result = self._ordered
        for run in self._runs.values():
            run.close()
            result += run.done
        return result


def groups(
    steps: Iterable[Step[TableT, EventT]],
) -> Iterator[list[Step[TableT, EventT]]]:
    """Adjacent steps of one table, kind and flags: each list can be one rows event."""
    current: list[Step[TableT, EventT]] = []
    for step in steps:
        if current:
            head = current[0]
            if head.table is not step.table or head.op != step.op or head.flags != step.flags:
                yield current
                current = []
        current.append(step)
    if current:
        yield current
