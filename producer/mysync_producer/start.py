"""The start path: what every start does, after SIGKILL as after an aborted Kafka transaction.

Topics exist and this process is elected. `take_over` ends a predecessor's transaction, so the
topics' read_committed ends are final; then state, offset, control topic and each partition's last
record are read and must agree: they were written together. Only when all of them hold nothing it
is a first start: the place in the log E0, the tables' definitions, the end of the log E1; state at
E0 and the definitions are committed with a line in every partition. A crash before that commit
leaves nothing.

E0 is the log's end, or a place long before it (`source.start`). Then what the definitions
say may have been otherwise for most of the stretch: they are only a list of names, and each table's
rows are carried by what the log says of it until a definition read later is reached. Before E1,
tables may come that aren't there any more, and foreign keys may have been there that nobody can
read: where the log leaves out what these cascade, all tables are kept in one order.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mysync_producer import points
from mysync_producer.beginning import Beginning, find_beginning, logs_cascades
from mysync_producer.catalog import read_catalog
from mysync_producer.definitions import (
    FIRST_SEQ,
    Definitions,
    OwnIds,
    SchemaIds,
    assume,
    control_records,
    define,
)
from mysync_producer.filters import Filters
from mysync_producer.publisher import Publisher
from mysync_producer.records import Committed, read_control, read_last, read_offset, read_state
from mysync_producer.source import Source
from mysync_producer.state import Initial, Learning, State
from mysync_producer.transferstate import TransferState
from mysync_producer.xa import Prepared
from mysync_producer.xatopic import read_prepared
from mysync_runtime.crash import crash_point
from mysync_runtime.errors import (
    ConfigError,
    FilterChanged,
    LogHole,
    PartitionCountChanged,
    PipelineMismatch,
    PositionMoved,
    PreflightError,
    StateLost,
    TopicRecreated,
)
from mysync_runtime.kafka import TopicInfo
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings
from mysync_runtime.startpoint import Latest
from mysync_schemas import control
from mysync_schemas.control import PipelineInfo, TopicIds
from mysync_schemas.framing import frame
from mysync_schemas.markers import Line
from mysync_schemas.table import TableId

__all__ = ["Started", "line_records", "schema_ids", "start"]

log = get_logger("start")


@dataclass
class Started:
    """Everything to go on from. `state.offsets` are those of the last committed records."""

    info: PipelineInfo
    definitions: Definitions
    state: State
    publisher: Publisher
    prepared: dict[str, Prepared] = field(default_factory=dict)
    transfers: dict[TableId, TransferState] = field(default_factory=dict)


def start(
    settings: Settings,
    filters: Filters,
    topics: Mapping[str, TopicInfo],
    source: Source,
    stop: Stop,
    tick: Callable[[], None],
    confirm: Callable[[], None],
) -> Started:
    """Takes over from whoever was active before, or begins the pipeline.

    `confirm` raises when this process isn't the elected one: whoever takes over ends the other.
    """
    publisher = Publisher(settings, [-1] * topics[settings.rows_topic].partitions, stop, tick)
    try:
        confirm()
        publisher.take_over()
        known = read_control(settings, stop, tick)
        state, transfers = read_state(settings, stop, tick)
        offset = read_offset(settings)
        if known is None and state is None and offset is None:
            _verify_nothing_published(settings, topics, stop, tick)
            return _begin(settings, filters, topics, source, publisher, stop, tick)
        if state is None:
            raise _lost(settings, known is not None, offset)
        if known is None:
            raise TopicRecreated(f"topic {settings.control_topic} is empty, the state isn't")
        info, definitions = known
        _verify_pipeline(settings, filters, topics, info, state)
        _verify_offset(settings, state, offset)
        publisher.offsets = _verify_partitions(settings, info, state, stop, tick)
        prepared = read_prepared(settings, stop, tick)
    except BaseException:
        publisher.close()
        raise
    state = state.model_copy(update={"offsets": tuple(publisher.offsets)})
    log.info("recovered", position=str(state.position), seq=state.seq, rows_done=state.rows_done)
    return Started(info, definitions, state, publisher, prepared, transfers)


# -- recovery ----------------------------------------------------------------------------------


def _lost(settings: Settings, control_holds: bool, offset: Committed | None) -> StateLost:
    others = []
    if control_holds:
        others.append(f"topic {settings.control_topic} holds definitions")
    if offset is not None:
        others.append(f"group {settings.position_group} holds position {offset.offset}")
    return StateLost(
        f"topic {settings.state_topic} has no state record, but {' and '.join(others)}"
    )


def _verify_nothing_published(
    settings: Settings, topics: Mapping[str, TopicInfo], stop: Stop, tick: Callable[[], None]
) -> None:
    count = topics[settings.rows_topic].partitions
    try:
        found = [x for x in read_last(settings, None, [0] * count, stop, tick) if x is not None]
    except LogHole as error:
        raise StateLost(
            f"topic {settings.rows_topic} isn't empty ({error.what}), but neither state nor "
            "definitions exist",
            where=error.where,
        ) from error
    if found:
        raise StateLost(
            f"topic {settings.rows_topic} holds records, but neither state nor definitions exist"
        )


def _verify_pipeline(
    settings: Settings,
    filters: Filters,
    topics: Mapping[str, TopicInfo],
    info: PipelineInfo,
    state: State,
) -> None:
    """PipelineInfo against what is there."""
    if info.format != control.FORMAT or info.hash_version != control.HASH_VERSION:
        raise PipelineMismatch(
            f"the pipeline has format {info.format} and hash version {info.hash_version}, this "
            f"release writes {control.FORMAT} and {control.HASH_VERSION}"
        )
    if info.pipeline != settings.pipeline or info.uuid != state.pipeline_uuid:
        raise PipelineMismatch(
            f"topic {settings.control_topic} belongs to pipeline {info.pipeline} ({info.uuid}), "
            f"the state to {state.pipeline_uuid}"
        )
    rows = topics[settings.rows_topic]
    if rows.partitions != info.partitions:
        raise PartitionCountChanged(
            f"topic {rows.name} has {rows.partitions} partitions, the pipeline began with "
            f"{info.partitions}"
        )
    for name, recorded in (
        (settings.rows_topic, info.topic_ids.rows),
        (settings.control_topic, info.topic_ids.control),
        (settings.state_topic, info.topic_ids.state),
    ):
        if topics[name].topic_id != recorded:
            raise TopicRecreated(
                f"topic {name} isn't the one that the pipeline began with: it has id "
                f"{topics[name].topic_id} instead of {recorded}"
            )
    mode = "registry" if settings.schema_registry.url else "own"
    if mode != info.schema_id_mode:
        raise ConfigError(
            f"the pipeline began with schema ids of mode {info.schema_id_mode!r}, the settings say "
            f"{mode!r}",
            mend="Set `schema_registry.url` as it was; a pipeline can't switch.",
        )
    if settings.schema_registry.url != info.registry_url:
        raise ConfigError(
            f"the pipeline began with the schema registry {info.registry_url}, the settings say "
            f"{settings.schema_registry.url}: its ids would mean other schemas",
            mend="Set `schema_registry.url` as it was; a pipeline can't switch.",
        )
    if filters.hash != state.filter_hash:
        raise FilterChanged(
            f"the filters changed since the pipeline began (hash {state.filter_hash}, now "
            f"{filters.hash})"
        )


def _verify_offset(settings: Settings, state: State, offset: Committed | None) -> None:
    """They were committed together. An idle group's offsets expire, the state doesn't."""
    if offset is None:
        log.warning("the committed position has expired; the state record is used")
        return
    if offset.offset != state.position.to_offset() or (
        offset.metadata and offset.metadata != state.metadata()
    ):
        raise PositionMoved(
            f"group {settings.position_group} has position {offset.offset} ({offset.metadata}), "
            f"the state record {state.position.to_offset()} ({state.metadata()})"
        )


def _verify_partitions(
    settings: Settings,
    info: PipelineInfo,
    state: State,
    stop: Stop,
    tick: Callable[[], None],
) -> list[int]:
    """The offsets of the last committed records, which must be those that the state says."""
    offsets = list(state.offsets)
    found = read_last(settings, info, offsets, stop, tick)
    for partition, (last, seq) in enumerate(zip(found, state.last_seqs, strict=True)):
        where = f"{settings.rows_topic}/{partition}"
        if last is not None:
            offset, found_seq = last
            if found_seq != seq:
                raise LogHole(
                    f"the last record has number {found_seq}, the state says {seq}",
                    where=f"{where} offset {offset}",
                )
            offsets[partition] = offset
        elif seq:
            log.warning("a partition's records were deleted by retention", partition=partition)
    return offsets


# -- first start -------------------------------------------------------------------------------


def _begin(
    settings: Settings,
    filters: Filters,
    topics: Mapping[str, TopicInfo],
    source: Source,
    publisher: Publisher,
    stop: Stop,
    tick: Callable[[], None],
) -> Started:
    """The pipeline's first start, at `source.start`."""
    point = settings.source.start or Latest()
    begin = find_beginning(source, settings, point, stop, tick)
    crash_point(points.PLACE_FOUND)
    catalog = read_catalog(source.connection, source.flavor, filters)
    end = source.end()
    if catalog.refused:
        raise PreflightError("the source has tables that can't be replicated", catalog.refused)
    ids = schema_ids(settings, control.FIRST_TABLE_SCHEMA_ID)
    fixed = control.fixed_schemas(None if isinstance(ids, OwnIds) else ids.id_of)
    anchor = None
    if begin.past:
        names = [table.table_id for table in catalog.tables]
        if not logs_cascades(source, begin.server_version):
            anchor = min(names, default=None)
        definitions = assume(catalog.tables, anchor)
    else:
        definitions = define(catalog.tables, settings.pipeline, ids, source.scalar)
    rows = topics[settings.rows_topic]
    info = PipelineInfo(
        format=control.FORMAT,
        pipeline=settings.pipeline,
        uuid=str(uuid.uuid4()),
        connector=source.server().flavor,
        partitions=rows.partitions,
        topic_ids=TopicIds(
            rows=rows.topic_id,
            control=topics[settings.control_topic].topic_id,
            state=topics[settings.state_topic].topic_id,
        ),
        schema_id_mode="registry" if settings.schema_registry.url else "own",
        registry_url=settings.schema_registry.url,
        hash_version=control.HASH_VERSION,
        schemas=fixed,
        created_ts=time.time_ns() // 1000,
    )
    state = _first_state(
        info,
        begin,
        Learning.after(source.server(), end, anchor),
        filters,
        definitions,
        ids,
        _initial(settings),
    )
    publisher.control([control.encode(info, info.ids())])
    publisher.control(
        control_records(info, definitions.schemas.values(), definitions.collation_records)
    )
    line = Line(FIRST_SEQ, 0, FIRST_SEQ, definitions.next_version - 1, Line.ADOPT)
    publisher.send([[record] for record in line_records(info, line, [0] * info.partitions)], 0)
    crash_point(points.BEFORE_FIRST_COMMIT)
    publisher.commit(state)
    crash_point(points.AFTER_FIRST_COMMIT)
    log.info("pipeline begun", position=str(state.position), tables=len(catalog.tables))
    return Started(info, definitions, state, publisher)


