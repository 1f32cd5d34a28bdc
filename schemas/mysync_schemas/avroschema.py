"""Avro schemas of pydantic models, so that a control record and its schema can't drift apart."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel

__all__ = ["record_schema"]

_PRIMITIVES: Final[dict[Any, str]] = {
    str: "string",
    int: "long",
    bool: "boolean",
    bytes: "bytes",
    float: "double",
}


def record_schema(model: type[BaseModel], name: str, namespace: str) -> dict[str, Any]:
    """The model as an Avro record, fields in the model's order.

    str, int (long), bool, bytes, float, Literal of strings, models (records by their class name),
    `X | None`, `tuple[X, ...]`. Raises `TypeError` for anything else.
    """
    return _record(model, name, namespace, set())


def _record(model: type[BaseModel], name: str, space: str, seen: set[type]) -> dict[str, Any]:
    seen.add(model)
    fields = [
        {"name": field, "type": _type(info.annotation, space, seen)}
        for field, info in model.model_fields.items()
    ]
    return {"type": "record", "name": name, "namespace": space, "fields": fields}


def _type(annotation: Any, space: str, seen: set[type]) -> Any:
    if annotation in _PRIMITIVES:
        return _PRIMITIVES[annotation]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal and all(isinstance(arg, str) for arg in args):
        return "string"
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return {"type": "array", "items": _type(args[0], space, seen)}
    if origin in (Union, UnionType) and len(args) == 2 and args[1] is NoneType:
        return ["null", _type(args[0], space, seen)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in seen:
            return f"{space}.{annotation.__name__}"
        return _record(annotation, annotation.__name__, space, seen)
    raise TypeError(f"{annotation} has no Avro type here")
