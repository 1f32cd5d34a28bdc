"""State records for tests that don't care what is in most of their fields."""

from typing import Any

from mysync_producer.state import Server, State


def state_of(**fields: Any) -> State:
    """At the first log's beginning, with nothing sent, but for the `fields`."""
    some = {
        "pipeline_uuid": "u",
        "server": Server(flavor="mysql", identity="s"),
        "file": "log.000001",
        "pos": 4,
        "gtids": None,
        "seq": 1,
        "last_seqs": (1,),
        "offsets": (-1,),
        "next_schema_id": 1,
        "next_version_id": 1,
        "filter_hash": "f",
    }
    return State(**(some | fields))
