"""A man in the middle of a binary log dump: what the server sends is changed on its way.

Everything passes as it is until a connection asks for a dump. From there on the server's packets
are cut out, and each goes through `alter`. The connection must not use TLS.

Formats: MySQL manual, "MySQL Packets"; source documentation, "Binary log event structures".
"""

import contextlib
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from typing import Self

_DUMP_COMMANDS = (0x12, 0x1E)  # COM_BINLOG_DUMP, COM_BINLOG_DUMP_GTID
_HEADER = struct.Struct("<IBIIIH")  # time, type, server id, size, end position, flags


class Packet(bytes):
    """A packet of the server: length, number, 0x00 and, of a dump, an event with its checksum."""

    @property
    def kind(self) -> int:
        """The event's type; 0 for a packet without one."""
        return self[9] if len(self) >= 5 + _HEADER.size and self[4] == 0 else 0

    @property
    def body(self) -> bytes:
        return self[5 + _HEADER.size : -4]

    def of(self, content: bytes) -> "Packet":
        """The same packet with another content."""
        return Packet(struct.pack("<I", len(content))[:3] + self[3:4] + content)

    def event(self, kind: int, body: bytes) -> "Packet":
        """The same packet with another event, whose header and checksum fit it."""
        time, _, server_id, _, end, flags = _HEADER.unpack_from(self, 5)
        size = _HEADER.size + len(body) + 4
        event = _HEADER.pack(time, kind, server_id, size, end, flags) + body
        return self.of(b"\0" + event + struct.pack("<I", zlib.crc32(event)))


class Last(bytes):
    """Sent in the place of a packet; then the connection ends."""


Alter = Callable[[Packet], bytes]


class DumpProxy:
    """Listens on the loopback from construction to `close()`. `alter` may be set at any time."""

    def __init__(self, host: str, port: int) -> None:
        self.alter: Alter = bytes
        self._target = (host, port)
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._open):
            _end(each)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._open += [client, server]
                dumping = threading.Event()
                for pump in (self._upward, self._downward):
                    arguments = (client, server, dumping)
                    threading.Thread(target=pump, args=arguments, daemon=True).start()

    def _upward(
        self, client: socket.socket, server: socket.socket, dumping: threading.Event
    ) -> None:
        """Clients write a command in one piece, and only when the answer to the last was read."""
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                if len(data) > 4 and data[3] == 0 and data[4] in _DUMP_COMMANDS:
                    dumping.set()
                server.sendall(data)
        _end(server)

    def _downward(
        self, client: socket.socket, server: socket.socket, dumping: threading.Event
    ) -> None:
        waiting = b""
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                if not dumping.is_set():
                    client.sendall(data)
                    continue
                waiting += data
                while len(waiting) >= 4:
                    end = 4 + int.from_bytes(waiting[:3], "little")
                    if len(waiting) < end:
                        break
                    packet, waiting = Packet(waiting[:end]), waiting[end:]
                    sent = self.alter(packet)
                    client.sendall(sent)
                    if isinstance(sent, Last):
                        _end(server)
                        break
        _end(client)


def _end(side: socket.socket) -> None:
    with contextlib.suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()
