"""The table of refusals is whole: each error that can end a process has a row, each row a test."""

import inspect
import runpy
from collections.abc import Iterator
from pathlib import Path

import mysync_consumer.cli
import mysync_producer.cli
from mysync_runtime.errors import Fenced, MysyncError, Unreachable
from refusals import DATA, SETUP, TABLE, Refusal

# Importing the command lines is what defines the classes.
assert mysync_producer.cli
assert mysync_consumer.cli


def subclasses(kind: type[MysyncError]) -> Iterator[type[MysyncError]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def ends_a_process(kind: type[MysyncError]) -> bool:
    """What is tried again doesn't; a class that others derive from and that has no advice of its
    own only sorts them. Of the exit code 1 only these two are a refusal."""
    sorts = bool(kind.__subclasses__()) and "advice" not in vars(kind)
    refuses = kind.exit_code in (SETUP, DATA) or kind in (Unreachable, Fenced)
    return refuses and not kind.retriable and not sorts


def label(kind: type[MysyncError]) -> str:
    """As the paragraph names it."""
    return kind.__new__(kind).label


def test_every_error_that_can_end_a_process_has_a_row() -> None:
    kinds = {kind for kind in subclasses(MysyncError) if ends_a_process(kind)}
    codes = {label(kind): kind.exit_code for kind in kinds}
    assert set(codes) == {refusal.error for refusal in TABLE}
    wrong = [each for each in TABLE if each.code != codes[each.error]]
    assert not wrong, "rows with another exit code than their class has"


def test_causes_are_told_apart() -> None:
    assert len({each.cause for each in TABLE}) == len(TABLE)


def test_every_row_has_a_test() -> None:
    tested = {
        each
        for path in Path(__file__).parent.glob("test_refusals_*.py")
        for test in runpy.run_path(str(path)).values()
        if inspect.isfunction(test)
        for mark in getattr(test, "pytestmark", ())
        if mark.name == "parametrize"
        for values in mark.args[1]
        for each in (values if isinstance(values, tuple) else (values,))
        if isinstance(each, Refusal)
    }
    assert set(TABLE) == tested
