"""The messages of the XKS proxy API: requests as they are written, answers as they are checked.

Whatever does not answer as the specification says is refused with its cause, and none of its text
goes further.

Source: the AWS KMS External Key Store Proxy API specification, version 1 (GetKeyMetadata, Encrypt,
Decrypt, GetHealthStatus, Error codes).
"""

import base64
import binascii
import hmac
import json
from hashlib import sha256
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from kagimori.machinery.https_client import Answer
from kagimori.ports import HolderRefused, Purpose
from kagimori.rules.key_stores.causes import Cause
from kagimori.rules.keys.symmetric_ciphertext import (
    LAYER_IV_BYTES,
    LAYER_METADATA_BYTES_MAX,
    Layer,
)
from kagimori_boundary.ciphertext_form import TAG_BYTES

ALGORITHM: Final = "AES_GCM"
_OK: Final = 200
_FLEET_MAX, _USAGES_MAX = 10, 10
_HEALTH: Final = ("ACTIVE", "DEGRADED", "UNAVAILABLE")
_CAUSES: Final = {
    "ValidationException": Cause.INVALID_RESPONSE,
    "InvalidStateException": Cause.KEY_DISABLED,
    "InvalidCiphertextException": Cause.INVALID_CIPHERTEXT,
    "InvalidKeyUsageException": Cause.KEY_USAGE,
    "AuthenticationFailedException": Cause.AUTHENTICATION,
    "AccessDeniedException": Cause.ACCESS_DENIED,
    "KeyNotFoundException": Cause.KEY_NOT_FOUND,
    "InvalidUriPathException": Cause.URI_PATH,
    "ThrottlingException": Cause.THROTTLED,
    "UnsupportedOperationException": Cause.UNSUPPORTED_BY_PROXY,
    "DependencyTimeoutException": Cause.DEPENDENCY_TIMEOUT,
    "InternalException": Cause.PROXY_INTERNAL,
}


class _Error(Struct, frozen=True):
    errorName: str = ""  # noqa: N815 - the specification's spelling, here and below


class _KeyMetadata(Struct, frozen=True):
    keySpec: str  # noqa: N815
    keyUsage: list[str]  # noqa: N815
    keyStatus: str  # noqa: N815


class _Encrypted(Struct, frozen=True):
    ciphertext: str
    initializationVector: str  # noqa: N815
    authenticationTag: str  # noqa: N815
    ciphertextDataIntegrityValue: str  # noqa: N815
    ciphertextMetadata: str | None = None  # noqa: N815


class _Decrypted(Struct, frozen=True):
    plaintext: str


class _Fleet(Struct, frozen=True):
    id: str
    model: str
    healthStatus: str  # noqa: N815


class _Health(Struct, frozen=True):
    xksProxyFleetSize: int  # noqa: N815
    xksProxyVendor: str  # noqa: N815
    xksProxyModel: str  # noqa: N815
    ekmVendor: str  # noqa: N815
    ekmFleetDetails: list[_Fleet]  # noqa: N815


T = TypeVar("T")


def metadata_of(purpose: Purpose, kms_key_arn: str | None) -> dict[str, str]:
    """Return `requestMetadata` of a request about a key; its ARN once it exists."""
    shown = {
        "awsPrincipalArn": purpose.principal_arn,
        "kmsOperation": purpose.operation,
        "kmsRequestId": purpose.request_id,
    }
    if kms_key_arn is not None:
        shown["kmsKeyArn"] = kms_key_arn
    if purpose.via_service is not None:
        shown["kmsViaService"] = purpose.via_service
    return shown


def health_request(purpose: Purpose) -> bytes:
    """Return the body of GetHealthStatus."""
    shown = {"kmsRequestId": purpose.request_id, "kmsOperation": purpose.operation}
    return _body({"requestMetadata": shown})


def key_metadata_request(purpose: Purpose) -> bytes:
    """Return the body of GetKeyMetadata."""
    return _body({"requestMetadata": metadata_of(purpose, None)})


def encrypt_request(purpose: Purpose, kms_key_arn: str, plaintext: bytes, aad: bytes) -> bytes:
    """Return the body of Encrypt, which asks for a proof that the answer came unchanged."""
    return _body(
        {
            "requestMetadata": metadata_of(purpose, kms_key_arn),
            "plaintext": _text(plaintext),
            "encryptionAlgorithm": ALGORITHM,
            "additionalAuthenticatedData": _text(aad),
            "ciphertextDataIntegrityValueAlgorithm": "SHA_256",
        }
    )


