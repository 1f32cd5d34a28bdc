"""Metrics of both services: base units, `_total`, and never a key or a GTID as a label."""

import importlib.metadata
import platform

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from mysync_runtime.errors import MysyncError

ERRORS = Counter("mysync_errors_total", "Errors met, retried ones included.", ["class"])
BUILD_INFO = Gauge(
    "mysync_build_info", "Always 1; what runs is in the labels.", ["version", "python"]
)

CONTENT_TYPE = CONTENT_TYPE_LATEST


def version() -> str:
    """The version of the installed distribution `mysync`, `unknown` when it runs uninstalled."""
    try:
        return importlib.metadata.version("mysync")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def count_error(error: BaseException) -> None:
    """Counts an error under its class; every class not ours is `unexpected`."""
    label = error.label if isinstance(error, MysyncError) else "unexpected"
    ERRORS.labels(label).inc()


def exposition(registry: CollectorRegistry = REGISTRY) -> bytes:
    """All metrics in Prometheus' text format, of type `CONTENT_TYPE`."""
    return generate_latest(registry)


BUILD_INFO.labels(version(), platform.python_version()).set(1)
