"""QUERY events: a statement in the log, and what its meaning depends on.

The status variables and their codes: MySQL source documentation,
`mysql::binlog::event::Query_event` (table "Status variables"); MariaDB source, `Query_log_event`
(codes 128 and above), `log_event.h` for the flags.
"""

import struct
from dataclasses import dataclass, replace
from typing import Final

from mysync_runtime.errors import CorruptEvent
from mysync_schemas.control import DdlContext

__all__ = ["QueryEvent", "context_of", "parse_execute_load", "parse_query"]

_FLAGS, _SQL_MODE, _INCREMENTS, _COLLATIONS, _TIME_ZONE = 0, 1, 3, 4, 5
_LC_TIME_NAMES, _DATABASE_COLLATION, _MICROSECONDS = 7, 8, 13
_EXPLICIT_DEFAULTS, _UTF8MB4_COLLATION, _REQUIRE_KEY, _ENCRYPTION = 16, 18, 19, 20
_MARIADB_MICROSECONDS, _MARIADB_TWO_PHASES = 128, 130

UTF8: Final = 45  # utf8mb4_general_ci, on both

# Lengths of the status variables of fixed size, by code.
_FIXED: Final = {
    0: 4, 1: 8, 3: 4, 4: 6, 7: 2, 8: 2, 9: 8, 10: 4, 13: 3, 16: 1, 17: 8, 18: 2, 19: 1, 20: 1,
    128: 3, 129: 8,
}  # fmt: skip

# Bits of MariaDB's third flags (`Gtid_log_event::FL_…`).
_START_ALTER: Final = 2
_ROLLBACK_ALTER: Final = 8
# Bits of the flags.
_MARIADB_EXPLICIT_DEFAULTS: Final = 1 << 24
_NO_FOREIGN_KEY_CHECKS: Final = 1 << 26
_RELAXED_UNIQUE_CHECKS: Final = 1 << 27


@dataclass(frozen=True)
class QueryEvent:
    """`variables`: the status variables by code. `unknown_variable`: code of one that isn't known,
    whose length can't be told: the rest is unread."""

    database: str
    sql: bytes
    error_code: int = 0
    variables: dict[int, bytes] | None = None
    unknown_variable: int | None = None

    def number(self, code: int, start: int = 0, size: int = 8) -> int | None:
        """Of a status variable, `size` bytes of it from `start`; None when it isn't there."""
        value = (self.variables or {}).get(code)
        return None if value is None else int.from_bytes(value[start : start + size], "little")

    @property
    def sql_mode(self) -> int:
        return self.number(_SQL_MODE) or 0

    @property
    def client_collation(self) -> int:
        """By id; 0 = not said."""
        return self.number(_COLLATIONS, 0, 2) or 0

    @property
    def announces(self) -> bool:
        """Whether it is the first half of an ALTER that MariaDB logs twice, or takes that back
        (`binlog_alter_two_phase`): the second half says that it was done."""
        phase = self.number(_MARIADB_TWO_PHASES, 0, 1) or 0
        return bool(phase & (_START_ALTER | _ROLLBACK_ALTER))

    @property
    def worded(self) -> "QueryEvent":
        """In the character set that it is written in. A CREATE TABLE within a transaction is what
        is left of a CREATE TABLE … SELECT: the server worded it anew, in UTF-8, and says the
        client's character set all the same (observed, both)."""
        collations = (self.variables or {}).get(_COLLATIONS)
        if collations is None or not self.sql.startswith(b"CREATE "):
            return self
        utf8 = struct.pack("<HH", UTF8, UTF8) + collations[4:]
        return replace(self, variables={**(self.variables or {}), _COLLATIONS: utf8})

    @property
    def time_zone(self) -> str | None:
        value = (self.variables or {}).get(_TIME_ZONE)
        return None if value is None else value.decode("ascii", "replace")


def parse_query(body: bytes) -> QueryEvent:
    """QUERY (2)."""
    return _query(body, 13)


def parse_execute_load(body: bytes) -> QueryEvent:
    """EXECUTE_LOAD_QUERY (18): a QUERY with 13 more bytes that say where the file is."""
    return _query(body, 26)


