"""What the producer adds to the runtime's errors.

    TransientError (mysync_runtime)
    ├── LeadershipLost      another producer is the active one now: wait in line again
    └── RowsTakenBack       the source rolled back rows that are in the open Kafka transaction
    DataError (mysync_runtime)
    └── UnknownTable        rows of a table whose definition was never recorded

`rowerrors.py` holds what can be wrong with a table's description or a row's bytes.
"""

from mysync_runtime.errors import DataError, TransientError

__all__ = ["LeadershipLost", "RowsTakenBack", "UnknownTable"]


class LeadershipLost(TransientError):
    advice = "This process waits as a standby."


class RowsTakenBack(TransientError):
    """Read again from the last commit and leave the rows between `first` and `last` out."""

    advice = "The stream is read again from the last commit without them."


class UnknownTable(DataError):
    advice = "Begin the pipeline anew, or exclude the table."
