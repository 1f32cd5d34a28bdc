"""Schema ids of an external registry: RecordNameStrategy, compatibility NONE.

The registry only gives ids; consumers still learn every schema from the control topic.
"""

import hashlib
from typing import Any

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.common._httpx_compat import httpx  # whichever it uses
from confluent_kafka.schema_registry.error import SchemaRegistryError

from mysync_runtime.errors import ConnectionLost, CredentialsError, MysyncError
from mysync_runtime.settings import SchemaRegistrySettings
from mysync_schemas.control import FIRST_TABLE_SCHEMA_ID

__all__ = ["RegistryIds", "registry_client"]


def registry_client(settings: SchemaRegistrySettings) -> SchemaRegistryClient:
    """A client; `mock://` urls give confluent-kafka's registry in memory."""
    configuration: dict[str, Any] = {"url": settings.url}
    if settings.username is not None:
        password = settings.password.get_secret_value() if settings.password else ""
        configuration["basic.auth.user.info"] = f"{settings.username}:{password}"
    if settings.ssl_ca is not None:
        configuration["ssl.ca.location"] = settings.ssl_ca
    client: SchemaRegistryClient = SchemaRegistryClient.new_client(configuration)
    return client


class RegistryIds:
    """Registers schemas and gives the registry's ids. Raises ConnectionLost, CredentialsError."""

    def __init__(self, settings: SchemaRegistrySettings) -> None:
        self._url = settings.url
        self._client = registry_client(settings)
        self._known: dict[tuple[str, str], int] = {}
        self.next_id = FIRST_TABLE_SCHEMA_ID  # never given: ids are the registry's

    def id_of(self, subject: str, schema_json: str) -> int:
        """Registers the schema where it isn't yet; the same schema always has the same id."""
        key = subject, hashlib.sha256(schema_json.encode()).hexdigest()
        if key not in self._known:
            try:
                self._client.set_compatibility(subject, level="NONE")
                self._known[key] = self._client.register_schema(
                    subject, Schema(schema_json, "AVRO")
                )
            except SchemaRegistryError as error:
                raise self._refused(error, subject) from error
            except (httpx.HTTPError, OSError) as error:
                raise ConnectionLost(
                    f"the schema registry doesn't answer: {error}", where=str(self._url)
                ) from error
        return self._known[key]

    def _refused(self, error: SchemaRegistryError, subject: str) -> MysyncError:
        text = f"the schema registry refuses {subject}: {error}"
        if error.http_status_code in (401, 403):
            return CredentialsError(text, where=str(self._url))
        if error.http_status_code >= 500:
            return ConnectionLost(text, where=str(self._url))
        return MysyncError(text, where=str(self._url))
