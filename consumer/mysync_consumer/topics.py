"""Whether the topics still are those that the pipeline began with.

A topic that was made again has another id, which is certain at once. One that isn't there may only
be unknown yet to a broker that has just started, so its absence counts after a while."""

import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource

from mysync_runtime import backoff, kafka
from mysync_runtime.errors import TopicRecreated, TransientError
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings
from mysync_schemas.control import PipelineInfo

ABSENT_SECONDS = 8.0
"""How long Kafka must say that a topic isn't there."""


class TopicAbsent(TransientError):
    """Kafka answers, and doesn't know the topic."""


class Topics:
    """The rows and control topics of one pipeline."""

    def __init__(self, admin: AdminClient, settings: Settings, info: PipelineInfo) -> None:
        self._admin = admin
        self._wanted = {
            settings.rows_topic: (info.topic_ids.rows, info.partitions),
            settings.control_topic: (info.topic_ids.control, 1),
        }
        self._absent_since: float | None = None
        self._rows_topic = settings.rows_topic
        self.retention_ms = -1

    def check(self) -> None:
        """Compares ids and partition counts.

        Raises TopicRecreated, PartitionCountChanged; TopicAbsent as long as an absence may pass,
        TransientError when Kafka doesn't say.
        """
        found = kafka.describe_topics(self._admin, self._wanted)
        for name, (topic_id, partitions) in self._wanted.items():
            topic = found.get(name)
            if topic is None:
                self._absent(name)
                return
            kafka.check_partitions(topic, partitions)
            if topic_id and topic.topic_id != topic_id:
                raise TopicRecreated(
                    f"topic {name} was deleted and made again: its id is {topic.topic_id}, the"
                    f" pipeline's was {topic_id}"
                )
        self._absent_since = None

    def _absent(self, name: str) -> None:
        now = time.monotonic()
        since = self._absent_since = self._absent_since or now
        if now - since > ABSENT_SECONDS:
            raise TopicRecreated(f"topic {name} is gone")
        raise TopicAbsent(f"Kafka doesn't know topic {name}")

    def check_at_start(self, stop: Stop) -> None:
        """`check` until it is certain. Raises Stopped."""
        backoff.retry_forever(self.check, stop, doing="look at the topics", cap=1.0)
        self.retention_ms = self._retention()

    def _retention(self) -> int:
        """The rows topic's retention.ms, for a metric; -1 when it is none or not to be had."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, self._rows_topic)
        try:
            asked = self._admin.describe_configs([resource], request_timeout=5.0)
            return int(asked[resource].result()["retention.ms"].value)
        except (KafkaException, KeyError, ValueError):
            return -1

    def check_now(self) -> None:
        """`check` for a better word about something that is wrong anyway."""
        try:
            self.check()
        except TopicAbsent as error:
            raise TopicRecreated(f"{error.what}: it is gone") from error
        except TransientError:
            return
