"""Privileges that the target's user lacks, or loses: nothing is tried for ever."""

import os
from collections.abc import Iterator

import pytest

from fix_topics import MakeStage, Stage

SETUP_ERROR = 3
USER = f"mysync_weak_{os.getpid()}"  # every worker of the suite has its own


@pytest.fixture
def weak(make_stage: MakeStage) -> Iterator[Stage]:
    """A stage whose consumer may write the tables and not read them."""
    stage = make_stage(topics={"partitions": 1}, target={"user": USER, "password": "weak"}).begin()
    stage.sql(
        f"DROP USER IF EXISTS {USER}",
        f"CREATE USER {USER} IDENTIFIED BY 'weak'",
        f"GRANT REPLICATION_APPLIER ON *.* TO {USER}",
        f"GRANT ALL ON mysync.* TO {USER}",
        f"GRANT INSERT, UPDATE, DELETE ON {stage.db}.* TO {USER}",
    )
    yield stage
    stage.pipeline.end()
    stage.sql(f"DROP USER {USER}")


def test_a_table_that_may_not_be_read_is_named_with_the_grant_that_is_missing(weak: Stage) -> None:
    consumer = weak.ready()
    with weak.writer:
        weak.put(1, 1)
    assert consumer.wait_exit(90) == SETUP_ERROR
    said = consumer.log_tail(1)
    assert "CredentialsError" in said
    assert "1142" in said
    assert f"GRANT SELECT, INSERT, UPDATE, DELETE ON `{weak.db}`.`items`" in said
    weak.sql(f"GRANT SELECT ON {weak.db}.* TO {USER}")
    consumer.start()
    weak.wait_applied()


def test_a_user_that_may_only_apply_row_events_is_told_what_else_it_needs(weak: Stage) -> None:
    weak.sql(f"REVOKE ALL ON mysync.* FROM {USER}")
    consumer = weak.consumer()
    assert consumer.wait_exit(90) == SETUP_ERROR
    assert f"GRANT ALL ON mysync.* TO '{USER}'@'%'" in consumer.log_tail(1)


def test_a_checkpoint_that_may_no_longer_be_read_ends_the_process(weak: Stage) -> None:
    consumer = weak.ready()
    weak.sql(f"REVOKE ALL ON mysync.* FROM {USER}")
    assert consumer.wait_exit(90) == SETUP_ERROR
    assert "1142" in consumer.log_tail(1)
    assert "checkpoint" in consumer.log_tail(1)
