"""Frames of a running binary log dump, read from the socket without PyMySQL's packet layer.

One socket read fills a buffer; frames are cut out of it. `pending` therefore knows all three places
in which something may be queued: this buffer, TLS's, and the kernel's.

Checksums have one rule: the format description carries one always; every other event, real or
made up, follows the last format description; before the first one, what was asked of the server.
Each is verified; a format description that says there are none is no longer believed when the
event after it has one that fits. A frame that can't be what it claims to be raises `CorruptEvent`;
a connection that ends or falls silent raises `ConnectionLost`; the server's own refusals become the
error that they mean.
"""

import select
import socket
import ssl
import struct
import zlib
from collections.abc import Iterator

from mysync_producer.events import (
    ARTIFICIAL,
    HEADER_SIZE,
    Event,
    EventType,
    parse_format_description,
    parse_rotate,
)
from mysync_runtime.errors import (
    ConnectionLost,
    CorruptEvent,
    CredentialsError,
    Fenced,
    MysyncError,
    PositionLost,
    SourceDiverged,
)

__all__ = ["BinlogStream", "refusal"]

_RECEIVE = 256 * 1024
_LARGEST = 0xFFFFFF  # a packet of this length goes on in the next one
_HEADER = struct.Struct("<IBIIIH")  # time, type, server id, size, end position, flags

_FORMAT_DESCRIPTION = int(EventType.FORMAT_DESCRIPTION)
_ROTATE = int(EventType.ROTATE)
# Sent before the server has found the place to begin at, which may take it a while.
_PRELUDE = frozenset(
    {
        EventType.ROTATE,
        EventType.FORMAT_DESCRIPTION,
        EventType.PREVIOUS_GTIDS,
        EventType.MARIADB_GTID_LIST,
        EventType.MARIADB_START_ENCRYPTION,
    }
)


class BinlogStream:
    """A dump in progress over `sock`.

    `patience` is how many seconds of silence the beginning may have, `liveness` how many the rest:
    longer than the server's heartbeat period by far.
    """

    def __init__(
        self, sock: socket.socket, *, sequence: int = 1, patience: float, liveness: float
    ) -> None:
        self._sock = sock
        self._tls = isinstance(sock, ssl.SSLSocket)
        self._liveness = liveness
        self._begun = False
        self._sequence = sequence
        self._data = b""
        self._at = 0
        self._checksum = True
        self._doubted = False  # whether the format description's word for no checksums is untried
        self.file = ""
        self.position = 0  # end of the last event in `file`, 32 bits as the server says it
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        sock.settimeout(patience)

    @property
    def where(self) -> str:
        """The place reached, for messages."""
        return f"{self.file}:{self.position}" if self.file else "the beginning of the stream"

    def pending(self) -> bool:
        """Whether anything is queued; reading may still have to wait for an event's rest."""
        return self._buffered() or bool(self._poll.poll(0))

    def wait(self, seconds: float, wakeup: int | None = None) -> bool:
        """`pending` that waits; returns early when the file descriptor `wakeup` is readable."""
        if self._buffered():
            return True
        if wakeup is None:
            return bool(self._poll.poll(seconds * 1000))
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        poll.register(wakeup, select.POLLIN)
        return any(fd != wakeup for fd, _ in poll.poll(seconds * 1000))

    def _buffered(self) -> bool:
        if self._at < len(self._data):
            return True
        return self._tls and self._sock.pending() > 0  # type: ignore[attr-defined]

    def queued(self) -> Iterator[Event]:
        """The next event, then those that came with it."""
        yield self.read()
        while self._at < len(self._data):
            yield self.read()

    def read(self) -> Event:
        """The next event. Keeps `file` and `position`."""
        data, start, end = self._packet()
        if end <= start:
            raise CorruptEvent("an empty packet in the binary log stream", where=self.where)
        if data[start] != 0:
            raise self._not_an_event(data[start:end])
        start += 1
        if end - start < HEADER_SIZE:
            raise CorruptEvent(f"an event of {end - start} bytes", where=self.where)
        timestamp, kind, server_id, size, log_pos, flags = _HEADER.unpack_from(data, start)
        if size != end - start:
            raise CorruptEvent(
                f"an event that says it has {size} bytes came with {end - start}", where=self.where
            )
        if kind == _FORMAT_DESCRIPTION:
            # Its checksum is verified when it uses one at all; the trailer is always there.
            body = data[start + HEADER_SIZE : end]
            description = parse_format_description(body)
            if description.checksum:
                self._verify(data, start, end)
            self._checksum = description.checksum
            self._doubted = not description.checksum
        else:
            if self._checksum and (kind != _ROTATE or self.file or _crc_fits(data, start, end)):
                self._verify(data, start, end)
                end -= 4
            elif self._doubted and _crc_fits(data, start, end):
                raise CorruptEvent(
                    "an event with a checksum, where the format description says there are none",
                    where=f"after {self.where}",
                )
            else:
                self._doubted = False
            body = data[start + HEADER_SIZE : end]
            if kind == _ROTATE:
                self.file, self.position = parse_rotate(body)
                log_pos = 0 if flags & ARTIFICIAL else log_pos
        if kind != _ROTATE and log_pos and not flags & ARTIFICIAL:
            self.position = log_pos
        if not self._begun and kind not in _PRELUDE:
            self._begun = True
            self._sock.settimeout(self._liveness)
        return Event(kind, timestamp, server_id, log_pos, flags, body)

    def close(self) -> None:
        self._sock.close()

    def _verify(self, data: bytes, start: int, end: int) -> None:
        if end - start < HEADER_SIZE + 4 or not _crc_fits(data, start, end):
            raise CorruptEvent("an event whose checksum is wrong", where=f"after {self.where}")

    def _packet(self) -> tuple[bytes, int, int]:
        """A whole packet: (buffer, start, end)."""
        start, end, length = self._frame()
        if length < _LARGEST:
            return self._data, start, end
        pieces = [self._data[start:end]]
        while length == _LARGEST:
            start, end, length = self._frame()
            pieces.append(self._data[start:end])
        whole = b"".join(pieces)
        return whole, 0, len(whole)

    def _frame(self) -> tuple[int, int, int]:
        """One frame: (start, end) in the buffer and its length. Manual: "MySQL Packets"."""
        if len(self._data) - self._at < 4:
            self._fill(4)
        data, at = self._data, self._at
        length = data[at] | data[at + 1] << 8 | data[at + 2] << 16
        if data[at + 3] != self._sequence:
            # MariaDB says good-bye with an error packet of number 0 when it shuts down.
            if data[at + 3] == 0 and length > 0:
                self._fill(5)
                if self._data[self._at + 4] == 0xFF:
                    raise ConnectionLost("the server ended the stream", where=self.where)
            raise CorruptEvent(
                f"packet number {data[at + 3]} came where {self._sequence} was due",
                where=self.where,
            )
        self._sequence = (self._sequence + 1) & 0xFF
        if len(data) - at < 4 + length:
            self._fill(4 + length)
            at = self._at
        end = at + 4 + length
        self._at = end
        return at + 4, end, length

    def _fill(self, wanted: int) -> None:
        """Reads until at least `wanted` bytes are buffered."""
        pieces = [self._data[self._at :]]
        have = len(pieces[0])
        while have < wanted:
            piece = self._receive()
            pieces.append(piece)
            have += len(piece)
        self._data = b"".join(pieces)
        self._at = 0

    def _receive(self) -> bytes:
        try:
            piece = self._sock.recv(_RECEIVE)
        except TimeoutError as error:
            raise ConnectionLost(
                f"nothing came from the server for {self._sock.gettimeout():g} s, not even a "
                "heartbeat",
                where=self.where,
            ) from error
        except OSError as error:
            raise ConnectionLost(f"the connection broke: {error}", where=self.where) from error
        if not piece:
            raise ConnectionLost("the server closed the connection", where=self.where)
        return piece

    def _not_an_event(self, packet: bytes) -> MysyncError:
        if packet[0] == 0xFF and len(packet) >= 3:
            code = int.from_bytes(packet[1:3], "little")
            message = packet[9:] if packet[3:4] == b"#" else packet[3:]
            return refusal(code, message.decode("utf-8", "replace"), self.where)
        if packet[0] == 0xFE and len(packet) < 9:
            return ConnectionLost("the server ended the stream", where=self.where)
        return CorruptEvent(
            f"a packet that begins with 0x{packet[0]:02x} in the binary log stream",
            where=self.where,
        )


