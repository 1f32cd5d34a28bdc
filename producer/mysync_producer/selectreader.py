"""Runs one SELECT and hands out its rows as row images, in pieces.

The rows' packets are taken from PyMySQL's stream in large pieces: reading them one by one, as
PyMySQL does, takes longer than everything else. No more than a piece and one row is in memory,
however large the result; the server waits meanwhile (`net_write_timeout`).

A connection whose result was read to its end, or ended in an error of the server, can be used on;
else it is closed, since the rest of the result would have to be read first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pymysql.err

from mysync_producer.rowerrors import CorruptResult
from mysync_producer.selectimage import LONGEST, RowImages
from mysync_runtime import mysql
from mysync_runtime.mysql import Connection
from mysync_schemas.collations import charset_of

__all__ = ["ResultReader"]

_PIECE: Final = 1 << 18
_LOST: Final = "Lost connection to MySQL server during query"
_END, _ERROR = 0xFE, 0xFF


class ResultReader:
    """Begins the query; `read` until None, then `close`.

    `rows`: how many were handed out; `failed`: what was raised. Raises what `mysql.error_of` makes
    of errors; CorruptResult for what can't be, and for whatever the server warns of.
    """

    def __init__(self, connection: Connection, sql: str, images: RowImages) -> None:
        self.images = images
        self.rows = 0
        self.failed: BaseException | None = None
        self._before = images.rows
        # Its reader of packets is passed by, which takes names that aren't public.
        self._connection: Any = connection
        self._data = b""
        self._pos = 0
        self._done = False
        images.take()  # what a reader that failed has left
        with self._reading():
            self._begin(sql)

    def read(self, most_bytes: int) -> bytes | None:
        """The next images: whole rows, `most_bytes` and a row in all; None at the end."""
        images = self.images
        with self._reading():
            while not self._done and images.held() < most_bytes:
                data, pos = self._data, self._pos
                self._pos = images.walk(data, pos, len(data), most_bytes)
                if images.held() < most_bytes:
                    self._go_on()
        self.rows = images.rows - self._before
        return images.take() or None

    def close(self) -> None:
        """Leaves the connection usable if the result was read to its end, else closes it."""
        if not self._done:
            self._done = True
            self._forget()
            self._connection._force_close()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (pymysql.err.Error, OSError) as error:
            self._fail()
            doing = f"read rows of {self.images.table}"
            self.failed = mysql.error_of(error, doing)
            raise self.failed from error
        except BaseException as error:
            self._fail()
            self.failed = error
            raise

    def _fail(self) -> None:
        """Nothing more comes, nor what of this piece was read."""
        self.close()
        self.images.take()

    def _begin(self, sql: str) -> None:
        self._done = True  # what is refused leaves nothing to read
        self._connection.query(sql, unbuffered=True)
        self._done = False
        self._check_columns()
        self.images.sequence = self._connection._next_seq_id

    def _check_columns(self) -> None:
        """The result has to be that of `select_list`, in a session as `SESSION` makes it."""
        result = self._connection._result
        found = result.field_count
        if found != self.images.fields:
            raise self._corrupt(f"{found} columns where {self.images.fields} were asked for")
        for field, charset in zip(result.fields, self.images.charsets, strict=True):
            comes_in = charset_of(field.charsetnr)
            if None not in (charset, comes_in) and comes_in != charset:
                raise self._corrupt(
                    f"{field.name} comes in the character set {comes_in} instead of its own, "
                    f"{charset}: the session has a character_set_results"
                )

    def _go_on(self) -> None:
        """Deals with the packet that isn't passed: reads more of it, or what isn't a short row."""
        left = len(self._data) - self._pos
        size = int.from_bytes(self._data[self._pos : self._pos + 3], "little")
        if left < 4 or (size < LONGEST and left - 4 < size):
            self._fetch(4 - left if left < 4 else size + 4 - left)
            return
        packet = self._packet()
        if packet[:1] == bytes((_ERROR,)):
            self._end()
            pymysql.err.raise_mysql_exception(packet)
        elif packet[:1] == bytes((_END,)) and len(packet) < 9:
            self._finish(packet)
        else:
            self.images.put(packet, 0, len(packet))

    def _packet(self) -> bytes:
        """The next packet, of all its parts."""
        parts = []
        size = LONGEST
        while size == LONGEST:
            head = self._take(4)
            size = int.from_bytes(head[:3], "little")
            if head[3] != self.images.sequence:
                raise self._corrupt(f"packet {head[3]} where {self.images.sequence} should be")
            self.images.sequence = (head[3] + 1) & 255
            parts.append(self._take(size))
        return b"".join(parts)

    def _take(self, size: int) -> bytes:
        if len(self._data) - self._pos < size:
            self._fetch(size - (len(self._data) - self._pos))
        self._pos += size
        return self._data[self._pos - size : self._pos]

    def _fetch(self, missing: int) -> None:
        """At least so many bytes more."""
        rest = self._data[self._pos :]
        stream = self._connection._rfile
        parts = [rest]
        while missing > 0:
            more = stream.read1(_PIECE) if missing <= _PIECE else stream.read(missing)
            if not more:
                raise pymysql.err.OperationalError(2013, _LOST)
            parts.append(more)
            missing -= len(more)
        self._data = b"".join(parts)
        self._pos = 0

    def _finish(self, packet: bytes) -> None:
        """The EOF packet: its number of warnings has to be 0."""
        if self._pos != len(self._data):
            raise self._corrupt(f"{len(self._data) - self._pos} bytes behind the end")
        self._end()
        if int.from_bytes(packet[1:3], "little"):
            (first,) = mysql.rows(self._connection, "SHOW WARNINGS LIMIT 1")
            raise self._corrupt(" ".join(map(str, first.values())))

    def _end(self) -> None:
        self._done = True
        self._data = b""
        self._pos = 0
        self._forget()

    def _forget(self) -> None:
        """PyMySQL must not read the rest by itself."""
        result = self._connection._result
        if result is not None:
            result.unbuffered_active = False
            result.connection = None

    def _corrupt(self, what: str) -> CorruptResult:
        return CorruptResult(self.images.table, None, None, what)
