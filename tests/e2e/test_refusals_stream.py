"""What a source may log and mysync can't carry: the producer stops before it, having published
everything that came before, and says the same when it is started again."""

from collections.abc import Mapping, Sequence
from typing import Literal

import pytest

from fix_capture import MakeOwnPublished, Published
from mysync_lab.sql import SqlServer
from provoked import Outcomes, Script, ended, selected_causes
from published import assert_in_order
from refusals import Refusal, row, rows

pytestmark = pytest.mark.xdist_group("own servers")

Flavor = Literal["mysql", "mariadb"]

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(60), doc JSON)"
FIRST = "INSERT INTO t VALUES (1, 'first', '{\"a\": 1, \"b\": 2}')"
SECOND = "INSERT INTO t (id, name) VALUES (2, REPEAT('x', 50))"
PREPARED = ["XA START '{db}'", SECOND, "XA END '{db}'", "XA PREPARE '{db}'"]

# What the source does, in one session.
CASES: Mapping[str, Mapping[Flavor, Sequence[str]]] = {
    "the end of an XA transaction that nobody saw prepared": {
        "mysql": ["XA COMMIT '{db}'"],
        "mariadb": ["XA COMMIT '{db}'"],
    },
    "a partial JSON update without the whole row before it": {
        "mysql": [
            "SET SESSION binlog_row_value_options = 'PARTIAL_JSON', binlog_row_image = 'MINIMAL'",
            "UPDATE t SET doc = JSON_SET(doc, '$.a', 7)",
        ]
    },
    "a change of rows logged as a statement": {
        "mysql": ["SET SESSION binlog_format = 'STATEMENT'", SECOND],
    },
    "rows that leave columns out": {
        "mysql": ["SET SESSION binlog_row_image = 'MINIMAL'", "UPDATE t SET name = 'x'"],
    },
    "rows without column names": {
        "mysql": [
            "SET GLOBAL binlog_row_metadata = 'MINIMAL'",
            SECOND,
            "SET GLOBAL binlog_row_metadata = 'FULL'",
        ]
    },
    "a table that is renamed out of what is replicated": {
        "mysql": ["CREATE DATABASE {db}_elsewhere", "RENAME TABLE t TO {db}_elsewhere.t"],
        "mariadb": ["CREATE DATABASE {db}_elsewhere", "RENAME TABLE t TO {db}_elsewhere.t"],
    },
    "a model that isn't replicated": {
        "mysql": [
            "CREATE DATABASE {db}_elsewhere",
            "CREATE TABLE {db}_elsewhere.model (id INT PRIMARY KEY)",
            "CREATE TABLE copied LIKE {db}_elsewhere.model",
        ]
    },
    "a column that each server fills otherwise": {
        "mariadb": ["ALTER TABLE t ADD COLUMN u CHAR(36) DEFAULT uuid()"],
    },
    "an old temporal column right behind the statement that made it": {
        "mariadb": [
            "SET GLOBAL mysql56_temporal_format = OFF",
            "CREATE TABLE old (id INT PRIMARY KEY, d DATETIME(3)) SELECT 1 AS id, NOW(3) AS d",
            "SET GLOBAL mysql56_temporal_format = ON",
        ]
    },
    "a statement in a character set that can't be read": {
        "mariadb": [
            "SET @statement = 'CREATE TABLE `中` (id INT)'",
            "SET NAMES gbk",
            "PREPARE s FROM @statement",
            "EXECUTE s",
        ]
    },
    "a table that nobody told us of": {
        "mysql": [
            "SET SESSION sql_log_bin = OFF",
            "CREATE TABLE unseen (id INT PRIMARY KEY)",
            "SET SESSION sql_log_bin = ON",
            "INSERT INTO unseen VALUES (1)",
        ]
    },
    "a table that was changed unseen": {
        "mysql": [
            "SET SESSION sql_log_bin = OFF",
            "ALTER TABLE t MODIFY name VARCHAR(60) AFTER doc, ADD COLUMN c INT",
            "SET SESSION sql_log_bin = ON",
            SECOND,
        ]
    },
}
# These stop every pipeline on the server: the first one comes last among the others, the last one
# when all others have ended.
EVERYBODYS = ("a statement in a character set that can't be read",)
LAST = "the end of an XA transaction that nobody saw prepared"
RUNS = [(each, flavor) for each in rows("stream") for flavor in CASES[each.cause]]
# One of each class is started again: what a restart does depends on nothing else.
AGAIN = {each.error: each.cause for each in rows("stream")}.values()


def stops(published: Published, refusal: Refusal, statements: Sequence[str]) -> Script:
    published.on_source(TABLE)
    if refusal.cause == LAST:
        published.on_source(*(each.format(db=published.db) for each in PREPARED))
    producer = published.producer.start()
    yield
    producer.wait_ready()
    yield
    published.on_source(FIRST, *(each.format(db=published.db) for each in statements))
    yield
    refusal.check(*ended(producer))
    topics = published.topics()
    assert_in_order(topics)
    assert [found.value["after"]["id"] for found in topics.rows()] == [1]
    assert not any(state.get("rows_done") for state in topics.states)
    if refusal.cause in AGAIN:
        producer.start()
        yield
        refusal.check(*ended(producer))
        assert len(published.topics().rows()) == 1


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest,
    own_mysql: SqlServer,
    own_mariadb: SqlServer,
    make_own_published: MakeOwnPublished,
) -> Mapping[Flavor, Outcomes]:
    found: dict[Flavor, Outcomes] = {}
    servers: dict[Flavor, SqlServer] = {"mysql": own_mysql, "mariadb": own_mariadb}
    selected = selected_causes(request)
    for flavor, server in servers.items():
        found[flavor] = Outcomes()
        ours = [each.cause for each, on in RUNS if on == flavor and each.cause in selected]
        most = sorted((cause for cause in ours if cause != LAST), key=EVERYBODYS.__contains__)
        for group in (most, [cause for cause in ours if cause == LAST]):
            found[flavor].play({c: _script(c, flavor, server, make_own_published) for c in group})
    return found


def _script(cause: str, flavor: Flavor, server: SqlServer, make: MakeOwnPublished) -> Script:
    with make(server) as published:
        yield from stops(published, row(cause), CASES[cause][flavor])


@pytest.mark.parametrize(("row", "flavor"), RUNS, ids=str)
def test_what_can_not_be_carried_stops_the_producer(
    row: Refusal, flavor: Flavor, outcomes: Mapping[Flavor, Outcomes]
) -> None:
    outcomes[flavor].verify(row.cause)
