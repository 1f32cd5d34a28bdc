"""Rows events as a server wrote them, read from its binlog files, and what the server itself says
about the same rows: the two sides of a differential test of the transcoder."""

import datetime as dt
import io
import json
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro

from mysync_lab.sql import SqlServer
from mysync_producer.tablemap import TableMap, parse_table_map
from mysync_schemas.charset import TABLED, UNICODE, Charset, CharsetTable
from mysync_schemas.charsetbuild import build
from mysync_schemas.envelope import envelope_schema, key_schema
from mysync_schemas.jsonb import to_text
from mysync_schemas.longunique import hash_columns
from mysync_schemas.partition import identity_of
from mysync_schemas.table import Column, FoldRef, Key, KeyPart, Routing, TableSchema
from mysync_schemas.types import Kind, complete, labels_of
from mysync_schemas.versioned import period, with_period_end

PIPELINE = "transcode"
WRITE, UPDATE, DELETE = "c", "u", "d"
_FDE_BYTES = 512
_charsets: dict[tuple[bool, str], CharsetTable] = {}  # MariaDB?, name
_ROWS = {23: WRITE, 24: UPDATE, 25: DELETE, 30: WRITE, 31: UPDATE, 32: DELETE}
_TEXT_TYPES = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext"}


@dataclass(frozen=True)
class RowsEvent:
    """`buf[start:end]` begins at the column count, behind the header that V1 and V2 differ in."""

    table_map: TableMap
    table_map_body: bytes
    op: str
    flags: int
    buf: bytes
    start: int
    end: int


