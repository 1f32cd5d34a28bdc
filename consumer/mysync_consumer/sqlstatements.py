"""Steps as packets of SQL: the counterpart of `rowevents` for what is written by SQL.

A packet holds several statements, so that a batch takes few round trips. What it costs the server
is a statement at a time; the size is that of the text. Foreign-key checks are a variable of the
session, set before the first statement of a transaction and wherever the steps' flag changes.
"""

from collections.abc import Iterator, Sequence

from mysync_consumer.coalesce import Step, groups
from mysync_consumer.session import Packet
from mysync_consumer.sqlplan import Statement
from mysync_schemas.envelope import NO_FOREIGN_KEY_CHECKS

STATEMENT_BYTES = 1 << 20
"""Of one statement with several rows."""

PACKET_BYTES = 4 << 20
"""A packet takes more statements up to this; one of a large row is a packet of its own."""


def encode(steps: Sequence[Step], packet: int) -> Iterator[Packet]:
    """Packets for the steps, in order, of at most `packet` bytes or with one statement.

    Raises CorruptRecord, UnwritableValue.
    """
    limit = min(PACKET_BYTES, packet)
    waiting: list[Statement] = []
    size = 0
    for statement in statements(steps, min(STATEMENT_BYTES, limit // 2)):
        if waiting and size + len(statement[0]) > limit:
            yield packed(waiting)
            waiting, size = [], 0
        waiting.append(statement)
        size += len(statement[0]) + 1
    if waiting:
        yield packed(waiting)


def packed(waiting: Sequence[Statement]) -> Packet:
    return Packet(b";".join(sql for sql, _ in waiting), tuple(found for _, found in waiting))


def statements(steps: Sequence[Step], limit: int) -> Iterator[Statement]:
    checks = -1
    for group in groups(steps):
        wanted = 0 if group[0].flags & NO_FOREIGN_KEY_CHECKS else 1
        if wanted != checks:
            checks = wanted
            yield b"SET foreign_key_checks = %d" % checks, None
        yield from group[0].table.sql.statements(group, limit)
