"""What the workers of a process share."""

from collections.abc import Callable
from dataclasses import dataclass

from mysync_consumer.applier import Applier
from mysync_consumer.bindings import Bindings
from mysync_consumer.frontier import Frontiers
from mysync_consumer.instructions import Obedience
from mysync_consumer.limit import Goal
from mysync_consumer.quarantine import Quarantine
from mysync_consumer.recordhead import Markers
from mysync_consumer.topics import Topics
from mysync_runtime.settings import Settings
from mysync_schemas.control import PipelineInfo


@dataclass(frozen=True, slots=True)
class Context:
    """One per process, made at its start; everything in it is safe to use from any thread.

    `owner` names this process in the checkpoint table, `statements_uuid` the GTIDs of statements on
    a MySQL target. `goal` is where a rebuild ends. `fail` ends the process with an error.
    """

    settings: Settings
    info: PipelineInfo
    statements_uuid: str
    owner: str
    topics: Topics
    markers: Markers
    applier: Applier
    bindings: Bindings
    frontiers: Frontiers
    obedience: Obedience
    quarantine: Quarantine
    goal: Goal
    fail: Callable[[BaseException], None]