class Source:
    """A database of the test's own on a lab server, whose rows events can be captured."""

    def __init__(self, server: SqlServer, db: str) -> None:
        self.server = server
        # Modules are spread over the workers of pytest-xdist.
        self.db = db = f"{db}_{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}"
        self.mariadb = server.kind == "mariadb"
        self.conn = server.connect()
        self.sql(f"DROP DATABASE IF EXISTS `{db}`", f"CREATE DATABASE `{db}`", f"USE `{db}`")
        self.sql("SET time_zone = '+00:00'", "SET SESSION binlog_format = ROW")
        if self.mariadb:
            self.sql("SET GLOBAL binlog_row_metadata = FULL")

    def close(self) -> None:
        self.sql(f"DROP DATABASE `{self.db}`")
        self.conn.close()

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Runs statements; the rows of the last."""
        with self.conn.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def _position(self) -> tuple[Path, int]:
        status = "SHOW MASTER STATUS" if self.mariadb else "SHOW BINARY LOG STATUS"
        ((name, pos, *_),) = self.sql(status)
        return Path(self.server.data_dir) / name, pos

    def capture(self, *statements: str) -> list[RowsEvent]:
        """Runs statements; the rows events that they wrote, for this database."""
        file, start = self._position()
        self.sql(*statements)
        end_file, end = self._position()
        if file == end_file:
            parts = [(file, start, end)]
        else:  # somebody else's rows filled the file meanwhile
            parts = [(file, start, file.stat().st_size), (end_file, 4, end)]
        found: list[RowsEvent] = []
        for path, first, last in parts:
            with path.open("rb") as binlog:
                head = binlog.read(_FDE_BYTES)
                binlog.seek(first)
                data = binlog.read(last - first)
            found += _rows_events(head, data, self.mariadb)
        return [event for event in found if event.table_map.db == self.db]

    def describe(self, table: str, *, by_key: bool = True) -> TableSchema:
        """The table as information_schema has it; strings in keys have a fold, whatever it is."""
        db = self.db
        rows = self.sql(
            "SELECT COLUMN_NAME, ORDINAL_POSITION, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE, "
            "CHARACTER_MAXIMUM_LENGTH, CHARACTER_OCTET_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, "
            "DATETIME_PRECISION, CHARACTER_SET_NAME, COLLATION_NAME, EXTRA, "
            "GENERATION_EXPRESSION "
            "FROM information_schema.COLUMNS "
            f"WHERE TABLE_SCHEMA = '{db}' AND TABLE_NAME = '{table}' ORDER BY ORDINAL_POSITION"
        )
        ((table_type,),) = self.sql(
            "SELECT TABLE_TYPE FROM information_schema.TABLES "
            f"WHERE TABLE_SCHEMA = '{db}' AND TABLE_NAME = '{table}'"
        )
        listed = [_column(*row) for row in rows]
        hidden = period(table_type, listed)
        listed += hidden
        keys = self._keys(table)
        by_hash = self._hash_keys(table)
        if by_hash:
            listed += hash_columns(listed, (key for key in keys if key.name in by_hash))
        if hidden:
            keys = tuple(map(with_period_end, keys))
        columns = complete(f"{db}.{table}", listed)
        identity = identity_of(columns, (key for key in keys if key.name not in by_hash))
        names = tuple(part.column or "" for part in identity.columns) if identity else ()
        by_name = {column.name: column for column in columns}
        schema = TableSchema(
            id=1,
            db=db,
            table=table,
            table_type=table_type,
            create_sql="",
            columns=columns,
            keys=keys,
            identity=names,
            routing=Routing(mode="key" if names and by_key else "whole", anchor=f"{db}.{table}"),
            key_schema_id=102 if names else None,
            value_schema_id=101,
            folds=tuple(
                FoldRef(column=name, collation=by_name[name].collation or "", fold_id=1)
                for name in names
                if by_name[name].kind == Kind.STRING
            ),
        )
        key = key_schema(PIPELINE, schema)
        return schema.model_copy(
            update={
                "key_schema": None if key is None else json.dumps(key),
                "value_schema": json.dumps(envelope_schema(PIPELINE, schema)),
            }
        )

    def charsets(self, schema: TableSchema) -> dict[str, Charset]:
        """Of the table's columns, as this server has them."""
        found: dict[str, Charset] = dict(UNICODE)
        for name in {column.charset or "" for column in schema.columns} & TABLED:
            known = (self.mariadb, name)
            if known not in _charsets:
                _charsets[known] = build(name, lambda sql: self.sql(sql)[0][0])
            found[name] = _charsets[known]
        return found

    def _hash_keys(self, table: str) -> set[str]:
        """Unique keys over long columns."""
        found = self.sql(
            "SELECT INDEX_NAME FROM information_schema.STATISTICS WHERE INDEX_TYPE = 'HASH' "
            f"AND TABLE_SCHEMA = '{self.db}' AND TABLE_NAME = '{table}'"
        )
        return {name for (name,) in found}

    def _keys(self, table: str) -> tuple[Key, ...]:
        parts: dict[tuple[str, bool], list[KeyPart]] = {}
        expression = "NULL" if self.mariadb else "EXPRESSION"
        for name, non_unique, column, sub_part, made_of in self.sql(
            f"SELECT INDEX_NAME, NON_UNIQUE, COLUMN_NAME, SUB_PART, {expression} "
            "FROM information_schema.STATISTICS "
            f"WHERE TABLE_SCHEMA = '{self.db}' AND TABLE_NAME = '{table}' "
            + ("" if self.mariadb else "ORDER BY INDEX_NAME, SEQ_IN_INDEX")
        ):
            part = KeyPart(column=column, prefix_length=sub_part, expression=made_of)
            parts.setdefault((name, not non_unique), []).append(part)
        return tuple(Key(name=n, unique=u, columns=tuple(p)) for (n, u), p in parts.items())

    def shown(self, schema: TableSchema, order: str) -> list[tuple[Any, ...]]:
        return shown(self.sql, schema, order)


def shown(
    ask: Callable[[str], Iterable[tuple[Any, ...]]], schema: TableSchema, order: str
) -> list[tuple[Any, ...]]:
    """Every row as the server shows it, each value in the form that `compare` takes."""
    wanted = ", ".join(_shown_sql(column) for column in schema.columns)
    rows = ask(f"SELECT {wanted} FROM `{schema.table}` ORDER BY {order}")
    return [
        tuple(_normal(column, value) for column, value in zip(schema.columns, row, strict=True))
        for row in rows
    ]