def context_of(query: QueryEvent, seconds: int, *, mariadb: bool) -> DdlContext:
    """What the statement's meaning depends on. `seconds`: the event's own time, since 1970. An
    event says microseconds where its statement asks for them."""
    micros = query.number(_MARIADB_MICROSECONDS if mariadb else _MICROSECONDS)
    flags = query.number(_FLAGS)
    explicit = query.number(_EXPLICIT_DEFAULTS)
    if mariadb and flags is not None:
        explicit = flags & _MARIADB_EXPLICIT_DEFAULTS
    return DdlContext(
        database=query.database or None,
        sql_mode=query.number(_SQL_MODE),
        client_collation=query.number(_COLLATIONS, 0, 2),
        connection_collation=query.number(_COLLATIONS, 2, 2),
        server_collation=query.number(_COLLATIONS, 4, 2),
        database_collation=query.number(_DATABASE_COLLATION),
        default_collation_for_utf8mb4=query.number(_UTF8MB4_COLLATION),
        time_zone=query.time_zone,
        timestamp_us=seconds * 1_000_000 + (micros or 0),
        foreign_key_checks=_unless(flags, _NO_FOREIGN_KEY_CHECKS),
        unique_checks=_unless(flags, _RELAXED_UNIQUE_CHECKS),
        auto_increment_increment=query.number(_INCREMENTS, 0, 2),
        auto_increment_offset=query.number(_INCREMENTS, 2, 2),
        lc_time_names=query.number(_LC_TIME_NAMES),
        explicit_defaults_for_timestamp=_truth(explicit),
        sql_require_primary_key=_truth(query.number(_REQUIRE_KEY)),
        default_table_encryption=_truth(query.number(_ENCRYPTION)),
        error_code=query.error_code,
    )


def _truth(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _unless(flags: int | None, bit: int) -> bool | None:
    return None if flags is None else not flags & bit


def _query(body: bytes, fixed: int) -> QueryEvent:
    if len(body) < fixed:
        raise CorruptEvent("a QUERY event is too short")
    _thread, _seconds, db_size, error, vars_size = struct.unpack_from("<IIBHH", body)
    db_start = fixed + vars_size
    if db_start + db_size + 1 > len(body):
        raise CorruptEvent("a QUERY event is cut short")
    database = body[db_start : db_start + db_size].decode("utf-8", "surrogateescape")
    sql = body[db_start + db_size + 1 :]
    values, unknown = _status_variables(body[fixed:db_start])
    return QueryEvent(database, sql, error, values, unknown)


def _status_variables(data: bytes) -> tuple[dict[int, bytes], int | None]:
    values: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        code = data[at]
        at += 1
        start, end = _variable_extent(code, data, at)
        if end < 0:
            return values, code
        if end > len(data):
            raise CorruptEvent(f"status variable {code} of a QUERY event is cut short")
        values[code] = data[start:end]
        at = end
        if code == 2:
            at += 1  # a terminating zero
    return values, None


def _variable_extent(code: int, data: bytes, at: int) -> tuple[int, int]:
    """Start and end of the value; end −1 for a code that isn't known."""
    if code in _FIXED:
        return at, at + _FIXED[code]
    if code not in (2, 5, 6, 11, 12, _MARIADB_TWO_PHASES):
        return at, -1
    if at >= len(data):
        raise CorruptEvent(f"status variable {code} of a QUERY event is cut short")
    first = data[at]
    if code in (2, 5, 6):
        return at + 1, at + 1 + first
    if code == 11:  # user, host
        host = at + 1 + first
        if host >= len(data):
            raise CorruptEvent("the invoker of a QUERY event is cut short")
        return at, host + 1 + data[host]
    if code == 12:  # databases touched, each ended by a zero; 254 = too many to say
        end = at + 1
        for _ in range(first if first != 254 else 0):
            end = data.find(b"\0", end) + 1
            if end == 0:
                raise CorruptEvent("the databases of a QUERY event are cut short")
        return at + 1, end
    # 130, MariaDB: flags, and a sequence number when an ALTER is committed or rolled back
    return at, at + (9 if first & (4 | 8) else 1)
