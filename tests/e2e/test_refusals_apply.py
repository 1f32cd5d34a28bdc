"""What the consumer can't apply: it stops, and the target holds everything before it and nothing of
it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewPartitions

from fix_own_servers import run_sql
from fix_topics import ITEMS, Stage
from mysync_lab.kafka import KafkaServer
from mysync_lab.services import Pipeline
from mysync_lab.sql import SqlServer
from mysync_schemas.framing import frame
from provoked import SECONDS, Outcomes, Script, ended, selected_causes
from refusals import Refusal, row, rows
from topicwriter import IDS, TopicWriter

pytestmark = pytest.mark.xdist_group("own servers")

MIB = 1 << 20
SMALL = "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(40), v BIGINT)"


class Stages:
    """Makes the stages of one script; they have one partition unless told otherwise."""

    def __init__(self, folder: Path, kafka: KafkaServer, **servers: SqlServer) -> None:
        self.servers = servers
        self._folder, self._kafka = folder, kafka
        self._made: list[Stage] = []

    def __call__(self, on: str = "shared", **sections: Any) -> Stage:
        folder = self._folder / f"stage-{len(self._made)}"
        sections = {"topics": {"partitions": 1}} | sections
        stage = Stage(folder, self.servers[on], self._kafka, **sections)
        self._made.append(stage)
        return stage

    def end(self) -> None:
        for stage in self._made:
            stage.end()


Scripted = Callable[[Stages, Refusal], Script]
SCRIPTS: dict[str, Scripted] = {}


def provokes(cause: str) -> Callable[[Scripted], Scripted]:
    def register(script: Scripted) -> Scripted:
        SCRIPTS[cause] = script
        return script

    return register


def runs(stage: Stage) -> Script:
    """A consumer that has applied some rows."""
    consumer = stage.consumer()
    yield
    consumer.wait_ready(SECONDS)
    with stage.writer:
        for id_ in range(1, 4):
            stage.put(id_, id_)
        stage.writer.heartbeat()
    yield
    stage.wait_applied(SECONDS)


def stops(stage: Stage, refusal: Refusal, write: Callable[[], object] = lambda: None) -> Script:
    """What is written stops the process that was started last; the table stays as it is."""
    held = stage.sql("SELECT * FROM items")
    with stage.writer:
        write()
    yield
    refusal.check(*ended(stage.pipeline.services[-1]))
    assert stage.sql("SELECT * FROM items") == held


# -- rows and tables of the target ---------------------------------------------------------------


@provokes("a row is missing on the target")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages().begin()
    yield from runs(stage)
    stage.sql("DELETE FROM items WHERE id = 2")
    yield from stops(stage, refusal, lambda: stage.put(2, 20))


@provokes("a row is on the target already")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages().begin()
    yield from runs(stage)
    stage.sql("INSERT INTO items VALUES (5, 'mine', 50)")
    yield from stops(stage, refusal, lambda: stage.put(5, 5))


@provokes("another process found a divergence")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages(topics={"partitions": 4}).begin()
    yield from runs(stage)
    second = stage.consumer()
    yield
    second.wait_ready(SECONDS)
    first = stage.pipeline.services[0]
    stage.wait(lambda: len({r["owner"] for r in stage.checkpoint().values()}) == 2, "both", SECONDS)
    stage.sql("INSERT INTO items VALUES (5, 'mine', 50)")
    with stage.writer:
        stage.put(5, 5)
        stage.writer.heartbeat()
    yield
    told, found = sorted((ended(first), ended(second)), key=lambda e: "another worker" not in e[1])
    refusal.check(*told)
    row("a row is on the target already").check(*found)
    written = f"SELECT 1 FROM mysync.instruction WHERE pipeline = '{stage.name}'"
    assert len(stage.sql(written)) == 1


@provokes("a table is missing on the target")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages().begin()
    stage.sql("DROP TABLE items")
    with stage.writer:
        stage.put(1, 1)
    consumer = stage.consumer()
    yield
    refusal.check(*ended(consumer))


def differs(change: str, stages: Stages, refusal: Refusal) -> Script:
    """The target's table isn't what the source's was."""
    stage = stages().begin(SMALL)
    stage.sql(change)
    stage.consumer()
    yield from stops(stage, refusal, lambda: stage.put(1, 1))


for cause, change in {
    "a table that can't roll back": "ALTER TABLE items ENGINE = MyISAM",
    "a column of another type": "ALTER TABLE items MODIFY v INT",
    "a column too few": "ALTER TABLE items DROP COLUMN v",
    "a unique key too many": "ALTER TABLE items ADD UNIQUE KEY (name)",
}.items():
    SCRIPTS[cause] = partial(differs, change)


@provokes("a trigger that SQL would fire")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages("mariadb", apply={"via": "sql"}).begin()
    stage.sql("CREATE TRIGGER doubled BEFORE INSERT ON items FOR EACH ROW SET NEW.v = 2 * NEW.v")
    stage.consumer()
    yield from stops(stage, refusal, lambda: stage.put(1, 1))


