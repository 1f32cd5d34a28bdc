"""What is written has the effect of what was read, in an order that a strict target accepts."""

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mysync_consumer
from mysync_consumer import coalesce as imported
from mysync_consumer.coalesce import DELETE, INSERT, UPDATE
from pure import is_compiled, load_pure


@dataclass(frozen=True)
class Event:
    """Images are (key, spelling, value): two spellings of a key are one to the collation."""

    op: int
    before: tuple[int, str, int] | None
    after: tuple[int, str, int] | None


@dataclass(eq=False)
class Table:
    coalesced: bool = True
    independent: bool = True
    rows: dict[int, tuple[int, str, int]] = field(default_factory=dict)

    def key_before(self, event: Event) -> bytes:
        assert event.before is not None
        return repr(event.before[:2]).encode()

    def key_after(self, event: Event) -> bytes:
        assert event.after is not None
        return repr(event.after[:2]).encode()

    def unchanged(self, first: Event, last: Event) -> bool:
        return first.before == last.after

    def write(
        self, op: int, before: tuple[int, str, int] | None, after: tuple[int, str, int] | None
    ) -> None:
        """As a strict target does: KeyError for a missing row, ValueError for one that is there."""
        if before is not None:
            del self.rows[before[0]]
        if after is not None:
            if after[0] in self.rows:
                raise ValueError(f"duplicate {after}")
            self.rows[after[0]] = after


@pytest.fixture(scope="module", params=["compiled", "pure"])
def folding(request: pytest.FixtureRequest) -> ModuleType:
    """`coalesce`, compiled or as plain Python."""
    if request.param == "pure":
        return load_pure(mysync_consumer, "coalesce")["coalesce"]
    if not is_compiled(imported):
        pytest.skip("nothing is compiled here")
    return imported


def hash_of(key: int) -> int:
    """Coarser than the keys, as 64 bits are."""
    return key % 5


def add(plan: Any, table: Table, event: Event) -> None:
    image = event.after or event.before
    assert image is not None
    moves = (
        event.op == UPDATE
        and event.before is not None
        and event.after is not None
        and hash_of(event.before[0]) != hash_of(event.after[0])
    )
    plan.add(table, event, event.op, 0, hash_of(image[0]), moves)


def write(steps: list[Any]) -> None:
    for step in steps:
        before = step.first.before if step.op != INSERT else None
        after = step.last.after if step.op != DELETE else None
        step.table.write(step.op, before, after)


def history(
    choices: list[tuple[int, int, int]],
) -> tuple[dict[int, tuple[int, str, int]], list[Event]]:
    """A valid history from random numbers, and the rows that were there before it."""
    start = {k: (k, "a", 0) for k in range(0, 8, 2)}
    rows = dict(start)
    events = []
    for what, key, value in choices:
        spelling = "aA"[value % 2]
        if key not in rows:
            after = (key, spelling, value)
            events.append(Event(INSERT, None, after))
            rows[key] = after
        elif what == 0:
            events.append(Event(DELETE, rows.pop(key), None))
        elif what == 1 and (new := (key + value) % 8) not in rows:
            before, after = rows.pop(key), (new, spelling, value)
            events.append(Event(UPDATE, before, after))
            rows[new] = after
        else:
            after = (key, rows[key][1] if what < 5 else spelling, value % 3)
            events.append(Event(UPDATE, rows[key], after))
            rows[key] = after
    return start, events


HISTORIES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 7), st.integers(0, 9)), max_size=40
)


@given(HISTORIES, st.booleans(), st.booleans(), st.booleans())
def test_a_strict_target_accepts_the_steps_and_ends_as_the_source_did(
    folding: ModuleType,
    choices: list[tuple[int, int, int]],
    coalesce: bool,
    coalesced: bool,
    independent: bool,
) -> None:
    start, events = history(choices)
    source, target = Table(rows=dict(start)), Table(coalesced, independent, dict(start))
    plan = folding.Plan(coalesce=coalesce)
    for event in events:
        source.write(event.op, event.before, event.after)
        add(plan, target, event)
    write(plan.steps())
    assert target.rows == source.rows


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 7), st.integers(0, 9))))
def test_tables_are_kept_apart(
    folding: ModuleType, choices: list[tuple[bool, int, int, int]]
) -> None:
    tables = [Table(coalesced=True), Table(coalesced=False, independent=False)]
    plan = folding.Plan()
    wanted = []
    parts = [[c[1:] for c in choices if c[0] == which] for which in (False, True)]
    histories = []
    for table, part in zip(tables, parts, strict=True):
        start, events = history(part)
        table.rows = dict(start)
        histories.append(iter(events))
        model = Table(rows=dict(start))
        for event in events:
            model.write(event.op, event.before, event.after)
        wanted.append(model.rows)
    for which, *_ in choices:
        add(plan, tables[which], next(histories[which]))
    write(plan.steps())
    assert [table.rows for table in tables] == wanted


