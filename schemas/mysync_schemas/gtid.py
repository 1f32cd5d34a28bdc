"""Sets of GTIDs: MySQL's, tagged ones too, and MariaDB's positions.

Both are mutable and grow by one GTID per source transaction, so `add` is cheap: a dictionary entry
and, on MySQL, the end of its last interval.

Sources: MySQL manual, "GTID Sets" (text) and COM_BINLOG_DUMP_GTID's SID block (bytes, little-
endian). A set without tags is `n_sids:8 { uuid:16 n_intervals:8 { start:8 end:8 } }`, ends
exclusive.
A set with tags (MySQL ≥ 8.3, the same bytes as in its PREVIOUS_GTIDS event) has `n_sids` in
bytes 1-6 of the first eight, the format number 1 in bytes 0 and 7, and after each uuid the tag:
its length as MySQL's serialization library writes it (7 bits, shifted left by one), then the text.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

from mysync_schemas.errors import BadGtid

__all__ = ["GtidSet", "MariadbGtidSet"]

MAX_GNO: Final = 2**63 - 2  # the last transaction number that MySQL gives out

_UUID: Final = re.compile(
    r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE
)
_TAG: Final = re.compile(r"[a-z_][a-z0-9_]{0,31}", re.IGNORECASE)
_INTERVAL: Final = re.compile(r"([0-9]{1,19})(?:\s*-\s*([0-9]{1,19}))?")
_TAGGED: Final = 1


class _Intervals:
    """Sorted, disjoint, not adjacent intervals [start, end) of transaction numbers."""

    __slots__ = ("ends", "starts")

    def __init__(self, starts: list[int] | None = None, ends: list[int] | None = None) -> None:
        self.starts = starts or []
        self.ends = ends or []

    def add(self, start: int, end: int) -> None:
        starts, ends = self.starts, self.ends
        if ends and start == ends[-1]:  # the usual case: the next transaction
            ends[-1] = end
            return
        low = bisect_right(ends, start - 1)  # the first interval that touches or lies behind
        high = bisect_right(starts, end)
        if low < high:
            start = min(start, starts[low])
            end = max(end, ends[high - 1])
        starts[low:high] = [start]
        ends[low:high] = [end]

    def contains(self, number: int) -> bool:
        index = bisect_right(self.starts, number) - 1
        return index >= 0 and number < self.ends[index]

    def minus(self, other: _Intervals) -> _Intervals:
        result = _Intervals()
        index = 0
        for first, end in self:
            start = first
            while index < len(other.starts) and other.ends[index] <= start:
                index += 1
            at = index
            while at < len(other.starts) and other.starts[at] < end:
                if start < other.starts[at]:
                    result.starts.append(start)
                    result.ends.append(other.starts[at])
                start = max(start, other.ends[at])
                at += 1
            if start < end:
                result.starts.append(start)
                result.ends.append(end)
        return result

    def copy(self) -> _Intervals:
        return _Intervals(self.starts.copy(), self.ends.copy())

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.starts, self.ends, strict=True)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Intervals):
            return NotImplemented
        return self.starts == other.starts and self.ends == other.ends

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __str__(self) -> str:
        return ":".join(
            str(start) if end == start + 1 else f"{start}-{end - 1}" for start, end in self
        )


class GtidSet:
    """A set of MySQL GTIDs, each `uuid:number` or `uuid:tag:number`.

    Uuids and tags are kept in lower case. Every method that reads text or bytes raises `BadGtid`.
    """

    __slots__ = ("_sids",)

    def __init__(self) -> None:
        self._sids: dict[str, _Intervals] = {}  # "uuid" or "uuid:tag"; never an empty one

    @classmethod
    def parse(cls, text: str) -> GtidSet:
        """Reads `@@gtid_executed` and the like: white space, upper case, any order are allowed."""
        result = cls()
        for entry in text.split(","):
            parts = [part.strip() for part in entry.split(":")]
            if parts == [""]:
                continue
            uuid = _uuid(parts[0], text)
            if len(parts) == 1:
                raise BadGtid(f"{parts[0]!r} in GTID set {text!r} has no intervals")
            sid, tag_is_bare = uuid, False
            for part in parts[1:]:
                interval = _INTERVAL.fullmatch(part)
                if interval is not None:
                    result._add_interval(sid, interval, text)
                    tag_is_bare = False
                elif _TAG.fullmatch(part) and not tag_is_bare:
                    sid, tag_is_bare = f"{uuid}:{part.lower()}", True
                else:
                    raise BadGtid(f"{part!r} in GTID set {text!r} is neither interval nor tag")
            if tag_is_bare:
                raise BadGtid(f"tag {parts[-1]!r} in GTID set {text!r} has no intervals")
        return result

    def _add_interval(self, sid: str, match: re.Match[str], text: str) -> None:
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if not 1 <= first <= MAX_GNO or last > MAX_GNO:
            raise BadGtid(f"interval {match[0]!r} in GTID set {text!r} is out of range")
        if last >= first:  # MySQL takes "5-3" as empty
            self._sids.setdefault(sid, _Intervals()).add(first, last + 1)

    def add(self, gtid: str) -> None:
        """Takes in `uuid:number` or `uuid:tag:number`."""
        sid, _, digits = gtid.rpartition(":")
        intervals = self._sids.get(sid)
        if intervals is None or not _is_number(digits):
            sid, number = _gtid(gtid)
            intervals = self._sids.setdefault(sid, _Intervals())
        else:
            number = int(digits)
            if not 1 <= number <= MAX_GNO:
                raise BadGtid(f"number of GTID {gtid!r} is out of range")
        intervals.add(number, number + 1)

    def contains(self, gtid: str) -> bool:
        """Whether this one transaction is in the set."""
        sid, number = _gtid(gtid)
        intervals = self._sids.get(sid)
        return intervals is not None and intervals.contains(number)

    def union(self, other: GtidSet) -> GtidSet:
        """What is in one or the other."""
        result = self.copy()
        for sid, intervals in other._sids.items():
            own = result._sids.setdefault(sid, _Intervals())
            for start, end in intervals:
                own.add(start, end)
        return result

    def subtract(self, other: GtidSet) -> GtidSet:
        """What is in here and not in `other` (GTID_SUBTRACT)."""
        result = GtidSet()
        for sid, intervals in self._sids.items():
            theirs = other._sids.get(sid)
            rest = intervals.copy() if theirs is None else intervals.minus(theirs)
            if rest.starts:
                result._sids[sid] = rest
        return result

    def issubset(self, other: GtidSet) -> bool:
        """Whether all of this is in `other` (GTID_SUBSET)."""
        return self.subtract(other).isempty()

    def covers(self, other: GtidSet) -> bool:
        """Whether all of `other` is in this."""
        return other.issubset(self)

    def isempty(self) -> bool:
        """Whether it has no member."""
        return not self._sids

    def copy(self) -> GtidSet:
        """An independent set with the same members."""
        result = GtidSet()
        result._sids = {sid: intervals.copy() for sid, intervals in self._sids.items()}
        return result

    @property
    def tagged(self) -> bool:
        """Whether any member has a tag."""
        return any(":" in sid for sid in self._sids)

    def encode(self) -> bytes:
        """The SID block of COM_BINLOG_DUMP_GTID: the tagged layout if there is a tag, else not."""
        tagged = self.tagged
        count = len(self._sids)
        head = count << 8 | _TAGGED | _TAGGED << 56 if tagged else count
        out = bytearray(struct.pack("<Q", head))
        for sid in sorted(self._sids, key=_order):
            uuid, _, tag = sid.partition(":")
            out += bytes.fromhex(uuid.replace("-", ""))
            if tagged:
                out.append(len(tag) << 1)
                out += tag.encode("ascii")
            intervals = self._sids[sid]
            out += struct.pack("<Q", len(intervals.starts))
            for start, end in intervals:
                out += struct.pack("<QQ", start, end)
        return bytes(out)

    @classmethod
    def decode(cls, data: bytes) -> GtidSet:
        """Reads what `encode` writes, and the body of a PREVIOUS_GTIDS event."""
        result = cls()
        if len(data) < 8:
            raise BadGtid(f"GTID set of {len(data)} bytes is too short")
        (head,) = struct.unpack_from("<Q", data)
        tagged = head >> 56 == _TAGGED
        if head >> 56 > _TAGGED or (tagged and head & 0xFF != _TAGGED):
            raise BadGtid(f"GTID set in an unknown format (first bytes {data[:8].hex()})")
        at = 8
        try:
            for _ in range((head >> 8) & 0xFFFFFFFFFFFF if tagged else head):
                sid, at = _decode_sid(data, at, tagged)
                (count,) = struct.unpack_from("<Q", data, at)
                at += 8
                for _ in range(count):
                    start, end = struct.unpack_from("<QQ", data, at)
                    at += 16
                    if not 1 <= start < end <= MAX_GNO + 1:
                        raise BadGtid(f"interval {start}-{end - 1} of {sid} is out of range")
                    result._sids.setdefault(sid, _Intervals()).add(start, end)
        except struct.error as error:
            raise BadGtid(f"GTID set ends early, at byte {len(data)}") from error
        if at != len(data):
            raise BadGtid(f"{len(data) - at} bytes too many after a GTID set")
        return result

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GtidSet) and self._sids == other._sids

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __str__(self) -> str:
        """As the server writes it, without its line breaks: `uuid:1-5:tag:1,uuid:3`."""
        entries: list[str] = []
        last = ""
        for sid in sorted(self._sids, key=_order):
            uuid, _, tag = sid.partition(":")
            if uuid == last:
                entries[-1] += f":{tag}:{self._sids[sid]}"
            else:
                entries.append(f"{sid}:{self._sids[sid]}")
            last = uuid
        return ",".join(entries)

    def __repr__(self) -> str:
        return f"GtidSet.parse({str(self)!r})"


def _order(sid: str) -> tuple[str, str]:
    uuid, _, tag = sid.partition(":")
    return uuid, tag


def _uuid(text: str, where: str) -> str:
    if _UUID.fullmatch(text) is None:
        raise BadGtid(f"{text!r} in {where!r} isn't a uuid")
    digits = text.replace("-", "").lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _is_number(digits: str) -> bool:
    """Of 64 bits at most, or not much more."""
    return digits.isascii() and digits.isdecimal() and len(digits) <= 20


def _gtid(gtid: str) -> tuple[str, int]:
    """(sid, number) of one GTID, checked."""
    parts = gtid.strip().split(":")
    digits = parts[-1]
    if len(parts) not in (2, 3) or not _is_number(digits):
        raise BadGtid(f"{gtid!r} isn't a GTID such as 'uuid:7' or 'uuid:tag:7'")
    sid = _uuid(parts[0], gtid)
    if len(parts) == 3:
        if _TAG.fullmatch(parts[1]) is None:
            raise BadGtid(f"tag of GTID {gtid!r} isn't one")
        sid = f"{sid}:{parts[1].lower()}"
    number = int(digits)
    if not 1 <= number <= MAX_GNO:
        raise BadGtid(f"number of GTID {gtid!r} is out of range")
    return sid, number


def _decode_sid(data: bytes, at: int, tagged: bool) -> tuple[str, int]:
    end = at + 16
    if end + tagged > len(data):
        raise BadGtid(f"GTID set ends early, at byte {len(data)}")
    uuid = _uuid(data[at:end].hex(), "GTID set")
    if not tagged:
        return uuid, end
    length = data[end] >> 1
    tag = data[end + 1 : end + 1 + length].decode("ascii", "replace")
    if data[end] & 1 or len(tag) != length or (length and _TAG.fullmatch(tag) is None):
        raise BadGtid(f"tag at byte {end} of a GTID set isn't one")
    return f"{uuid}:{tag}" if length else uuid, end + 1 + length


class MariadbGtidSet:
    """A MariaDB replication position: of each domain the last GTID, `domain-server-number`.

    A position holds all transactions of a domain up to its number, whoever wrote them.
    """

    __slots__ = ("domains",)

    def __init__(self) -> None:
        self.domains: dict[int, tuple[int, int]] = {}  # domain -> (server id, sequence number)

    @classmethod
    def parse(cls, text: str) -> MariadbGtidSet:
        """Reads `@@gtid_binlog_pos` and the like. Raises `BadGtid`."""
        result = cls()
        for entry in text.split(","):
            if not entry.strip():
                continue
            domain, server_id, number = _mariadb_gtid(entry)
            if domain in result.domains:
                raise BadGtid(f"domain {domain} stands twice in {text!r}: not a position")
            result.domains[domain] = (server_id, number)
        return result

    def add(self, gtid: str) -> None:
        """The domain of `gtid` now stands there (a later one replaces an earlier one)."""
        domain, server_id, number = _mariadb_gtid(gtid)
        self.domains[domain] = (server_id, number)

    def contains(self, gtid: str) -> bool:
        """Whether the position is at or past this transaction."""
        domain, _, number = _mariadb_gtid(gtid)
        at = self.domains.get(domain)
        return at is not None and at[1] >= number

    def covers(self, other: MariadbGtidSet) -> bool:
        """Whether this position is at or past `other` in every domain of `other`."""
        return all(
            domain in self.domains and self.domains[domain][1] >= number
            for domain, (_, number) in other.domains.items()
        )

    def domain_of(self, gtid: str) -> str:
        """The GTID at which the domain of `gtid` stands; "" where it has none."""
        domain = _mariadb_gtid(gtid)[0]
        at = self.domains.get(domain)
        return "" if at is None else f"{domain}-{at[0]}-{at[1]}"

    def replaced(self, gtid: str, before: str) -> MariadbGtidSet:
        """A copy in which the domain of `gtid` stands at `before`; "": isn't in it."""
        result = self.copy()
        del result.domains[_mariadb_gtid(gtid)[0]]
        if before:
            result.add(before)
        return result

    def isempty(self) -> bool:
        """Whether it names no domain: the beginning."""
        return not self.domains

    def copy(self) -> MariadbGtidSet:
        """An independent copy."""
        result = MariadbGtidSet()
        result.domains = self.domains.copy()
        return result

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MariadbGtidSet) and self.domains == other.domains

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __str__(self) -> str:
        return ",".join(f"{domain}-{s}-{n}" for domain, (s, n) in sorted(self.domains.items()))

    def __repr__(self) -> str:
        return f"MariadbGtidSet.parse({str(self)!r})"


def _mariadb_gtid(text: str) -> tuple[int, int, int]:
    """(domain, server id, number) of `d-s-n`, checked. Cheap: once per transaction."""
    parts = text.strip().split("-")
    if len(parts) != 3 or not all(map(_is_number, parts)):
        raise BadGtid(f"{text!r} isn't a MariaDB GTID such as '0-1-42'")
    domain, server_id, number = map(int, parts)
    if domain >= 1 << 32 or server_id >= 1 << 32 or number >= 1 << 64:
        raise BadGtid(f"{text!r} has a part that is out of range")
    return domain, server_id, number
