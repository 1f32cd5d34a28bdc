"""What can go wrong in the consumer, beside what `mysync_runtime.errors` names.

    mysync_runtime.errors
    ├── UsageError                  2
    │   ├── NothingToDecide             a word on a statement that needs none
    │   ├── BadPoint                    words that name no point of the stream
    │   ├── PointUnknown                a point that the topics don't reach
    │   ├── CutStands                   there is a cut already
    │   └── NoCut                       no cut to release
    ├── SetupError                  3
    │   ├── ForeignTables               mysync.* on the target is of another version
    │   ├── TableOwned                  another pipeline writes this table
    │   ├── RebuildRefused              a rebuild that couldn't end right; lists every cause
    │   └── GroupConflict               another consumer group keeps this pipeline's checkpoint
    ├── DataError                   4
    │   ├── ApplyRefused                the target refused an event; becomes a Divergence
    │   ├── TooLarge                    a row needs a greater max_allowed_packet on the target
    │   ├── StatementFailed             the target refused a statement of the source
    │   ├── StatementRefused            a statement that can't be executed on this target
    │   ├── DdlUndecided                whether a statement took effect can't be told
    │   ├── StoppedByInstruction        another process found a divergence: all stop
    │   └── UnsupportedRecord           a record that this version can't apply
    ├── CutFailed                   1   a cut wasn't reached, or ended before its user was done
    └── TransientError              1
        ├── TargetUnavailable           connection lost, read-only, disk full, ...
        ├── TargetBusy                  deadlock or lock wait: the same batch, again
        ├── ClaimLost                   another process claimed the partition since
        └── UnknownYet                  a schema or line that the control topic must still show

`Revoked` is no error: it unwinds a worker whose partition is taken away or whose process stops.
Nor is `TableFailed`: it carries an error to whoever decides whether all stop or one table.
"""

from collections.abc import Mapping

from mysync_runtime.errors import (
    DataError,
    MysyncError,
    PreflightError,
    SetupError,
    TransientError,
    UsageError,
)
from mysync_schemas.table import TableId


class NothingToDecide(UsageError):
    advice = "`mysync-consumer ddl list` shows the statements and what became of them."


class CutStands(UsageError):
    advice = "Wait for its end, or end it by `mysync-consumer cut --release`."

    def __init__(self, version: int, about: Mapping[str, object] | None) -> None:
        found = about or {}
        super().__init__(
            f"cut {version} is in force, asked for by {found.get('asked_by')} at"
            f" {found.get('asked_at')}, until {found.get('expires_at')}"
        )


class BadPoint(UsageError):
    advice = (
        "A point is gtid:SET, position:FILE:POS, time:2026-01-31T12:00:00Z or"
        " offset:PARTITION:OFFSET."
    )


class PointUnknown(UsageError):
    advice = "Name one that they have, or wait until the producer has come there; nothing was done."


class NoCut(UsageError):
    advice = "`mysync-consumer status` shows the one in force, if there is one."


class CutFailed(MysyncError):
    """The target was never, or is no more, at one position of the source."""

    advice = "Ask again."


class ForeignTables(SetupError):
    advice = "Use the release that made them, or drop the database mysync after a clean end."

    def __init__(self, found: str, wanted: int) -> None:
        super().__init__(
            f"the tables mysync.* on the target are of version {found}, "
            f"this release knows version {wanted}"
        )


class TableOwned(SetupError):
    def __init__(self, table: str, pipeline: str) -> None:
        db, _, name = table.partition(".")
        super().__init__(
            f"table {table} on the target is written by pipeline {pipeline!r}",
            mend=(
                "Two pipelines can't write one table. If that one has ended: DELETE FROM "
                f"mysync.owned_table WHERE pipeline='{pipeline}' AND db='{db}' AND tbl='{name}'."
            ),
        )


class RebuildRefused(PreflightError):
    advice = "Mend what is listed, then ask again; nothing was applied."


class GroupConflict(SetupError):
    advice = (
        "One target takes a pipeline once: give both the same target.name, or stop the other one "
        "and delete that row of mysync.meta."
    )


class ApplyRefused(DataError):
    """The target refused rows. `code` is the server's error number, 0 when it gave none.

    Raised after the rollback; who knows the events finds the one that is meant. It ends the process
    only when it isn't `of_rows`: the checkpoint, or what goes with it, was refused.
    """

    advice = (
        "It isn't about a row: see that nothing on the target stands in the way of writing "
        "mysync.checkpoint, then start again."
    )

    def __init__(self, code: int, message: str, *, warnings: tuple[str, ...] = ()) -> None:
        text = f"the target refused it with error {code}: {message}"
        if warnings:
            text += f" (warnings: {'; '.join(warnings)})"
        super().__init__(text)
        self.code = code
        self.message = message
        self.of_rows = True


class TooLarge(DataError):
    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"a row takes a packet of {size} bytes, the target's max_allowed_packet is {limit}",
            mend=f"SET GLOBAL max_allowed_packet = {-(-size // 2**20) * 2**20} or more there"
            " (1 GiB at most), then start again.",
        )


class StatementFailed(DataError):
    """The target refused a statement, or its context; it has had no effect. `code` and `message`
    are the server's."""

    def __init__(self, code: int, message: str, what: str, *, where: str, mend: str) -> None:
        super().__init__(what, where=where, mend=mend)
        self.code = code
        self.message = message


class DdlUndecided(DataError):
    """A statement may have taken effect or not: running it again could do its effect twice."""


class StatementRefused(DataError):
    advice = "Make the same change on the target by hand, then let the statement be passed over."


class StoppedByInstruction(DataError):
    advice = "Mend what that report names; a restart tries the event again."


class UnsupportedRecord(DataError):
    advice = "A release of mysync that knows it is needed; nothing was skipped."


class TargetUnavailable(TransientError):
    advice = "It is claimed and tried again."


class TargetBusy(TransientError):
    """The transaction is rolled back, the session is usable: the same batch may be tried again."""


class ClaimLost(TransientError):
    advice = "It is claimed again while it is assigned here."


class UnknownYet(TransientError):
    advice = "It is waited for."


class Revoked(Exception):
    """The partition is no longer ours to work on."""


class TableFailed(Exception):
    """`error` is about one table, by the source's name, at the source's and Kafka's `place`.

    `offset` is where the partition stands, so that a repetition can be told."""

    def __init__(self, table: TableId, error: DataError, place: str, offset: int) -> None:
        super().__init__(str(error))
        self.table = table
        self.error = error
        self.place = place
        self.offset = offset
