"""A pipeline that begins with nothing on its target, and what is asked of it until it has all."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from fix_own_servers import run_sql
from fix_pipeline import MakeReplica, Replica
from mysync_lab.errors import LabError
from mysync_lab.services import Service
from mysync_lab.tables import execute
from mysync_lab.workload.transfers import TransferTables

FRESH: Mapping[str, Any] = {"start": None}
"""Settings of a source whose tables are all still to be given to the target."""


def fresh(
    make_replica: MakeReplica, kind: str, request: pytest.FixtureRequest, **sections: Any
) -> Replica:
    """With an empty database on the source, which is of this kind as the target is."""
    source, target = (request.getfixturevalue(f"{kind}_{side}") for side in "ab")
    replica = make_replica(source=source, target=target, source_link=FRESH, **sections)
    run_sql(source, f"CREATE DATABASE {replica.db}")
    return replica


def waiting(replica: Replica) -> int:
    """How many readers wait for a table that somebody has locked."""
    (found,) = run_sql(
        replica.source,
        "SELECT COUNT(*) FROM information_schema.processlist"
        " WHERE state LIKE 'Waiting for table%' AND info LIKE 'SELECT%'",
    )
    return int(found[0])


def filled(replica: Replica, rows: int, *, copies: int = 1) -> TransferTables:
    """The source's tables, with rows."""
    with replica.source.connect() as session:
        tables = TransferTables.on(session, replica.db, rows, copies=copies)
        tables.create(session)
    return tables


def transfers(producer: Service) -> list[dict[str, Any]]:
    """What `/status` says of each table; nothing while the tables haven't joined."""
    status = producer.status() or {}
    if status.get("waiting_to_join"):
        return []
    return list(status.get("transfers") or [])


def done(producer: Service) -> bool:
    found = transfers(producer)
    return bool(found) and all(each["phase"] == "done" for each in found)


def wait_done(
    replica: Replica,
    producer: Service,
    seconds: float,
    between: Callable[[], object] = lambda: None,
) -> None:
    """Waits until every transfer has ended; `between` is called again and again."""
    deadline = time.monotonic() + seconds
    while not done(producer):
        between()
        for service in replica.services:
            if not service.running and service.exit_code not in (None, -9):
                raise LabError(f"{service.name} ended:\n{service.log_tail()}")
        if time.monotonic() > deadline:
            raise LabError(f"not transferred: {transfers(producer)}\n{producer.log_tail()}")
        time.sleep(0.1)


def settle(replica: Replica, seconds: float = 120) -> None:
    """One more transaction, then everything before it is waited for: transferred rows bear the
    place that they are good for, which may be the source's last."""
    with replica.source.connect() as session:
        execute(
            session,
            f"USE {replica.db}",
            "INSERT INTO k_empty VALUES (-1, 0) ON DUPLICATE KEY UPDATE n = n + 1",
        )
    replica.catch_up(seconds)
