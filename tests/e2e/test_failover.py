"""The source fails over: another server, a native replica of the first, becomes the source."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from fix_own_servers import run_sql
from fix_pipeline import MakeReplica, Replica
from mysync_lab.lab import Lab
from mysync_lab.layout import wait_until
from mysync_lab.server import Kind
from mysync_lab.services import Pipeline, Service, merged, settings
from mysync_lab.sql import SqlServer

pytestmark = pytest.mark.xdist_group("own servers")

OPTIONS = {"mysql": (), "mariadb": ("--log-slave-updates=ON",)}


@dataclass
class Pair:
    """A primary and its replica, by the servers' own replication."""

    kind: Kind
    primary: SqlServer
    replica: SqlServer

    @property
    def mariadb(self) -> bool:
        return self.kind == "mariadb"

    def start(self) -> None:
        """The replica begins, and has everything."""
        at = f"HOST='127.0.0.1', {{}}PORT={self.primary.port}, {{}}USER='{self.primary.user}',"
        at += f" {{}}PASSWORD='{self.primary.password}'"
        if self.mariadb:
            at = at.replace("{}", "MASTER_")
            run_sql(
                self.replica,
                "RESET MASTER",
                "SET GLOBAL gtid_slave_pos = ''",
                f"CHANGE MASTER TO MASTER_{at}, MASTER_USE_GTID=slave_pos",
                "START SLAVE",
            )
        else:
            at = at.replace("{}", "SOURCE_")
            run_sql(
                self.replica,
                "RESET BINARY LOGS AND GTIDS",
                f"CHANGE REPLICATION SOURCE TO SOURCE_{at}, SOURCE_AUTO_POSITION=1,"
                " GET_SOURCE_PUBLIC_KEY=1",
                "START REPLICA",
            )
        self.wait()

    def wait(self) -> None:
        """Until the replica has what the primary has."""
        if self.mariadb:
            ((done,),) = run_sql(self.primary, "SELECT @@gtid_binlog_pos")
            waiting = f"SELECT MASTER_GTID_WAIT('{done}', 30)"
        else:
            ((done,),) = run_sql(self.primary, "SELECT @@gtid_executed")
            waiting = f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{done}', 30)"
        ((left,),) = run_sql(self.replica, waiting)
        assert left == 0, run_sql(
            self.replica, "SHOW SLAVE STATUS" if self.mariadb else "SHOW REPLICA STATUS"
        )

    def stop(self) -> None:
        run_sql(self.replica, "STOP SLAVE" if self.mariadb else "STOP REPLICA")

    def last_gtid(self) -> str:
        """Of the primary's last transaction."""
        if self.mariadb:
            return str(run_sql(self.primary, "SELECT @@gtid_binlog_pos")[0][0])
        ((done,),) = run_sql(self.primary, "SELECT @@gtid_executed")
        uuid, _, numbers = str(done).rpartition(":")
        return f"{uuid}:{numbers.rpartition('-')[2]}"

    def give_again(self, gtid: str, statement: str, database: str) -> None:
        """Another transaction of that GTID, on the replica."""
        if self.mariadb:
            domain, server_id, number = gtid.split("-")
            named = [f"SET gtid_domain_id={domain}", f"SET server_id={server_id}"]
            run_sql(self.replica, *named, f"SET gtid_seq_no={number}", statement, database=database)
        else:
            run_sql(self.replica, f"SET gtid_next='{gtid}'", statement, database=database)


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def pair(request: pytest.FixtureRequest, own_lab: Lab) -> Iterator[Pair]:
    kind: Kind = request.param
    servers = []
    for number in (1, 2):
        name = f"failover-{kind}-{number}"
        own_lab.add(name, kind, ("--max-connections=100", *OPTIONS[kind]))
        server = own_lab.mysql(name)
        server.start()
        servers.append(server)
    yield Pair(kind, *servers)
    for server in servers:
        server.stop()


def begun(pair: Pair, make_replica: MakeReplica, target: SqlServer) -> tuple[Replica, Service]:
    """A pipeline that has replicated a row from the primary, which its replica has too."""
    pair.start()
    replica = make_replica(pair.primary, target)
    replica.create("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    producer, _ = replica.start()
    replica.on_source("INSERT INTO t VALUES (1, 1)")
    pair.wait()
    return replica, producer


def moved(replica: Replica, to: SqlServer) -> Service:
    """A producer of the pipeline that reads from `to`."""
    pipeline = replica.pipeline
    there: Any = settings(replica.db, to, replica.target, "")["source"]
    configuration = merged(pipeline.configuration, {"source": there})
    service = Pipeline(pipeline.folder / "moved", configuration).producer().start()
    pipeline.services.append(service)
    return service


def target_of(pair: Pair, request: pytest.FixtureRequest) -> SqlServer:
    server: SqlServer = request.getfixturevalue("mariadb_b" if pair.mariadb else "mysql_b")
    return server


def test_a_replica_with_the_same_transactions_goes_on(
    pair: Pair, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    replica, producer = begun(pair, make_replica, target_of(pair, request))
    replica.catch_up()
    assert producer.stop() == 0
    replica.on_source("INSERT INTO t VALUES (2, 2)")
    pair.wait()
    pair.stop()
    run_sql(pair.replica, "UPDATE t SET v = 9 WHERE id = 1", database=replica.db)
    service = moved(replica, pair.replica).wait_ready()
    run_sql(pair.replica, "INSERT INTO t VALUES (3, 3)", database=replica.db)
    replica.source = pair.replica
    replica.catch_up()
    replica.assert_equal()
    said = [json.loads(line) for line in service.log.read_text().splitlines() if '"gtid"' in line]
    assert any("goes on where" in line["event"] for line in said)


def test_a_lost_tail_is_named_and_a_gtid_given_again_is_found(
    pair: Pair, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    replica, producer = begun(pair, make_replica, target_of(pair, request))
    pair.stop()
    replica.on_source("INSERT INTO t VALUES (2, 2)")
    lost = pair.last_gtid()
    replica.catch_up()
    assert producer.stop() == 0
    service = moved(replica, pair.replica)
    assert service.wait_exit(90) == 4
    assert lost in service.log.read_text()
    time.sleep(1.1)  # MariaDB's times are in seconds
    pair.give_again(lost, "INSERT INTO t VALUES (3, 3)", replica.db)
    service.start()
    assert service.wait_exit(90) == 4
    log = service.log.read_text()
    assert f"{lost} is another transaction here" in log
    wait_until(lambda: not service.running, "the end", 5)
