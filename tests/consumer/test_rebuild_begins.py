"""What a rebuild finds out before anything is applied, and what it does with the target then."""

from collections.abc import Callable

import pytest

from fix_topics import Stage
from mysync_consumer import limit, rebuild
from mysync_consumer.errors import RebuildRefused
from mysync_consumer.pointrule import Rule
from mysync_consumer.resolve import Boundary, Resolver
from mysync_runtime import mysql
from mysync_runtime.lifecycle import Stop
from mysync_runtime.mysql import Connection

FROM = rebuild.Request(begin="offset:0:1")


def while_it_looks(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Something that happens while a rebuild looks for a point."""
    find = Resolver.find

    def slow(self: Resolver, text: str, rule: Rule) -> Boundary:
        happens()
        return find(self, text, rule)

    monkeypatch.setattr(Resolver, "find", slow)


def written(stage: Stage) -> Stage:
    with stage.writer:
        for number in range(20):
            stage.put(number, number)
        stage.writer.heartbeat()
    return stage


def test_no_connection_to_the_target_stands_idle_while_a_point_is_looked_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server ends those that do (wait_timeout), and a long topic takes longer."""
    made: list[Connection] = []
    connect = mysql.connect_at_start

    def noted(*arguments: object, **options: object) -> Connection:
        made.append(connect(*arguments, **options))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(mysql, "connect_at_start", noted)
    idle: list[bool] = []

    while_it_looks(monkeypatch, lambda: idle.extend(connection.open for connection in made))
    rebuild.prepare(written(stage).settings, Stop(), FROM)
    assert idle
    assert not any(idle)
    assert stage.checkpoint()[0]["next_offset"] == 1
    assert not any(connection.open for connection in made)


def test_two_rebuilds_begun_at_once_do_not_mix(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another() -> None:
        monkeypatch.undo()
        rebuild.prepare(stage.settings, Stop(), rebuild.Request(begin="offset:0:2"))

    while_it_looks(monkeypatch, another)
    with pytest.raises(RebuildRefused, match="somebody else began this pipeline on it meanwhile"):
        rebuild.prepare(written(stage).settings, Stop(), FROM)
    with stage.target.connect() as sql:
        known = limit.read(sql, stage.name)
    assert known is not None
    assert known.begin == "offset:0:2"
