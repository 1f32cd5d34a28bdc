# cython: annotation_typing=False, boundscheck=False, wraparound=False
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
from typing import Any, Protocol

INSERT, UPDATE, DELETE = ord("c"), ord("u"), ord("d")


class TableRules(Protocol):
    """What the plan must know of a table; `event` is the table's own kind of event."""

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


class Step:
    """Write `op` with the old image of `first` and the new image of `last`.

    While a run folds: `first_op` and `op` of the first and the last event of the key with the bytes
    `key`, and how many `events` they are.
    """

    def __init__(
        self, table: Any, op: int, flags: int, first: Any, last: Any, key: bytes | None = None
    ) -> None:
        self.table = table
        self.op = op
        self.flags = flags
        self.first = first
        self.last = last
        self.key = key
        self.first_op = op
        self.events = 1


class Run:
    """Folds one table's events. `steps`: by key hash, those of the open run; `done`: the others."""

    def __init__(self, table: TableRules) -> None:
        self.table = table
        self.steps: dict[int, Step] = {}
        self.done: list[Step] = []

    def add(self, event: Any, op: int, flags: int, key_hash: int, moves: bool) -> None:
        table = self.table
        if op == INSERT:
            key = table.key_after(event)
        else:
            key = table.key_before(event)
            if op == UPDATE and not moves:
                moves = key != table.key_after(event)
        if moves:
            self.close()
            self.done.append(Step(table, op, flags, event, event))
            return
        step = self.steps.get(key_hash)
        if step is not None:
            exists = step.op != DELETE
            if step.key == key and step.flags == flags and exists == (op != INSERT):
                step.op = op
                step.last = event
                step.events += 1
                return
            self.close()
        self.steps[key_hash] = Step(table, op, flags, event, event, key)

    def close(self) -> None:
        """Ends the run: its net effect goes to `done`."""
        if not self.steps:
            return
        deletes = []
        updates = []
        inserts = []
        for step in self.steps.values():
            if step.first_op == INSERT:
                if step.op != DELETE:
                    step.op = INSERT
                    step.first = step.last
                    inserts.append(step)
            elif step.op == DELETE:
                step.last = step.first
                deletes.append(step)
            elif step.events == 1 or not self.table.unchanged(step.first, step.last):
                step.op = UPDATE
                updates.append(step)
        self.done += deletes
        self.done += updates
        self.done += inserts
        self.steps = {}


class Plan:
    """What one target transaction writes. `coalesce=False` keeps every event, in order per
    table."""

    def __init__(self, *, coalesce: bool = True) -> None:
        self.coalesce = coalesce
        self.ordered: list[Step] = []
        self.runs: dict[int, Run] = {}

    def add(
        self, table: TableRules, event: Any, op: int, flags: int, key_hash: int, moves: bool
    ) -> None:
        """`moves`: the event says itself that its key changes (it bears two key hashes)."""
        if not table.independent:
            self.ordered.append(Step(table, op, flags, event, event))
            return
        run = self.runs.get(id(table))
        if run is None:
            run = self.runs[id(table)] = Run(table)
        if self.coalesce and table.coalesced:
            run.add(event, op, flags, key_hash, moves)
        else:
            run.done.append(Step(table, op, flags, event, event))

    def steps(self) -> list[Step]:
        """The steps in the order to write them. The plan is finished after this."""
        result = self.ordered
        for run in self.runs.values():
            run.close()
            result += run.done
        return result


def groups(
    steps: Iterable[Step],
) -> Iterator[list[Step]]:
    """Adjacent steps of one table, kind and flags: each list can be one rows event."""
    current: list[Step] = []
    for step in steps:
        if current:
            head = current[0]
            if head.table is not step.table or head.op != step.op or head.flags != step.flags:
                yield current
                current = []
        current.append(step)
    if current:
        yield current
