"""The service's HTTP side: health, metrics, status, and what a service adds.

It runs in a thread of its own, so it answers while the main loop is busy, and tells when that loop
no longer runs. `/livez` never asks a dependency: restarting us would not mend Kafka.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from mysync_runtime import metrics
from mysync_runtime.errors import ConfigError, MysyncError

STALE_SECONDS = 60.0
"""A loop that hasn't ticked for so long is stuck."""


class Ticker:
    """When the main loop last went round. `tick` costs a clock reading; call it at every turn."""

    def __init__(self, stale_seconds: float = STALE_SECONDS) -> None:
        self.stale_seconds = stale_seconds
        self._last = time.monotonic()

    def tick(self) -> None:
        self._last = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the last tick."""
        return time.monotonic() - self._last

    @property
    def alive(self) -> bool:
        return self.age <= self.stale_seconds


@dataclass(frozen=True)
class Readiness:
    """Whether the service does its work, and if not, what it waits for."""

    ready: bool
    reason: str = ""


@dataclass
class AppSpec:
    """What a service shows. The callables run in worker threads: they must not block for long."""

    ticker: Ticker
    ready: Callable[[], Readiness]
    status: Callable[[], Mapping[str, Any]]
    routes: Sequence[BaseRoute] = field(default_factory=tuple)


@dataclass
class HttpHandle:
    """A running server. `port` is the real one when 0 was asked for."""

    host: str
    port: int
    server: uvicorn.Server
    thread: threading.Thread

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def stop(self, timeout: float = 2.0) -> None:
        """Stops answering; waits at most `timeout` seconds for requests under way."""
        self.server.should_exit = True
        self.server.force_exit = True
        self.thread.join(timeout)


def application(spec: AppSpec) -> Starlette:
    """The ASGI application, for tests without a socket."""

    async def livez(_request: Request) -> Response:
        age = round(spec.ticker.age, 3)
        return JSONResponse(
            {"alive": spec.ticker.alive, "seconds_since_tick": age},
            status_code=200 if spec.ticker.alive else 503,
        )

    async def readyz(_request: Request) -> Response:
        readiness = await run_in_threadpool(spec.ready)
        return JSONResponse(
            {"ready": readiness.ready, "reason": readiness.reason},
            status_code=200 if readiness.ready else 503,
        )

    async def status(_request: Request) -> Response:
        content = json.dumps(await run_in_threadpool(spec.status), default=str)
        return Response(content, media_type="application/json")

    async def metrics_page(_request: Request) -> Response:
        return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)

    return Starlette(
        routes=[
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/metrics", metrics_page),
            Route("/status", status),
            *spec.routes,
        ],
        exception_handlers={MysyncError: _refused, Exception: _failed},
    )


def serve(spec: AppSpec, *, host: str, port: int) -> HttpHandle:
    """Starts answering in a daemon thread; port 0 takes any free one.

    Raises ConfigError when the address can't be bound: a health check on somebody else's port would
    lie.
    """
    bound = _bind(host, port)
    config = uvicorn.Config(
        application(spec),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=5,
        server_header=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [bound]}, name="http", daemon=True
    )
    thread.start()
    return HttpHandle(host, bound.getsockname()[1], server, thread)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, proto)
    except OSError as error:
        raise _unusable(host, port, error) from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise _unusable(host, port, error) from error
    return bound


def _unusable(host: str, port: int, error: OSError) -> ConfigError:
    return ConfigError(
        f"the HTTP address {host}:{port} can't be used: {error.strerror or error}",
        mend="Set `http.host` and the service's port, 0 for any free one.",
    )


async def _refused(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": type(error).__name__, "message": str(error)}, status_code=503)


async def _failed(_request: Request, error: Exception) -> Response:
    metrics.count_error(error)
    return JSONResponse({"error": "internal", "message": "see the log"}, status_code=500)
