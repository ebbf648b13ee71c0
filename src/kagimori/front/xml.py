"""Encodes answers of the Query protocol as XML, following the output shape.

Only what the protocol needs: elements and text. Nothing here reads XML.

Source: AWS Query protocol (Smithy, `awsQuery`), "Response serialization"; XML 1.0, section 2.2.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from kagimori.front.models import OperationModel, ServiceModel
from kagimori.front.shapes import Ref, Shape
from kagimori.rules.refusal import Refusal

# Characters that no XML 1.0 document may hold, not even as a reference.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A bare CR would be read as LF (XML 1.0, 2.11).
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\r": "&#13;"}
)


def encode(
    model: ServiceModel,
    operation: OperationModel,
    answer: Mapping[str, Any] | None,
    request_id: str,
) -> bytes:
    """Return the body of a success.

    Raises:
        LookupError: the answer has a member that the output shape lacks (a fault of ours).
    """
    parts = [f'<{operation.name}Response xmlns="{model.xml_namespace}">']
    if operation.output_shape is not None:
        wrapper = operation.result_wrapper or f"{operation.name}Result"
        writer = _Writer(model.shapes)
        parts += writer.element(wrapper, operation.output_shape, answer or {})
    elif answer:
        raise LookupError(f"{operation.name} has no result, yet was given one")
    parts.append(f"<ResponseMetadata><RequestId>{escape(request_id)}</RequestId>")
    parts.append(f"</ResponseMetadata></{operation.name}Response>")
    return "".join(parts).encode()


def encode_refusal(model: ServiceModel, refusal: Refusal, request_id: str) -> bytes:
    """Return the body of an error answer."""
    fault = "Sender" if refusal.status < 500 else "Receiver"  # noqa: PLR2004 - HTTP's own border
    message = escape(refusal.message or "")
    return (
        f'<ErrorResponse xmlns="{model.xml_namespace}"><Error><Type>{fault}</Type>'
        f"<Code>{escape(refusal.code)}</Code><Message>{message}</Message></Error>"
        f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
    ).encode()


def escape(text: str) -> str:
    """Return text that an XML parser reads back; what XML cannot hold becomes U+FFFD."""
    return _NOT_XML.sub("\ufffd", text).translate(_ESCAPES)


class _Writer:
    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._shapes = shapes

    def element(self, name: str, shape: Shape, value: Any) -> Iterator[str]:
        yield f"<{name}>"
        if shape.type == "structure":
            yield from self._members(shape, value)
        elif shape.type == "list":
            member = self._ref(shape.member)
            for inner in value:
                yield from self._use(member.location_name or "member", member, inner)
        elif shape.type == "map":
            yield from self._entries("entry", shape, value)
        else:
            yield _text(shape, value)
        yield f"</{name}>"

    def _members(self, shape: Shape, value: Mapping[str, Any]) -> Iterator[str]:
        unknown = value.keys() - shape.members.keys()
        if unknown:
            raise LookupError(f"an answer has members its shape lacks: {sorted(unknown)}")
        for member, ref in shape.members.items():
            inner = value.get(member)
            if inner is not None:
                yield from self._member(ref.location_name or member, ref, inner)

    def _member(self, name: str, ref: Ref, value: Any) -> Iterator[str]:
        shape = self._shapes[ref.shape]
        if not (shape.flattened or ref.flattened):
            yield from self.element(name, shape, value)
        elif shape.type == "list":
            member = self._ref(shape.member)
            for inner in value:
                yield from self._use(member.location_name or name, member, inner)
        else:
            yield from self._entries(name, shape, value)

    def _entries(self, name: str, shape: Shape, value: Mapping[str, Any]) -> Iterator[str]:
        key, inner = self._ref(shape.key), self._ref(shape.value)
        for entry_key, entry_value in value.items():
            yield f"<{name}>"
            yield from self._use(key.location_name or "key", key, entry_key)
            yield from self._use(inner.location_name or "value", inner, entry_value)
            yield f"</{name}>"

    def _use(self, name: str, ref: Ref, value: Any) -> Iterator[str]:
        return self.element(name, self._shapes[ref.shape], value)

    def _ref(self, ref: Ref | None) -> Ref:
        if ref is None:
            raise TypeError("a list or map of the model names no element")
        return ref


def _text(shape: Shape, value: Any) -> str:
    if shape.type == "blob":
        return b64encode(value).decode()
    if shape.type == "boolean":
        return "true" if value else "false"
    if shape.type == "timestamp":
        moment = datetime.fromtimestamp(value, UTC).replace(microsecond=0, tzinfo=None)
        return f"{moment.isoformat()}Z"
    return escape(str(value))
