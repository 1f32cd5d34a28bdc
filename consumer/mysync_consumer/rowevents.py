"""Rows events for the target's `BINLOG` statement: a constant format description, and groups.

A group is what the server applies as one statement: the TABLE_MAPs of its tables, then rows events
(version 2) of these tables, of which the last one, and only that, has STMT_END. The server forgets
the maps there; it ignores, with OK, rows without a map, and an unfinished group can crash it. So
groups exist only whole: they are put together when the statement is.

Opening the tables of a group costs as much as dozens of rows. Rows therefore stay in one group
however tables and kinds alternate, until the flag for foreign-key checks changes (the server looks
at it once per statement), or the group is large.

Checksums are off (the constant format description says so) because BINLOG doesn't verify them.

Format: MySQL source documentation, `mysql::binlog::event` (`Log_event_header`,
`Format_description_event`, `Table_map_event`, `Rows_event`); `BINLOG` in the manual.
"""

import struct
from binascii import b2a_base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from mysync_consumer.rowimage import ImagePlan

__all__ = ["FDE_STATEMENT", "FORMAT_DESCRIPTION", "GroupWriter"]

FORMAT_DESCRIPTION_EVENT, TABLE_MAP_EVENT = 15, 19
ROWS_EVENTS = {"c": 30, "u": 31, "d": 32}
HEADER = struct.Struct("<IBIIIH")  # timestamp, type, server id, size, end position, flags

# Length of the fixed part after the header of each of MySQL's 42 event types.
_POST_HEADERS = bytes.fromhex(
    "000d0008000000000400040000006300041a08000000000000020000000a0a0a2a2a001234000a280000"
)

STMT_END = 0x1
NO_FOREIGN_KEY_CHECKS = 0x2

SERVER_ID = 1
"""In every header; the target logs its own."""

MAX_EVENT_BYTES = 1 << 20
"""A rows event takes more rows up to this; one row may be larger."""

MAX_GROUP_BYTES, MAX_GROUP_TABLES = 8 << 20, 64
"""A group takes more rows, and tables, up to this: its tables stay open and locked till its end."""


def event(kind: int, body: bytes, timestamp: int) -> bytes:
    """An event without a checksum."""
    return HEADER.pack(timestamp, kind, SERVER_ID, HEADER.size + len(body), 0, 0) + body


def format_description() -> bytes:
    """Version 4, a MySQL server, no checksums; its own trailer is there and isn't looked at."""
    body = struct.pack("<H50sIB", 4, b"9.7.4-mysync", 0, HEADER.size)
    return event(FORMAT_DESCRIPTION_EVENT, body + _POST_HEADERS + b"\0" + bytes(4), 0)


def binlog(events: bytes) -> bytes:
    return b"BINLOG '" + b2a_base64(events, newline=False) + b"'"


FORMAT_DESCRIPTION = format_description()
FDE_STATEMENT = binlog(FORMAT_DESCRIPTION)
"""Once per connection, outside of a transaction; on MySQL then `SET gtid_next='AUTOMATIC'`."""


@dataclass(slots=True)
class Rows:
    """A rows event: rows of one table and kind."""

    plan: ImagePlan
    kind: str
    images: bytearray = field(default_factory=bytearray)

    def head(self, table_id: bytes, flags: int) -> bytes:
        """What stands between the event's header and its images."""
        plan = self.plan
        columns = b"" if self.kind == "c" else plan.before_columns
        if self.kind != "d":
            columns += plan.after_columns
        # 2 is the length of the (empty) extra data, itself included.
        return table_id + struct.pack("<HH", flags, 2) + plan.column_count + columns

    @property
    def size(self) -> int:
        return HEADER.size + len(self.head(bytes(6), 0)) + len(self.images)


