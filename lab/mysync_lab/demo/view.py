"""Two ways to show the demo: a live screen on a terminal, plain lines everywhere else."""

import os
import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mysync_lab.compare import Comparison
from mysync_lab.demo.measure import Snapshot

# Plain lines come this many seconds apart.
_PLAIN_SECONDS = 2.0
_BAR = 30


class View(Protocol):
    """What the demo tells; `show` is called many times a second."""

    def say(self, line: str) -> None: ...
    def show(self, snapshot: Snapshot) -> None: ...
    def result(self, comparison: Comparison) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def choose() -> View:
    """The live screen if standard output is a terminal that can move its cursor."""
    console = Console(highlight=False)
    if console.is_terminal and not console.is_dumb_terminal and not os.environ.get("CI"):
        return LiveView(console)
    return PlainView(Console(highlight=False, color_system=None, width=200, soft_wrap=True))


class PlainView:
    """One line every few seconds, one for each event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._events = 0
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def say(self, line: str) -> None:
        self._console.print(line, markup=False)

    def show(self, snapshot: Snapshot) -> None:
        for event in snapshot.events[self._events :]:
            self.say(event)
        self._events = len(snapshot.events)
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _PLAIN_SECONDS
        lag = " ".join(map(str, snapshot.lag))
        self.say(
            f"{snapshot.elapsed:5.1f} s  {snapshot.phase}:"
            f" source {snapshot.source_rate:.0f} rows/s,"
            f" Kafka {snapshot.record_rate:.0f} records/s,"
            f" target {snapshot.apply_rate:.0f} records/s;"
            f" lag per partition {lag}; kills {snapshot.kills}"
        )

    def result(self, comparison: Comparison) -> None:
        for table in comparison.tables:
            self.say(str(table))


class LiveView:
    """A screen that is redrawn in place, and stays when it is over."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=False)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, traceback)

    def say(self, line: str) -> None:
        self._console.print(line, markup=False)

    def show(self, snapshot: Snapshot) -> None:
        self._live.update(draw(snapshot))

    def result(self, comparison: Comparison) -> None:
        table = Table("table", box=None, pad_edge=False)
        for heading in ("rows, source", "rows, target"):
            table.add_column(heading, justify="right")
        for heading in ("checksum, source", "checksum, target", ""):
            table.add_column(heading)
        for one in comparison.tables:
            table.add_row(
                one.table.table,
                str(one.source_rows),
                str(one.target_rows),
                _half(one.source_checksum),
                _half(one.target_checksum),
                Text("equal", "green") if one.equal else Text("DIFFERENT", "bold red"),
            )
        self._console.print(table)
        for one in comparison.tables:
            if not one.equal:
                self.say(str(one))


def draw(snapshot: Snapshot) -> Panel:
    """The whole screen of one moment."""
    done = min(1.0, snapshot.elapsed / snapshot.total)
    bar = Text("━" * round(_BAR * 2 * done), "cyan")
    bar.append("━" * (_BAR * 2 - round(_BAR * 2 * done)), "bright_black")
    bar.append(f"  {snapshot.elapsed:4.0f} s  {snapshot.phase}")
    top = Table.grid(padding=(0, 4))
    top.add_row(_rates(snapshot), _services(snapshot))
    events = Text("\n".join(snapshot.events[-6:]) or " ", "dim")
    return Panel(Group(bar, Text(), top, Text(), _lag(snapshot), Text(), events), title="mysync")


def _rates(snapshot: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("a second", justify="right")
    table.add_column("in all", justify="right")
    table.add_row("rows written to the source", _n(snapshot.source_rate), _n(snapshot.source_rows))
    table.add_row("records in Kafka", _n(snapshot.record_rate), _n(snapshot.records))
    table.add_row("records at the target", _n(snapshot.apply_rate), _n(snapshot.applied))
    table.add_row("transactions", "", _n(snapshot.transactions))
    return table


def _services(snapshot: Snapshot) -> Table:
    table = Table("service", "state", box=None, pad_edge=False)
    table.add_column("killed", justify="right")
    for service in snapshot.services:
        state = (
            Text(f"running, pid {service.pid}", "green")
            if service.running
            else Text("dead", "bold red")
        )
        table.add_row(service.name, state, f"{service.kills}×")
    table.add_row("oldest partition", f"{snapshot.behind_seconds:.1f} s behind", "")
    return table


def _lag(snapshot: Snapshot) -> Table:
    table = Table("partition", box=None, pad_edge=False)
    table.add_column("lag", justify="right", min_width=7)
    table.add_column("records", min_width=_BAR)
    largest = max(*snapshot.lag, 50)
    for partition, lag in enumerate(snapshot.lag):
        length = -(-lag * _BAR // largest)
        colour = "green" if lag < 500 else "yellow" if lag < 5_000 else "red"
        table.add_row(str(partition), _n(lag), Text("█" * length, colour))
    return table


def _half(checksum: str | None) -> str:
    """Enough of it for eyes, so that a line fits a terminal; the whole is compared."""
    return "" if checksum is None else f"{checksum[:16]}…"


def _n(value: float) -> str:
    return f"{value:,.0f}"
