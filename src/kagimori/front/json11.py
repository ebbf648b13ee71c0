"""The AWS JSON 1.1 protocol: decodes bodies into structs, encodes answers and errors.

Source: AWS JSON 1.1 protocol (Smithy, `awsJson1_1`); KMS API Reference, "Common Error Types".
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from kagimori.front.models import OperationModel, ServiceModel
from kagimori.front.validate import refuse_invalid
from kagimori.rules.refusal import Refusal, SerializationException, ValidationException

_ENCODER: Final = msgspec.json.Encoder()
# What msgspec raises for bytes that are no JSON, not UTF-8, nested too deep, or not as the type.
_NOT_DECODED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_FLAT: Final = frozenset((bool, bytes, float, int, str))


def decode(model: ServiceModel, operation: OperationModel, body: bytes) -> Struct:
    """Return the request's members as a struct of `operation.input_type`.

    An empty body counts as `{}`; unknown members are ignored; of two members with one name the
    last counts.

    Raises:
        SerializationException: not JSON, not an object, or a value of a wrong type.
        ValidationException: a constraint of the model is broken.
    """
    try:
        answer: Struct = operation.decoder.decode(body or b"{}")
    except _NOT_DECODED:
        return _explain(model, operation, body)
    return answer


def encode(answer: Mapping[str, Any] | None) -> bytes:
    """Return the body of a success: absent members left out, blobs in base64; empty for None."""
    if answer is None:
        return b""
    # Most answers are flat and full, and then nothing needs copying.
    if _FLAT.issuperset(map(type, answer.values())):
        return _ENCODER.encode(answer)
    return _ENCODER.encode(_without_none(answer))


def encode_refusal(refusal: Refusal) -> bytes:
    """Return the body of an error answer."""
    body = {"__type": refusal.code}
    if refusal.message is not None:
        body["Message" if refusal.capital_message else "message"] = refusal.message
    return _ENCODER.encode(body)


def _explain(model: ServiceModel, operation: OperationModel, body: bytes) -> Struct:
    """Refuse a body that the fast path has refused; return the struct when it was wrong to."""
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise SerializationException("nested too deeply") from None
    except _NOT_DECODED:
        raise SerializationException("malformed JSON") from None
    refuse_invalid(
        model.shapes,
        operation.input_shape,
        value,
        wrong_type=SerializationException,
        invalid=ValidationException,
    )
    # Two members with one name, the first of them bad: the last counts, so nothing is wrong.
    try:
        return msgspec.convert(value, operation.input_type)
    except msgspec.ValidationError:
        raise SerializationException from None


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_without_none(inner) for inner in value if inner is not None]
    return value
