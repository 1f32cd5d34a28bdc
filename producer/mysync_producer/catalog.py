"""The definitions of the replicated tables, as the source's information_schema has them now.

`SHOW CREATE TABLE` is asked first: it waits for a definition change that is being committed, so
that what is read afterwards is no older than the log's end before it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import pymysql.err

from mysync_producer.filters import NEVER_REPLICATED, Filters
from mysync_runtime import mysql
from mysync_runtime.errors import Failure
from mysync_runtime.mysql import Connection, Flavor
from mysync_schemas import types
from mysync_schemas.errors import UnsupportedColumn
from mysync_schemas.generated import session_dependence
from mysync_schemas.longunique import hash_columns
from mysync_schemas.partition import identity_of
from mysync_schemas.table import Column, ForeignKey, Key, KeyPart, TableId, TableSchema, TableType
from mysync_schemas.versioned import period, with_period_end

__all__ = ["Catalog", "read_catalog"]


@dataclass
class Catalog:
    """The tables that the filters include, without ids; and those that can't be replicated."""

    tables: list[TableSchema] = field(default_factory=list)
    refused_tables: dict[TableId, list[Failure]] = field(default_factory=dict)

    @property
    def refused(self) -> list[Failure]:
        return [failure for failures in self.refused_tables.values() for failure in failures]

    def refuse(self, table: TableId, reason: str) -> None:
        """One more reason."""
        self.refused_tables.setdefault(table, []).append(_refusal(table, reason))


def read_catalog(
    connection: Connection,
    flavor: Flavor,
    filters: Filters,
    only: Collection[TableId] | None = None,
) -> Catalog:
    """Reads everything at once, or these tables alone; those that don't exist are left out.

    Raises what `mysql.error_of` makes of the server's errors."""
    try:
        return _read(connection, flavor, filters, only)
    except (pymysql.err.Error, OSError) as error:
        raise mysql.error_of(error, "read the tables' definitions") from error


def _read(
    connection: Connection, flavor: Flavor, filters: Filters, only: Collection[TableId] | None
) -> Catalog:
    if not flavor.is_mariadb:
        # A primary key that the server made invisibly is in the log: it has to be seen here too.
        _try(connection, "SET show_gipk_in_create_table_and_information_schema = ON")
    catalog = Catalog()
    asked = _listed(connection, filters) if only is None else {}
    definitions = {table: _create_sql(connection, table) for table in only or asked}
    # A table that was just made is listed when its SHOW CREATE has answered, not before.
    listed = [
        row
        for table, row in (asked or _listed(connection, filters, only)).items()
        if definitions.get(table) is not None
    ]
    created = {}
    for row in listed:
        table = TableId(row["db"], row["name"])
        if row["table_type"] in get_args(TableType):
            created[table] = definitions[table] or ""
        else:
            reason = f"tables of type {row['table_type']} aren't known"
            catalog.refuse(table, reason)
    details = _Details(connection, flavor, created, whole=only is None)
    for row in listed:
        table = TableId(row["db"], row["name"])
        if table in created:
            try:
                schema = details.schema(table, row, created[table])
            except UnsupportedColumn as error:
                reason = f"column {error.column}: {error.reason}"
                catalog.refuse(table, reason)
                continue
            # MariaDB's applier takes values from the image, and MariaDB refuses what would differ.
            found = (
                () if flavor.is_mariadb else tuple(session_dependence(schema.columns, schema.keys))
            )
            for what, why in found:
                catalog.refuse(table, f"{what} would have other values on the target: {why}")
            if not found:
                catalog.tables.append(schema)
    return catalog


def _refusal(table: TableId, reason: str) -> Failure:
    return Failure(f"table {table}: {reason}", f"leave it out: filters.exclude: ['{table}']")


def _try(connection: Connection, sql: str) -> None:
    with connection.cursor() as cursor:
        try:
            cursor.execute(sql)
        except pymysql.err.Error as error:
            if mysql.classify(error) is mysql.ErrorClass.LOST:
                raise


