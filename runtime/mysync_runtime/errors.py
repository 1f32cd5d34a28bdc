"""What can go wrong, and the exit code it ends in.

    MysyncError                     1   anything that stops a service
    ├── UsageError                  2   the command line asks for something impossible
    ├── SetupError                  3   nothing is broken yet: mend the set-up and start again
    │   ├── ConfigError                 the settings can't be used
    │   ├── CredentialsError            a server or Kafka refuses the user
    │   └── PreflightError              a server isn't set up for replication; lists every cause
    ├── DataError                   4   going on could lose, double or change data
    │   ├── PositionLost                the source no longer has the binlog we need
    │   ├── PositionMoved               the committed position isn't the one we wrote
    │   ├── SourceDiverged              this server isn't the source's continuation
    │   ├── StateLost                   topics hold data but the state record is gone
    │   ├── PartitionCountChanged       a topic has another number of partitions than the pipeline
    │   ├── TopicRecreated              a topic was deleted and made again, or deleted
    │   ├── PipelineMismatch            the control topic belongs to something else
    │   ├── FilterChanged               the filters aren't those that the pipeline began with
    │   ├── RecordsDeleted              Kafka no longer has records that were still needed
    │   ├── LogHole                     a record is missing or doubled in the rows topic
    │   ├── Divergence                  the target doesn't hold what the source held
    │   ├── Drift                       a table's definition differs from what was recorded
    │   ├── CorruptEvent                bytes that can't be what they claim to be
    │   ├── UnknownEvent                an event type we don't know
    │   ├── UnsupportedEvent            an event we know and can't carry exactly
    │   ├── TransactionTorn             a half-committed source transaction was rolled back
    │   └── DdlInStream                 a statement that concerns replicated tables
    ├── Unreachable                 1   a server didn't answer for as long as a start waits
    ├── Fenced                      1   another process took over; this one must stop
    └── TransientError              1   retriable: retried with backoff, so normally never seen
        ├── ConnectionLost              a connection broke or couldn't be made
        └── TransactionAborted          a Kafka transaction must be given up: start over from state

An error is one paragraph: what was found, where, and what to do about it. `retriable` decides what
retry does. Each package derives its own errors from these in its own `errors.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


class MysyncError(Exception):
    """What stops a service. `str()` is the whole paragraph.

    `where` is a table, a binlog position, a topic partition and offset; `mend` replaces the class's
    own advice where the raiser knows better.
    """

    exit_code: ClassVar[int] = 1
    retriable: ClassVar[bool] = False
    advice: ClassVar[str] = ""

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend or self.advice

    def __str__(self) -> str:
        found = f"{self.what} (at {self.where})" if self.where else self.what
        return " ".join(filter(None, (_sentence(found), _sentence(self.mend))))

    @property
    def label(self) -> str:
        """The class's name, as `mysync_errors_total{class}` shows it."""
        return type(self).__name__


class UsageError(MysyncError):
    exit_code = 2


class SetupError(MysyncError):
    exit_code = 3


class ConfigError(SetupError):
    advice = "`config schema` describes every setting, `config show` prints those in force."


class CredentialsError(SetupError):
    advice = "Check user, password and grants, then start again."


@dataclass(frozen=True)
class Failure:
    """One thing preflight found: its cause and the statement or setting that mends it."""

    cause: str
    mend: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.mend}" if self.mend else self.cause


class PreflightError(SetupError):
    """Every cause at once, so that one round of mending is enough."""

    advice = "Mend what is listed, then start again; nothing was changed."

    def __init__(
        self,
        what: str,
        failures: Iterable[Failure | tuple[str, str]] = (),
        *,
        where: str = "",
        mend: str = "",
    ) -> None:
        super().__init__(what, where=where, mend=mend)
        self.failures = tuple(f if isinstance(f, Failure) else Failure(*f) for f in failures)

    def __str__(self) -> str:
        if not self.failures:
            return super().__str__()
        found = f"{self.what} (at {self.where})" if self.where else self.what
        causes = "; ".join(str(f).rstrip(".;") for f in self.failures)
        return f"{found.rstrip('.:')}: {causes}. {_sentence(self.mend)}"


class DataError(MysyncError):
    exit_code = 4


class PositionLost(DataError):
    advice = (
        "The source purged binary logs that were still needed: restore them there. Or let all "
        "tables be made anew on the target: `transfer.on_lost_position: transfer`."
    )


class PositionMoved(DataError):
    advice = "Somebody moved it: put the older value back, or begin the pipeline anew."


class SourceDiverged(DataError):
    advice = (
        "Point `source` at a server that has everything already replicated. Or let all tables be "
        "made anew on the target, as this one has them: `transfer.on_lost_position: transfer`."
    )


class StateLost(DataError):
    advice = "Restore the state topic, or begin the pipeline anew under another name."


class PartitionCountChanged(DataError):
    advice = "A pipeline's partition count is fixed: begin a new pipeline to change it."


class TopicRecreated(DataError):
    advice = "What it held is gone: begin the pipeline anew under another name."


class PipelineMismatch(DataError):
    advice = "Use another pipeline name, or the release that wrote this one."


class FilterChanged(DataError):
    advice = "Put the old filters back, or begin a pipeline of another name."


class RecordsDeleted(DataError):
    advice = "Rebuild the target, and give the rows topic a longer `topics.retention_ms`."


class LogHole(DataError):
    advice = "Records are missing or doubled in the topic: rebuild the target."


class Divergence(DataError):
    advice = "Compare the row on source and target, mend the target's, and start again."


class Drift(DataError):
    advice = "Make the two definitions equal, then start again."


class CorruptEvent(DataError):
    advice = "Check the binary log with mysqlbinlog --verify-binlog-checksum; nothing was skipped."


class UnknownEvent(DataError):
    advice = "A release of mysync that knows it is needed; nothing was skipped."


class UnsupportedEvent(DataError):
    advice = "Switch off on the source what wrote it; nothing was skipped."


class TransactionTorn(DataError):
    advice = "Part of it is already published: the tables named must be copied again."


class DdlInStream(DataError):
    advice = "Apply the change to the target by hand, then begin the pipeline anew."


class Unreachable(MysyncError):
    advice = "Check address, network and that it runs, then start again."


class Fenced(MysyncError):
    advice = "Nothing is lost: the other process carries on."


class TransientError(MysyncError):
    retriable = True
    advice = "It is retried."


class ConnectionLost(TransientError):
    advice = "The connection is made again."


class TransactionAborted(TransientError):
    advice = "Everything since the last commit is read again."


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?" else f"{text}."
