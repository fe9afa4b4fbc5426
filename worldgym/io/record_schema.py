"""What follows from the annotations of a record: its JSON Schema, and the types of its columns."""

from __future__ import annotations

from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from worldgym.io.records import SCALARS, field_types, required


def schema(kind: type, **constants: Any) -> dict[str, Any]:
    """JSON Schema of the dataclass as a mapping. constants: schemas of further properties, all
    required. Dataclasses in it are references to "#/$defs/NAME"."""
    hints = field_types(kind)
    return {
        "type": "object",
        "properties": {**constants, **{name: _schema(hint) for name, hint in hints.items()}},
        "required": [*constants, *required(kind)],
        "additionalProperties": False,
    }


def _schema(hint: Any) -> dict[str, Any]:
    if hint in SCALARS:
        return {"type": SCALARS[hint].schema}
    if hint is Any:
        return {}
    if isinstance(hint, type) and is_dataclass(hint):
        return {"$ref": f"#/$defs/{hint.__name__.lower()}"}
    origin = get_origin(hint)
    parts = get_args(hint)
    if origin is Literal:
        return {"enum": list(parts)}
    if origin in (Union, UnionType):
        return {"anyOf": [_schema(part) for part in parts]}
    if origin is tuple:
        if parts[-1] is Ellipsis:
            return {"type": "array", "items": _schema(parts[0])}
        alike = (
            {"items": _schema(parts[0])}
            if len(set(parts)) == 1
            else {"prefixItems": [*map(_schema, parts)]}
        )
        return {"type": "array", **alike, "minItems": len(parts), "maxItems": len(parts)}
    if hint is NoneType:
        return {"type": "null"}
    inside = _schema(parts[1])
    return {"type": "object", **({"additionalProperties": inside} if inside else {})}


def column(hint: Any) -> str:
    """Arrow type of a field; lists and mappings are JSON text."""
    parts = [part for part in get_args(hint) if part is not NoneType]
    if get_origin(hint) in (Union, UnionType) and len(parts) == 1:
        return column(parts[0])
    return SCALARS[hint].arrow if hint in SCALARS else "string"
