"""An external schema registry that doesn't answer, or is another one."""

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from mysync_producer.filters import Filters
from mysync_producer.registry import RegistryIds
from mysync_producer.start import _verify_pipeline
from mysync_runtime.errors import ConfigError, ConnectionLost
from mysync_runtime.settings import SchemaRegistrySettings, Settings
from mysync_schemas import control


def test_a_registry_that_does_not_answer_is_tried_again() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        ids = RegistryIds(SchemaRegistrySettings(url=url))
        with pytest.raises(ConnectionLost, match="doesn't answer"):
            ids.id_of("subject", '"string"')


def test_a_pipeline_keeps_the_registry_that_it_began_with() -> None:
    settings = Settings.model_validate(
        {"pipeline": "p", "schema_registry": {"url": "http://new:8081"}}
    )
    topic = SimpleNamespace(name="t", partitions=1, topic_id="id")
    topics: Any = dict.fromkeys(
        (settings.rows_topic, settings.control_topic, settings.state_topic), topic
    )
    info: Any = SimpleNamespace(
        format=control.FORMAT,
        hash_version=control.HASH_VERSION,
        pipeline="p",
        uuid="u",
        partitions=1,
        topic_ids=SimpleNamespace(rows="id", control="id", state="id"),
        schema_id_mode="registry",
        registry_url="http://old:8081",
    )
    state: Any = SimpleNamespace(pipeline_uuid="u", filter_hash=Filters(["*.*"]).hash)
    with pytest.raises(ConfigError, match="http://old:8081"):
        _verify_pipeline(settings, Filters(["*.*"]), topics, info, state)
