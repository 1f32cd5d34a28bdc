"""A statement that a producer makes itself, and the context of one that says everything itself."""

from dataclasses import dataclass
from typing import Any

from mysync_schemas.control import DdlContext
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId

__all__ = ["UTF8MB4", "Made", "context_in"]

UTF8MB4 = 45  # utf8mb4_general_ci: both flavours have it under this id
_INVALID_DATES = 1 << 25  # sql_mode's ALLOW_INVALID_DATES: whatever the source took as a default


@dataclass(frozen=True)
class Made:
    """Its text in the context's character set, and the tables that it names."""

    sql: bytes
    verb: Verb
    context: DdlContext
    tables: tuple[TableId, ...] = ()


def context_in(database: str | None, **others: Any) -> DdlContext:
    """No foreign key is checked: a parent may be made after its child, and rows come in no
    order."""
    return DdlContext(
        **{
            "database": database,
            "sql_mode": _INVALID_DATES,
            "client_collation": UTF8MB4,
            "connection_collation": UTF8MB4,
            "server_collation": UTF8MB4,
            "foreign_key_checks": False,
            "explicit_defaults_for_timestamp": True,
            "sql_require_primary_key": False,
            "generate_invisible_primary_key": False,
            **others,
        }
    )
