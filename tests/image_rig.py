"""A target table on a real server, records for it made by fastavro, and what the server then holds.

The other side of the comparison is an ordinary INSERT of the same literals into a twin table; both
are read back as the lab's exact texts.
"""

import io
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import fastavro
import pymysql

from binlog_rows import Source
from mysync_consumer.targettable import TargetTable
from mysync_lab.exact import columns_of
from mysync_lab.sql import SqlServer
from mysync_lab.tables import TableName
from mysync_schemas.charset import UNICODE, Charset
from mysync_schemas.table import TableSchema

FLAVOR = {"mysql": "mysql", "mariadb": "mariadb"}
HANDLERS = {"Handler_write": "c", "Handler_update": "u", "Handler_delete": "d"}


@dataclass(frozen=True)
class Hot:
    """The modules under test, compiled or as plain Python."""

    rowread: ModuleType
    rowimage: ModuleType
    rowevents: ModuleType
    rowvalues: ModuleType


class Records:
    """Framed records of a table, as the producer would write them."""

    def __init__(self, schema: TableSchema) -> None:
        self.schema = schema
        self.avro = fastavro.parse_schema(plain(json.loads(schema.value_schema)))

    def encode(
        self,
        op: str,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        **source: Any,
    ) -> bytes:
        record = {
            "op": op,
            "ts_ms": 1_700_000_000_123,
            "deps": source.pop("deps", None),
            "before": before,
            "after": after,
            "source": {
                "version": "1",
                "connector": "mysql",
                "name": "p",
                "ts_us": 1_700_000_000_000_001,
                "db": self.schema.db,
                "table": self.schema.table,
                "server_id": 7,
                "gtid": None,
                "file": "binlog.000001",
                "pos": 1234,
                "row": 0,
                "snapshot": "false",
                "seq": 5,
                "prev": 4,
                "txn_seq": 3,
                "key_hash": -99,
                "prev_key_hash": None,
                "half": False,
                "flags": 0,
                "time_zone": None,
                **source,
            },
        }
        out = io.BytesIO()
        fastavro.schemaless_writer(out, self.avro, record)
        return b"\0" + self.schema.value_schema_id.to_bytes(4, "big") + out.getvalue()


def plain(schema: Any) -> Any:
    """The schema without logical types: values are then the primitives that travel."""
    if isinstance(schema, dict):
        return {k: plain(v) for k, v in schema.items() if k != "logicalType"}
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    return schema


class Target:
    """A database of the test's own, and a session that takes BINLOG statements."""

    row_events = True

    def __init__(self, server: SqlServer, db: str, hot: Hot) -> None:
        self.hot = hot
        self.server = server
        self.source = Source(server, db)
        self.db = self.source.db
        self.mariadb = self.source.mariadb
        self.session = server.connect(autocommit=True)
        self.run(hot.rowevents.FDE_STATEMENT)
        if not self.mariadb:
            self.run("SET gtid_next='AUTOMATIC'")
        self.run("SET time_zone='+00:00'")

    def close(self) -> None:
        self.session.close()
        self.source.close()

    def run(self, sql: str | bytes) -> list[tuple[Any, ...]]:
        with self.session.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        return self.source.sql(*statements)

    def schema(self, table: str) -> TableSchema:
        return self.source.describe(table)

    def table(self, table: str) -> TargetTable:
        with self.source.conn.cursor(pymysql.cursors.DictCursor) as cursor:
            found = []
            for view in ("columns", "statistics", "tables"):
                where = "table_schema=%s AND table_name=%s"
                cursor.execute(
                    f"SELECT * FROM information_schema.{view} WHERE {where}", (self.db, table)
                )
                found.append(list(cursor.fetchall()))
        *found, ((described,)) = found
        table_type = {key.lower(): value for key, value in described.items()}["table_type"]
        flavor = "mariadb" if self.mariadb else "mysql"
        return TargetTable.from_rows(self.db, table, *found, flavor=flavor, table_type=table_type)

    def handlers(self) -> Counter[str]:
        found = self.run("SHOW SESSION STATUS LIKE 'Handler%'")
        return Counter({HANDLERS[n]: int(v) for n, v in found if n in HANDLERS})

    def apply(self, writer: Any) -> None:
        """Applies what the writer holds in a transaction: every row counted, no warning."""
        before = self.handlers()
        self.run("BEGIN")
        try:
            with self.session.cursor() as cursor:
                cursor.execute(writer.statement(int(time.time())))
                warnings = self.session.show_warnings()
            after = self.handlers()
            self.run("COMMIT")
        except Exception:
            self.run("ROLLBACK")
            raise
        assert not warnings, warnings
        assert after - before == writer.rows

    def exact(self, table: str, order: str = "id") -> list[dict[str, str | None]]:
        """Every row of a table as exact texts; JSON with its size and the types inside."""
        columns = columns_of(self.session, TableName(self.db, table))
        sizes = () if self.mariadb else columns.json_columns
        texts = [*columns.texts, *(f"JSON_STORAGE_SIZE(`{name}`)" for name in sizes)]
        names = [*columns.names, *(f"size of {name}" for name in sizes)]
        of = columns.all_of(TableName(self.db, table))
        rows = self.run(f"SELECT {', '.join(texts)} FROM {of} ORDER BY {order}")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def assert_equal(self, table: str, twin: str, order: str = "id") -> None:
        """Both tables hold the same rows; says which cells differ."""
        mine, theirs = self.exact(table, order), self.exact(twin, order)
        assert len(mine) == len(theirs)
        for row, other in zip(mine, theirs, strict=True):
            differing = {k: (v, other[k]) for k, v in row.items() if v != other[k]}
            assert not differing, f"(here, there): {differing}"

    def writer(self, **options: Any) -> Any:
        return self.hot.rowevents.GroupWriter(**options)

    def plan(
        self, schema: TableSchema, table: str, charsets: Mapping[str, Charset] = UNICODE
    ) -> Any:
        by_sql = not self.row_events
        return self.hot.rowimage.ImagePlan(schema, self.table(table), charsets, by_sql=by_sql)

    def add(
        self, writer: Any, plan: Any, records: Sequence[bytes], flags: int | None = None
    ) -> None:
        """Adds each record as its op says; without flags foreign keys are checked."""
        reader = self.hot.rowread.TableReader(plan.schema)
        for record in records:
            row = self.hot.rowread.read_row(reader, record)
            images = bytearray()
            if row.before_start >= 0:
                plan.identity(record, row.before_start, row.before_end, images)
            if row.after_start >= 0:
                plan.after(record, row.after_start, row.after_end, images)
            assert writer.add(plan, row.op, flags or 0, images) == 1


@contextmanager
def closing(target: Target) -> Iterator[Target]:
    try:
        yield target
    finally:
        target.close()