def steps_of(
    folding: ModuleType, *events: Event, coalesce: bool = True
) -> list[tuple[str, object, object]]:
    plan = folding.Plan(coalesce=coalesce)
    table = Table()
    for event in events:
        add(plan, table, event)
    return [
        (
            chr(s.op),
            s.first.before if s.op != INSERT else None,
            s.last.after if s.op != DELETE else None,
        )
        for s in plan.steps()
    ]


A0, A1, A2 = (1, "a", 0), (1, "a", 1), (1, "a", 2)
B0 = (2, "a", 0)


def test_the_net_effect_of_a_key_is_one_step(folding: ModuleType) -> None:
    insert, change = Event(INSERT, None, A0), Event(UPDATE, A0, A1)
    again, delete = Event(UPDATE, A1, A2), Event(DELETE, A2, None)
    assert steps_of(folding, insert, change, again) == [("c", None, A2)]
    assert steps_of(folding, change, again) == [("u", A0, A2)]
    assert steps_of(folding, change, again, delete) == [("d", A0, None)]
    assert steps_of(folding, insert, change, again, delete) == []
    assert steps_of(folding, delete, insert) == [("u", A2, A0)]


def test_a_change_that_is_taken_back_is_not_written(folding: ModuleType) -> None:
    assert steps_of(folding, Event(UPDATE, A0, A1), Event(UPDATE, A1, A0)) == []


def test_a_single_event_is_written_even_if_it_changes_nothing(folding: ModuleType) -> None:
    assert steps_of(folding, Event(UPDATE, A0, A0)) == [("u", A0, A0)]


def test_deletes_go_before_updates_before_inserts(folding: ModuleType) -> None:
    steps = steps_of(
        folding, Event(INSERT, None, (3, "a", 0)), Event(UPDATE, A0, A1), Event(DELETE, B0, None)
    )
    assert [op for op, *_ in steps] == ["d", "u", "c"]


def test_an_update_of_the_key_stands_in_its_place(folding: ModuleType) -> None:
    moved = Event(UPDATE, A1, (4, "a", 1))
    steps = steps_of(folding, Event(UPDATE, A0, A1), moved, Event(INSERT, None, A2))
    assert steps == [("u", A0, A1), ("u", A1, (4, "a", 1)), ("c", None, A2)]


def test_another_spelling_of_a_key_ends_the_run(folding: ModuleType) -> None:
    other = (1, "A", 0)
    steps = steps_of(folding, Event(DELETE, A0, None), Event(INSERT, None, other))
    assert steps == [("d", A0, None), ("c", None, other)]


def test_what_can_not_follow_is_left_to_the_target_to_refuse(folding: ModuleType) -> None:
    assert steps_of(folding, Event(INSERT, None, A0), Event(INSERT, None, A1)) == [
        ("c", None, A0),
        ("c", None, A1),
    ]


def test_without_coalescing_every_event_is_written(folding: ModuleType) -> None:
    events = Event(INSERT, None, A0), Event(UPDATE, A0, A1), Event(DELETE, A1, None)
    assert [op for op, *_ in steps_of(folding, *events, coalesce=False)] == ["c", "u", "d"]


def test_adjacent_steps_of_one_kind_make_one_group(folding: ModuleType) -> None:
    plan = folding.Plan(coalesce=False)
    table = Table()
    for event in (
        Event(INSERT, None, A0),
        Event(INSERT, None, B0),
        Event(DELETE, A0, None),
        Event(INSERT, None, A1),
    ):
        add(plan, table, event)
    assert [len(group) for group in folding.groups(plan.steps())] == [2, 1, 1]
