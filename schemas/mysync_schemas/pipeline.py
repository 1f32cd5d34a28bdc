"""Whether the pipeline on the control topic is the one that a process was told to serve."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from mysync_schemas.control import FORMAT, HASH_VERSION, PipelineInfo, TopicIds
from mysync_schemas.errors import PipelineMismatch

__all__ = ["check_pipeline"]

_ANEW: Final = "begin again under a new pipeline name, or delete the topics and begin again"


def check_pipeline(
    info: PipelineInfo,
    *,
    pipeline: str,
    uuid: str | None = None,
    partitions: int | None = None,
    topic_ids: TopicIds | None = None,
    schema_id_mode: Literal["own", "registry"] | None = None,
    registry_url: str | None = None,
) -> None:
    """Raises `PipelineMismatch` if `info` (from Kafka) isn't what settings and brokers say.

    What is None isn't known here and isn't compared. `registry_url` counts where
    `schema_id_mode` is "registry". The error's `fields` name all that differs: format, pipeline,
    uuid, partitions, topic_ids.rows / .control / .state, schema_id_mode, registry_url,
    hash_version; its message says of each what was found, what was expected and what to do.
    """
    found = list(_format(info, pipeline, uuid))
    found += _topics(info, partitions, topic_ids)
    found += _registry(info, schema_id_mode, registry_url)
    if found:
        message = "; ".join(text for _, text in found)
        raise PipelineMismatch(
            f"pipeline {info.pipeline}: {message}", tuple(field for field, _ in found)
        )


def _format(info: PipelineInfo, pipeline: str, uuid: str | None) -> Iterator[tuple[str, str]]:
    if info.format != FORMAT:
        yield (
            "format",
            (
                f"its records have format version {info.format}, this mysync reads and writes "
                f"{FORMAT}: run the version of mysync that made it"
            ),
        )
    if info.hash_version != HASH_VERSION:
        yield (
            "hash_version",
            (
                f"its keys are hashed by version {info.hash_version}, this mysync's by "
                f"{HASH_VERSION}: run the version of mysync that made it"
            ),
        )
    if info.pipeline != pipeline:
        yield (
            "pipeline",
            (
                f"the control topic belongs to it and not to {pipeline}: correct the pipeline's "
                "name in the settings"
            ),
        )
    if uuid is not None and info.uuid != uuid:
        yield (
            "uuid",
            (
                f"the control topic says uuid {info.uuid}, known here is {uuid}: the pipeline was "
                f"made anew under its old name. Remove what is left of the old one, or {_ANEW}"
            ),
        )


def _topics(
    info: PipelineInfo, partitions: int | None, topic_ids: TopicIds | None
) -> Iterator[tuple[str, str]]:
    if partitions is not None and info.partitions != partitions:
        yield (
            "partitions",
            (
                f"it was made with {info.partitions} partitions, its rows topic has {partitions}: "
                f"rows would change their partition and lose their order; {_ANEW}"
            ),
        )
    if topic_ids is None:
        return
    for name in TopicIds.model_fields:
        was, now = getattr(info.topic_ids, name), getattr(topic_ids, name)
        if was != now:
            yield (
                f"topic_ids.{name}",
                (
                    f"its {name} topic had id {was} and has {now}: the topic was deleted and "
                    f"created again, and what it held is gone; {_ANEW}"
                ),
            )


def _registry(
    info: PipelineInfo, mode: str | None, registry_url: str | None
) -> Iterator[tuple[str, str]]:
    if mode is not None and info.schema_id_mode != mode:
        use = {"own": "no schema registry", "registry": f"the registry {info.registry_url}"}
        yield (
            "schema_id_mode",
            (
                f"it was made with {use[info.schema_id_mode]}, the settings say otherwise: schema "
                f"ids can't be switched; set schema_registry.url back, or {_ANEW}"
            ),
        )
    elif mode == "registry" and registry_url != info.registry_url:
        yield (
            "registry_url",
            (
                f"its schema ids are those of {info.registry_url}, the settings name "
                f"{registry_url}: set schema_registry.url back, or {_ANEW}"
            ),
        )
