"""Rows events for the target's `BINLOG` statement: a constant format description, and groups.

A group is a TABLE_MAP followed by one rows event (version 2) that closes it. The server forgets the
map at the end of a group and ignores, with OK, rows without one; an unfinished group can crash it.
So groups exist only whole: they are put together when the statement is, each rows event with
STMT_END, each behind its own map.

Checksums are off (the constant format description says so) because BINLOG doesn't verify them.

Format: MySQL source documentation, `mysql::binlog::event` (`Log_event_header`,
`Format_description_event`, `Table_map_event`, `Rows_event`); `BINLOG` in the manual.
"""

import struct
from binascii import b2a_base64
from collections import Counter
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
class Group:
    """Rows of one table, kind and flags."""

    plan: ImagePlan
    kind: str
    flags: int
    images: bytearray = field(default_factory=bytearray)


class GroupWriter:
    """Collects images and makes one BINLOG statement of them, in the order they came.

    `rows` counts them by kind: what the session's Handler_write, _update and _delete must grow by.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.max_event_bytes = max_event_bytes
        self.groups: list[Group] = []
        self.rows: Counter[str] = Counter()

    def clear(self) -> None:
        self.groups.clear()
        self.rows.clear()

    def add(self, plan: ImagePlan, kind: str | int, flags: int, images: bytearray) -> int:
        """Appends rows: after images (`c`), before images (`d`), or both in turn (`u`).

        Only the flag for no foreign-key checks is passed on. Returns the number of rows.

        Raises:
            ValueError: the images don't end where their last row does.
        """
        kind = chr(kind) if isinstance(kind, int) else kind
        if kind not in ROWS_EVENTS:
            raise ValueError(f"rows of kind {kind!r}")
        rows = plan.measure(images, kind != "c", kind != "d")
        if not rows:
            return 0
        flags &= NO_FOREIGN_KEY_CHECKS
        last = self.groups[-1] if self.groups else None
        if (
            last is None
            or last.plan is not plan
            or last.kind != kind
            or last.flags != flags
            or len(last.images) + len(images) > self.max_event_bytes
        ):
            last = Group(plan, kind, flags)
            self.groups.append(last)
        last.images += images
        self.rows[kind] += rows
        return rows

    @property
    def size(self) -> int:
        """Bytes of the statement: what `max_allowed_packet` has to hold."""
        plain = sum(self._group_size(group) for group in self.groups)
        return (plain + 2) // 3 * 4 + len(b"BINLOG ''")

    def events(self, now: int) -> bytes:
        """The events of all groups; `now` (seconds since 1970) becomes the target's timestamp."""
        out = bytearray()
        ids: dict[int, int] = {}
        for group in self.groups:
            table_id = ids.setdefault(id(group.plan), len(ids) + 1).to_bytes(6, "little")
            out += event(TABLE_MAP_EVENT, table_id + group.plan.table_map[6:], now)
            head = self._rows_head(group, table_id)
            size = HEADER.size + len(head) + len(group.images)
            out += HEADER.pack(now, ROWS_EVENTS[group.kind], SERVER_ID, size, 0, 0)
            out += head
            out += group.images
        return bytes(out)

    def statement(self, now: int) -> bytes:
        """`BINLOG '…'` for all groups. Raises ValueError without any: that isn't a statement."""
        if not self.groups:
            raise ValueError("no rows for a BINLOG statement")
        return binlog(self.events(now))

    def _rows_head(self, group: Group, table_id: bytes) -> bytes:
        """What stands between a rows event's header and its images."""
        plan = group.plan
        columns = b"" if group.kind == "c" else plan.before_columns
        if group.kind != "d":
            columns += plan.after_columns
        # 2 is the length of the (empty) extra data, itself included.
        fixed = table_id + struct.pack("<HH", group.flags | STMT_END, 2)
        return fixed + plan.column_count + columns

    def _group_size(self, group: Group) -> int:
        head = len(self._rows_head(group, bytes(6)))
        return 2 * HEADER.size + len(group.plan.table_map) + head + len(group.images)