def _column(
    name: str, ordinal: int, column_type: str | bytes, data_type: str, nullable: str,
    chars: int | None, octets: int | None, precision: int | None, scale: int | None,
    fsp: int | None, charset: str | None, collation: str | None, extra: str,
    expression: str | None,
) -> Column:  # fmt: skip
    column_type = column_type.decode() if isinstance(column_type, bytes) else column_type
    return Column(
        name=name,
        ordinal=ordinal,
        column_type=column_type,
        data_type=data_type.lower(),
        nullable=nullable == "YES",
        unsigned="unsigned" in column_type,
        char_length=chars,
        octet_length=octets,
        precision=precision,
        scale=scale,
        fsp=fsp or 0,
        charset=charset,
        collation=collation,
        labels=labels_of(column_type),
        generated="VIRTUAL" if "VIRTUAL" in extra else "STORED" if "STORED" in extra else "",
        expression=expression or None,
        extra=extra,
    )


def _rows_events(head: bytes, data: bytes, mariadb: bool) -> Iterator[RowsEvent]:
    """The rows events in whole events of a binlog file. The FDE in its head knows of checksums."""
    fde_end = 4 + struct.unpack_from("<I", head, 13)[0]
    trailer = 4 if head[fde_end - 5] == 1 else 0
    maps: dict[int, tuple[TableMap, bytes]] = {}
    start = 0
    while start < len(data):
        kind, size = struct.unpack_from("<4xB4xI", data, start)
        body, end = start + 19, start + size - trailer
        if kind == 19:
            raw = data[body:end]
            table_map = parse_table_map(raw, mariadb=mariadb)
            maps[table_map.table_id] = table_map, raw
        elif kind in _ROWS:
            table_id = int.from_bytes(data[body : body + 6], "little")
            (flags,) = struct.unpack_from("<H", data, body + 6)
            columns = body + 8
            if kind >= 30:
                columns += struct.unpack_from("<H", data, columns)[0]
            if table_id in maps:
                yield RowsEvent(*maps[table_id], _ROWS[kind], flags, data, columns, end)
        start += size


def _shown_sql(column: Column) -> str:
    name = f"`{column.name}`"
    match Kind(column.kind):
        case Kind.FLOAT | Kind.DOUBLE:
            return f"{name} * 1e0"
        case Kind.DATE | Kind.DATETIME | Kind.TIMESTAMP | Kind.TIME | Kind.JSON | Kind.DECIMAL:
            return f"CAST({name} AS CHAR)"
        case Kind.STRING:
            return f"CONCAT(HEX({name}), ',', HEX(CONVERT({name} USING utf8mb4)))"
        case Kind.BYTES:
            if column.data_type in ("inet4", "inet6", "uuid"):
                return f"HEX(CAST({name} AS BINARY({ {'inet4': 4}.get(column.data_type, 16) })))"
            return f"HEX({name})"
        case Kind.ENUM | Kind.SET:
            return f"CONCAT({name} + 0, ',', HEX(CONVERT({name} USING utf8mb4)))"
        case _:
            return f"{name} + 0"