def _initial(settings: Settings) -> Initial | None:
    """What the target has to be given, because it has nothing yet."""
    match settings.transfer.initial:
        case "when_needed":
            return "full" if settings.source.start is None else None
        case "never":
            return None
        case wanted:
            if settings.source.start is not None:
                raise ConfigError(
                    f"`transfer.initial` is {wanted}, and `source.start` says that the target "
                    "stands somewhere already",
                    mend="Leave out one of them.",
                )
            return wanted


def _first_state(
    info: PipelineInfo,
    begin: Beginning,
    learning: Learning,
    filters: Filters,
    definitions: Definitions,
    ids: SchemaIds,
    initial: Initial | None,
) -> State:
    place = begin.place
    return State(
        pipeline_uuid=info.uuid,
        server=learning.server,
        file=place.position.file,
        pos=place.position.pos,
        gtids=None if place.gtids is None else str(place.gtids),
        log_created=begin.created,
        seq=FIRST_SEQ,
        last_seqs=(FIRST_SEQ,) * info.partitions,
        offsets=(-1,) * info.partitions,
        next_schema_id=ids.next_id,
        next_version_id=definitions.next_version,
        filter_hash=filters.hash,
        initial=initial,
        learning=learning,
        uncertain=tuple(sorted(definitions.schemas)) if begin.past else (),
        ts_us=time.time_ns() // 1000,
    )


def schema_ids(settings: Settings, next_id: int) -> SchemaIds:
    """What numbers Avro schemas: the registry, or the producer from `next_id` on."""
    if not settings.schema_registry.url:
        return OwnIds(next_id)
    # Its client costs a start half a second, which few need.
    from mysync_producer.registry import RegistryIds

    return RegistryIds(settings.schema_registry)


def line_records(info: PipelineInfo, line: Line, prev: Sequence[int]) -> list[tuple[None, bytes]]:
    """The line's copies, by partition."""
    schema_id = info.ids()["Line"]
    return [(None, frame(schema_id, replace(line, prev=before).encode())) for before in prev]
