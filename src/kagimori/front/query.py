"""The AWS Query protocol: decodes forms into structs; `front/xml.py` encodes answers.

A form is flat; dots in its names make the tree (`Tags.member.2.Key`). The tree is read along the
input shape, so whatever the shape does not name is ignored, and no index makes a list longer
than the form is.

Source: AWS Query protocol (Smithy, `awsQuery`), "Request serialization"; IAM API Reference.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Struct

from kagimori.front.models import OperationModel, ServiceModel
from kagimori.front.shapes import Ref, Shape
from kagimori.front.validate import LIST_FOUND, MAP_FOUND, TARGETS, refuse_invalid
from kagimori.front.xml import encode, encode_refusal
from kagimori.rules.identity.refusals import (
    MalformedInput,
    MalformedQueryString,
    ValidationError,
)
from kagimori.rules.numbers import finite, whole_between

__all__ = ["FIELDS_MAX", "INDEX_MAX", "decode", "encode", "encode_refusal", "parse_form"]

FIELDS_MAX: Final = 10_000
INDEX_MAX: Final = 10_000
# The deepest input shape of IAM takes fewer; what is deeper would only cost memory.
DEPTH_MAX: Final = 12

_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")

_Node = dict[str, Any]


def parse_form(query: bytes, body: bytes) -> dict[str, str]:
    """Return the fields of a query string and a form-encoded body together.

    Raises:
        MalformedQueryString: bad escapes, not UTF-8, a name twice, or too many fields.
    """
    parts = [part for part in (query, body) if part]
    if sum(part.count(b"&") + 1 for part in parts) > FIELDS_MAX:
        raise MalformedQueryString(f"more than {FIELDS_MAX} fields")
    fields: dict[str, str] = {}
    for name, value in (pair for part in parts for pair in _pairs(part)):
        if name in fields:
            # Two answers to one question: the signature covers both, so neither is to be trusted.
            raise MalformedQueryString("a field was sent more than once")
        fields[name] = value
    return fields


def decode(model: ServiceModel, operation: OperationModel, fields: Mapping[str, str]) -> Struct:
    """Return the request's members as a struct of `operation.input_type`.

    Raises:
        MalformedInput: a value of a wrong type, or names that do not make a tree.
        ValidationError: a constraint of the model is broken.
    """
    value = _Reader(model.shapes).structure(operation.input_shape, _tree(fields))
    try:
        return msgspec.convert(value, operation.input_type)
    except msgspec.ValidationError:
        refuse_invalid(
            model.shapes,
            operation.input_shape,
            value,
            wrong_type=MalformedInput,
            invalid=ValidationError,
        )
        raise MalformedInput from None


def _pairs(part: bytes) -> Iterator[tuple[str, str]]:
    if _BAD_ESCAPE.search(part):
        raise MalformedQueryString("a percent sign without two hexadecimal digits")
    for field in part.split(b"&"):
        if field:
            name, _, value = field.partition(b"=")
            yield _unquoted(name), _unquoted(value)


def _unquoted(text: bytes) -> str:
    try:
        return unquote_to_bytes(text.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise MalformedQueryString("a field is not UTF-8") from None


def _tree(fields: Mapping[str, str]) -> _Node:
    root: _Node = {}
    for name, value in fields.items():
        if name.count(".") >= DEPTH_MAX:
            raise MalformedInput("a field name has too many parts")
        *branches, leaf = name.split(".")
        node = root
        for branch in branches:
            node = node.setdefault(branch, {})
            if not isinstance(node, dict):
                raise MalformedInput(MAP_FOUND)
        if leaf in node:
            raise MalformedInput(MAP_FOUND)
        node[leaf] = value
    return root


class _Reader:
    """Reads a tree along a shape, into the values that JSON would have held."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._shapes = shapes

    def structure(self, shape: Shape, node: Any) -> dict[str, Any]:
        branches = _branches(node)
        value = {}
        for member, ref in shape.members.items():
            inner = self._shapes[ref.shape]
            flat = inner.flattened or ref.flattened
            child = branches.get(_wire_name(member, ref, inner, flat=flat))
            if child is not None:
                value[member] = self._value(inner, child, flat=flat)
        return value

    def _value(self, shape: Shape, node: Any, *, flat: bool = False) -> Any:
        if shape.type == "structure":
            return self.structure(shape, node)
        if shape.type == "list":
            member = _known(shape.member)
            element = self._shapes[member.shape]
            branches = _numbered(node, None if flat else member.location_name or "member")
            return [self._value(element, branch) for branch in branches]
        if shape.type == "map":
            return self._map(shape, _numbered(node, None if flat else "entry"))
        if isinstance(node, dict):
            raise MalformedInput(LIST_FOUND if "member" in node else MAP_FOUND)
        return _scalar(shape.type, node)

    def _map(self, shape: Shape, entries: list[Any]) -> dict[str, Any]:
        key, inner = _known(shape.key), _known(shape.value)
        value: dict[str, Any] = {}
        for entry in map(_branches, entries):
            name = entry.get(key.location_name or "key")
            content = entry.get(inner.location_name or "value")
            if not isinstance(name, str) or content is None:
                raise MalformedInput("an entry of a map lacks its key or its value")
            if name in value:
                raise MalformedInput("a map has a key twice")
            value[name] = self._value(self._shapes[inner.shape], content)
        return value


def _wire_name(member: str, ref: Ref, shape: Shape, *, flat: bool) -> str:
    # A flattened list goes by the name of its elements.
    if flat and shape.member is not None and shape.member.location_name:
        return shape.member.location_name
    return ref.location_name or member


def _branches(node: Any) -> _Node:
    if node == "":
        return {}  # how clients send an empty list or structure
    if not isinstance(node, dict):
        raise MalformedInput("Unexpected value where a list, structure or map was expected")
    return node


def _numbered(node: Any, wrapper: str | None) -> list[Any]:
    """Return the elements of a list in the order of their indexes; gaps are closed."""
    branches = _branches(node)
    if wrapper is not None:
        if branches.keys() - {wrapper}:
            raise MalformedInput(MAP_FOUND)
        branches = _branches(branches.get(wrapper, ""))
    for index in branches:
        if whole_between(index, 1, INDEX_MAX) is None:
            raise MalformedInput(f"a list index is not a number from 1 to {INDEX_MAX}")
    return [branches[index] for index in sorted(branches, key=int)]


def _scalar(kind: str, text: str) -> Any:
    """Return a value from its text; blobs stay base64, as in JSON."""
    if kind in {"string", "blob"}:
        return text
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    if kind in {"integer", "long"} and _INTEGER.fullmatch(text):
        return int(text)
    if kind in {"float", "double"} and _NUMBER.fullmatch(text):
        number = finite(float(text))
        if number is not None:
            return number
    if kind == "timestamp" and _MOMENT.fullmatch(text):
        return _moment(text)
    raise MalformedInput(f"STRING_VALUE can not be converted to {TARGETS[kind]}")


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        raise MalformedInput(
            f"STRING_VALUE can not be converted to {TARGETS['timestamp']}"
        ) from None


def _known(ref: Ref | None) -> Ref:
    if ref is None:
        raise TypeError("a list or map of the model names no element")
    return ref
