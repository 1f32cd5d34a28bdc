"""Each error class: its exit code, and one paragraph that says what to do."""

import subprocess
import sys

import pytest

from mysync_runtime import errors
from mysync_runtime.errors import Failure, MysyncError, PreflightError
from mysync_runtime.lifecycle import run_main

# class name: (exit code, retriable, a word that its own advice must contain)
TABLE = {
    "MysyncError": (1, False, ""),
    "UsageError": (2, False, ""),
    "SetupError": (3, False, ""),
    "ConfigError": (3, False, "config schema"),
    "CredentialsError": (3, False, "password"),
    "PreflightError": (3, False, "nothing was changed"),
    "DataError": (4, False, ""),
    "PositionLost": (4, False, "binary logs"),
    "PositionMoved": (4, False, "older value"),
    "SourceDiverged": (4, False, "source"),
    "StateLost": (4, False, "state topic"),
    "PartitionCountChanged": (4, False, "new pipeline"),
    "TopicRecreated": (4, False, "another name"),
    "PipelineMismatch": (4, False, "another pipeline name"),
    "FilterChanged": (4, False, "old filters"),
    "RecordsDeleted": (4, False, "retention_ms"),
    "LogHole": (4, False, "rebuild"),
    "Divergence": (4, False, "Compare"),
    "Drift": (4, False, "definitions equal"),
    "CorruptEvent": (4, False, "mysqlbinlog"),
    "UnknownEvent": (4, False, "nothing was skipped"),
    "UnsupportedEvent": (4, False, "Switch off"),
    "TransactionTorn": (4, False, "copied again"),
    "DdlInStream": (4, False, "by hand"),
    "Unreachable": (1, False, "address"),
    "Fenced": (1, False, "Nothing is lost"),
    "TransientError": (1, True, "retried"),
    "ConnectionLost": (1, True, "again"),
    "TransactionAborted": (1, True, "last commit"),
}
PROGRAM = """
import sys
from mysync_runtime import errors
from mysync_runtime.lifecycle import run_main
def main():
    raise errors.LogHole("the thing broke", where="shop.orders")
sys.exit(run_main(main))
"""
CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, MysyncError)]


def test_every_error_class_has_a_row_in_the_table() -> None:
    assert {c.__name__ for c in CLASSES} == set(TABLE)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda c: c.__name__)
def test_an_error_says_what_where_and_what_to_do(kind: type[MysyncError]) -> None:
    exit_code, retriable, word = TABLE[kind.__name__]
    error = kind("the thing broke", where="mysql-bin.000007:4711")
    assert (kind.exit_code, kind.retriable, error.label) == (exit_code, retriable, kind.__name__)
    text = str(error)
    assert text.startswith("the thing broke (at mysql-bin.000007:4711).")
    assert word in text
    assert "\n" not in text
    assert ".." not in text


@pytest.mark.parametrize("kind", CLASSES, ids=lambda c: c.__name__)
def test_a_service_ends_with_the_errors_code_and_one_paragraph(
    kind: type[MysyncError], capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        raise kind("the thing broke", where="shop.orders")

    assert run_main(main) == TABLE[kind.__name__][0]
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"mysync: {kind.__name__}: the thing broke (at shop.orders).")


def test_a_process_ends_with_that_code() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (4, "")
    assert ended.stderr.startswith("mysync: LogHole: the thing broke (at shop.orders). ")
    assert "Traceback" not in ended.stderr


def test_the_raisers_own_advice_replaces_that_of_the_class() -> None:
    assert str(errors.LogHole("gap", mend="Do this.")) == "gap. Do this."


def test_preflight_lists_every_cause_with_what_mends_it() -> None:
    error = PreflightError(
        "the source isn't ready",
        [
            Failure("format is MIXED", "SET GLOBAL binlog_format = ROW"),
            ("no grant", "GRANT x."),
        ],
        where="db:3306",
    )
    assert str(error) == (
        "the source isn't ready (at db:3306): format is MIXED: SET GLOBAL binlog_format = ROW; no "
        "grant: GRANT x. Mend what is listed, then start again; nothing was changed."
    )


def test_the_drawn_tree_names_every_class_under_its_parent() -> None:
    drawn = [line for line in (errors.__doc__ or "").splitlines() if line.startswith("    ")]
    path: list[str] = []
    parents = {}
    for line in drawn:
        name = next(word for word in line.split() if word[0].isalpha())
        depth = (line.index(name) - 4) // 4
        path[depth:] = [name]
        parents[name] = path[depth - 1] if depth else "Exception"
    assert parents == {c.__name__: c.__base__.__name__ for c in CLASSES}