def _listed(
    connection: Connection, filters: Filters, only: Collection[TableId] | None = None
) -> dict[TableId, dict[str, Any]]:
    """Rows of information_schema.tables of what is replicated, but views."""
    found = mysql.rows(connection, _TABLES) if only is None else []
    for db in sorted({table.db for table in only or ()}):
        names = [table.table for table in only or () if table.db == db]
        found += mysql.rows(connection, _SOME_TABLES, (db, names))
    return {
        TableId(row["db"], row["name"]): row
        for row in found
        if row["table_type"] != "VIEW" and filters.includes(row["db"], row["name"])
    }


_GONE = frozenset({1049, 1146, 1356})  # no such database, table; a view of what isn't there


def _create_sql(connection: Connection, table: TableId) -> str | None:
    """None for a table that isn't there (any more)."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"SHOW CREATE TABLE {mysql.quote_table(*table)}")
        except pymysql.err.Error as error:
            if mysql.code_of(error) not in _GONE:
                raise
            return None
        row = cursor.fetchone()
    return str(row[1]) if row else None


class _Details:
    """Columns, keys and foreign keys of `tables`; asked by `whole` databases, or one by one."""

    def __init__(
        self, connection: Connection, flavor: Flavor, tables: Iterable[TableId], *, whole: bool
    ) -> None:
        self._columns: dict[TableId, list[Column]] = defaultdict(list)
        self._keys: dict[TableId, dict[str, list[Mapping[str, Any]]]] = defaultdict(dict)
        self._foreign: dict[TableId, list[ForeignKey]] = defaultdict(list)
        columns = _COLUMNS.format(srs="NULL" if flavor.is_mariadb else "SRS_ID")
        # MariaDB lists keys in their own order, which hidden columns follow.
        keys = _KEYS.format(expression="NULL") if flavor.is_mariadb else _MYSQL_KEYS
        asked: Iterable[tuple[str, str | None]] = sorted(tables)
        if whole:
            asked = [(db, None) for db in sorted({db for db, _ in asked})]
        for db, name in asked:
            one, arguments = ("", (db,)) if name is None else (_ONE, (db, name))
            for row in mysql.rows(connection, columns.replace(_HERE, one), arguments):
                self._columns[TableId(db, row["table_name"])].append(_column(row))
            for row in mysql.rows(connection, keys.replace(_HERE, one), arguments):
                parts = self._keys[TableId(db, row["table_name"])]
                parts.setdefault(str(row["name"]), []).append(row)
            for table, foreign in mysql.foreign_keys(connection, db, name).items():
                self._foreign[TableId(db, table)] += foreign

    def schema(self, table: TableId, row: Mapping[str, Any], create_sql: str) -> TableSchema:
        """Raises UnsupportedColumn."""
        found = self._columns[table]
        hidden = period(row["table_type"], found)
        found = [*found, *hidden]
        keys = tuple(_key(name, parts) for name, parts in self._keys[table].items())
        # InnoDB has no other hash indexes than those of long columns.
        by_hash = {n for n, parts in self._keys[table].items() if parts[0]["index_type"] == "HASH"}
        if by_hash and row["engine"] == "InnoDB":
            found += hash_columns(found, (key for key in keys if key.name in by_hash))
        if hidden:
            keys = tuple(map(with_period_end, keys))
        keys = tuple(sorted(keys, key=lambda key: (key.name != "PRIMARY", key.name)))
        columns = types.complete(str(table), found)
        identity = identity_of(columns, (key for key in keys if key.name not in by_hash))
        return TableSchema(
            id=0,
            db=table.db,
            table=table.table,
            table_type=row["table_type"],
            create_sql=create_sql,
            columns=columns,
            keys=keys,
            foreign_keys=tuple(self._foreign[table]),
            engine=row["engine"] or "",
            charset=row["charset"],
            collation=row["collation"],
            identity=() if identity is None else tuple(_names(identity.columns)),
        )


def _names(parts: Sequence[KeyPart]) -> Iterator[str]:
    for part in parts:
        assert part.column is not None
        yield part.column


def _column(row: Mapping[str, Any]) -> Column:
    column_type = _text(row["column_type"])
    extra = _text(row["extra"])
    return Column(
        name=row["name"],
        ordinal=row["ordinal"],
        column_type=column_type,
        data_type=_text(row["data_type"]).lower(),
        nullable=row["nullable"] == "YES",
        unsigned=" unsigned" in column_type.partition("'")[0].lower(),
        char_length=row["char_length"],
        octet_length=row["octet_length"],
        precision=row["numeric_precision"],
        scale=row["numeric_scale"],
        fsp=row["fsp"] or 0,
        charset=row["charset"],
        collation=row["collation"],
        labels=types.labels_of(column_type),
        generated=_generated(extra),
        expression=_text(row["expression"]) if row["expression"] else None,
        invisible="INVISIBLE" in extra.upper(),
        default=None if row["dflt"] is None else _text(row["dflt"]),
        extra=extra,
        srs_id=row["srs_id"],
    )


def _generated(extra: str) -> Any:
    upper = extra.upper()
    if "VIRTUAL" in upper:
        return "VIRTUAL"
    return "STORED" if "STORED GENERATED" in upper or "PERSISTENT" in upper else ""


def _key(name: str, parts: Sequence[Mapping[str, Any]]) -> Key:
    return Key(
        name=name,
        unique=not parts[0]["non_unique"],
        columns=tuple(
            KeyPart(
                column=part["column_name"],
                prefix_length=part["sub_part"],
                expression=None if part["expression"] is None else _text(part["expression"]),
            )
            for part in parts
        ),
    )


def _text(value: object) -> str:
    """MySQL gives some of these as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


