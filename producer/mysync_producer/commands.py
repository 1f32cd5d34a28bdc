"""What people ask of a running producer's transfers, from any thread; the main loop answers.

A command is taken between two source transactions, and answered when what it does is committed. A
crash before that leaves nothing of it, and whoever asked is told that nothing answered; a session
that begins after an aborted Kafka transaction does again what the last one couldn't commit. A
command is forgotten when whoever asked has given it up.
"""

import queue
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, get_args

from mysync_producer.transfers import Transfers
from mysync_runtime.errors import ConfigError, MysyncError, TransientError
from mysync_schemas.position import BinlogPosition
from mysync_schemas.table import TableId

__all__ = ["Command", "Commands", "Verb"]

Verb = Literal["start", "pause", "resume", "cancel"]

ANSWER_SECONDS = 30.0

_ALLOWED: dict[str, frozenset[str]] = {
    "pause": frozenset({"running"}),
    "resume": frozenset({"paused"}),
    "cancel": frozenset({"queued", "running", "paused"}),
}


@dataclass
class Command:
    """`tables`: patterns `database.table` as in the filters."""

    verb: Verb
    tables: tuple[str, ...]
    done: threading.Event = field(default_factory=threading.Event)
    given_up: bool = False
    answer: list[str] = field(default_factory=list)  # of the tables that it was about
    error: MysyncError | None = None


class Commands:
    """A queue between the threads that ask and the one that streams."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._taken: list[Command] = []  # and not committed
        self._again: list[Command] = []

    def ask(self, verb: str, tables: tuple[str, ...]) -> list[str]:
        """Waits for the answer: the tables that were meant.

        Raises ConfigError for what can't be done, TransientError when nothing answers in time."""
        if verb not in get_args(Verb):
            raise ConfigError(f"there is no {verb!r}", mend=f"Known: {', '.join(get_args(Verb))}.")
        command = Command(verb, tables)  # type: ignore[arg-type]
        self._queue.put(command)
        if not command.done.wait(ANSWER_SECONDS):
            command.given_up = True
            raise TransientError(
                "the producer is busy with a source transaction; it may still do what was asked"
            )
        if command.error is not None:
            raise command.error
        return command.answer

    def take(
        self, transfers: Transfers, known: Collection[TableId], boundary: BinlogPosition
    ) -> bool:
        """Does what was asked; says whether something has to be committed, after which `committed`
        is called."""
        while not self._queue.empty():
            self._again.append(self._queue.get())
        while self._again:
            command = self._again.pop(0)
            if command.given_up:
                continue
            self._taken.append(command)
            try:
                _do(command, transfers, known, boundary)
            except ConfigError as error:
                command.error = error
        return bool(self._taken)

    def begin(self) -> None:
        """A session begins, with nothing of what wasn't committed."""
        for command in self._taken:
            command.answer.clear()
            command.error = None
        self._again = [*self._taken, *self._again]
        self._taken.clear()

    def committed(self) -> None:
        for command in self._taken:
            command.done.set()
        self._taken.clear()


def _do(
    command: Command, transfers: Transfers, known: Collection[TableId], boundary: BinlogPosition
) -> None:
    """All of it, or nothing and says why."""
    found: set[TableId] = set()
    for pattern in command.tables:
        found |= _meant(command.verb, pattern, transfers, known)
    for table in sorted(found):
        _one(command.verb, table, transfers, boundary)
        command.answer.append(str(table))


def _meant(
    verb: Verb, pattern: str, transfers: Transfers, known: Collection[TableId]
) -> set[TableId]:
    """The tables that a pattern is about. Raises ConfigError if there are none."""
    starts = verb == "start"
    if not all(pattern.partition(".")):
        raise ConfigError(f"{pattern!r} isn't a pattern `database.table`")
    found = {t for t in (known if starts else transfers.records) if fnmatchcase(str(t), pattern)}
    if not found:
        raise ConfigError(
            f"no {'replicated table' if starts else 'transfer'} matches {pattern!r}",
            mend="`mysync-producer status` lists the replicated tables and their transfers; which"
            " tables are replicated, `filters` say.",
        )
    if starts:
        return found
    fitting = {t for t in found if transfers.records[t].phase in _ALLOWED[verb]}
    if not fitting:
        phases = " or ".join(sorted({transfers.records[t].phase for t in found}))
        raise ConfigError(
            f"{pattern}: nothing to {verb}, what matches is {phases}",
            mend="See `mysync-producer transfer status`.",
        )
    return fitting


def _one(verb: Verb, table: TableId, transfers: Transfers, boundary: BinlogPosition) -> None:
    match verb:
        case "start":
            transfers.queue(table)
        case "pause":
            transfers.pause(table)
        case "resume":
            transfers.resume(table)
        case "cancel":
            transfers.cancel(table, boundary, "by command")
