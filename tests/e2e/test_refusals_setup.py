"""Servers that can't be used, or not yet: `check` and `run` say everything at once, and how to mend
it. Each server is misconfigured in every way, checked once, and mended by what it was told."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fix_own_servers import restarted, run_sql
from mysync_consumer.tables import create as create_own_tables
from mysync_lab.kafka import KafkaServer
from mysync_lab.lab import Lab
from mysync_lab.services import Pipeline, Program, Service, settings
from mysync_lab.sql import SqlServer
from refusals import Refusal, row, rows

pytestmark = pytest.mark.xdist_group("own servers")

WEAK = {"user": "weak", "password": "weak"}


@dataclass
class Said:
    """How a command ended."""

    code: int | None
    out: str
    err: str

    @property
    def mends(self) -> list[str]:
        """The statements in the paragraph that can be run as they are."""
        return re.findall(r"SET GLOBAL \w+ = (?:'\w*'|\w+)|GRANT [^;]+ TO '\w+'@'%'", self.err)


def ask(pipeline: Pipeline, program: Program, *arguments: str) -> Said:
    return Said(*pipeline.run(program, *(arguments or ("check",))))


@pytest.fixture(scope="module")
def waiting(
    own_mysql: SqlServer, kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Service]]:
    """Services that wait for a server in vain, while the other tests run: 30 s is what a start
    waits."""
    nowhere = {"port": 1}
    sections: Mapping[str, tuple[str, dict[str, Any]]] = {
        "Kafka doesn't answer the producer": (
            "producer",
            {"kafka": {"bootstrap_servers": ["127.0.0.1:1"]}},
        ),
        "Kafka doesn't answer the consumer": (
            "consumer",
            {"kafka": {"bootstrap_servers": ["127.0.0.1:1"]}},
        ),
        "the source doesn't answer": ("producer", {"source": nowhere}),
        "the target doesn't answer": ("consumer", {"target": nowhere}),
        "a wrong password of the source": ("producer", {"source": {"password": "wrong"}}),
        "a wrong password of the target": ("consumer", {"target": {"password": "wrong"}}),
    }
    services = {}
    for number, (cause, (role, changed)) in enumerate(sections.items()):
        folder = tmp_path_factory.mktemp("waiting")
        made = Pipeline(folder, settings(f"w{number}", own_mysql, own_mysql, kafka, **changed))
        services[cause] = (made.producer() if role == "producer" else made.consumer()).start()
    yield services
    for service in services.values():
        service.end()


@pytest.fixture(scope="module", autouse=True)
def weak_users(
    waiting: Mapping[str, Service], own_mysql: SqlServer, own_mariadb: SqlServer
) -> None:
    """A user who may log in, on each server."""
    for server in (own_mysql, own_mariadb):
        run_sql(
            server, "CREATE USER 'weak'@'%' IDENTIFIED BY 'weak'", "CREATE DATABASE setup_elsewhere"
        )


def make(
    folder: Path, server: SqlServer, kafka: KafkaServer, db: str = "setup_db", **sections: Any
) -> Pipeline:
    sections = {"filters": {"include": [f"{db}.*"]}} | sections
    return Pipeline(folder, settings("setup", server, server, kafka, **sections))


def mended(said: Said, server: SqlServer, pipeline: Pipeline, program: Program) -> None:
    """Runs what the paragraph tells to run; then the check is content, and nothing was changed."""
    assert said.mends, said.err
    run_sql(server, *said.mends)
    again = ask(pipeline, program)
    assert again.code == 0, again.err
    assert "ready" in again.out or "\nok: " in f"\n{again.out}"


# -- the source ----------------------------------------------------------------------------------


class Checks(dict[str, Said]):
    """What was said, by cause."""

    def add(self, said: Said, *causes: str) -> Said:
        self.update(dict.fromkeys(causes, said))
        return said


@pytest.fixture(scope="module")
def source_checks(
    own_lab: Lab,
    own_mysql: SqlServer,
    own_mariadb: SqlServer,
    kafka: KafkaServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Checks:
    checks, folder = Checks(), tmp_path_factory.mktemp("source")
    run_sql(
        own_mysql,
        "SET GLOBAL binlog_format = 'MIXED'",
        "SET GLOBAL binlog_row_image = 'MINIMAL'",
        "SET GLOBAL binlog_row_metadata = 'MINIMAL'",
    )
    as_weak = make(folder, own_mysql, kafka, source=WEAK | {"server_id": own_mysql.server_id})
    said = checks.add(
        ask(as_weak, "mysync-producer"),
        "binlog_format isn't ROW",
        "binlog_row_image isn't FULL",
        "binlog_row_metadata isn't FULL",
        "the user may not read the log",
        "the user may not see the log's end",
        "the user may not read definitions",
        "our server_id is the source's own",
    )
    mended(said, own_mysql, make(folder, own_mysql, kafka, source=WEAK), "mysync-producer")
    with restarted(own_lab, own_mysql, "--skip-log-bin"):
        checks.add(ask(make(folder, own_mysql, kafka), "mysync-producer"), "no binary log")
    with restarted(
        own_lab,
        own_mysql,
        "--binlog-do-db=only_this",
        "--binlog-ignore-db=not_this",
        "--log-replica-updates=OFF",
    ) as server:
        run_sql(server, "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = 1")
        checks.add(
            ask(make(folder, server, kafka), "mysync-producer"),
            "a log of some databases only",
            "a log that leaves a database out",
            "a replica that doesn't log what it replicates",
        )
        run_sql(server, "RESET REPLICA ALL")
    run_sql(
        own_mariadb,
        "SET GLOBAL binlog_row_metadata = 'NO_LOG'",
    )
    as_weak = make(folder, own_mariadb, kafka, source=WEAK)
    said = checks.add(
        ask(as_weak, "mysync-producer"),
        "MariaDB logs no column names",
        "MariaDB's user may not see the log's end",
    )
    mended(said, own_mariadb, as_weak, "mysync-producer")
    return checks


@pytest.mark.parametrize("row", [r for r in rows("source") if "too old" not in r.cause], ids=str)
def test_a_source_that_is_not_set_up_is_told_how_to_mend_it(
    row: Refusal, source_checks: Checks
) -> None:
    said = source_checks[row.cause]
    row.check(said.code, said.err)


def test_run_refuses_what_check_refuses_and_json_lists_it(
    own_mysql: SqlServer, kafka: KafkaServer, tmp_path: Path
) -> None:
    pipeline = make(tmp_path, own_mysql, kafka, source={"server_id": own_mysql.server_id})
    refusal = row("our server_id is the source's own")
    ran = ask(pipeline, "mysync-producer", "run")
    refusal.check(ran.code, ran.err)
    said = ask(pipeline, "mysync-producer", "check", "--json")
    refusal.check(said.code, said.err)
    found = json.loads(said.out)
    assert found["ok"] is False
    (failure,) = found["failures"]
    assert f"{failure['cause']}: {failure['mend']}" in said.err


@pytest.fixture(scope="module")
def old_checks(
    own_lab: Lab,
    own_mariadb: SqlServer,
    kafka: KafkaServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Checks:
    """A server that says it is an old one: MariaDB can be told what to say."""
    checks = Checks()
    with restarted(own_lab, own_mariadb, "--version=10.4.30-MariaDB") as server:
        pipeline = make(tmp_path_factory.mktemp("old"), server, kafka)
        checks.add(ask(pipeline, "mysync-producer"), "a server that is too old to be a source")
        checks.add(ask(pipeline, "mysync-consumer"), "a server that is too old to be a target")
    return checks


@pytest.mark.parametrize(
    "row", [r for r in (*rows("source"), *rows("target")) if "too old" in r.cause], ids=str
)
def test_an_old_server_is_refused(row: Refusal, old_checks: Checks) -> None:
    said = old_checks[row.cause]
    row.check(said.code, said.err)


# -- its tables ----------------------------------------------------------------------------------

MYSQL_TABLES = (
    "CREATE TABLE a_good_one (id INT PRIMARY KEY)",
    "CREATE TABLE a_stored (id INT PRIMARY KEY, t TIMESTAMP, hours INT AS (hour(t)) STORED)",
    "CREATE TABLE an_index (id INT PRIMARY KEY, n INT, KEY k ((FROM_UNIXTIME(n))))",
)
NUMBER = "BIGINT UNSIGNED GENERATED ALWAYS"
MARIADB_TABLES = (
    (
        f"CREATE TABLE a_versioned (id INT, f {NUMBER} AS ROW START, t {NUMBER} AS ROW END,"
        " PERIOD FOR SYSTEM_TIME (f, t)) WITH SYSTEM VERSIONING"
    ),
)


@pytest.fixture(scope="module")
def table_checks(
    own_mysql: SqlServer,
    own_mariadb: SqlServer,
    kafka: KafkaServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Checks:
    checks = Checks()
    for server, tables in ((own_mysql, MYSQL_TABLES), (own_mariadb, MARIADB_TABLES)):
        run_sql(server, "CREATE DATABASE setup_tables")
        run_sql(server, *tables, database="setup_tables")
        pipeline = make(tmp_path_factory.mktemp("tables"), server, kafka, "setup_tables")
        said = ask(pipeline, "mysync-producer")
        checks.update(
            {r.cause: said for r in rows("columns") if r.words[0].split(":")[0] in said.err}
        )
        excluded = re.findall(r"filters\.exclude: \['([^']+)'\]", said.err)
        filters = {"include": ["setup_tables.*"], "exclude": excluded}
        again = make(pipeline.folder, server, kafka, filters=filters)
        assert ask(again, "mysync-producer").code == 0
    return checks


@pytest.mark.parametrize("row", rows("columns"), ids=str)
def test_tables_that_can_not_be_replicated_are_named(row: Refusal, table_checks: Checks) -> None:
    said = table_checks[row.cause]
    row.check(said.code, said.err)


# -- the target ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def target_checks(
    own_lab: Lab,
    own_mysql: SqlServer,
    own_mariadb: SqlServer,
    kafka: KafkaServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Checks:
    checks, folder = Checks(), tmp_path_factory.mktemp("target")
    weaken = ("DROP USER 'weak'@'%'", "CREATE USER 'weak'@'%' IDENTIFIED BY 'weak'")
    run_sql(
        own_mysql,
        *weaken,
        "SET GLOBAL max_allowed_packet = 1048576",
        "SET GLOBAL replica_type_conversions = 'ALL_LOSSY'",
        "SET GLOBAL super_read_only = ON",
    )
    pipeline = make(folder, own_mysql, kafka, target=WEAK, apply={"via": "row_events"})
    said = checks.add(
        ask(pipeline, "mysync-consumer"),
        "the user may not apply row events",
        "the user may not keep mysync.*",
        "max_allowed_packet is too small",
        "values may be converted",
        "nobody may write",
    )
    run_sql(own_mysql, "SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")
    mended(said, own_mysql, pipeline, "mysync-consumer")
    # By SQL; `auto` finds that out.
    run_sql(own_mysql, *weaken, "GRANT SELECT ON setup_db.* TO 'weak'@'%'")
    run_sql(own_mysql, "GRANT ALL ON mysync.* TO 'weak'@'%'")
    pipeline = make(folder, own_mysql, kafka, target=WEAK)
    said = checks.add(ask(pipeline, "mysync-consumer"), "the user may not write the tables by SQL")
    mended(said, own_mysql, pipeline, "mysync-consumer")
    with own_mysql.connect() as connection:
        create_own_tables(connection, "setup")
    run_sql(
        own_mysql,
        "INSERT INTO mysync.owned_table VALUES ('setup', 'setup_db', 't', NOW(6))",
        "CREATE DATABASE IF NOT EXISTS setup_db",
        "CREATE TABLE setup_db.t (id INT)",
        "CREATE TRIGGER setup_db.doubled BEFORE INSERT ON setup_db.t FOR EACH ROW SET @a = 1",
    )
    checks.add(ask(pipeline, "mysync-consumer"), "a trigger on a table that SQL writes")
    run_sql(
        own_mysql,
        "DROP TABLE setup_db.t",
        *(
            f"DELETE FROM mysync.{table} WHERE pipeline = 'setup'"
            for table in ("meta", "owned_table")
        ),
    )
    with restarted(own_lab, own_mysql, "--replica-skip-errors=1062") as server:
        checks.add(ask(make(folder, server, kafka), "mysync-consumer"), "errors are skipped")
    run_sql(
        own_mariadb,
        *weaken,
        "SET GLOBAL slave_exec_mode = 'IDEMPOTENT'",
        "SET GLOBAL slave_run_triggers_for_rbr = 'YES'",
        "SET GLOBAL slave_type_conversions = 'ALL_LOSSY'",
    )
    pipeline = make(folder, own_mariadb, kafka, target=WEAK, apply={"via": "row_events"})
    said = checks.add(
        ask(pipeline, "mysync-consumer"),
        "MariaDB's applier isn't strict",
        "MariaDB's applier runs triggers",
        "MariaDB may convert values",
        "the user may not replay row events",
    )
    mended(said, own_mariadb, pipeline, "mysync-consumer")
    with restarted(
        own_lab, own_mariadb, "--slave-skip-errors=1062", "--innodb-read-only"
    ) as server:
        checks.add(
            ask(make(folder, server, kafka), "mysync-consumer"),
            "MariaDB skips errors",
            "the tables can only be read",
        )
    return checks


@pytest.mark.parametrize("row", [r for r in rows("target") if "too old" not in r.cause], ids=str)
def test_a_target_that_would_not_be_exact_is_told_how_to_mend_it(
    row: Refusal, target_checks: Checks
) -> None:
    said = target_checks[row.cause]
    row.check(said.code, said.err)


# -- whoever can't be reached: last, because it takes 30 s ---------------------------------------


@pytest.mark.parametrize("row", rows("reach"), ids=str)
def test_a_server_that_can_not_be_reached(row: Refusal, waiting: Mapping[str, Service]) -> None:
    service = waiting[row.cause]
    code = service.wait_exit(60)
    row.check(code, service.log.read_text())
