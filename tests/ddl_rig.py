"""What tests of DDL need of a pipeline: its schema changed at random, and what the target ran.

A statement that bears a number in a comment can be found again in a server's binary log: that tells
how often it was executed there, whatever its effect.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pymysql.cursors import SSCursor

from fix_pipeline import Replica
from mysync_lab.catchup import BinlogEnd, binlog_end
from mysync_lab.services import Service
from mysync_lab.sql import SqlServer
from mysync_lab.tables import rows
from mysync_lab.workload.ddl import SchemaChanges

OBJECTS = ("database", "view", "trigger")
"""What is applied by default, beside tables."""
SECOND = "_b"
"""The ending of the second database's name, for `Replica(also=…)`."""


def schema_changes(replica: Replica, *, seed: int | str, **options: Any) -> SchemaChanges:
    """Not started; the first tables are made on both sides."""
    mariadb = replica.source.kind == "mariadb"
    changes = SchemaChanges(
        replica.source.connect, replica.db, seed=seed, mariadb=mariadb, **options
    )
    with replica.source.connect() as connection:
        changes.create(connection)
    replica.copy_schema()
    return changes


def log_end(server: SqlServer) -> BinlogEnd:
    with server.connect() as connection:
        return binlog_end(connection)


def executed(server: SqlServer, db: str, since: BinlogEnd) -> Counter[int]:
    """How often each numbered statement of the database is in the server's log since then."""
    said = re.compile(rf"(?:^|; )/\* {db} ddl (\d+) \*/".encode())
    found: Counter[int] = Counter()
    # Statements are in their clients' character sets: bytes.
    options = {"cursorclass": SSCursor, "use_unicode": False}
    with server.connect(**options) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW BINARY LOGS")
        for log in [name.decode() for name, *_ in cursor.fetchall()]:
            number = int(log.rpartition(".")[2])
            if number < since.number:
                continue
            start = since.pos if number == since.number else 4
            cursor.execute(f"SHOW BINLOG EVENTS IN '{log}' FROM {start}")
            for _, _, kind, _, _, info in cursor:
                if kind == b"Query" and (marker := said.search(info)):
                    found[int(marker.group(1))] += 1
    return found


def assert_each_once(replica: Replica, since: tuple[BinlogEnd, BinlogEnd]) -> int:
    """Every numbered statement that the source logged since then is once in the target's log; how
    many there are. `since` are ends of the source's and the target's log."""
    logged = executed(replica.source, replica.db, since[0])
    ran = executed(replica.target, replica.db, since[1])
    wrong = {number: ran[number] for number in logged if ran[number] != 1}
    assert not wrong, f"executed not once but so often: {wrong}"
    assert set(ran) <= set(logged)
    return len(logged)


def under_way(server: SqlServer, text: str) -> bool:
    """Whether a session of the server executes a statement that contains this text."""
    with server.connect() as connection:
        found = rows(
            connection,
            "SELECT 1 FROM information_schema.processlist WHERE id <> CONNECTION_ID()"
            " AND info LIKE %s",
            [f"%{text}%"],
        )
    return bool(found)


def control_owner(replica: Replica, services: Sequence[Service]) -> Service | None:
    """Which of these consumers owns the control partition, by the target's checkpoint."""
    with replica.target.connect() as connection:
        found = rows(
            connection,
            "SELECT owner FROM mysync.checkpoint WHERE pipeline = %s AND partition_id = -1",
            [replica.pipeline.name],
        )
    pids = {int(str(owner).rpartition(":")[2]) for (owner,) in found if owner}
    return next((each for each in services if each.running and each.pid in pids), None)


def quantile(metrics: Sequence[str], name: str, labels: str, share: float) -> float:
    """Of a Prometheus histogram in several processes' `/metrics`: an upper bound of it, by the
    bucket that holds it. 0 when nothing was observed."""
    pattern = re.compile(rf'^{name}_bucket{{(.*)le="([^"]+)"(.*)}} (\S+)$', re.MULTILINE)
    buckets: Counter[float] = Counter()
    for text in metrics:
        for before, bound, after, count in pattern.findall(text):
            if labels in before + after:
                buckets[float(bound.replace("+Inf", "inf"))] += float(count)
    total = buckets.get(float("inf"), 0.0)
    return next((b for b in sorted(buckets) if total and buckets[b] >= share * total), 0.0)
