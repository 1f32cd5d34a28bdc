"""Servers of the tests' own, to misconfigure: started once, in a lab beside the shared one.

Whoever sets a variable puts it back. Tests that use them bear `xdist_group("own servers")`, so that
they are in one process and the servers are started once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from mysync_lab.lab import Lab
from mysync_lab.server import Kind
from mysync_lab.sql import SqlServer

_OPTIONS = ("--max-connections=100",)
WITHOUT_GTIDS = ("--gtid-mode=OFF", "--enforce-gtid-consistency=OFF")


@pytest.fixture(scope="session")
def own_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Empty at first."""
    lab = Lab(tmp_path_factory.mktemp("own") / "lab")
    yield lab
    for name in lab.names():
        lab.remove(name)


@pytest.fixture(scope="session")
def own_mysql(own_lab: Lab) -> SqlServer:
    """A MySQL whose global variables may be set, whose log may be purged."""
    return _start(own_lab, "own-mysql", "mysql")


@pytest.fixture(scope="session")
def own_mariadb(own_lab: Lab) -> SqlServer:
    """The same, a MariaDB."""
    return _start(own_lab, "own-mariadb", "mariadb")


@pytest.fixture(scope="session")
def other_mariadb(own_lab: Lab) -> SqlServer:
    """A second MariaDB, a target for the first."""
    return _start(own_lab, "other-mariadb", "mariadb")


@pytest.fixture(scope="session")
def plain_mysql(own_lab: Lab) -> SqlServer:
    """A MySQL without GTIDs."""
    return _start(own_lab, "plain-mysql", "mysql", (*_OPTIONS, *WITHOUT_GTIDS))


def _start(lab: Lab, name: str, kind: Kind, options: Sequence[str] = _OPTIONS) -> SqlServer:
    lab.add(name, kind, options)
    server = lab.mysql(name)
    server.start()
    return server


@contextmanager
def restarted(lab: Lab, server: SqlServer, *options: str) -> Iterator[SqlServer]:
    """The server with further options; without them again afterwards."""
    server.stop()
    yield _start(lab, server.name, server.kind, (*_OPTIONS, *options))
    server.stop()
    _start(lab, server.name, server.kind)


def run_sql(
    server: SqlServer, *statements: str, database: str | None = None
) -> list[tuple[Any, ...]]:
    """Runs the statements in one session; the rows of the last."""
    found: list[tuple[Any, ...]] = []
    with server.connect(database=database) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
            found = list(cursor.fetchall())
    return found