def decrypt_request(purpose: Purpose, kms_key_arn: str, layer: Layer, aad: bytes) -> bytes:
    """Return the body of Decrypt."""
    body: dict[str, Any] = {
        "requestMetadata": metadata_of(purpose, kms_key_arn),
        "ciphertext": _text(layer.ciphertext),
        "encryptionAlgorithm": ALGORITHM,
        "additionalAuthenticatedData": _text(aad),
        "initializationVector": _text(layer.iv),
        "authenticationTag": _text(layer.tag),
    }
    if layer.metadata:
        body["ciphertextMetadata"] = _text(layer.metadata)
    return _body(body)


def aad_of(material_id: bytes, encryption_context: dict[str, str]) -> bytes:
    """Return the data that the proxy authenticates: a hash, so that it learns no context.

    Documented in docs/look-up/ciphertext-format.md.
    """
    context = json.dumps(
        encryption_context, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return sha256(b"kagimori-xks-2\n" + material_id + context.encode()).digest()


def check_key(answer: Answer) -> None:
    """Check that an external key can be used: AES-256, enabled, for both directions.

    Raises:
        HolderRefused: it cannot, or there is none.
    """
    found = _read(answer, _KeyMetadata)
    if len(found.keyUsage) > _USAGES_MAX or found.keyStatus not in ("ENABLED", "DISABLED"):
        raise HolderRefused(Cause.INVALID_RESPONSE)
    does = {"ENCRYPT", "DECRYPT"} <= set(found.keyUsage)
    if found.keySpec != "AES_256" or not does or found.keyStatus != "ENABLED":
        raise HolderRefused(Cause.KEY_CONFIGURATION)


def check_health(answer: Answer) -> None:
    """Check that a proxy serves, and at least one instance of the key manager behind it.

    Raises:
        HolderRefused: it does not.
    """
    found = _read(answer, _Health)
    fleet = found.ekmFleetDetails
    is_sound = (
        found.xksProxyFleetSize > 0
        and 0 < len(fleet) <= _FLEET_MAX
        and all(one.healthStatus in _HEALTH for one in fleet)
        and all((found.xksProxyVendor, found.xksProxyModel, found.ekmVendor))
    )
    if not is_sound:
        raise HolderRefused(Cause.INVALID_RESPONSE)
    if all(one.healthStatus == "UNAVAILABLE" for one in fleet):
        raise HolderRefused(Cause.NO_KEY_MANAGER)


def encrypted_layer(answer: Answer, material_id: bytes, plaintext: bytes, aad: bytes) -> Layer:
    """Return the layer that a proxy has made, once it is proven to have come unchanged.

    Raises:
        HolderRefused: it refuses, or what it answers is none.
    """
    found = _read(answer, _Encrypted)
    layer = Layer(
        material_id,
        _bytes(found.initializationVector),
        _bytes(found.authenticationTag),
        _bytes(found.ciphertextMetadata or ""),
        _bytes(found.ciphertext),
    )
    is_sound = (
        len(layer.ciphertext) == len(plaintext)
        and len(layer.iv) in LAYER_IV_BYTES
        and len(layer.tag) == TAG_BYTES
        and len(layer.metadata) <= LAYER_METADATA_BYTES_MAX
    )
    whole = aad + layer.metadata + layer.iv + layer.ciphertext + layer.tag
    proof = _bytes(found.ciphertextDataIntegrityValue)
    if not is_sound or not hmac.compare_digest(proof, sha256(whole).digest()):
        raise HolderRefused(Cause.INVALID_RESPONSE)
    return layer


def decrypted(answer: Answer, layer: Layer) -> bytes:
    """Return the content of a layer that a proxy has opened.

    Raises:
        HolderRefused: it refuses, or what it answers is none.
    """
    plaintext = _bytes(_read(answer, _Decrypted).plaintext)
    if len(plaintext) != len(layer.ciphertext):
        raise HolderRefused(Cause.INVALID_RESPONSE)
    return plaintext


def _read(answer: Answer, kind: type[T]) -> T:
    """Return the content of an answer.

    Raises:
        HolderRefused: the proxy refuses, with its cause; or it is no such content.
    """
    if answer.status != _OK:
        try:
            name = msgspec.json.decode(answer.body, type=_Error).errorName
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            name = ""
        raise HolderRefused(_CAUSES.get(name, Cause.INVALID_RESPONSE))
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise HolderRefused(Cause.INVALID_RESPONSE) from None


def _body(content: dict[str, Any]) -> bytes:
    return msgspec.json.encode(content)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise HolderRefused(Cause.INVALID_RESPONSE) from None
