"""The documentation keeps up: errors, settings and links that exist are named, and only those."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from mysync_runtime.errors import DataError, MysyncError, SetupError
from mysync_runtime.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = [
    "mysync_runtime.errors",
    "mysync_producer.errors",
    "mysync_producer.rowerrors",
    "mysync_consumer.errors",
    "mysync_consumer.rowerrors",
]
# Never seen by an operator under this name.
INTERNAL = {"ApplyRefused"}


def error_classes() -> list[type[MysyncError]]:
    found = {
        value
        for name in MODULES
        for value in vars(importlib.import_module(name)).values()
        if inspect.isclass(value) and issubclass(value, SetupError | DataError)
    }
    return sorted(found - {SetupError, DataError}, key=lambda one: one.__name__)


@pytest.mark.parametrize("error", error_classes(), ids=lambda one: one.__name__)
def test_every_error_that_needs_a_hand_is_in_the_runbook(error: type[MysyncError]) -> None:
    if error.__name__ not in INTERNAL:
        assert error.__name__ in (ROOT / "docs/operations.md").read_text()


def setting_names(model: type[BaseModel]) -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        names.append(name)
        if inspect.isclass(field.annotation) and issubclass(field.annotation, BaseModel):
            names += setting_names(field.annotation)
    return names


@pytest.mark.parametrize("name", sorted(set(setting_names(Settings))))
def test_every_setting_is_described(name: str) -> None:
    assert re.search(rf"\b{name}\b", (ROOT / "docs/configuration.md").read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_paths_exist(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
    for target in re.findall(
        r"`((?:docs|charts|lab|schemas|producer|consumer|runtime)/\S*)`", text
    ):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_that_are_named_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    commands = [*re.findall(r"`(make [^`]*)`", page.read_text()), *"".join(blocks).splitlines()]
    for target in re.findall(r"^make ([a-z]+)", "\n".join(commands), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def damages() -> list[str]:
    """The rows of the tables of `docs/damage.md`, but for their heads."""
    lines = (ROOT / "docs/damage.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    return [row for row in rows if not row.startswith("| what goes wrong")]


@pytest.mark.parametrize("row", damages(), ids=lambda row: row.split("|")[1].strip()[:50])
def test_every_damage_names_tests_that_exist(row: str) -> None:
    assert row.count("|") == 4, "what goes wrong, what mysync does, tests"
    named = re.findall(r"`([^`]*)::(\w+)`", row.split("|")[3])
    assert named
    for path, name in named:
        module = ast.parse((ROOT / path).read_text())
        functions = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
        assert name in functions, f"{path} has no {name}"
