"""What `mysync-producer status` says: asked of Kafka and the source, not of the service."""

import time
from typing import Any

from mysync_producer.records import read_control, read_offset, read_state
from mysync_producer.source import Source
from mysync_producer.state import State
from mysync_producer.walk import shown
from mysync_runtime import kafka
from mysync_runtime.errors import MysyncError
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings

__all__ = ["read_status", "state_fields"]


def read_status(settings: Settings, stop: Stop) -> dict[str, Any]:
    """JSON-able. Raises Unreachable, CredentialsError for Kafka; a source that doesn't answer is
    part of the answer."""
    admin = kafka.connect_at_start(settings.kafka, stop)
    names = (settings.rows_topic, settings.control_topic, settings.state_topic)
    topics = kafka.describe_topics(admin, names)
    status: dict[str, Any] = {"pipeline": settings.pipeline, "begun": False}
    if len(topics) == len(names):
        known = read_control(settings, stop)
        state, transfers = read_state(settings, stop)
        if known is not None:
            info, definitions = known
            status |= {
                "uuid": info.uuid,
                "partitions": info.partitions,
                "tables": sorted(str(table) for table in definitions.schemas),
            }
        if state is not None:
            offset = read_offset(settings)
            status |= {"begun": True, **state_fields(state)}
            status["waiting_to_join"] = state.initial
            status["transfers"] = [shown(record) for _, record in sorted(transfers.items())]
            status["offset"] = None if offset is None else offset.offset
            status["seconds_since_commit"] = max(0.0, time.time() - state.ts_us / 1e6)
            status["source"] = _source(settings, state)
    else:
        status["missing_topics"] = sorted(set(names) - set(topics))
    return status


def state_fields(state: State) -> dict[str, Any]:
    """A state record as `status` and `/status` show it."""
    return {
        "position": {"file": state.file, "pos": state.pos},
        "gtids": state.gtids,
        "server": state.server.identity,
        "seq": state.seq,
        "rows_done": state.rows_done,
        "in_transaction": bool(state.rows_done or state.txn_seq),
        "last_seqs": list(state.last_seqs),
        "learning": state.learning is not None,
        "committed_at_us": state.ts_us,
    }


def _source(settings: Settings, state: State) -> dict[str, Any]:
    try:
        source = Source.connect(settings.source)
        try:
            end, files = source.end(), source.files() or {}
        finally:
            source.close()
    except MysyncError as error:
        return {"reachable": False, "error": str(error)}
    answer: dict[str, Any] = {"reachable": True, "end": str(end.position)}
    if end.position.base == state.position.base and state.file in files:
        behind = end.position.pos - state.pos
        behind += sum(
            size for file, size in files.items() if state.file <= file < end.position.file
        )
        answer["bytes_behind"] = max(0, behind)
    return answer