@provokes("a value that doesn't fit")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages().begin("CREATE TABLE items (id INT PRIMARY KEY, small TINYINT)")
    stage.consumer()
    value = {"id": 1, "small": 300}
    yield from stops(stage, refusal, lambda: stage.writer.insert(stage.items, value))


@provokes("a row greater than a packet")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages("own")
    stage.writer = TopicWriter(stage.settings, part_bytes=MIB // 2)
    stage.begin("CREATE TABLE items (id INT PRIMARY KEY, data LONGBLOB)")
    run_sql(stage.target, "SET GLOBAL max_allowed_packet = 16777216")
    consumer = stage.consumer()
    yield
    consumer.wait_ready(SECONDS)
    large = {"id": 1, "data": bytes(13 * MIB)}
    try:
        yield from stops(stage, refusal, lambda: stage.writer.insert(stage.items, large))
    finally:
        run_sql(stage.target, "SET GLOBAL max_allowed_packet = 268435456")


@provokes("the user may not write the table")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages("own", target={"user": "reader", "password": "reader"}).begin()
    run_sql(
        stage.target,
        "CREATE USER IF NOT EXISTS 'reader'@'%' IDENTIFIED BY 'reader'",
        "GRANT REPLICATION_APPLIER ON *.* TO 'reader'@'%'",
        "GRANT ALL ON mysync.* TO 'reader'@'%'",
        f"GRANT SELECT ON {stage.db}.* TO 'reader'@'%'",
    )
    stage.consumer()
    yield from stops(stage, refusal, lambda: stage.put(1, 1))


# -- what belongs to somebody else ---------------------------------------------------------------


def rename(stage: Stage, tables: dict[str, str]) -> None:
    """Gives the stage, not begun yet, a pipeline that writes tables under other names."""
    configuration = {**stage.pipeline.configuration, "rename": {"tables": tables}}
    stage.pipeline = Pipeline(stage.pipeline.folder, configuration)


@provokes("a table that another pipeline writes")
def _(stages: Stages, refusal: Refusal) -> Script:
    first = stages().begin()
    yield from runs(first)
    second = stages()
    rename(second, {second.items: first.items})
    second.begin()
    held = first.sql("SELECT * FROM items")
    second.consumer()
    yield from stops(second, refusal, lambda: second.put(9, 9))
    assert first.sql("SELECT * FROM items") == held


@provokes("two tables that become one")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages()
    rename(stage, {f"{stage.db}.more": stage.items})
    stage.begin(ITEMS, "CREATE TABLE more LIKE items")
    stage.consumer()
    yield from stops(stage, refusal, lambda: stage.put(1, 1))


@provokes("a checkpoint of another group")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages().begin()
    yield from runs(stage)
    target = {**stage.pipeline.configuration["target"], "name": "another"}
    configuration = {**stage.pipeline.configuration, "target": target}
    stranger = Pipeline(stage.pipeline.folder / "other", configuration)
    stage.pipeline.services[0].stop(SECONDS)
    stage.pipeline.services.append(stranger.consumer().start())
    yield from stops(stage, refusal, lambda: stage.put(9, 9))


def restarted(stage: Stage, change: Callable[[], object]) -> Script:
    """Changes something while the consumer isn't there."""
    yield from runs(stage)
    consumer = stage.pipeline.services[0]
    assert consumer.stop(SECONDS) == 0
    change()
    consumer.start()


@provokes("tables of another version")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages().begin()
    version = f"UPDATE mysync.meta SET value = '99' WHERE pipeline = '{stage.name}'"
    yield from restarted(stage, lambda: stage.sql(f"{version} AND name = 'version'"))
    yield from stops(stage, refusal)


@provokes("an emptied checkpoint")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages().begin()
    yield from runs(stage)
    stage.sql(f"DELETE FROM mysync.checkpoint WHERE pipeline = '{stage.name}'")
    yield from stops(stage, refusal, lambda: stage.put(9, 9))


@provokes("a checkpoint that can't be written")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages("own").begin()
    yield from runs(stage)
    trigger = f"mysync.{stage.db}"
    stage.sql(
        f"CREATE TRIGGER {trigger} BEFORE UPDATE ON mysync.checkpoint FOR EACH ROW"
        f" BEGIN IF NEW.pipeline = '{stage.name}' AND NEW.next_offset > OLD.next_offset"
        " THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not now'; END IF; END"
    )
    try:
        yield from stops(stage, refusal, stage.writer.heartbeat)
    finally:
        stage.sql(f"DROP TRIGGER {trigger}")


@provokes("a format of a later release")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages().begin(format=99, hash_version=7)
    stage.consumer()
    yield from stops(stage, refusal)


# -- records -------------------------------------------------------------------------------------


def after(write: Callable[[Stage], object], stages: Stages, refusal: Refusal) -> Script:
    """Something is written behind good rows."""
    stage = stages().begin()
    yield from runs(stage)
    last = stage.writer.seq
    yield from stops(stage, refusal, lambda: write(stage))
    assert stage.checkpoint()[0]["last_seq"] == last


def miss(stage: Stage) -> None:
    stage.writer.take(0)
    stage.put(9, 9)


def double(stage: Stage) -> None:
    stage.writer.prev[0] -= 1
    stage.put(9, 9)


def raw(value: bytes, stage: Stage) -> None:
    stage.writer.produce(stage.settings.rows_topic, 0, None, value)


for cause, write in {
    "a missing record": miss,
    "a doubled record": double,
    "a record that can't be read": partial(raw, frame(IDS["Line"], b"\xff" * 12)),
    "a record without a value": partial(raw, b""),
    "a row that can't be read": lambda stage: raw(
        frame(stage.writer.tables[stage.items].value_schema_id, b"\xff" * 12), stage
    ),
    "a line of a later release": lambda stage: stage.writer.line("later", 1),
}.items():
    SCRIPTS[cause] = partial(after, write)


@provokes("a partition that doesn't begin at its beginning")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages()
    stage.writer.prev[0] = stage.writer.seq = 41
    stage.begin()
    stage.consumer()
    yield from stops(stage, refusal, lambda: stage.put(1, 1))


@provokes("deleted records")
def _(stages: Stages, refusal: Refusal) -> Script:
    """The process is slower than retention: what it was about to fetch is gone when it asks."""
    stage = stages(apply={"group_session_timeout_ms": 60_000}).begin()
    yield from runs(stage)
    consumer, topic = stage.pipeline.services[0], stage.settings.rows_topic
    consumer.freeze()
    # The fetch that is under way at the broker is answered with what comes first.
    with stage.writer:
        stage.put(1, 10)
    yield
    with stage.writer:
        stage.put(1, 11)
    yield
    last = TopicPartition(topic, 0, -1)  # up to the end
    stage.writer._admin.delete_records([last])[last].result()
    with stage.writer:
        stage.put(1, 12)
    consumer.thaw()
    yield
    refusal.check(*ended(consumer))


# -- topics --------------------------------------------------------------------------------------


def delete(stage: Stage, *topics: str) -> None:
    admin = stage.writer._admin
    for future in admin.delete_topics(list(topics)).values():
        future.result()
    stage.wait(
        lambda: not set(topics) & set(admin.list_topics(timeout=10).topics), "the topics' end"
    )


@provokes("a topic with another partition")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages().begin()
    topic = stage.settings.rows_topic
    more = [NewPartitions(topic, 3)]
    admin = stage.writer._admin
    yield from restarted(stage, lambda: admin.create_partitions(more)[topic].result())
    yield from stops(stage, refusal)


@provokes("topics begun anew")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages().begin()

    def begin_anew() -> None:
        delete(stage, *stage.pipeline.topics)
        stage.writer = TopicWriter(stage.settings)
        stage.writer.start(stage.target, [stage.db])

    yield from restarted(stage, begin_anew)
    yield from stops(stage, refusal, lambda: stage.put(9, 9))


@provokes("a target written from other partitions")
def _(stages: Stages, refusal: Refusal) -> Script:
    """The note is changed: whatever changes the topic is noticed before."""
    stage = stages().begin()
    noted = f"UPDATE mysync.meta SET value = '2' WHERE pipeline = '{stage.name}'"
    yield from restarted(stage, lambda: stage.sql(f"{noted} AND name = 'partitions'"))
    yield from stops(stage, refusal, lambda: stage.put(9, 9))


@provokes("a rows topic that vanishes")
def _(stages: Stages, refusal: Refusal) -> Script:
    stage = stages().begin()
    yield from runs(stage)
    delete(stage, stage.settings.rows_topic)
    yield
    refusal.check(*ended(stage.pipeline.services[0]))


# ------------------------------------------------------------------------------------------------


def _script(refusal: Refusal, stages: Stages) -> Script:
    try:
        yield from SCRIPTS[refusal.cause](stages, refusal)
    finally:
        stages.end()


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest,
    mysql_b: SqlServer,
    mariadb_b: SqlServer,
    own_mysql: SqlServer,
    kafka: KafkaServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Outcomes:
    found, selected = Outcomes(), selected_causes(request)
    servers = {"shared": mysql_b, "mariadb": mariadb_b, "own": own_mysql}
    found.play(
        {
            each.cause: _script(each, Stages(tmp_path_factory.mktemp("apply"), kafka, **servers))
            for each in rows("apply")
            if each.cause in selected
        }
    )
    return found


@pytest.mark.parametrize("row", rows("apply"), ids=str)
def test_what_can_not_be_applied_stops_the_consumer(row: Refusal, outcomes: Outcomes) -> None:
    outcomes.verify(row.cause)
