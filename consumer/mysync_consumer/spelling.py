"""Definitions that say the same in other words: what the servers print, without their ways."""

import re

from mysync_schemas.table import Key
from mysync_schemas.types import is_old_temporal

__all__ = ["plain_type", "signature", "utf8mb3"]

_DISPLAY_WIDTH = re.compile(r"^((?:tiny|small|medium|big)?int|year)\(\d+\)")


def plain_type(column_type: str) -> str:
    """COLUMN_TYPE without the display width that MySQL no longer prints, without the note that
    MariaDB stores a temporal value in its old format, and with MariaDB's name of a collection of
    geometries: the values are the same.
    """
    if is_old_temporal(column_type):
        column_type = column_type.partition(" /*")[0]
    if column_type == "geomcollection":
        return "geometrycollection"
    return _DISPLAY_WIDTH.sub(r"\1", column_type)


def utf8mb3(name: str | None) -> str | None:
    """Servers name utf8mb3 and its collations in the old way or the new one."""
    if name is not None and (name == "utf8" or name.startswith("utf8_")):
        return "utf8mb3" + name[4:]
    return name


def signature(key: Key) -> str:
    """A unique key by what it makes unique, whatever its name."""
    parts = ", ".join(
        f"({part.expression})"
        if part.column is None
        else part.column + (f"({part.prefix_length})" if part.prefix_length else "")
        for part in key.columns
    )
    return f"{'primary' if key.name == 'PRIMARY' else 'unique'} key ({parts})"
