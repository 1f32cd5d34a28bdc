"""SIGKILL at every named point, under traffic: the target ends equal, in strict mode.

Strictness is what makes this a test of *exactly* once: an insert must be new, an update or delete
must find its row, so an event that was lost or came twice stops the consumer.
"""

import inspect
import random
import runpy
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from crashes import (
    BEGINNING,
    ELSEWHERE,
    POINTS,
    SECONDS,
    armed,
    await_death,
    is_producers,
    needs_xa,
)
from fix_pipeline import MakeReplica
from mysync_lab.layout import wait_until
from mysync_lab.sql import SqlServer
from mysync_runtime import crash as points

WITHOUT_ERROR_VALUES = ("pk_only", "hot", "composite", "no_pk", "uniq", "parent", "child")
"""Tables whose traffic SQL can write: `everything` has error values of an ENUM."""

# The end of an XA transaction stops the pipelines that begin meanwhile: not on the shared servers.
OWN = pytest.mark.xdist_group("own servers")
PARAMETERS = [pytest.param(p, marks=OWN if needs_xa(p) else ()) for p in POINTS]


@pytest.mark.parametrize("point", PARAMETERS)
def test_a_kill_at_this_point_loses_and_doubles_nothing(
    point: str, request: pytest.FixtureRequest, make_replica: MakeReplica
) -> None:
    source = request.getfixturevalue("own_mysql" if needs_xa(point) else "mysql_a")
    killed(make_replica, source, point, None, coalesce=POINTS.index(point) % 2 == 0)


@pytest.mark.parametrize("point", ["consumer.after_binlog", "consumer.after_commit"])
def test_a_kill_while_rows_are_written_by_sql_loses_and_doubles_nothing(
    point: str, mysql_a: SqlServer, make_replica: MakeReplica
) -> None:
    coalesce = point == "consumer.after_commit"
    killed(make_replica, mysql_a, point, WITHOUT_ERROR_VALUES, coalesce=coalesce, via="sql")


def test_every_point_is_killed_at_here_or_where_it_is_said_to_be() -> None:
    assert set(POINTS) | set(ELSEWHERE) == set(points.list_points())
    tested = {
        (value, file)
        for file in set(ELSEWHERE.values())
        for test in runpy.run_path(str(Path(__file__).with_name(file))).values()
        if inspect.isfunction(test)
        for mark in getattr(test, "pytestmark", ())
        if mark.name == "parametrize" and mark.args[0] == "point"
        for value in mark.args[1]
    }
    assert tested == set(ELSEWHERE.items())


def killed(
    make_replica: MakeReplica,
    source: SqlServer,
    point: str,
    only: Sequence[str] | None,
    **apply: object,
) -> None:
    """Kills at the point under traffic on these tables, starts again, compares."""
    replica = make_replica(
        source,
        topics={"max_message_bytes": 10_000},
        publish={"max_bytes": 65_536},
        apply=apply,
    )
    order = replica.create_order(only)
    replica.create_large()
    elsewhere = replica.create_elsewhere()
    producer, consumer = replica.pipeline.producer(), replica.pipeline.consumer()
    victim = producer if is_producers(point) else consumer
    crash = armed(point, random.Random(point))
    with replica.writers(elsewhere, seed=point, rate=20):
        for service in (producer, consumer):
            service.start(crash=crash if service is victim else None)
        if point in BEGINNING:
            assert victim.wait_exit(SECONDS) == -signal.SIGKILL, victim.log_tail()
            victim.start()
        producer.wait_ready()
        with replica.writers(order, seed=point, threads=2, rate=50) as writers:
            if point not in BEGINNING:
                await_death(replica, victim, point)
                victim.start()
            enough = writers.counts.transactions + 50
            wait_until(lambda: writers.counts.transactions > enough, "traffic", SECONDS)
    replica.catch_up(seconds=SECONDS)
    replica.assert_equal()
