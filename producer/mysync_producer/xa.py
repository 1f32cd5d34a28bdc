"""XA transactions between their PREPARE and their end.

Until an XA transaction is committed nobody knows whether its rows ever hold. Its events are kept as
they came, in the topic `<pipeline>.xa` (one partition, compacted, the producer's own), in the Kafka
transaction that moves the position past the PREPARE. XA COMMIT reads them back and sends their rows
as rows of its own; they are deleted in the Kafka transaction that ends it.

    key                    value
    <name>/<chunk index>   attempt (8 bytes), a piece of the events (`heldevents`)
    <name>                 JSON: attempt, number of chunks, tables, where it was prepared

A transaction that isn't prepared yet may be begun again after a crash: its chunks are then written
anew, under the same keys and as another attempt; the last record names the one that counts. A small
transaction is one chunk, which is written only when it is prepared and kept in memory as well.

A crash leaves chunks without a last record, at worst. They are overwritten, or nothing refers to
them.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from mysync_producer import points
from mysync_producer.errors import PreparedRowsUnknown
from mysync_producer.events import Event
from mysync_producer.heldevents import pack, unpack
from mysync_runtime.crash import crash_point
from mysync_runtime.errors import StateLost

__all__ = ["Prepared", "XaLog", "XaRecord", "XaTransactions", "known"]

XaRecord = tuple[int, bytes, bytes | None]
"""Offset, key and value; without a value: the key is deleted."""

FORMAT = 1
_IN_MEMORY = 32 << 20  # bytes of prepared transactions
_ATTEMPT = 8
_SMALLEST_CHUNK = 1_000
_OVERHEAD = 1_000  # of a message: key, headers


class XaLog(Protocol):
    """The topic."""

    def write(
        self, key: bytes, value: bytes | None, delivered: Callable[[int], None] | None = None
    ) -> None:
        """Into the open Kafka transaction. `delivered` is told the offset, if it gets one."""

    def read(self, offset: int) -> Iterable[XaRecord]:
        """What is committed, from `offset` on (-1: the beginning) to the end."""

    @property
    def commits(self) -> int:
        """How often a Kafka transaction was committed."""


@dataclass
class Prepared:
    """An XA transaction whose events are complete."""

    name: str
    attempt: int
    chunks: int
    tables: tuple[str, ...] = ()
    time_zone: str | None = None
    place: str = ""
    gtid: str | None = None
    start: list[int] = field(default_factory=lambda: [-1])  # where its chunks begin, once known
    data: bytes | None = None  # all of its events
    commits: int = -1  # how often was committed when its chunks were sent

    def encode(self) -> bytes:
        record = {
            "format": FORMAT,
            "attempt": self.attempt,
            "chunks": self.chunks,
            "tables": self.tables,
            "time_zone": self.time_zone,
            "place": self.place,
            "gtid": self.gtid,
        }
        return json.dumps(record, separators=(",", ":")).encode()


@dataclass
class _Open:
    """The one that is being read."""

    name: str
    attempt: int
    time_zone: str | None
    data: bytearray = field(default_factory=bytearray)  # of the chunk that isn't written yet
    chunks: int = 0
    tables: set[str] = field(default_factory=set)
    commits: int = -1
    start: list[int] = field(default_factory=lambda: [-1])


class XaTransactions:
    """`prepared` are those that the topic holds at the start."""

    def __init__(
        self, log: XaLog, prepared: Mapping[str, Prepared], max_message_bytes: int
    ) -> None:
        self._log = log
        self._prepared = dict(prepared)
        self._chunk = max(max_message_bytes - _OVERHEAD, _SMALLEST_CHUNK)
        self._open: _Open | None = None
        self._in_memory = sum(len(each.data or b"") for each in self._prepared.values())

    @property
    def reading(self) -> bool:
        """Whether the events that come are those of an XA transaction."""
        return self._open is not None

    # -- on the way to PREPARE

    def begin(self, name: str, time_zone: str | None) -> None:
        self._open = _Open(name, secrets.randbits(63), time_zone)

    def drop(self) -> None:
        """What was being read came to nothing."""
        self._open = None

    def add(self, event: Event, table: str) -> int:
        """Keeps an event; returns the bytes that were written for it."""
        opened = self._opened()
        opened.tables.add(table)
        opened.data += pack(event)
        written = 0
        while len(opened.data) > self._chunk:
            piece = bytes(opened.data[: self._chunk])
            written += self._write_chunk(opened, piece, opened.chunks)
            opened.chunks += 1
            del opened.data[: self._chunk]
            crash_point(points.XA_CHUNK)
        return written

    def close(self, name: str, place: str, gtid: str | None) -> tuple[Prepared, int]:
        """All of its events were read; (they, bytes written). Nothing refers to them yet."""
        opened = self._opened()
        if name != opened.name:
            raise StateLost(f"XA transaction {opened.name} ends as {name}", where=place)
        data = bytes(opened.data) if not opened.chunks else None
        written = 0
        if opened.chunks:
            written = self._write_chunk(opened, bytes(opened.data), opened.chunks)
            opened.chunks += 1
        self._open = None
        return Prepared(
            name,
            opened.attempt,
            opened.chunks,
            tuple(sorted(opened.tables)),
            opened.time_zone,
            place,
            gtid,
            opened.start,
            data,
            opened.commits,
        ), written

    def prepare(self, name: str, place: str, gtid: str | None) -> int:
        """XA PREPARE; returns the bytes written."""
        prepared, written = self.close(name, place, gtid)
        data = prepared.data
        if data:
            written += self._write_chunk(prepared, data, 0)
            prepared.chunks = 1
        if data is not None:
            if self._in_memory + len(data) > _IN_MEMORY:
                prepared.data = None
            else:
                self._in_memory += len(data)
        written += self._write(name.encode(), prepared.encode())
        self._prepared[name] = prepared
        crash_point(points.XA_PREPARED)
        return written

    # -- COMMIT and ROLLBACK

    def find(self, name: str, where: str) -> Prepared:
        """Raises PreparedRowsUnknown."""
        try:
            return self._prepared[name]
        except KeyError:
            raise PreparedRowsUnknown(
                f"XA transaction {name} is committed, and its rows were never seen: it was "
                "prepared before this pipeline began",
                where=where,
            ) from None

    def readable(self, prepared: Prepared) -> bool:
        """Whether `events` may be called now: what isn't committed to Kafka can't be read back."""
        return prepared.data is not None or prepared.commits < self._log.commits

    def events(self, prepared: Prepared, where: str) -> Iterator[Event]:
        """Its events in their order, one in memory at a time. Their place and time are nothing.

        Raises PreparedRowsUnknown when the topic doesn't hold all of them.
        """
        if prepared.data is not None:
            return unpack([prepared.data])
        return unpack(self._chunks(prepared, where))

    def _chunks(self, prepared: Prepared, where: str) -> Iterator[bytes]:
        index = 0
        if prepared.chunks == 0:
            return
        attempt = prepared.attempt.to_bytes(_ATTEMPT, "big")
        for _, key, value in self._log.read(prepared.start[0]):
            if value is None or key != _chunk_key(prepared.name, index):
                continue
            if value[:_ATTEMPT] != attempt:
                continue
            yield value[_ATTEMPT:]
            index += 1
            if index == prepared.chunks:
                return
        raise PreparedRowsUnknown(
            f"XA transaction {prepared.name}, prepared at {prepared.place}, is committed, but its "
            f"topic holds {index} of its {prepared.chunks} pieces. It changed "
            f"{', '.join(prepared.tables)}",
            where=where,
        )

    def forget(self, name: str, prepared: Prepared | None = None) -> int:
        """Deletes what is kept of it, if anything; returns the bytes written."""
        known = self._prepared.pop(name, None)
        if known is not None and known.data is not None:
            self._in_memory -= len(known.data)
        prepared = known or prepared
        if prepared is None:
            return 0
        written = sum(self._write(_chunk_key(name, i), None) for i in range(prepared.chunks))
        if known is not None:
            written += self._write(name.encode(), None)
        crash_point(points.XA_FORGOTTEN)
        return written

    # -- inner

    def _opened(self) -> _Open:
        if self._open is None:
            raise StateLost("the end of an XA transaction that never began")
        return self._open

    def _write_chunk(self, of: _Open | Prepared, data: bytes, index: int) -> int:
        of.commits = self._log.commits
        key = _chunk_key(of.name, index)
        value = of.attempt.to_bytes(_ATTEMPT, "big") + data
        self._log.write(key, value, None if index else partial(of.start.__setitem__, 0))
        return len(key) + len(value)

    def _write(self, key: bytes, value: bytes | None) -> int:
        self._log.write(key, value)
        return len(key) + len(value or b"")


def _chunk_key(name: str, index: int) -> bytes:
    return f"{name}/{index}".encode()


def known(records: Iterable[XaRecord], where: str) -> dict[str, Prepared]:
    """The prepared transactions that a topic holds, by name. Raises StateLost."""
    found: dict[str, Prepared] = {}
    first: dict[str, tuple[int, bytes]] = {}  # offset and value of each one's first chunk
    in_memory = 0
    for offset, key, value in records:
        name, _, index = key.decode("ascii", "replace").partition("/")
        if index:
            if index != "0":
                continue
            in_memory -= len(first.pop(name, (0, b""))[1])
            if value is not None:
                kept = value if in_memory + len(value) <= _IN_MEMORY else value[:_ATTEMPT]
                first[name] = offset, kept
                in_memory += len(kept)
        elif value is None:
            found.pop(name, None)
        else:
            found[name] = _decode(name, value, f"{where} offset {offset}")
    for name, prepared in found.items():
        offset, value = first.get(name, (-1, b""))
        if value[:_ATTEMPT] == prepared.attempt.to_bytes(_ATTEMPT, "big"):
            prepared.start = [offset]
            if prepared.chunks == 1 and len(value) > _ATTEMPT:
                prepared.data = value[_ATTEMPT:]
        if prepared.chunks == 0:
            prepared.data = b""
    return found


def _decode(name: str, value: bytes, where: str) -> Prepared:
    try:
        record: dict[str, Any] = dict(json.loads(value))
        if record.pop("format") != FORMAT:
            raise StateLost(
                "a prepared XA transaction is kept in a format that this release doesn't read",
                where=where,
                mend="Use the release that wrote it.",
            )
        record["tables"] = tuple(record["tables"])
        return Prepared(name, **record)
    except (ValueError, TypeError, KeyError) as error:
        raise StateLost(f"a prepared XA transaction can't be read: {error}", where=where) from error
