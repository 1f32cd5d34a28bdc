"""Names on the wire: what Avro allows, and what becomes of the names that it doesn't.

Avro names match `[A-Za-z_][A-Za-z0-9_]*` (Avro specification, "Names"); MySQL's may hold almost any
character. A name that doesn't fit has its characters replaced by `_`; the original stands beside it
in the property `mysql.name`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from mysync_schemas.errors import BadName

__all__ = ["PIPELINE_RE", "avro_name", "avro_names", "check_pipeline_name", "namespace"]

PIPELINE_RE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_AVRO: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_AVRO: Final = re.compile(r"[^A-Za-z0-9_]")


def check_pipeline_name(name: str) -> str:
    """The name itself. Raises `BadName` unless it matches `PIPELINE_RE`."""
    if PIPELINE_RE.fullmatch(name) is None:
        raise BadName(
            f"pipeline name {name!r}: letters, digits and _ only, not beginning with a digit, "
            "at most 64 characters"
        )
    return name


def avro_name(name: str) -> str:
    """`name` with every character that Avro can't hold as `_`; a leading digit gets one before."""
    if _AVRO.fullmatch(name):
        return name
    mangled = _NOT_AVRO.sub("_", name) or "_"
    return "_" + mangled if mangled[0].isdigit() else mangled


def avro_names(names: Iterable[str]) -> tuple[str, ...]:
    """Avro names of a table's columns, in their order, all different.

    Names that Avro can hold stay as they are; a mangled one that is taken gets its ordinal
    (1-based) behind it, and further `_` in the odd case that this is taken as well.
    """
    originals = tuple(names)
    taken = {name for name in originals if avro_name(name) == name}
    result = []
    for ordinal, name in enumerate(originals, 1):
        mangled = avro_name(name)
        if mangled != name:
            if mangled in taken:
                mangled = f"{mangled}_{ordinal}"
            while mangled in taken:
                mangled += "_"
            taken.add(mangled)
        result.append(mangled)
    return tuple(result)


def namespace(pipeline: str, db: str, table: str) -> str:
    """`<pipeline>.<db>.<table>`, each part as Avro can hold it.

    Two tables whose names are mangled alike share a namespace, never a schema id.
    """
    return f"{check_pipeline_name(pipeline)}.{avro_name(db)}.{avro_name(table)}"