@dataclass(slots=True)
class Group:
    """Rows events that the server applies as one statement. `plans`: of each table, by its name."""

    flags: int
    plans: dict[tuple[str, str], ImagePlan] = field(default_factory=dict)
    rows: list[Rows] = field(default_factory=list)
    images: int = 0

    def takes(self, plan: ImagePlan, flags: int, size: int) -> bool:
        """Whether rows of this plan may join: a table has one plan, so it is never mapped twice."""
        if flags != self.flags or self.images + size > MAX_GROUP_BYTES:
            return False
        mine = self.plans.get(name_of(plan))
        return mine is plan or (mine is None and len(self.plans) < MAX_GROUP_TABLES)

    def events(self, now: int) -> Iterator[bytes | bytearray]:
        ids = {}
        for i, (name, plan) in enumerate(self.plans.items(), 1):
            ids[name] = i.to_bytes(6, "little")
            yield event(TABLE_MAP_EVENT, ids[name] + plan.table_map[6:], now)
        last = self.rows[-1]
        for rows in self.rows:
            flags = self.flags | STMT_END if rows is last else self.flags
            head = rows.head(ids[name_of(rows.plan)], flags)
            kind, size = ROWS_EVENTS[rows.kind], HEADER.size + len(head) + len(rows.images)
            yield HEADER.pack(now, kind, SERVER_ID, size, 0, 0) + head
            yield rows.images

    @property
    def size(self) -> int:
        maps = sum(HEADER.size + len(plan.table_map) for plan in self.plans.values())
        return maps + sum(rows.size for rows in self.rows)


def name_of(plan: ImagePlan) -> tuple[str, str]:
    return plan.target.db, plan.target.table


class GroupWriter:
    """Collects images and makes one BINLOG statement of them, in the order they came.

    `rows` counts them by kind: what the session's Handler_write, _update and _delete must grow by.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.max_event_bytes = max_event_bytes
        self.groups: list[Group] = []
        self.rows: Counter[str] = Counter()
        self._parted = False

    def part(self) -> None:
        """What is added next is no part of the last event, where rows of one event aren't taken in
        their order."""
        self._parted = True

    def clear(self) -> None:
        self.groups.clear()
        self.rows.clear()

    def add(self, plan: ImagePlan, kind: str | int, flags: int, images: bytearray) -> int:
        """Appends rows: after images (`c`), before images (`d`), or both in turn (`u`).

        Rows of one call are in one event; a table whose rows go one by one shares it with no other
        call's.

        Only the flag for no foreign-key checks is passed on. Returns the number of rows.

        Raises:
            ValueError: the images don't end where their last row does.
        """
        kind = chr(kind) if isinstance(kind, int) else kind
        if kind not in ROWS_EVENTS:
            raise ValueError(f"rows of kind {kind!r}")
        rows = plan.measure(images, kind != "c", kind != "d")
        if rows:
            group = self._group(plan, flags & NO_FOREIGN_KEY_CHECKS, len(images))
            last = group.rows[-1] if group.rows else None
            if (
                last is None
                or plan.singly
                or (plan.keyless and self._parted)
                or last.plan is not plan
                or last.kind != kind
                or len(last.images) + len(images) > self.max_event_bytes
            ):
                last = Rows(plan, kind)
                group.rows.append(last)
            self._parted = False
            last.images += images
            group.images += len(images)
            self.rows[kind] += rows
        return rows

    def _group(self, plan: ImagePlan, flags: int, size: int) -> Group:
        if not self.groups or not self.groups[-1].takes(plan, flags, size):
            self.groups.append(Group(flags))
        group = self.groups[-1]
        group.plans[name_of(plan)] = plan
        return group

    @property
    def size(self) -> int:
        """Bytes of the statement: what `max_allowed_packet` has to hold."""
        plain = sum(group.size for group in self.groups)
        return (plain + 2) // 3 * 4 + len(b"BINLOG ''")

    def events(self, now: int) -> bytes:
        """The events of all groups; `now` (seconds since 1970) becomes the target's timestamp."""
        return b"".join(part for group in self.groups for part in group.events(now))

    def statement(self, now: int) -> bytes:
        """`BINLOG '…'` for all groups. Raises ValueError without any: that isn't a statement."""
        if not self.groups:
            raise ValueError("no rows for a BINLOG statement")
        return binlog(self.events(now))
