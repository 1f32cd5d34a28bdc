"""What can be wrong with the contract's bytes, names and records.

    SchemaError
    ├── FramingError        not the wire format: too short, wrong magic byte
    ├── UnknownSchema       a schema id that the control topic hasn't shown (yet): retriable
    ├── Truncated           Avro bytes end inside a value, or a length is impossible
    ├── BadRecord           a control record or marker that can't be read as what it says it is
    ├── BadName             a pipeline name that can't be a namespace
    ├── BadPosition         a binlog file name or position that can't be one
    ├── BadGtid             GTID text or bytes that can't be read
    ├── BadCharset          what isn't a character set's table
    ├── BadFold             bytes that aren't a fold table, or a text outside of its character set
    ├── UnsupportedColumn   a column that mysync refuses, with the reason
    ├── JsonError           binary or textual JSON that can't be read
    └── PipelineMismatch    the pipeline on the control topic isn't the one that was expected

Everything here is a `ValueError` too: these are bad values, found where they enter.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BadCharset",
    "BadFold",
    "BadGtid",
    "BadName",
    "BadPosition",
    "BadRecord",
    "FramingError",
    "JsonError",
    "PipelineMismatch",
    "SchemaError",
    "Truncated",
    "UnknownSchema",
    "UnsupportedColumn",
]


class SchemaError(ValueError):
    """Root of this package's errors; `retriable` says whether waiting can mend it."""

    retriable: ClassVar[bool] = False


class FramingError(SchemaError):
    """A Kafka key or value that isn't in the Confluent wire format."""


class UnknownSchema(SchemaError):
    """A schema id not seen on the control topic: it may still arrive, so it is waited for."""

    retriable = True

    def __init__(self, schema_id: int) -> None:
        super().__init__(f"schema id {schema_id} isn't known from the control topic")
        self.schema_id = schema_id


class Truncated(SchemaError):
    """Avro bytes that end inside a value, or a length or varint that can't be."""


class BadRecord(SchemaError):
    """A control record or marker whose bytes don't make the record that its schema names."""


class BadName(SchemaError):
    """A name that can't be used where it stands."""


class BadPosition(SchemaError):
    """Not a binlog file and position."""


class BadGtid(SchemaError):
    """Not a GTID or GTID set of the flavour it is read as."""


class BadCharset(SchemaError):
    """Not a character set's table, or answers of a server that can't be one."""


class BadFold(SchemaError):
    """Not a fold table, or a text that the table's character set doesn't have."""


class UnsupportedColumn(SchemaError):
    """A column that can't be carried exactly (now): `table`, `column` and the `reason`."""

    def __init__(self, table: str, column: str, reason: str) -> None:
        super().__init__(f"{table}.{column}: {reason}")
        self.table = table
        self.column = column
        self.reason = reason


class BadCompression(SchemaError):
    """Not what a COMPRESSED column of MariaDB can hold."""


class JsonError(SchemaError):
    """A JSON document that can't be read, as text or in MySQL's binary format."""


class PipelineMismatch(SchemaError):
    """The pipeline found isn't the one expected; `fields` names what differs."""

    def __init__(self, message: str, fields: tuple[str, ...]) -> None:
        super().__init__(message)
        self.fields = fields
