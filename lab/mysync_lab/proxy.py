"""A TCP proxy that breaks connections in the ways that networks do.

Everything passes until a fault is set; a fault holds for the connections there are and for new ones
until `resume()`.

    cut()         connections are reset, new ones refused
    stall()       connections stay and are accepted, no byte passes; resumed, nothing is lost
    half_open()   the target's side is closed, the client's stays and hears nothing more: what a
                  client sees of a peer that vanished. Resumed, such connections are reset, as by a
                  peer that came back and doesn't know them
    slow(n)       n bytes a second in each direction of each connection
    drop_answer(p)  once: the first request that contains `p` reaches the target, its answer doesn't
                  reach the client, whose connection is reset

`drop_answer` looks at plain bytes: the client must not use TLS or compression, and not pipeline.
"""

import contextlib
import socket
import struct
import threading
import time
from enum import Enum, auto
from types import TracebackType
from typing import Self

from mysync_lab.layout import LOOPBACK, free_port

_CHUNK = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# Slow transfers move this often a second.
_TICKS = 20


class _Fault(Enum):
    NONE = auto()
    CUT = auto()
    STALL = auto()
    HALF_OPEN = auto()


class FaultProxy:
    """Listens on the loopback from construction to `close()`."""

    def __init__(self, target_host: str, target_port: int, listen_port: int = 0) -> None:
        self.target = (target_host, target_port)
        self.port = listen_port or free_port()
        # Set when an answer has been swallowed since `drop_answer`.
        self.dropped = threading.Event()
        self._changed = threading.Condition()
        self._fault = _Fault.NONE
        self._rate: int | None = None
        self._pattern: bytes | None = None
        self._closed = False
        self._links: set[_Link] = set()
        self._listener: socket.socket | None = None
        self._listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def host(self) -> str:
        """The address that the proxy listens on."""
        return LOOPBACK

    @property
    def connections(self) -> int:
        """How many connections clients hold now."""
        with self._changed:
            return len(self._links)

    # Faults

    def cut(self) -> None:
        """Resets every connection and refuses new ones."""
        self._set(_Fault.CUT)
        self._stop_listening()
        self._reset_links()

    def stall(self) -> None:
        """Lets nothing pass any more, and nobody know."""
        self._set(_Fault.STALL)

    def half_open(self) -> None:
        """Closes the target's side only."""
        self._set(_Fault.HALF_OPEN)
        for link in self._snapshot():
            link.leave_target()

    def slow(self, bytes_per_second: int) -> None:
        """Lets so much pass in each direction of each connection."""
        if bytes_per_second <= 0:
            raise ValueError(f"bytes_per_second must be positive, not {bytes_per_second}")
        with self._changed:
            self._rate = bytes_per_second
            self._changed.notify_all()

    def drop_answer(self, pattern: bytes) -> None:
        """Arms the loss of one answer: to the next request that contains the pattern."""
        if not pattern:
            raise ValueError("an empty pattern is in every request")
        self.dropped.clear()
        with self._changed:
            self._pattern = pattern

    def resume(self) -> None:
        """Ends every fault; what is armed for `drop_answer` is disarmed."""
        with self._changed:
            orphans = [link for link in self._links if link.target_left]
            self._fault, self._rate, self._pattern = _Fault.NONE, None, None
            self._changed.notify_all()
        for link in orphans:
            link.reset()
        if self._listener is None:
            self._listen()

    def close(self) -> None:
        """Resets every connection and stops listening, for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._stop_listening()
        self._reset_links()

    # What the links ask

    def wait_open(self, link: "_Link") -> bool:
        """Waits while nothing may pass; false if the link is over."""
        with self._changed:
            blocked = (_Fault.STALL, _Fault.HALF_OPEN)
            self._changed.wait_for(lambda: self._closed or link.over or self._fault not in blocked)
            return not (self._closed or link.over)

    def pace(self, link: "_Link", size: int) -> int:
        """How many of `size` bytes may pass now, at the present speed, after having waited."""
        with self._changed:
            if self._rate is None:
                return size
            allowed = min(size, max(1, self._rate // _TICKS))
            until = time.monotonic() + allowed / self._rate
            self._changed.wait_for(
                lambda: self._closed or link.over or self._rate is None,
                timeout=until - time.monotonic(),
            )
            return allowed

    def take_pattern(self, seen: bytes) -> bool:
        """Whether these bytes hold the armed pattern, which is disarmed by that."""
        with self._changed:
            if self._pattern is None or self._pattern not in seen:
                return False
            self._pattern = None
            return True

    @property
    def pattern_length(self) -> int:
        """The length of the armed pattern, 0 if none is."""
        with self._changed:
            return len(self._pattern or b"")

    def forget(self, link: "_Link") -> None:
        """The link is over."""
        with self._changed:
            self._links.discard(link)
            self._changed.notify_all()

    # Listening

    def _set(self, fault: _Fault) -> None:
        with self._changed:
            self._fault = fault
            self._changed.notify_all()

    def _listen(self) -> None:
        listener = socket.create_server((LOOPBACK, self.port), backlog=128)
        self._listener = listener
        name = f"fault-proxy-{self.port}"
        threading.Thread(target=self._accept, args=(listener,), name=name, daemon=True).start()

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            # Wakes the accepting thread, which close() alone doesn't.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._changed:
                refused = self._closed or self._fault is _Fault.CUT
                alone = self._fault is _Fault.HALF_OPEN
                link = _Link(self, client, alone)
                if not refused:
                    self._links.add(link)
            if refused:
                link.reset()
            else:
                link.start()

    def _snapshot(self) -> list["_Link"]:
        with self._changed:
            return list(self._links)

    def _reset_links(self) -> None:
        for link in self._snapshot():
            link.reset()


class _Link:
    """One connection: the client's socket, the target's, and a thread for each direction."""

    def __init__(self, proxy: FaultProxy, client: socket.socket, target_left: bool) -> None:
        self.over = False
        self.target_left = target_left
        self._proxy = proxy
        self._client = client
        self._target: socket.socket | None = None
        self._lock = threading.Lock()
        self._swallow = False
        self._directions = 2
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        """Connects to the target and lets the bytes flow, in threads of its own."""
        if not self.target_left:
            threading.Thread(target=self._open, name="fault-proxy-link", daemon=True).start()

    def reset(self) -> None:
        """Resets both sides."""
        with self._lock:
            self.over = True
            self._close(self._client)
            if self._target is not None:
                self._close(self._target)
        self._proxy.forget(self)

    def leave_target(self) -> None:
        """Closes the target's side; the client's stays, mute."""
        with self._lock:
            self.target_left = True
            if self._target is not None:
                self._close(self._target)

    def _open(self) -> None:
        try:
            target = socket.create_connection(self._proxy.target, timeout=10)
        except OSError:
            self.reset()
            return
        target.settimeout(None)
        target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._target = target
            if self.over or self.target_left:
                self._close(target)
                return
        up = threading.Thread(
            target=self._pump,
            args=(self._client, target, True),
            name="fault-proxy-up",
            daemon=True,
        )
        up.start()
        self._pump(target, self._client, upward=False)

    def _pump(self, source: socket.socket, sink: socket.socket, upward: bool) -> None:
        """Carries one direction until its end, then lets the other side know."""
        tail = b""
        try:
            while data := source.recv(_CHUNK):
                if not self._proxy.wait_open(self) or self.target_left:
                    return
                if upward:
                    tail = self._look(tail, data)
                elif self._swallow:
                    self._proxy.dropped.set()
                    self.reset()
                    return
                self._send(sink, data)
            if self._proxy.wait_open(self) and not self.target_left:
                sink.shutdown(socket.SHUT_WR)
                self._end_direction()
        except OSError:
            if not self.target_left:
                self.reset()

    def _look(self, tail: bytes, data: bytes) -> bytes:
        """Looks for the armed pattern, which may have begun in what came before."""
        seen = tail + data
        keep = self._proxy.pattern_length - 1
        if self._proxy.take_pattern(seen):
            self._swallow = True
            return b""
        return seen[-keep:] if keep > 0 else b""

    def _send(self, sink: socket.socket, data: bytes) -> None:
        view = memoryview(data)
        while view:
            allowed = self._proxy.pace(self, len(view))
            if not self._proxy.wait_open(self):
                return
            sink.sendall(view[:allowed])
            view = view[allowed:]

    def _end_direction(self) -> None:
        with self._lock:
            self._directions -= 1
            ended = self._directions == 0
        if ended:
            self._client.close()
            if self._target is not None:
                self._target.close()
            self.over = True
            self._proxy.forget(self)

    @staticmethod
    def _close(side: socket.socket) -> None:
        with contextlib.suppress(OSError):
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        # Wakes threads that wait in recv or send, which close() alone doesn't.
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
        side.close()
