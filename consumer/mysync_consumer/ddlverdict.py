"""Whether a statement took effect, told from what it may change, as that was before and is now.

This decides where the target has no GTID that would say so, after a statement was begun and its
answer never seen. The target's atomic DDL is relied upon: a statement has all of its effect or
none, save a list of tables to drop and DROP DATABASE, which are gone on with, and what MariaDB
doesn't promise: CREATE OR REPLACE may leave neither table, TRUNCATE may empty some partitions, a
rename or another management of partitions may leave a table that can't be opened. What is neither
as before nor as it must be after isn't decided.

A statement that has no effect to be seen may run again: what is the same by definition and by
InnoDB's numbers is made the same once more (a rebuild, a counter, IF EXISTS).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from mysync_consumer.ddlfingerprint import Fingerprint, Thing, Things
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId

Renames = Sequence[tuple[TableId, TableId]]


class Effect(Enum):
    NONE = auto()
    """Or not all of it: it is to run."""
    DONE = auto()
    UNDECIDED = auto()


@dataclass(frozen=True)
class Verdict:
    effect: Effect
    why: str = ""


class Form(Enum):
    """What becomes of the objects of a statement."""

    CREATE = auto()
    DROP = auto()
    CHANGE = auto()
    EMPTY = auto()
    RENAME = auto()
    REPEATABLE = auto()
    """Has no objects; a second run does the same, or is refused."""
    OPAQUE = auto()


_FORMS: Final = {
    Verb.CREATE_TABLE: ("tables", Form.CREATE),
    Verb.CREATE_SEQUENCE: ("tables", Form.CREATE),
    Verb.CREATE_VIEW: ("tables", Form.CREATE),
    Verb.DROP_TABLE: ("tables", Form.DROP),
    Verb.DROP_SEQUENCE: ("tables", Form.DROP),
    Verb.DROP_VIEW: ("tables", Form.DROP),
    Verb.ALTER_TABLE: ("tables", Form.CHANGE),
    Verb.ALTER_SEQUENCE: ("tables", Form.CHANGE),
    Verb.TRUNCATE_TABLE: ("tables", Form.EMPTY),
    Verb.CREATE_INDEX: ("tables", Form.CHANGE),
    Verb.DROP_INDEX: ("tables", Form.CHANGE),
    Verb.RENAME_TABLE: ("tables", Form.RENAME),
    Verb.CREATE_TRIGGER: ("triggers", Form.CREATE),
    Verb.DROP_TRIGGER: ("triggers", Form.DROP),
    Verb.CREATE_DATABASE: ("databases", Form.CREATE),
    Verb.ALTER_DATABASE: ("databases", Form.CHANGE),
    Verb.DROP_DATABASE: ("databases", Form.DROP),
    Verb.ACCOUNT: ("tables", Form.REPEATABLE),
    Verb.MAINTENANCE: ("tables", Form.REPEATABLE),
}
_BY_FIRST_WORD: Final = {"CREATE": Form.CREATE, "DROP": Form.DROP, "ALTER": Form.CHANGE}


def form_of(verb: Verb, first_word: str) -> tuple[str, Form]:
    """Which kind of objects counts, and what becomes of them."""
    if verb in (Verb.ROUTINE, Verb.EVENT):
        kind = "routines" if verb is Verb.ROUTINE else "events"
        return kind, _BY_FIRST_WORD.get(first_word, Form.OPAQUE)
    if verb is Verb.CREATE_VIEW and first_word == "ALTER":
        return "tables", Form.CHANGE
    return _FORMS.get(verb, ("tables", Form.OPAQUE))


def decide(
    verb: Verb, first_word: str, before: Fingerprint, now: Fingerprint, renames: Renames = ()
) -> Verdict:
    """Whether the statement took effect."""
    kind, form = form_of(verb, first_word)
    if form is Form.REPEATABLE:
        return Verdict(Effect.NONE)
    if before.server != now.server:
        return Verdict(
            Effect.UNDECIDED, f"the server was {before.server} then and is {now.server} now"
        )
    was: Things = getattr(before, kind)
    is_: Things = getattr(now, kind)
    if form is Form.OPAQUE or not was or was.keys() != is_.keys():
        return Verdict(Effect.UNDECIDED, "what it changes isn't known")
    torn = [f"{name} {thing.text}" for name, thing in is_.items() if thing and thing.is_torn]
    if torn:
        return Verdict(Effect.UNDECIDED, f"the target's crash has torn {'; '.join(torn)}")
    match form:
        case Form.CREATE:
            return _created(was, is_)
        case Form.DROP:
            return _dropped(was, is_)
        case Form.EMPTY:
            return _emptied(was, is_)
        case Form.RENAME:
            return _renamed(was, is_, renames)
        case _:
            return _changed(was, is_)


def _created(was: Things, is_: Things) -> Verdict:
    if any(thing is None for thing in is_.values()) or was == is_:
        return Verdict(Effect.NONE)
    return Verdict(Effect.DONE)


def _dropped(was: Things, is_: Things) -> Verdict:
    left = [name for name, thing in is_.items() if thing is not None]
    others = [name for name in left if is_[name] != was[name]]
    if others:
        return Verdict(Effect.UNDECIDED, f"{', '.join(others)} is there and isn't what it was")
    if left or was == is_:
        return Verdict(Effect.NONE)
    return Verdict(Effect.DONE)


def _changed(was: Things, is_: Things) -> Verdict:
    if len(was) == 1:
        # The same definition: what it does to the rows (TRUNCATE PARTITION, a rebuild) it may do
        # twice. MariaDB may have done it to some of the partitions.
        (before,), (now,) = was.values(), is_.values()
        same = before == now or (before and now and before.text == now.text)
        return Verdict(Effect.NONE if same else Effect.DONE)
    same_ones = [name for name in was if was[name] == is_[name]]
    if len(same_ones) == len(was):
        blind = _blind_to_exchange(was)
        return Verdict(Effect.UNDECIDED, blind) if blind else Verdict(Effect.NONE)
    if same_ones:
        return Verdict(Effect.UNDECIDED, f"only {', '.join(same_ones)} is as it was")
    return Verdict(Effect.DONE)


def _emptied(was: Things, is_: Things) -> Verdict:
    """TRUNCATE may run twice, and has to where MariaDB emptied some of the partitions."""
    old = {number for thing in was.values() if thing for number in thing.ids or ()}
    new = {number for thing in is_.values() if thing for number in thing.ids or ()}
    return Verdict(Effect.DONE if new and not new & old else Effect.NONE)


def _blind_to_exchange(was: Things) -> str:
    """Tables that may have exchanged what they hold (EXCHANGE PARTITION)."""
    there = [(name, thing) for name, thing in was.items() if thing is not None]
    if len(there) < 2 or all(thing.ids for _, thing in there):
        return ""
    unknown = ", ".join(name for name, thing in there if not thing.ids)
    return f"{unknown} has no InnoDB table id that can be read, by which an exchange would show"


def _renamed(was: Things, is_: Things, renames: Renames) -> Verdict:
    before, now = _identities(was), _identities(is_)
    after = _moved(before, renames)
    if before == after:
        return Verdict(
            Effect.UNDECIDED, "the tables are the same but for their names, and have no InnoDB ids"
        )
    if now == before:
        return Verdict(Effect.NONE)
    if now == after:
        return Verdict(Effect.DONE)
    return Verdict(Effect.UNDECIDED, "the tables are neither as before nor as after it")


def _identities(things: Things) -> dict[str, object]:
    return {name: thing.identity for name, thing in things.items() if thing is not None}


def _moved(before: dict[str, object], renames: Renames) -> dict[str, object]:
    after = dict(before)
    for old, new in renames:
        if str(old) in after:
            after[str(new)] = after.pop(str(old))
    return after


def blind(verb: Verb, first_word: str, before: Fingerprint, renames: Renames = ()) -> str:
    """Why it couldn't be told later whether the statement took effect, for want of PROCESS; empty
    if it could. Asked before it runs."""
    kind, form = form_of(verb, first_word)
    things: Things = getattr(before, kind)
    if all(_readable(thing) for thing in things.values()):
        return ""
    if form is Form.RENAME and _moved(_identities(things), renames) == _identities(things):
        return "tables that exchange their names and are the same otherwise"
    if form is Form.CHANGE:
        return _blind_to_exchange(things)
    return ""


def _readable(thing: Thing | None) -> bool:
    return thing is None or thing.ids is not None