def _crc_fits(data: bytes, start: int, end: int) -> bool:
    view = memoryview(data)
    return zlib.crc32(view[start : end - 4]) == int.from_bytes(view[end - 4 : end], "little")


_SAME_REPLICA = (
    "same server_uuid",
    "same server_id",
    "same server-id",
    "same server_uuid/server_id",
)
_PURGED = (
    "purged",
    "could not find first log file",
    "could not open log file",
    "could not find gtid state requested",
    "requested start position",
    "impossible position",
    "client requested master to start replication",
    "client requested source to start replication",
    "position > file size",
)
_DIVERGED = (
    "replica has more gtids than the source has",
    "slave has more gtids than the master has",
    "which is not in the master's binlog",
    "an alternate history",
    "since the master's binlog",
)


_NO_FILE = 29  # EE_FILENOTFOUND: MariaDB's word for a log that its index lists and that isn't there


def refusal(code: int, message: str, where: str) -> MysyncError:
    """What an error packet instead of an event means.

    1236 (ER_SOURCE_FATAL_ERROR_READING_BINLOG) is a purged position, one that never was, a file
    that was deleted by hand, or another reader with our identity; MariaDB says the last one with
    4052.
    """
    lower = message.lower()
    text = f"the source refuses to send its binary log: {code}: {message}"
    if code == 4052 or any(words in lower for words in _SAME_REPLICA):
        return Fenced(
            f"another reader with this pipeline's server id or replica uuid took over ({code}: "
            f"{message})",
            where=where,
            mend="Nothing is lost. If this isn't a standby that took over, give each pipeline its "
            "own `source.server_id`.",
        )
    if code == 1236 and any(words in lower for words in _DIVERGED):
        return SourceDiverged(text, where=where)
    if code == _NO_FILE or (code == 1236 and any(words in lower for words in _PURGED)):
        return PositionLost(text, where=where)
    if code in (1045, 1227, 1142, 1044, 1698):
        return CredentialsError(
            text, where=where, mend="Grant REPLICATION SLAVE to the user, then start again."
        )
    if code in (1236, 1595, 1594):
        return CorruptEvent(text, where=where)
    return ConnectionLost(text, where=where)
