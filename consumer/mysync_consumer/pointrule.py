"""What finds a point of the stream: a rule, which is shown every record, partition by partition.

What it says doesn't depend on how the partitions' records are mixed, and it says a place only if
it has seen that the point isn't before the beginning of what the topics still hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from mysync_consumer.recordhead import Head
from mysync_schemas.control import Ddl

NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Kept:
    """What the rows topic still holds: of all partitions the records whose seq is above `floor`, of
    each those from its offset in `lows` on. NEVER: of one partition nothing."""

    floor: int
    lows: Mapping[int, int]

    @property
    def scout(self) -> int:
        """The partition that is read to its end where the same words may name a later place, too:
        each has all heartbeats, so one is enough."""
        return min(self.lows)


NOTHING = Kept(NEVER, {0: 0})


class Missing(Enum):
    """Why there is no place."""

    AHEAD = "the stream doesn't reach the point yet"
    BEHIND = "nothing shows that the topics reach back to the point"
    TWICE = "the stream passes the point twice, in different logs"


class Rule(Protocol):
    """Finds a point. `take` is shown a partition's records in order, until it says True: this
    partition has no more to say."""

    def begin(self, kept: Kept) -> None:
        """Is told first what will be shown."""
        ...

    def take(self, head: Head) -> bool: ...

    def statement(self, ddl: Ddl) -> None:
        """Is shown every statement, in order, after all records."""
        ...

    def enough(self) -> bool:
        """Whether the point is certain when all partitions are at their ends for now."""
        ...

    def found(self) -> int | Missing:
        """The seq E before which everything belongs to the point: the records of whole
        transactions of the source."""
        ...
