"""What people see of transfers, on a terminal and elsewhere."""

import io
from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console

from mysync_producer import transferview
from mysync_producer.transferstate import TransferState
from mysync_producer.walk import shown


def record(table: str, phase: str, rows: int, estimate: int = 0) -> dict[str, Any]:
    state = TransferState(db="shop", table=table)
    state = state.begun(1, "walk", 1).model_copy(
        update={"phase": phase, "rows": rows, "estimate": estimate, "ended_us": 2_000_001}
    )
    return shown(state)


STEPS: Sequence[tuple[str | None, list[dict[str, Any]]]] = (
    ("full", []),
    (None, [record("a[b]", "running", 100, 400), record("c", "running", 10, 20)]),
    (None, [record("a[b]", "running", 300, 400), record("c", "cancelled", 10, 20)]),
    (None, [record("a[b]", "done", 410, 400), record("c", "cancelled", 10, 20)]),
)


@pytest.mark.parametrize("terminal", [True, False])
def test_transfers_are_followed_until_all_have_ended(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bars on a terminal, plain lines elsewhere; names are shown as they are."""
    monkeypatch.setattr(transferview, "_EVERY_SECONDS", 0.0)
    written = io.StringIO()
    steps = iter(STEPS)
    console = Console(file=written, force_terminal=terminal, width=120, color_system=None)
    transferview.follow(lambda: next(steps), console)
    text = written.getvalue()
    assert "shop.a[b]: done, 410 rows, 2 s, 205 rows/s" in text
    assert "shop.c: cancelled, 10 rows of about 20" in text
    assert ("100 %" in text) == terminal
    assert ("\x1b" in text) == terminal
    assert list(steps) == []


def test_a_table_that_is_begun_again_is_known_to_be_incomplete() -> None:
    """From the command to its new begin the target has some of its rows only."""
    begun = TransferState(db="shop", table="t").begun(7, "k: k INT", 1)
    again = TransferState(db="shop", table="t", partial=True, walk=begun.walk)
    assert begun.incomplete
    assert again.incomplete
    assert not again.active
    assert not again.begun(8, begun.walk, 2).partial
    assert not begun.ended("done", 2).incomplete
