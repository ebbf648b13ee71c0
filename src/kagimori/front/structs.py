"""Makes struct types from input shapes, so that decoding also validates.

A decoder of such a type accepts exactly what the model allows; why something else is refused, and
in AWS's words, is found out by `front/validate.py`, which runs only then.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from kagimori.front.patterns import python_pattern
from kagimori.front.shapes import Ref, Shape

# The wire types are Java's.
INTEGER_BOUNDS: Final = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
# 0001-01-01 to 9999-12-31T23:59:59: beyond these no calendar of ours can name the moment.
TIMESTAMP_MIN: Final = -62_135_596_800
TIMESTAMP_MAX: Final = 253_402_300_799


class StructMaker:
    """Makes each type once, when it is first asked for."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._shapes = shapes
        self._made: dict[str, Any] = {}

    def struct(self, name: str) -> type[Struct]:
        """Return the type of a structure.

        Required members have no default: a decoder refuses the value that lacks one.

        Raises:
            RecursionError: the shape contains itself; no input shape of ours does.
        """
        made = self.annotation(name)
        if not isinstance(made, type) or not issubclass(made, Struct):
            raise TypeError(f"{name} is no structure")
        return made

    def annotation(self, name: str) -> Any:
        """Return the msgspec annotation of a shape: its type and its constraints."""
        if name not in self._made:
            self._made[name] = self._make(name, self._shapes[name])
        return self._made[name]

    def _make(self, name: str, shape: Shape) -> Any:
        if shape.type == "structure":
            return self._structure(name, shape)
        if shape.type == "list":
            of: Any = self._of(shape.member)
            return _bounded_length(list[of], shape)
        if shape.type == "map":
            key: Any = self._of(shape.key)
            value: Any = self._of(shape.value)
            return _bounded_length(dict[key, value], shape)
        return _scalar(shape)

    def _structure(self, name: str, shape: Shape) -> type[Struct]:
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        for member, ref in shape.members.items():
            annotation = self.annotation(ref.shape)
            if member in shape.required:
                fields.append((member, annotation))
            else:
                fields.append((member, annotation | None, None))
        return msgspec.defstruct(name, fields, frozen=True, kw_only=True, gc=False, module=__name__)

    def _of(self, ref: Ref | None) -> Any:
        if ref is None:
            raise TypeError("a list or map of the model names no element")
        return self.annotation(ref.shape)


def _scalar(shape: Shape) -> Any:
    if shape.type == "string":
        return Literal[shape.enum] if shape.enum else _text(shape)
    if shape.type == "blob":
        return _bounded_length(bytes, shape)
    if shape.type == "boolean":
        return bool
    if shape.type in INTEGER_BOUNDS:
        low, high = INTEGER_BOUNDS[shape.type]
        ge = low if shape.min is None else shape.min
        le = high if shape.max is None else shape.max
        return Annotated[int, Meta(ge=ge, le=le)]
    if shape.type == "timestamp":
        return Annotated[float, Meta(ge=TIMESTAMP_MIN, le=TIMESTAMP_MAX)]
    return float


def _text(shape: Shape) -> Any:
    if shape.pattern is None:
        return _bounded_length(str, shape)
    pattern = python_pattern(shape.pattern)
    return Annotated[str, Meta(min_length=shape.min or None, max_length=shape.max, pattern=pattern)]


def _bounded_length(annotation: Any, shape: Shape) -> Any:
    if not shape.min and shape.max is None:
        return annotation
    return Annotated[annotation, Meta(min_length=shape.min or None, max_length=shape.max)]
