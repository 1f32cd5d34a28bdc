"""The pipeline's topics at a start: there, or created, or in a state that forbids to go on."""

from confluent_kafka.admin import AdminClient

from mysync_producer import points
from mysync_runtime import kafka
from mysync_runtime.crash import crash_point
from mysync_runtime.errors import TopicRecreated
from mysync_runtime.kafka import TopicInfo
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings

__all__ = ["prepare_topics"]


def prepare_topics(admin: AdminClient, settings: Settings, stop: Stop) -> dict[str, TopicInfo]:
    """Creates the topics of a new pipeline and describes them.

    Raises TopicRecreated when one is gone while another holds something: creating it anew would
    hide that. Not so the topic of XA transactions: a commit whose rows are gone is noticed. Raises
    PartitionCountChanged.
    """
    specs = kafka.topic_specs(settings)
    found = kafka.describe_topics(admin, [spec.name for spec in specs])
    absent = [spec.name for spec in specs if spec.name not in found]
    if not absent:
        return kafka.ensure_topics(admin, specs, stop)
    gone = [name for name in absent if name != settings.xa_topic]
    for info in found.values():
        if gone and _holds_something(settings, info):
            raise TopicRecreated(
                f"topic {', '.join(gone)} is gone, while {info.name} holds this pipeline's data"
            )
    crash_point(points.BEFORE_TOPICS)
    topics = kafka.ensure_topics(admin, specs, stop)
    crash_point(points.AFTER_TOPICS)
    return topics


def _holds_something(settings: Settings, info: TopicInfo) -> bool:
    consumer = kafka.reader(settings)
    try:
        marks = [kafka.watermarks(consumer, info.name, p) for p in range(info.partitions)]
    finally:
        consumer.close()
    return any(high > 0 for _, high in marks)
