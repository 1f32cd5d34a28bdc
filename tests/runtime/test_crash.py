"""Named crash points kill the real process, at the asked-for pass only."""

import signal
import subprocess
import sys

import pytest

from mysync_runtime import crash

PROGRAM = """
import sys
from mysync_runtime import crash
from mysync_runtime.lifecycle import run_main
crash.declare("before-commit", "rows sent, nothing committed")
def main():
    for n in range(3):
        print(n, flush=True)
        crash.crash_point("before-commit")
    print("done", flush=True)
sys.exit(run_main(main))
"""


def run(value: str | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={} if value is None else {crash.VARIABLE: value},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("value", "printed"),
    [("before-commit", "0\n"), ("before-commit:1", "0\n"), ("before-commit:3", "0\n1\n2\n")],
)
def test_an_armed_point_kills_at_its_nth_pass(value: str, printed: str) -> None:
    ended = run(value)
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, printed)


@pytest.mark.parametrize("value", [None, "", "before-commit:4"])
def test_an_unarmed_point_does_nothing(value: str | None) -> None:
    ended = run(value)
    assert (ended.returncode, ended.stdout) == (0, "0\n1\n2\ndone\n")


def test_a_point_that_nobody_declared_is_refused_with_the_known_ones() -> None:
    ended = run("befor-commit")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "before-commit" in ended.stderr


@pytest.mark.parametrize("value", ["before-commit:", "before-commit:0", "before-commit:x", ":1"])
def test_a_malformed_count_is_refused(value: str) -> None:
    ended = run(value)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert crash.VARIABLE in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_name_declared_twice_is_a_defect() -> None:
    crash.declare("test-only", "one meaning")
    with pytest.raises(ValueError, match="declared twice"):
        crash.declare("test-only", "another meaning")
    assert crash.list_points()["test-only"] == "one meaning"
