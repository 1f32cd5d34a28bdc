"""What the workers of a process share."""

from collections.abc import Callable
from dataclasses import dataclass

from mysync_consumer.applier import Applier
from mysync_consumer.bindings import Bindings
from mysync_consumer.frontier import Frontiers
from mysync_consumer.instructions import Obedience
from mysync_consumer.quarantine import Quarantine
from mysync_consumer.topics import Topics
from mysync_runtime.settings import Settings
from mysync_schemas.control import PipelineInfo


@dataclass(frozen=True, slots=True)
class Markers:
    """Schema ids of the records that aren't rows."""

    line: int
    heartbeat: int
    part: int

    @classmethod
    def of(cls, info: PipelineInfo) -> "Markers":
        ids = info.ids()
        return cls(ids["Line"], ids["Heartbeat"], ids["Part"])

    def is_marker(self, schema_id: int) -> bool:
        return schema_id in (self.line, self.heartbeat, self.part)


@dataclass(frozen=True, slots=True)
class Context:
    """One per process, made at its start; everything in it is safe to use from any thread.

    `owner` names this process in the checkpoint table. `fail` ends the process with an error.
    """

    settings: Settings
    info: PipelineInfo
    owner: str
    topics: Topics
    markers: Markers
    applier: Applier
    bindings: Bindings
    frontiers: Frontiers
    obedience: Obedience
    quarantine: Quarantine
    fail: Callable[[BaseException], None]
