"""Entities: values with a version, of which a change makes a successor."""

from typing import Any, TypeVar

from msgspec.structs import replace

E = TypeVar("E")


def changed(entity: E, **fields: Any) -> E:
    """Return the successor of an entity: some fields other, the version one higher."""
    successor: E = replace(entity, version=entity.version + 1, **fields)  # type: ignore[type-var,attr-defined]
    return successor
