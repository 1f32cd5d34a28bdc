"""Requests that change something: who may send them, and how the command lines do.

With `http.token` set each needs it as a bearer token (RFC 6750). Without one they are answered only
by a service that listens on the loopback; health, metrics and status are open either way.
"""

import hmac
import ipaddress
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mysync_runtime.errors import ConfigError, CredentialsError, MysyncError, Unreachable
from mysync_runtime.settings import HttpSettings

__all__ = ["ask", "route"]

_SECONDS = 60.0

Answer = Callable[[Mapping[str, str], Mapping[str, Any]], Any]
"""Given the path's parameters and the request's JSON; runs in a thread."""


def route(path: str, http: HttpSettings, answer: Answer) -> Route:
    """A POST request with a JSON object, answered in JSON. A ConfigError is the asker's mistake."""

    async def endpoint(request: Request) -> Response:
        if (refused := _refusal(request, http)) is not None:
            return refused
        try:
            body = json.loads(await request.body() or b"{}")
        except ValueError:
            return _error(400, "the request isn't JSON")
        if not isinstance(body, dict):
            return _error(400, "the request isn't a JSON object")
        try:
            return JSONResponse(await run_in_threadpool(answer, request.path_params, body))
        except ConfigError as error:
            return _error(409, error.what, error.mend)
        except MysyncError as error:
            return _error(503, error.what, error.mend)

    return Route(path, endpoint, methods=["POST"])


def ask(http: HttpSettings, port: int, path: str, body: Mapping[str, Any]) -> Any:
    """Sends a request to the service of these settings and returns its answer.

    Raises Unreachable, CredentialsError, and ConfigError for what the service refused."""
    host = http.host if not _everywhere(http.host) else "127.0.0.1"
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = {"Content-Type": "application/json"}
    if http.token is not None:
        headers["Authorization"] = f"Bearer {http.token.get_secret_value()}"
    request = urllib.request.Request(
        f"http://{where}{path}", json.dumps(body).encode(), headers, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        raise _refused(error, where) from error
    except OSError as error:
        raise Unreachable(
            f"the service doesn't answer: {error}",
            where=where,
            mend="Run the command where the active service runs, with its settings.",
        ) from error


def _refused(error: urllib.error.HTTPError, where: str) -> MysyncError:
    try:
        found = json.loads(error.read())
    except ValueError:
        found = {}
    message = str(found.get("message") or error)
    if error.code in (401, 403):
        return CredentialsError(
            message, where=where, mend="Set `http.token` as the service has it."
        )
    if error.code == 503:
        return Unreachable(message, where=where)
    return ConfigError(message, where=where, mend=str(found.get("mend") or ""))


def _refusal(request: Request, http: HttpSettings) -> Response | None:
    if http.token is None:
        if _loopback(http.host):
            return None
        return _error(403, "without `http.token` nothing is managed off the loopback")
    given = request.headers.get("authorization", "")
    wanted = f"Bearer {http.token.get_secret_value()}"
    if hmac.compare_digest(given.encode(), wanted.encode()):
        return None
    return _error(401, "the bearer token is missing or wrong")


def _error(status: int, message: str, mend: str = "") -> Response:
    return JSONResponse({"message": message, "mend": mend}, status_code=status)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _everywhere(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
