"""The schemas of the pipeline's records, in the REST dialect of Confluent's schema registry.

Read-only, and open: any Avro tool that knows a registry's address can read the topics. They come
from the control topic, so a standby answers as well as the active producer; an id that isn't known
is looked for there once more.

Source: Confluent Platform documentation, "Schema Registry API Reference".
"""

import threading
import time
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from mysync_producer.definitions import subjects
from mysync_producer.records import read_control
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings

__all__ = ["SchemaEndpoint"]

_CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
_REREAD_SECONDS = 1.0  # not more often is Kafka asked for ids that nobody knows


class SchemaEndpoint:
    """Routes for the service's HTTP side."""

    def __init__(self, settings: Settings, stop: Stop) -> None:
        self._settings = settings
        self._stop = stop
        self._lock = threading.Lock()
        self._subjects: dict[str, dict[int, str]] = {}
        self._read_at = float("-inf")

    def routes(self) -> Sequence[BaseRoute]:
        """GET only."""
        return (
            Route("/schemas/types", self._types),
            Route("/schemas/ids/{id:int}", self._schema),
            Route("/schemas/ids/{id:int}/schema", self._bare_schema),
            Route("/schemas/ids/{id:int}/versions", self._versions_of_id),
            Route("/subjects", self._list),
            Route("/subjects/{subject}/versions", self._versions),
            Route("/subjects/{subject}/versions/{version}", self._version),
            Route("/subjects/{subject}/versions/{version}/schema", self._bare_version),
        )

    async def _types(self, _request: Request) -> Response:
        return _answer(["AVRO"])

    async def _schema(self, request: Request) -> Response:
        text = await self._by_id(request)
        return _not_found(40403, "Schema not found") if text is None else _answer({"schema": text})

    async def _bare_schema(self, request: Request) -> Response:
        text = await self._by_id(request)
        return _not_found(40403, "Schema not found") if text is None else _raw(text)

    async def _versions_of_id(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        await self._by_id(request)
        return _answer(
            [
                {"subject": subject, "version": version}
                for subject, versions in self._subjects.items()
                for version, id_ in enumerate(versions, 1)
                if id_ == wanted
            ]
        )

    async def _list(self, _request: Request) -> Response:
        await run_in_threadpool(self._read, None)
        return _answer(sorted(self._subjects))

    async def _versions(self, request: Request) -> Response:
        subject = request.path_params["subject"]
        await run_in_threadpool(self._read, subject)
        versions = self._subjects.get(subject)
        if versions is None:
            return _not_found(40401, f"Subject '{subject}' not found.")
        return _answer(list(range(1, len(versions) + 1)))

    async def _version(self, request: Request) -> Response:
        found = await self._find(request)
        return found if isinstance(found, Response) else _answer(found)

    async def _bare_version(self, request: Request) -> Response:
        found = await self._find(request)
        return found if isinstance(found, Response) else _raw(str(found["schema"]))

    async def _find(self, request: Request) -> Response | dict[str, object]:
        subject, version = request.path_params["subject"], request.path_params["version"]
        await run_in_threadpool(self._read, subject)
        versions = self._subjects.get(subject)
        if versions is None:
            return _not_found(40401, f"Subject '{subject}' not found.")
        number = len(versions) if version in ("latest", "-1") else _number(version)
        if number is None:
            return _answer({"error_code": 42202, "message": "Invalid version."}, 422)
        if not 1 <= number <= len(versions):
            return _not_found(40402, f"Version {version} not found.")
        id_, text = list(versions.items())[number - 1]
        return {"subject": subject, "version": number, "id": id_, "schema": text}

    async def _by_id(self, request: Request) -> str | None:
        wanted = request.path_params["id"]
        for attempt in (False, True):
            for versions in self._subjects.values():
                if wanted in versions:
                    return versions[wanted]
            if not attempt:
                await run_in_threadpool(self._read, None)
        return None

    def _read(self, subject: str | None) -> None:
        """Reads the control topic again, unless that was just done or isn't needed."""
        with self._lock:
            if subject is not None and subject in self._subjects:
                return
            if time.monotonic() - self._read_at < _REREAD_SECONDS:
                return
            known = read_control(self._settings, self._stop)
            self._read_at = time.monotonic()
            if known is not None:
                self._subjects = subjects(*known)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _answer(content: object, status: int = 200) -> Response:
    return JSONResponse(content, status_code=status, media_type=_CONTENT_TYPE)


def _raw(text: str) -> Response:
    return Response(text, media_type=_CONTENT_TYPE)


def _not_found(code: int, message: str) -> Response:
    return _answer({"error_code": code, "message": message}, 404)
