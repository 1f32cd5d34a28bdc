"""What the workers of a process share."""

from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka.admin import AdminClient

from mysync_consumer.applier import Applier
from mysync_consumer.bindings import Bindings
from mysync_consumer.frontier import Frontiers
from mysync_consumer.instructions import Obedience
from mysync_runtime import kafka
from mysync_runtime.errors import TopicRecreated
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
    admin: AdminClient
    markers: Markers
    applier: Applier
    bindings: Bindings
    frontiers: Frontiers
    obedience: Obedience
    fail: Callable[[BaseException], None]

    def check_topics(self) -> None:
        """Raises TopicRecreated or PartitionCountChanged."""
        check_topics(self.admin, self.settings, self.info)


def check_topics(admin: AdminClient, settings: Settings, info: PipelineInfo) -> None:
    """Compares the topics with what the pipeline began with.

    Raises TopicRecreated, PartitionCountChanged, TransientError.
    """
    wanted = {
        settings.rows_topic: (info.topic_ids.rows, info.partitions),
        settings.control_topic: (info.topic_ids.control, 1),
    }
    found = kafka.describe_topics(admin, wanted)
    for name, (topic_id, partitions) in wanted.items():
        topic = found.get(name)
        if topic is None:
            raise TopicRecreated(f"topic {name} is gone")
        kafka.check_partitions(topic, partitions)
        if topic_id and topic.topic_id != topic_id:
            raise TopicRecreated(
                f"topic {name} was deleted and made again: its id is {topic.topic_id}, the"
                f" pipeline's was {topic_id}"
            )
