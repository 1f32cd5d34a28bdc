"""Each fault of the proxy, as a client of it sees it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pymysql
import pytest

from mysync_lab.layout import free_port
from mysync_lab.proxy import FaultProxy
from mysync_lab.sql import SqlServer

PATIENCE = 10.0


class Echo:
    """A TCP server that answers every byte with itself, and counts."""

    def __init__(self) -> None:
        self.received = 0
        self.open = 0
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._count(opened=1)
        try:
            with connection:
                while data := connection.recv(65_536):
                    self._count(received=len(data))
                    connection.sendall(data)
        except ConnectionError:
            pass
        finally:
            self._count(opened=-1)

    def _count(self, opened: int = 0, received: int = 0) -> None:
        with self._changed:
            self.open += opened
            self.received += received
            self._changed.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", echo.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    """A connection through the proxy that has been used."""
    with connect(proxy) as connection:
        assert ask(connection, b"hello") == b"hello"
        yield connection


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection((proxy.host, proxy.port), timeout=PATIENCE)


def receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return data


def ask(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    return receive(connection, len(request))


def hears_nothing(connection: socket.socket, seconds: float = 0.2) -> bool:
    connection.settimeout(seconds)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(PATIENCE)
    return False


def is_cut(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_everything_passes_both_ways(client: socket.socket) -> None:
    request = bytes(range(256)) * 4_000
    threading.Thread(target=client.sendall, args=(request,), daemon=True).start()
    assert receive(client, len(request)) == request


def test_a_half_closed_connection_still_brings_its_answer(client: socket.socket) -> None:
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert receive(client, 100) == b"last words"


def test_a_client_that_leaves_is_forgotten_and_its_target_told(
    echo: Echo, proxy: FaultProxy, client: socket.socket
) -> None:
    client.close()
    echo.wait(lambda: echo.open == 0)


def test_cut_resets_what_is_there_and_refuses_what_comes(
    echo: Echo, proxy: FaultProxy, client: socket.socket
) -> None:
    proxy.cut()
    assert is_cut(client)
    echo.wait(lambda: echo.open == 0)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    assert proxy.connections == 0


def test_after_a_cut_resume_listens_on_the_same_port(proxy: FaultProxy) -> None:
    port = proxy.port
    proxy.cut()
    proxy.resume()
    assert proxy.port == port
    with connect(proxy) as again:
        assert ask(again, b"back") == b"back"


def test_cut_ends_a_transfer_that_waits_for_a_slow_reader(
    proxy: FaultProxy, client: socket.socket
) -> None:
    # The client doesn't read: the proxy's threads are stuck in send when the cut comes.
    client.setblocking(False)
    stuck_since = time.monotonic()
    while time.monotonic() - stuck_since < 0.2:
        try:
            client.send(bytes(65_536))
            stuck_since = time.monotonic()
        except BlockingIOError:
            pass
    proxy.cut()
    client.settimeout(PATIENCE)
    while not is_cut(client):
        pass


def test_stall_lets_nothing_pass_and_loses_nothing(
    echo: Echo, proxy: FaultProxy, client: socket.socket
) -> None:
    before = echo.received
    proxy.stall()
    client.sendall(b"patience")
    with connect(proxy) as newcomer:
        newcomer.sendall(b"me too")
        assert hears_nothing(client)
        assert hears_nothing(newcomer)
        assert echo.received == before
        proxy.resume()
        assert receive(client, 8) == b"patience"
        assert receive(newcomer, 6) == b"me too"


def test_half_open_closes_the_target_and_keeps_the_client_in_silence(
    echo: Echo, proxy: FaultProxy, client: socket.socket
) -> None:
    proxy.half_open()
    echo.wait(lambda: echo.open == 0)
    client.sendall(b"anybody there?")
    assert hears_nothing(client)
    with connect(proxy) as newcomer:
        newcomer.sendall(b"hello?")
        assert hears_nothing(newcomer)
        assert echo.open == 0
        proxy.resume()
        assert is_cut(client)
        assert is_cut(newcomer)
    with connect(proxy) as again:
        assert ask(again, b"back") == b"back"


def test_slow_paces_and_resume_lets_the_rest_through_at_once(
    proxy: FaultProxy, client: socket.socket
) -> None:
    proxy.slow(10_000)
    began = time.monotonic()
    assert ask(client, b"x" * 3_000) == b"x" * 3_000
    assert time.monotonic() - began > 0.25
    proxy.slow(100)
    client.sendall(b"y" * 100_000)
    proxy.resume()
    assert receive(client, 100_000) == b"y" * 100_000


def test_drop_answer_delivers_the_request_and_cuts_before_its_answer(
    echo: Echo, proxy: FaultProxy, client: socket.socket
) -> None:
    proxy.drop_answer(b"COMMIT")
    assert ask(client, b"BEGIN") == b"BEGIN"
    assert not proxy.dropped.is_set()
    before = echo.received
    client.sendall(b"COM")
    assert receive(client, 3) == b"COM"
    client.sendall(b"MIT")
    assert is_cut(client)
    assert proxy.dropped.wait(PATIENCE)
    assert echo.received == before + 6


def test_drop_answer_happens_once(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.drop_answer(b"COMMIT")
    client.sendall(b"COMMIT")
    assert is_cut(client)
    with connect(proxy) as again:
        assert ask(again, b"COMMIT") == b"COMMIT"


def test_a_target_that_refuses_is_a_reset_to_the_client() -> None:
    with FaultProxy("127.0.0.1", free_port()) as proxy:
        try:
            connection = connect(proxy)
        except ConnectionError:
            return  # reset before the client looked
        with connection:
            assert is_cut(connection)


def test_a_commit_whose_answer_is_dropped_has_happened(mysql_a: SqlServer) -> None:
    with mysql_a.connect() as direct, direct.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS lab_proxy")
        cursor.execute("DROP TABLE IF EXISTS lab_proxy.t")
        cursor.execute("CREATE TABLE lab_proxy.t (id INT PRIMARY KEY)")
        with FaultProxy(mysql_a.host, mysql_a.port) as proxy:
            proxied = mysql_a.connect(port=proxy.port, autocommit=False, ssl_disabled=True)
            with proxied.cursor() as doomed:
                doomed.execute("INSERT INTO lab_proxy.t VALUES (1)")
                proxy.drop_answer(b"COMMIT")
                with pytest.raises(pymysql.err.OperationalError):
                    proxied.commit()
            assert proxy.dropped.wait(PATIENCE)
        cursor.execute("SELECT id FROM lab_proxy.t")
        assert cursor.fetchall() == ((1,),)
        cursor.execute("DROP DATABASE lab_proxy")