def _normal(column: Column, value: Any) -> Any:
    """What the server shows, as something that `seen` can be compared with."""
    if value is None:
        return None
    kind = Kind(column.kind)
    if isinstance(value, bytes):
        value = value.decode()
    if kind is Kind.DECIMAL:
        return int(value.replace(".", ""))  # unscaled: the server shows all digits of the scale
    if kind is Kind.TIME:
        return _time_micros(value)
    if kind is Kind.BIT:
        return int(value).to_bytes(((column.precision or 1) + 7) // 8, "big").hex().upper()
    if kind in (Kind.FLOAT, Kind.DOUBLE):
        return struct.pack("<f" if kind is Kind.FLOAT else "<d", value).hex()
    if kind in (Kind.INT32, Kind.INT64, Kind.UINT64):
        return int(value)
    return value


def _time_micros(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    hours, minutes, seconds = text.lstrip("-").split(":")
    micros = int(Decimal(seconds) * 1_000_000)
    return sign * ((int(hours) * 60 + int(minutes)) * 60_000_000 + micros)


def compare(column: Column, branch: str, value: Any, shown: Any) -> None:
    """Asserts that an Avro value (and its union branch's type) is what the server shows."""
    where = f"{column.name} {column.column_type}: {branch} {value!r} shown as {shown!r}"
    if value is None or shown is None:
        assert value is shown, where
        return
    kind = Kind(column.kind)
    if kind is Kind.STRING:
        raw, text = shown.split(",")
        if branch == "string":
            assert value.encode().hex().upper() == text, where
        else:
            assert value.hex().upper() == raw, where
    elif kind in (Kind.ENUM, Kind.SET):
        number, text = shown.split(",")
        if branch == "string":
            assert value.encode().hex().upper() == text, where
        else:
            assert value % 2**64 == int(number), where
    elif kind is Kind.JSON:
        assert (value if branch == "string" else to_text(value)[0]) == shown, where
    elif (kind is Kind.UINT64 and branch != "long") or kind is Kind.DECIMAL:
        assert int.from_bytes(value, "big", signed=True) == shown, where
    elif kind in (Kind.BYTES, Kind.BIT):
        assert value.hex().upper() == shown, where
    elif kind in (Kind.FLOAT, Kind.DOUBLE):
        assert struct.pack("<f" if kind is Kind.FLOAT else "<d", value).hex() == shown, where
    elif branch == "string":
        assert value == shown, where
        assert not _is_real(value), where
    elif kind is Kind.DATE:
        assert _day(value) == shown, where
    elif kind in (Kind.DATETIME, Kind.TIMESTAMP):
        assert _moment(value, column.fsp) == shown, where
    else:
        assert value == shown, where


def _is_real(text: str) -> bool:
    try:
        dt.date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def _day(days: int) -> str:
    return (dt.date(1970, 1, 1) + dt.timedelta(days)).isoformat()


def _moment(micros: int, fsp: int) -> str:
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=micros)  # noqa: DTZ001
    text = moment.isoformat(" ", "microseconds")
    return text[: 20 + fsp] if fsp else text[:19]


class Decoder:
    """Reads our records with fastavro, logical types left as the primitives they are."""

    def __init__(self, schema: TableSchema) -> None:
        self.schema = schema
        self.value = fastavro.parse_schema(plain(json.loads(schema.value_schema)))
        self.key = (
            fastavro.parse_schema(plain(json.loads(schema.key_schema)))
            if schema.key_schema
            else None
        )

    def read(self, value: bytes) -> dict[str, Any]:
        assert value[:5] == b"\0" + self.schema.value_schema_id.to_bytes(4, "big")
        return self._read(value, self.value)

    def read_key(self, value: bytes) -> dict[str, Any]:
        assert value[:5] == b"\0" + (self.schema.key_schema_id or 0).to_bytes(4, "big")
        return self._read(value, self.key)

    @staticmethod
    def _read(value: bytes, schema: Any) -> dict[str, Any]:
        stream = io.BytesIO(value[5:])
        record = fastavro.schemaless_reader(stream, schema, None, return_named_type=True)
        assert stream.tell() == len(value) - 5, "bytes left over"
        return record

    def assert_shows(self, row: dict[str, Any], shown: Iterable[Any]) -> None:
        for column, expected in zip(self.schema.columns, shown, strict=True):
            value = row[column.avro_name]
            compare(column, _branch(column, value), value, expected)


def _branch(column: Column, value: Any) -> str:
    """Which branch a value came from; where both have one Python type, they don't share a kind."""
    if isinstance(value, str):
        return "string"
    if isinstance(value, bytes):
        return "bytes"
    return "long"


def plain(schema: Any) -> Any:
    """The schema without logical types: fastavro would make Python values that can't hold all."""
    if isinstance(schema, dict):
        return {k: plain(v) for k, v in schema.items() if k != "logicalType"}
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    return schema
