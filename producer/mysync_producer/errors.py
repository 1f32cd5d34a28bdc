"""What the producer adds to the runtime's errors.

    MysyncError
    ├── LeadershipLost          another producer may be the active one: ask the election again
    ├── TransientError
    │   └── RowsTakenBack       the source took back rows that are in the open Kafka transaction
    └── DataError
        └── UnknownTable        rows of a table whose definition was never recorded

`rowerrors.py` holds what can be wrong with a table's description or a row's bytes.
"""

from mysync_runtime.errors import DataError, MysyncError, TransientError

__all__ = ["LeadershipLost", "RowsTakenBack", "UnknownTable"]


class LeadershipLost(MysyncError):
    """Not retriable: what was tried must not be tried again before the next election."""

    advice = "Only the elected producer goes on; the others wait as standbys."


class RowsTakenBack(TransientError):
    """The rows' place is remembered in `TakenBack` when this is raised."""

    advice = "The log is read again from the last commit, and those rows are left out."


class UnknownTable(DataError):
    advice = "Begin the pipeline anew, or exclude the table."
