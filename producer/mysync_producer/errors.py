"""What the producer adds to the runtime's errors.

    MysyncError
    ├── LeadershipLost          another producer may be the active one: ask the election again
    ├── TransientError
    │   └── RowsTakenBack       the source took back rows that are in the open Kafka transaction
    └── DataError
        ├── PreparedRowsUnknown an XA transaction is committed whose rows aren't there
        └── UnknownTable        rows of a table whose definition was never recorded

`rowerrors.py` holds what can be wrong with a table's description or a row's bytes.
"""

from mysync_runtime.errors import DataError, MysyncError, TransientError

__all__ = ["LeadershipLost", "PreparedRowsUnknown", "RowsTakenBack", "UnknownTable"]


class LeadershipLost(MysyncError):
    """Not retriable: what was tried must not be tried again before the next election."""

    advice = "Only the elected producer goes on; the others wait as standbys."


class RowsTakenBack(TransientError):
    """The rows' place is remembered in `TakenBack` when this is raised."""

    advice = "The log is read again from the last commit, and those rows are left out."


class PreparedRowsUnknown(DataError):
    advice = (
        "Everything before it was replicated. Copy the tables that it changed again (without names "
        "above: all that XA transactions change), then begin the pipeline anew under another name."
    )


class UnknownTable(DataError):
    advice = "Begin the pipeline anew, or exclude the table."
