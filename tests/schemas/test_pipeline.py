"""Whether the pipeline in Kafka is the one that was meant."""

from typing import Any

import pytest

from mysync_schemas.control import FORMAT, HASH_VERSION, PipelineInfo, TopicIds, fixed_schemas
from mysync_schemas.errors import PipelineMismatch
from mysync_schemas.pipeline import check_pipeline

IDS = TopicIds(rows="r", control="c", state="s")
INFO = PipelineInfo(
    format=FORMAT, pipeline="shop", uuid="u1", partitions=8, topic_ids=IDS, schema_id_mode="own",
    hash_version=HASH_VERSION, schemas=fixed_schemas(), created_ts=0,
)  # fmt: skip
EXPECTED: dict[str, Any] = {
    "pipeline": "shop", "uuid": "u1", "partitions": 8, "topic_ids": IDS, "schema_id_mode": "own",
    "registry_url": None,
}  # fmt: skip


def test_the_right_pipeline_passes() -> None:
    check_pipeline(INFO, **EXPECTED)
    check_pipeline(INFO, pipeline="shop")


@pytest.mark.parametrize(
    ("found", "expected", "field", "words"),
    [
        ({"format": FORMAT + 1}, {}, "format", ["version", "run the version"]),
        ({"hash_version": 9}, {}, "hash_version", ["hashed", "run the version"]),
        ({}, {"pipeline": "other"}, "pipeline", ["shop", "other", "settings"]),
        ({}, {"uuid": "u2"}, "uuid", ["u1", "u2", "begin again"]),
        ({}, {"partitions": 12}, "partitions", ["8", "12", "begin again"]),
        ({}, {"topic_ids": IDS.model_copy(update={"rows": "x"})}, "topic_ids.rows",
         ["rows topic", "created again"]),
        ({}, {"topic_ids": IDS.model_copy(update={"control": "x"})}, "topic_ids.control",
         ["control topic"]),
        ({}, {"topic_ids": IDS.model_copy(update={"state": "x"})}, "topic_ids.state",
         ["state topic"]),
        ({}, {"schema_id_mode": "registry"}, "schema_id_mode", ["schema_registry.url"]),
        ({"schema_id_mode": "registry", "registry_url": "http://a"},
         {"schema_id_mode": "registry", "registry_url": "http://b"}, "registry_url",
         ["http://a", "http://b"]),
    ],
)  # fmt: skip
def test_each_difference_is_named_with_what_to_do(
    found: dict[str, Any], expected: dict[str, Any], field: str, words: list[str]
) -> None:
    info = INFO.model_copy(update=found)
    with pytest.raises(PipelineMismatch) as caught:
        check_pipeline(info, **(EXPECTED | expected))
    assert caught.value.fields == (field,)
    for word in words:
        assert word in str(caught.value)


def test_all_differences_are_named_at_once() -> None:
    with pytest.raises(PipelineMismatch) as caught:
        check_pipeline(INFO, pipeline="shop", uuid="u2", partitions=9, schema_id_mode="registry")
    assert caught.value.fields == ("uuid", "partitions", "schema_id_mode")
