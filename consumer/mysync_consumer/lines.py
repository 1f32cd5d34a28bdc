"""Lines: markers in every partition that open when everything before them is applied.

The N copies of a line share one seq. A worker that meets its copy has committed everything before
it and published a frontier of seq - 1; it goes on when all N frontiers are there and the line's
action is done. A statement, and a transfer's begin and end, are done by the control owner, whose
frontier then is the line's seq; the other actions known here mean no more than "everything before
is applied". A crash while waiting only means to wait again: frontiers don't go back."""

from mysync_consumer.errors import UnsupportedRecord
from mysync_runtime import crash
from mysync_schemas.markers import Line

KNOWN = frozenset({Line.DDL, Line.BEGIN, Line.END, Line.ADOPT, Line.CLEAR})

OWNERS = frozenset({Line.DDL, Line.BEGIN, Line.END})
"""Actions of the control owner."""

WAITING = crash.declare(
    "line.waiting", "everything before the line is applied here; the line is met again"
)
OPENED = crash.declare("line.opened", "the line is open; the checkpoint still stands before it")


def check_action(line: Line, where: str) -> None:
    """Raises UnsupportedRecord for a line that nobody here can act on."""
    if line.action not in KNOWN:
        raise UnsupportedRecord(
            f"line {line.id} (seq {line.seq}) asks for {line.action!r},"
            " which this release can't do",
            where=where,
        )
