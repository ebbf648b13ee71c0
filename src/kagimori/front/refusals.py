"""Maps refusals to HTTP answers, with the names that Query services have for some of them.

Source: KMS API Reference, "Common Error Types"; IAM API Reference, "Common Error
Types".
"""

from typing import Final

from kagimori.front import json11, query
from kagimori.front.models import ServiceModel
from kagimori.rules.identity import refusals as iam
from kagimori.rules.refusal import (
    AccessDeniedException,
    ExpiredTokenException,
    IncompleteSignatureException,
    InvalidSignatureException,
    KMSInternalException,
    MissingAuthenticationTokenException,
    Refusal,
    ThrottlingException,
    UnrecognizedClientException,
    ValidationException,
)
from kagimori.rules.request import RawAnswer

_IN_QUERY: Final[dict[type[Refusal], type[Refusal]]] = {
    AccessDeniedException: iam.AccessDenied,
    ExpiredTokenException: iam.ExpiredToken,
    IncompleteSignatureException: iam.IncompleteSignature,
    InvalidSignatureException: iam.SignatureDoesNotMatch,
    KMSInternalException: iam.ServiceFailure,
    MissingAuthenticationTokenException: iam.MissingAuthenticationToken,
    ThrottlingException: iam.Throttling,
    UnrecognizedClientException: iam.InvalidClientTokenId,
    ValidationException: iam.ValidationError,
}


def json_refusal(refusal: Refusal) -> RawAnswer:
    """Return the answer of a JSON service."""
    return RawAnswer(refusal.status, json11.encode_refusal(refusal))


def in_query(refusal: Refusal) -> Refusal:
    """Return a refusal with the error code that Query services use for it."""
    kind = _IN_QUERY.get(type(refusal))
    return refusal if kind is None else kind(refusal.message)


def query_refusal(model: ServiceModel, refusal: Refusal, request_id: str) -> RawAnswer:
    """Return the answer of a Query service."""
    refusal = in_query(refusal)
    body = query.encode_refusal(model, refusal, request_id)
    return RawAnswer(refusal.status, body, b"text/xml")
