"""The table of refusals is whole: each error that can end a process has a row, each cause that a
preflight may find as well, each row a test."""

import ast
import inspect
import re
import runpy
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

import mysync_consumer.cli
import mysync_consumer.preflight
import mysync_producer.cli
import mysync_producer.preflight
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


# -- what the preflights find --------------------------------------------------------------------


class Causes(ast.NodeVisitor):
    """The causes of a module, (error, pattern): of each `Failure` that isn't a warning and of each
    other error raised. Where a loop goes over names that are written there, each is a cause."""

    def __init__(self, module: ModuleType) -> None:
        self.found: set[tuple[str, str]] = set()
        self._module = module
        self._bound: list[Mapping[str, str]] = [{}]
        tree = ast.parse(inspect.getsource(module))
        self._only_warn = {
            call.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.AugAssign) and _is_warnings(node.target)
            for call in ast.walk(node.value)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        }
        self.visit(tree)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name not in self._only_warn:
            self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        targets = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        outside = self._bound
        values = [value if len(names) > 1 else (value,) for value in self._values(node.iter)]
        self._bound = [
            {**bound, **dict(zip(names, value, strict=True))}
            for bound in outside
            for value in values or [("{}",) * len(names)]
        ]
        self.generic_visit(node)
        self._bound = outside

    def visit_Raise(self, node: ast.Raise) -> None:
        """PreflightError itself is but the list of the failures."""
        match node.exc:
            case ast.Call(func=ast.Name(id=error), args=[what, *_]) if error != "PreflightError":
                self._add(error, what)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and _is_warnings(node.func.value):
            return
        if isinstance(node.func, ast.Name) and node.func.id == "Failure":
            self._add("PreflightError", node.args[0])
        self.generic_visit(node)

    def _add(self, error: str, cause: ast.expr) -> None:
        parts = cause.values if isinstance(cause, ast.JoinedStr) else [cause]
        for bound in self._bound:
            pattern = "".join(_pattern(part, bound) for part in parts)
            self.found.add((error, pattern))

    def _values(self, node: ast.expr) -> list[tuple[str, ...]]:
        """What a loop goes over, as far as it is written there; of a constant's unknown key all."""
        if isinstance(node, ast.Tuple):
            if not any(isinstance(each, ast.Starred) for each in node.elts):
                return list(ast.literal_eval(node))
            return [value for each in node.elts for value in self._values(each)]
        if isinstance(node, ast.Starred):
            return self._values(node.value)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            constant = getattr(self._module, node.value.id)
            if isinstance(node.slice, ast.Constant):
                return list(constant[node.slice.value])
            return [value for values in constant.values() for value in values]
        if isinstance(node, ast.Name) and node.id.isupper():
            return list(getattr(self._module, node.id))
        return []


def _is_warnings(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "warnings"


def _pattern(part: ast.expr, bound: Mapping[str, str]) -> str:
    if isinstance(part, ast.Constant):
        return re.escape(str(part.value))
    if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
        known = bound.get(part.value.id, "{}")
        return ".+" if known == "{}" else re.escape(known)
    assert isinstance(part, ast.FormattedValue), "a cause that isn't written where it is found"
    return ".+"


def without_row(causes: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """A row has a cause when its words, with anything between them, are the whole of it."""
    said = [(each.error, " … ".join(("", *each.words, ""))) for each in TABLE]
    return [
        (error, pattern)
        for error, pattern in sorted(causes)
        if not any(error == label and re.search(pattern, text) for label, text in said)
    ]


@pytest.mark.parametrize(
    ("module", "some"),
    [
        (mysync_producer.preflight, "binlog_row_metadata is"),
        (mysync_consumer.preflight, "slave_skip_errors is"),
    ],
    ids=["producer", "consumer"],
)
def test_every_cause_that_a_preflight_finds_has_a_row(module: ModuleType, some: str) -> None:
    causes = Causes(module).found
    assert len(causes) >= 12
    assert any(pattern.startswith(re.escape(some)) for _, pattern in causes)
    assert without_row(causes) == []
    assert without_row([("PreflightError", "never said")])
