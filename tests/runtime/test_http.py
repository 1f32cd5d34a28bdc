"""Health, metrics and status over a real socket."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mysync_runtime import metrics
from mysync_runtime.errors import ConfigError, ConnectionLost
from mysync_runtime.http import AppSpec, HttpHandle, Readiness, Ticker, serve

WAITING = Readiness(False, "waiting for the control topic")


@dataclass
class Service:
    """A service's state, as a test wants it."""

    ticker: Ticker = field(default_factory=Ticker)
    readiness: Readiness = WAITING
    state: dict[str, Any] = field(default_factory=dict)
    error: Exception | None = None

    def ready(self) -> Readiness:
        if self.error:
            raise self.error
        return self.readiness

    def status(self) -> dict[str, Any]:
        return self.state


async def schema(request: Request) -> Response:
    return JSONResponse({"id": request.path_params["id"]})


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def http(service: Service) -> Iterator[HttpHandle]:
    spec = AppSpec(
        ticker=service.ticker,
        ready=service.ready,
        status=service.status,
        routes=[Route("/schemas/ids/{id:int}", schema)],
    )
    handle = serve(spec, host="127.0.0.1", port=0)
    yield handle
    handle.stop()
    assert not handle.thread.is_alive()


def get(handle: HttpHandle, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(handle.url + path, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_alive_is_who_ticked_lately_whatever_it_waits_for(http: HttpHandle) -> None:
    code, body = get(http, "/livez")
    assert (code, json.loads(body)["alive"]) == (200, True)


def test_a_loop_that_no_longer_ticks_is_not_alive(service: Service, http: HttpHandle) -> None:
    service.ticker.stale_seconds = 0.0
    code, body = get(http, "/livez")
    assert (code, json.loads(body)["alive"]) == (503, False)
    service.ticker.stale_seconds = 60.0
    service.ticker.tick()
    assert get(http, "/livez")[0] == 200


def test_not_ready_says_what_is_waited_for(service: Service, http: HttpHandle) -> None:
    code, body = get(http, "/readyz")
    assert code == 503
    assert json.loads(body) == {"ready": False, "reason": "waiting for the control topic"}
    service.readiness = Readiness(True)
    assert get(http, "/readyz")[0] == 200


def test_a_failing_readiness_check_is_not_ready_and_says_why(
    service: Service, http: HttpHandle
) -> None:
    service.error = ConnectionLost("the target is gone", where="db:3306")
    code, body = get(http, "/readyz")
    assert code == 503
    assert json.loads(body)["error"] == "ConnectionLost"
    assert "the target is gone" in json.loads(body)["message"]


def test_a_defect_in_a_check_is_500_without_its_text(service: Service, http: HttpHandle) -> None:
    service.error = RuntimeError("s3cret")
    code, body = get(http, "/readyz")
    assert code == 500
    assert b"s3cret" not in body
    service.error = None
    assert get(http, "/livez")[0] == 200


def test_status_is_json_whatever_it_holds(service: Service, http: HttpHandle) -> None:
    service.state = {"position": "b.000001:4", "lag": 1.5, "at": datetime(2026, 1, 2, tzinfo=UTC)}
    code, body = get(http, "/status")
    assert code == 200
    assert json.loads(body) == {
        "position": "b.000001:4",
        "lag": 1.5,
        "at": "2026-01-02 00:00:00+00:00",
    }


def test_metrics_are_prometheus_text_with_errors_by_class(http: HttpHandle) -> None:
    metrics.count_error(ConnectionLost("x"))
    metrics.count_error(KeyError("x"))
    code, body = get(http, "/metrics")
    assert code == 200
    text = body.decode()
    assert 'mysync_errors_total{class="ConnectionLost"}' in text
    assert 'mysync_errors_total{class="unexpected"}' in text
    assert 'mysync_build_info{python="' in text
    assert f'version="{metrics.version()}"}} 1.0' in text


def test_a_service_adds_its_own_routes(http: HttpHandle) -> None:
    assert get(http, "/schemas/ids/7") == (200, b'{"id":7}')
    assert get(http, "/nothing")[0] == 404


def test_health_answers_while_the_main_loop_is_busy(http: HttpHandle) -> None:
    busy = time.monotonic() + 0.3
    answers: list[int] = []
    asker = threading.Thread(target=lambda: answers.append(get(http, "/livez")[0]))
    asker.start()
    while time.monotonic() < busy:
        sum(range(1000))
    asker.join(10)
    assert answers == [200]


def test_a_port_in_use_is_a_wrong_setting(http: HttpHandle, service: Service) -> None:
    spec = AppSpec(ticker=service.ticker, ready=service.ready, status=service.status)
    with pytest.raises(ConfigError, match=f"{http.host}:{http.port} can't be used") as caught:
        serve(spec, host=http.host, port=http.port)
    assert caught.value.exit_code == 3


def test_an_unknown_host_is_a_wrong_setting(service: Service) -> None:
    spec = AppSpec(ticker=service.ticker, ready=service.ready, status=service.status)
    with pytest.raises(ConfigError, match=r"no\.such\.host\.invalid"):
        serve(spec, host="no.such.host.invalid", port=0)