_SYSTEM = ", ".join(f"'{name}'" for name in sorted(NEVER_REPLICATED))

_ALL_TABLES = """
SELECT t.TABLE_SCHEMA AS db, t.TABLE_NAME AS name, t.TABLE_TYPE AS table_type, t.ENGINE AS engine,
       t.TABLE_COLLATION AS collation, c.CHARACTER_SET_NAME AS charset
FROM information_schema.TABLES t
LEFT JOIN information_schema.COLLATIONS c ON c.COLLATION_NAME = t.TABLE_COLLATION
"""
_TABLES = f"{_ALL_TABLES} WHERE t.TABLE_SCHEMA NOT IN ({_SYSTEM}) ORDER BY 1, 2"
_SOME_TABLES = f"{_ALL_TABLES} WHERE t.TABLE_SCHEMA = %s AND t.TABLE_NAME IN %s ORDER BY 1, 2"

_HERE = "/* which table */"
_ONE = "AND TABLE_NAME = %s"

_COLUMNS = """
SELECT TABLE_NAME AS table_name, COLUMN_NAME AS name, ORDINAL_POSITION AS ordinal,
       COLUMN_TYPE AS column_type, DATA_TYPE AS data_type, IS_NULLABLE AS nullable,
       CHARACTER_MAXIMUM_LENGTH AS char_length, CHARACTER_OCTET_LENGTH AS octet_length,
       NUMERIC_PRECISION AS numeric_precision, NUMERIC_SCALE AS numeric_scale,
       DATETIME_PRECISION AS fsp, CHARACTER_SET_NAME AS charset, COLLATION_NAME AS collation,
       COLUMN_DEFAULT AS dflt, EXTRA AS extra, {srs} AS srs_id,
       GENERATION_EXPRESSION AS expression
FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = %s /* which table */
ORDER BY TABLE_NAME, ORDINAL_POSITION
"""

_KEYS = """
SELECT TABLE_NAME AS table_name, INDEX_NAME AS name, NON_UNIQUE AS non_unique,
       COLUMN_NAME AS column_name, SUB_PART AS sub_part, INDEX_TYPE AS index_type,
       {expression} AS expression
FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = %s /* which table */
"""
_MYSQL_KEYS = (
    _KEYS.format(expression="EXPRESSION") + "ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
)
