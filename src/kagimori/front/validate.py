"""Explains in AWS's words why a value is invalid; runs only after the fast decoder refused it.

Wrong types end the search at once; broken constraints are all collected. The walk follows the
shape, not the value, so its depth is the shape's and unknown members cost nothing.

Source: KMS API Reference, "Common Error Types". Where they are silent: a value's length is named
before its pattern, and members stand in the order of the model.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from kagimori.front.constraints import NOT_NULL, broken, listed
from kagimori.front.shapes import Ref, Shape
from kagimori.front.structs import INTEGER_BOUNDS, TIMESTAMP_MAX, TIMESTAMP_MIN
from kagimori.rules.refusal import Refusal

# DIFFERS(aws): AWS repeats all of it; we do not answer a megabyte with ten.
VIOLATIONS_MAX: Final = 100
SHOWN_MAX: Final = 4096

LIST_FOUND: Final = "Start of list found where not expected"
MAP_FOUND: Final = "Start of structure or map found where not expected."

TARGETS: Final = {
    "string": "a String",
    "integer": "an Integer",
    "long": "a Long",
    "float": "a Float",
    "double": "a Double",
    "boolean": "a Boolean",
    "blob": "a Blob",
    "timestamp": "milliseconds since epoch",
}
_COMPOUND: Final = frozenset({"structure", "list", "map"})


def refuse_invalid(
    shapes: Mapping[str, Shape],
    shape: Shape,
    value: Any,
    *,
    wrong_type: type[Refusal],
    invalid: type[Refusal],
) -> None:
    """Return when `value` (as from JSON; blobs as base64 text) is what the shape allows.

    Raises:
        Refusal: `wrong_type` for the first value of a wrong type; else `invalid`, with every
            broken constraint.
    """
    search = _Search(shapes, wrong_type)
    with suppress(_Enough):
        search.structure("", shape, value)
    if search.found:
        count = len(search.found)
        errors = "error" if count == 1 else "errors"
        raise invalid(f"{count} validation {errors} detected: {'; '.join(search.found)}")


class _Enough(Exception):
    pass


class _Search:
    def __init__(self, shapes: Mapping[str, Shape], wrong_type: type[Refusal]) -> None:
        self.found: list[str] = []
        self._shapes = shapes
        self._wrong_type = wrong_type

    def structure(self, path: str, shape: Shape, value: Any) -> None:
        if not isinstance(value, dict):
            raise self._wrong_type(_not_compound(value))
        for name, ref in shape.members.items():
            inner = f"{path}{name[:1].lower()}{name[1:]}"
            member = value.get(name)
            if member is not None:
                self._value(inner, self._shape(ref), member)
            elif name in shape.required:
                self._add("Value null", inner, NOT_NULL)

    def _value(self, path: str, shape: Shape, value: Any) -> None:
        if shape.type == "structure":
            self.structure(f"{path}.", shape, value)
        elif shape.type == "list":
            self._list(path, shape, value)
        elif shape.type == "map":
            self._map(path, shape, value)
        else:
            value = self._scalar(shape, value)
            for text in broken(shape, value):
                self._report(path, value, text, hidden=self._hidden(shape))

    def _list(self, path: str, shape: Shape, value: Any) -> None:
        if not isinstance(value, list):
            raise self._wrong_type(_not_compound(value, "list"))
        hidden = self._hidden(shape)
        for text in broken(shape, value):
            self._report(path, value, text, hidden=hidden)
        member = self._shape(shape.member)
        if member.type not in _COMPOUND:
            if self._any_broken(member, value):
                text = f"Member must satisfy constraint: [{listed(member, value)}]"
                self._report(path, value, text, hidden=hidden)
            return
        for index, element in enumerate(value, 1):
            inner = f"{path}.{index}.member"
            if element is None:
                self._add("Value null", inner, NOT_NULL)
            else:
                self._value(inner, member, element)

    def _map(self, path: str, shape: Shape, value: Any) -> None:
        if not isinstance(value, dict):
            raise self._wrong_type(_not_compound(value, "map"))
        hidden = self._hidden(shape)
        for text in broken(shape, value):
            self._report(path, value, text, hidden=hidden)
        key, inner = self._shape(shape.key), self._shape(shape.value)
        if self._any_broken(key, list(value)):
            text = f"Map keys must satisfy constraint: [{listed(key, value)}]"
            self._report(path, value, text, hidden=hidden)
        if inner.type in _COMPOUND:
            self._map_of_compounds(path, inner, value)
        elif self._any_broken(inner, list(value.values())):
            text = f"Map value must satisfy constraint: [{listed(inner, value.values())}]"
            self._report(path, value, text, hidden=hidden)

    def _map_of_compounds(self, path: str, inner: Shape, value: dict[str, Any]) -> None:
        for name, element in value.items():
            if element is None:
                self._add("Value null", f"{path}.{name}.member", NOT_NULL)
            else:
                self._value(f"{path}.{name}.member", inner, element)

    def _any_broken(self, shape: Shape, values: list[Any]) -> bool:
        """Return whether an element breaks a constraint; all are looked at for their type."""
        found = False
        for value in values:
            if value is None or broken(shape, self._scalar(shape, value)):
                found = True
        return found

    def _scalar(self, shape: Shape, value: Any) -> Any:
        """Return the value, blobs decoded, when it is of the shape's type."""
        if isinstance(value, list):
            raise self._wrong_type(LIST_FOUND)
        if isinstance(value, dict):
            raise self._wrong_type(MAP_FOUND)
        if shape.type == "blob" and isinstance(value, str):
            return self._blob(value)
        if not _is_a(shape.type, value):
            target = TARGETS[shape.type]
            raise self._wrong_type(f"{_token(value)} can not be converted to {target}")
        return value

    def _blob(self, text: str) -> bytes:
        # DIFFERS(aws): AWS repeats the text that came; here it may be a plaintext, so never.
        if len(text) % 4:
            raise self._wrong_type(
                "STRING_VALUE can not be converted to a Blob: Base64 encoded length is expected"
                f" a multiple of 4 bytes but found: {len(text)}"
            )
        try:
            return msgspec.convert(text, bytes)
        except msgspec.ValidationError:
            reason = "STRING_VALUE can not be converted to a Blob: Invalid Base64"
            raise self._wrong_type(reason) from None

    def _report(self, path: str, value: Any, text: str, *, hidden: bool) -> None:
        shown = "Value" if hidden else f"Value '{_shown(value)[:SHOWN_MAX]}'"
        self._add(shown, path, text)

    def _add(self, value: str, path: str, text: str) -> None:
        self.found.append(f"{value} at '{path}' failed to satisfy constraint: {text}")
        if len(self.found) == VIOLATIONS_MAX:
            raise _Enough

    def _hidden(self, shape: Shape) -> bool:
        """Return whether the value must not be repeated: secret itself, or holding a secret.

        Structures inside lists and maps are not repeated either: they may hold anything.
        """
        if shape.sensitive or shape.type in {"blob", "structure"}:
            return True
        inner = (shape.member, shape.key, shape.value)
        return any(self._hidden(self._shape(ref)) for ref in inner if ref)

    def _shape(self, ref: Ref | None) -> Shape:
        if ref is None:
            raise TypeError("a list or map of the model names no element")
        return self._shapes[ref.shape]


def _is_a(kind: str, value: Any) -> bool:
    if kind == "string":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if kind in INTEGER_BOUNDS:
        low, high = INTEGER_BOUNDS[kind]
        return isinstance(value, int) and low <= value <= high
    if kind == "timestamp":
        return isinstance(value, int | float) and TIMESTAMP_MIN <= value <= TIMESTAMP_MAX
    return kind != "blob" and isinstance(value, int | float)


def _token(value: Any) -> str:
    if isinstance(value, str):
        return "STRING_VALUE"
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    return "NUMBER_VALUE"


def _not_compound(value: Any, expected: str = "structure") -> str:
    if isinstance(value, list):
        return LIST_FOUND
    if isinstance(value, dict):
        return MAP_FOUND
    return f"Expected {expected} or null"


def _shown(value: Any) -> str:
    """Return a value the way AWS's Java prints it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}={_shown(inner)}' for name, inner in value.items())}}}"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
