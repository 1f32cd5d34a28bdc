"""The workloads run on real servers, meet every table, and repeat themselves by their seed."""

import random

import pytest

from mysync_lab.compare import compare
from mysync_lab.lab import Lab
from mysync_lab.layout import wait_until
from mysync_lab.schema_copy import drop_databases
from mysync_lab.sql import SqlServer
from mysync_lab.tables import base_tables, rows
from mysync_lab.workload import shop
from mysync_lab.workload.order import Order
from mysync_lab.workload.writers import Writers

FLAVOURS = ["mysql", "mariadb"]


@pytest.fixture(params=FLAVOURS)
def server(request: pytest.FixtureRequest) -> SqlServer:
    found: SqlServer = request.getfixturevalue(f"{request.param}_a")
    return found


def test_one_thread_leaves_the_same_rows_for_the_same_seed(server: SqlServer) -> None:
    databases = ["workload_one", "workload_two"]
    with server.connect() as session, server.connect() as other:
        drop_databases(session, databases)
        for db in databases:
            order = Order.on(session, db)
            order.create(session)
            counts = Writers(server.connect, order, seed=7, transactions=300).start().wait()
            assert counts.transactions == 300
            assert counts.refused > 0
        comparison = compare(session, other, {databases[0]: databases[1]})
        drop_databases(session, databases)
    assert comparison.equal, str(comparison)


def test_several_threads_work_on_the_same_rows_at_a_bounded_rate(server: SqlServer) -> None:
    with server.connect() as session:
        drop_databases(session, ["workload_many"])
        order = Order.on(session, "workload_many")
        order.create(session)
        writers = Writers(server.connect, order, seed=8, threads=4, transactions=400, rate=400)
        counts = writers.start().wait()
        drop_databases(session, ["workload_many"])
    assert counts.transactions == 400
    assert counts.reconnects == 0


def test_the_shop_fills_all_its_tables(server: SqlServer) -> None:
    with server.connect() as session:
        drop_databases(session, ["workload_shop"])
        shop.create(session, "workload_shop")
        traffic = shop.Shop("workload_shop")
        Writers(server.connect, traffic, seed=9, threads=2, transactions=400).start().wait()
        for table in base_tables(session, "workload_shop"):
            assert rows(session, f"SELECT 1 FROM {table.quoted}"), table
        drop_databases(session, ["workload_shop"])


def test_the_transactions_depend_on_the_seed_alone() -> None:
    def some(seed: int) -> list[list[str]]:
        order, random_ = Order("x", mariadb=False), random.Random(seed)
        return [list(order.transaction(random_)) for _ in range(200)]

    assert some(1) == some(1)
    assert some(1) != some(2)


def test_writers_survive_a_server_that_is_killed(private_lab: Lab) -> None:
    private_lab.up("mysql-a")
    server = private_lab.mysql("mysql-a")
    with server.connect() as session:
        order = Order.on(session, "workload_killed", only=["pk_only", "hot"])
        order.create(session)
    with Writers(server.connect, order, seed=3, threads=2) as writers:
        wait_until(lambda: writers.counts.transactions > 20, "the first transactions", 20)
        server.kill()
        server.start()
        before = writers.counts.transactions
        wait_until(lambda: writers.counts.transactions > before + 20, "more transactions", 20)
    assert writers.counts.reconnects >= 1
