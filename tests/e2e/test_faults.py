"""Servers that die and links that break, under traffic: nothing is lost, nothing comes twice."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fix_pipeline import MakeReplica, Replica
from mysync_lab.kafka import KafkaServer
from mysync_lab.lab import Lab
from mysync_lab.layout import wait_until
from mysync_lab.proxy import FaultProxy
from mysync_lab.sql import SqlServer

TABLES = ["pk_only", "hot", "composite", "uniq", "keyless"]
PATIENCE = 120
# Half-dead links are noticed after these: a test needn't wait longer than that.
IMPATIENT = {"read_timeout": 3, "write_timeout": 3, "connect_timeout": 3}


@contextmanager
def traffic(replica: Replica, seed: str) -> Iterator[None]:
    """Both services run, rows flow before and after what happens inside, and the end is equal."""
    order = replica.create_order(TABLES)
    producer, consumer = replica.start()
    with replica.writers(order, seed=seed, threads=2, rate=100) as writers:

        def some_more() -> None:
            enough = writers.counts.transactions + 60
            wait_until(lambda: writers.counts.transactions > enough, "traffic", PATIENCE)

        some_more()
        yield
        some_more()
    replica.catch_up(seconds=PATIENCE)
    replica.assert_equal()
    assert producer.running
    assert consumer.running


@pytest.mark.parametrize("victim", ["source", "target", "kafka"])
def test_a_server_may_be_killed_and_come_back(
    victim: str, private_lab: Lab, make_replica: MakeReplica
) -> None:
    if victim == "kafka":
        server: SqlServer | KafkaServer = private_lab.kafka()
        server.start()
        replica = make_replica(broker=server)
    else:
        private_lab.add("mysql-x", "mysql")
        server = private_lab.mysql("mysql-x")
        server.start()
        replica = make_replica(**{victim: server})
    with traffic(replica, victim):
        for _ in range(2):
            server.kill()
            server.start()


@pytest.mark.parametrize("fault", ["cut", "stall", "half_open", "slow"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_link_to_a_server_may_break(side: str, fault: str, make_replica: MakeReplica) -> None:
    shared = make_replica()
    server = getattr(shared, side)
    with FaultProxy(server.host, server.port) as proxy:
        replica = make_replica(**{f"{side}_link": {"port": proxy.port} | IMPATIENT})
        with traffic(replica, f"{side} {fault}"):
            break_for_a_while(proxy, fault)


@pytest.mark.xdist_group("kafka-proxy")
@pytest.mark.parametrize("fault", ["cut", "stall", "slow"])
def test_the_link_to_kafka_may_break(
    fault: str, make_replica: MakeReplica, kafka: KafkaServer
) -> None:
    with kafka.proxy() as proxy:
        replica = make_replica(broker=f"{proxy.host}:{proxy.port}")
        with traffic(replica, f"kafka {fault}"):
            break_for_a_while(proxy, fault)


def break_for_a_while(proxy: FaultProxy, fault: str) -> None:
    """Long enough for a client to notice: the services' own timeouts are shorter."""
    if fault == "slow":
        proxy.slow(20_000)
    else:
        getattr(proxy, fault)()
    hear_nothing_for(5)
    proxy.resume()


def hear_nothing_for(seconds: float) -> None:
    """The fault itself is what takes time here: there is no condition to wait for."""
    threading.Event().wait(seconds)


def test_a_commit_whose_answer_is_lost_counts_once(make_replica: MakeReplica) -> None:
    shared = make_replica()
    with FaultProxy(shared.target.host, shared.target.port) as proxy:
        replica = make_replica(target_link={"port": proxy.port})
        with traffic(replica, "lost answer"):
            for _ in range(5):
                proxy.dropped.clear()
                proxy.drop_answer(b"\x03COMMIT")
                assert proxy.dropped.wait(PATIENCE), "no COMMIT passed the proxy"
                proxy.resume()
