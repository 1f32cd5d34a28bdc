"""The lab's real servers. Those this run started are stopped at its end, others are left.

Their data stays from run to run: tables that another version of mysync keeps on them are dropped.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mysync_consumer.tables import VERSION
from mysync_lab.kafka import KafkaServer
from mysync_lab.lab import Lab
from mysync_lab.sql import SqlServer

_LAB = pytest.StashKey[tuple[Lab, set[str]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Only the controlling process decides what is stopped: workers come and go."""
    if not hasattr(config, "workerinput"):
        lab = Lab()
        config.stash[_LAB] = lab, {s["name"] for s in lab.status() if s["running"]}


def pytest_unconfigure(config: pytest.Config) -> None:
    if _LAB in config.stash:
        lab, before = config.stash[_LAB]
        if ours := {s["name"] for s in lab.status() if s["running"]} - before:
            lab.down(*ours)


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The shared lab: nobody kills or reconfigures its servers."""
    return Lab()


def _shared(lab: Lab, name: str) -> SqlServer:
    lab.up(name)
    server = lab.mysql(name)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'mysync'"
            " AND table_comment <> %s",
            (f"mysync, version {VERSION}",),
        )
        if cursor.fetchone() != (0,):
            cursor.execute("DROP DATABASE mysync")
    return server


@pytest.fixture(scope="session")
def mysql_a(lab: Lab) -> SqlServer:
    return _shared(lab, "mysql-a")


@pytest.fixture(scope="session")
def mysql_b(lab: Lab) -> SqlServer:
    return _shared(lab, "mysql-b")


@pytest.fixture(scope="session")
def mariadb_a(lab: Lab) -> SqlServer:
    return _shared(lab, "mariadb-a")


@pytest.fixture(scope="session")
def mariadb_b(lab: Lab) -> SqlServer:
    return _shared(lab, "mariadb-b")


@pytest.fixture(scope="session")
def kafka(lab: Lab) -> KafkaServer:
    lab.up("kafka")
    return lab.kafka()


@pytest.fixture
def private_lab(tmp_path: Path) -> Iterator[Lab]:
    """An empty lab of the test's own, to kill and misconfigure servers in."""
    lab = Lab(tmp_path / "lab")
    yield lab
    for name in lab.names():
        lab.remove(name)
