"""Transfers for people's eyes: one line each, or bars on a terminal until all are done.

What is shown is what is committed, asked again and again: who follows changes nothing, and goes on
over restarts of the producer.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

__all__ = ["follow", "line"]

Shown = dict[str, Any]
Look = Callable[[], tuple[str | None, list[Shown]]]

_EVERY_SECONDS = 1.0
_LINE_SECONDS = 10.0
_WINDOW = 15  # samples, over which the present rate is taken
_ENDED = ("done", "cancelled")
_BARS_MOST = 30  # tables under way, beside the sum


def line(each: Shown) -> str:
    """A transfer in words."""
    rows, guess = each["rows"], each["estimated_rows"]
    parts = [f"{each['table']}: {each['phase']}"]
    if each["phase"] == "done":
        parts.append(f"{rows} rows")
    else:
        parts.append(f"{rows} rows of about {max(rows, guess)}")
    if each["seconds"] > 0:
        parts.append(f"{each['seconds']:.0f} s, {each['rows_per_second']:.0f} rows/s")
    if each["eta_seconds"] is not None:
        parts.append(f"about {each['eta_seconds']:.0f} s left")
    if each["reason"]:
        parts.append(each["reason"])
    return ", ".join(parts)


def follow(look: Look, console: Console | None = None) -> None:
    """Returns when every transfer is done or cancelled. `look` gives what is waited for before the
    first begins, and all transfers."""
    console = console or Console(soft_wrap=True, highlight=False)
    if console.is_terminal:
        with _bars(console) as progress:
            _watch(look, _Bars(progress).show)
    else:
        _watch(look, _Lines(console).show)


def _watch(look: Look, show: Callable[[str | None, Sequence[Shown]], None]) -> None:
    while True:
        waiting, found = look()
        show(waiting, found)
        if waiting is None and all(each["phase"] in _ENDED for each in found):
            return
        time.sleep(_EVERY_SECONDS)


class _Rate:
    """Rows a second, lately."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=_WINDOW)

    def take(self, rows: int) -> float:
        """Rows so far; fewer than before: it has begun again."""
        if self._samples and rows < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((time.monotonic(), rows))
        (began, first), (now, last) = self._samples[0], self._samples[-1]
        return (last - first) / (now - began) if now > began else 0.0


def _sums(found: Sequence[Shown]) -> tuple[int, int]:
    """Rows sent, and how many there may be."""
    sent = sum(each["rows"] for each in found)
    total = sum(
        each["rows"] if each["phase"] in _ENDED else max(each["rows"], each["estimated_rows"])
        for each in found
    )
    return sent, total


def _left(sent: int, total: int, rate: float) -> str:
    if total <= sent or rate <= 0:
        return ""
    seconds = int((total - sent) / rate)
    return f"about {seconds // 3600}:{seconds % 3600 // 60:02}:{seconds % 60:02} left"


class _Lines:
    """A line when a table's phase changes, and one for all now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phases: dict[str, str] = {}
        self._rate = _Rate()
        self._said = time.monotonic()

    def show(self, waiting: str | None, found: Sequence[Shown]) -> None:
        if waiting is not None and not self._phases:
            self._say(f"the transfer of all tables is being prepared ({waiting})")
            self._phases[""] = waiting
        for each in found:
            if self._phases.get(each["table"]) != each["phase"]:
                self._phases[each["table"]] = each["phase"]
                self._say(line(each))
        (sent, total), now = _sums(found), time.monotonic()
        rate = self._rate.take(sent)
        if now - self._said >= _LINE_SECONDS:
            self._said = now
            ended = sum(each["phase"] in _ENDED for each in found)
            parts = [f"{ended} of {len(found)} tables", f"{sent} rows of about {total}"]
            parts += [f"{rate:.0f} rows/s", _left(sent, total, rate)]
            self._say(", ".join(filter(None, parts)))

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False)


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[words]}", markup=False),
        console=console,
    )


class _Bars:
    """One for all, and one for each table that is under way."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._sum = progress.add_task("all tables", total=None, words="")
        self._tasks: dict[str, TaskID] = {}
        self._rates: dict[str, _Rate] = {}

    def show(self, waiting: str | None, found: Sequence[Shown]) -> None:
        sent, total = _sums(found)
        ended = sum(each["phase"] in _ENDED for each in found)
        rate = self._rates.setdefault("", _Rate()).take(sent)
        words = f"{ended} of {len(found)} tables, {sent:,} rows, {rate:,.0f} rows/s"
        if waiting is not None:
            words = f"being prepared ({waiting})"
        left = _left(sent, total, rate)
        finished = waiting is None and ended == len(found)
        self._progress.update(
            self._sum,
            total=None if waiting is not None else max(total, 1),
            completed=max(total, 1) if finished else sent,
            words=f"{words}, {left}" if left else words,
        )
        for each in found:
            self._one(each)

    def _one(self, each: Shown) -> None:
        table, phase = each["table"], each["phase"]
        task = self._tasks.get(table)
        if phase in _ENDED:
            if task is not None:
                self._progress.remove_task(self._tasks.pop(table))
                self._progress.console.print(line(each), highlight=False, markup=False)
            return
        if task is None:
            if len(self._tasks) >= _BARS_MOST:
                return
            task = self._tasks[table] = self._progress.add_task(table, total=None, words="")
        sent, total = _sums([each])
        rate = self._rates.setdefault(table, _Rate()).take(sent)
        words = [phase] if phase != "running" else [f"{sent:,} rows, {rate:,.0f} rows/s"]
        words += filter(None, [_left(sent, total, rate)])
        # The source only guesses: the last rows may be many more.
        share = min(sent, int(total * 0.99)) if total else 0
        self._progress.update(task, total=max(total, 1), completed=share, words=", ".join(words))
