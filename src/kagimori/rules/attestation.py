"""Attestation documents of AWS Nitro enclaves: verification, and the measurements they prove.

A document is a COSE_Sign1 structure whose payload carries measurements (PCRs), perhaps a public
key, and the certificates that lead to a root. Everything in it is hostile until `verify` has
returned; then it is `Attested`. Which roots are trusted is the deployment's choice and handed in.

Source: AWS Nitro Enclaves User Guide, "Verifying the root of trust"; Amazon EC2 User Guide,
"Validate a NitroTPM attestation document"; RFC 9052 section 4.4 (COSE), RFC 9053 section 2.1
(ES384), RFC 8949 (CBOR), RFC 5280 section 6 (certificate paths).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from types import MappingProxyType
from typing import Any, Final, NoReturn

import cbor2
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding

from kagimori.rules.refusal import ValidationException

DOCUMENT_BYTES_MAX: Final = 32_768
AGE_MAX: Final = timedelta(minutes=5)
# A host's clock may be a little ahead of ours.
AHEAD_MAX: Final = timedelta(minutes=1)
CABUNDLE_CERTIFICATES_MAX: Final = 8

_DEPTH_MAX: Final = 8
_PCR_BYTES: Final = (32, 48, 64)
_PCR_INDEX_MAX: Final = 31
_CERTIFICATE_BYTES_MAX: Final = 4096  # AWS writes at most 1024
_OPTIONAL_BYTES_MAX: Final = 1024
_NUMBER_BYTES: Final = 48
_COSE_SIGN1_TAG: Final = 0xD2  # tag 18, in one byte
_COSE_ALGORITHM: Final = 1
_ES384: Final = -35
_TIMESTAMP_MS_MAX: Final = 253_402_300_799_000  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class Attested:
    """The content of a valid document. Digests are raw bytes; `public_key` is as the host gave it.

    `pcrs` are an enclave's registers, `nitrotpm_pcrs` those of an instance with a NitroTPM; one of
    the two is empty.
    """

    module_id: str
    timestamp: datetime
    digest: str
    pcrs: Mapping[int, bytes]
    nitrotpm_pcrs: Mapping[int, bytes]
    public_key_der: bytes | None
    user_data: bytes | None = field(repr=False)
    nonce: bytes | None = field(repr=False)


def verify(document: bytes, trust_roots: Iterable[bytes], now: datetime) -> Attested:
    """Return the facts that the document proves at `now` (aware), by one of the roots (PEM).

    Raises:
        ValidationException: it proves nothing: malformed, stale, or not signed from a root.
        ValueError: a trust root is not a certificate (a fault of the deployment's).
    """
    roots = [root for pem in trust_roots for root in x509.load_pem_x509_certificates(pem)]
    protected, payload, signature = _sign1(document)
    claims = _decoded(payload)
    if not isinstance(claims, dict):
        _refuse("the payload is not a map")
    signer = _signer(claims, roots, now)
    _check_signature(signer, protected, payload, signature)
    attested = _attested(claims)
    if not now - AGE_MAX <= attested.timestamp <= now + AHEAD_MAX:
        _refuse("it is not fresh")
    return attested


def _sign1(document: bytes) -> tuple[bytes, bytes, bytes]:
    """Return protected header, payload and signature (96 bytes) of a COSE_Sign1."""
    if not document or len(document) > DOCUMENT_BYTES_MAX:
        _refuse("its length is not that of a document")
    parts = _decoded(document[1:] if document[0] == _COSE_SIGN1_TAG else document)
    if not isinstance(parts, list) or len(parts) != 4:  # noqa: PLR2004 - RFC 9052, section 4.2
        _refuse("it is not a COSE_Sign1 structure")
    protected, unprotected, payload, signature = parts
    if not (
        isinstance(protected, bytes)
        and isinstance(unprotected, dict)
        and isinstance(payload, bytes)
        and isinstance(signature, bytes)
    ):
        _refuse("it is not a COSE_Sign1 structure")
    header = _decoded(protected)
    # Nothing but the algorithm is expected; an unknown critical header would have to be refused.
    if not isinstance(header, dict) or list(header.items()) != [(_COSE_ALGORITHM, _ES384)]:
        _refuse("its algorithm is not ES384")
    if unprotected or len(signature) != 2 * _NUMBER_BYTES:
        _refuse("it is not a COSE_Sign1 structure")
    return protected, payload, signature


def _signer(
    claims: dict[Any, Any], roots: list[x509.Certificate], now: datetime
) -> ec.EllipticCurvePublicKey:
    """Return the key of the document's certificate, once a root vouches for it at `now`."""
    bundle = claims.get("cabundle")
    if not isinstance(bundle, list) or not 1 <= len(bundle) <= CABUNDLE_CERTIFICATES_MAX:
        _refuse("its certificate bundle is missing or too long")
    root = next((r for r in roots if r.public_bytes(Encoding.DER) == bundle[0]), None)
    if root is None:
        _refuse("its certificates do not lead to a trusted root")
    chain = [root]
    for item in [*bundle[1:], claims.get("certificate")]:
        # Signed first: nothing else of a certificate is looked at before its issuer is known.
        chain.append(_issued(_certificate(item), chain[-1]))
    for depth, certificate in enumerate(chain):
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            _refuse("one of its certificates is not valid now")
        is_leaf = depth == len(chain) - 1
        _check_extensions(certificate, None if is_leaf else len(chain) - 2 - depth)
    return _p384_key(chain[-1])


def _certificate(item: object) -> x509.Certificate:
    if not isinstance(item, bytes) or not 0 < len(item) <= _CERTIFICATE_BYTES_MAX:
        _refuse("a certificate is missing or too long")
    try:
        return x509.load_der_x509_certificate(item)
    # A warning (of a serial number below 1, say) is raised where warnings are errors.
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, Warning):
        _refuse("a certificate is malformed")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> x509.Certificate:
    """Return the certificate, once its issuer's signature (ECDSA P-384, SHA-384) is verified."""
    _p384_key(issuer)
    try:
        if not isinstance(certificate.signature_hash_algorithm, SHA384):
            _refuse("a certificate is not signed with ECDSA and SHA-384")
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        _refuse("a certificate is not signed by the one before it")
    return certificate


def _check_extensions(certificate: x509.Certificate, certificates_below: int | None) -> None:
    """Check the uses of a certificate; `certificates_below` is None for the last one.

    It counts the certificates between this authority and the last one, which pathlen bounds.
    """
    try:
        extensions = certificate.extensions
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, UnsupportedAlgorithm):
        _refuse("a certificate lacks its constraints")
    known = (x509.BasicConstraints, x509.KeyUsage)
    if any(e.critical and not isinstance(e.value, known) for e in extensions):
        _refuse("a certificate has a constraint that is not understood")
    if certificates_below is None:
        if basic.ca or not usage.digital_signature:
            _refuse("its certificate may not sign documents")
        return
    too_long = basic.path_length is not None and certificates_below > basic.path_length
    if not basic.ca or not usage.key_cert_sign or too_long:
        _refuse("a certificate may not issue the next")


def _p384_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    try:
        public = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        _refuse("a certificate's key is malformed")
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp384r1":
        _refuse("a certificate's key is not on P-384")
    return public


def _check_signature(
    signer: ec.EllipticCurvePublicKey, protected: bytes, payload: bytes, signature: bytes
) -> None:
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    r = int.from_bytes(signature[:_NUMBER_BYTES], "big")
    s = int.from_bytes(signature[_NUMBER_BYTES:], "big")
    try:
        signer.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA384()))
    except InvalidSignature:
        _refuse("its signature does not verify")


def _attested(claims: dict[Any, Any]) -> Attested:
    module_id, digest, timestamp = (claims.get(k) for k in ("module_id", "digest", "timestamp"))
    if not isinstance(module_id, str) or not module_id or digest != "SHA384":
        _refuse("its module or digest is missing")
    if type(timestamp) is not int or not 0 < timestamp <= _TIMESTAMP_MS_MAX:
        _refuse("its timestamp is missing")
    pcrs, nitrotpm_pcrs = _registers(claims, "pcrs"), _registers(claims, "nitrotpm_pcrs")
    if bool(pcrs) == bool(nitrotpm_pcrs):
        _refuse("its measurements are missing")
    return Attested(
        module_id=module_id,
        timestamp=datetime.fromtimestamp(timestamp // 1000, UTC)
        + timedelta(milliseconds=timestamp % 1000),
        digest=digest,
        pcrs=pcrs,
        nitrotpm_pcrs=nitrotpm_pcrs,
        public_key_der=_optional(claims, "public_key") or None,
        user_data=_optional(claims, "user_data"),
        nonce=_optional(claims, "nonce"),
    )


def _registers(claims: dict[Any, Any], name: str) -> Mapping[int, bytes]:
    found = claims.get(name, {})
    if not isinstance(found, dict):
        _refuse("its measurements are malformed")
    for index, value in found.items():
        if type(index) is not int or not 0 <= index <= _PCR_INDEX_MAX:
            _refuse("its measurements are malformed")
        if not isinstance(value, bytes) or len(value) not in _PCR_BYTES:
            _refuse("its measurements are malformed")
    return MappingProxyType(found)


def _optional(claims: dict[Any, Any], name: str) -> bytes | None:
    value = claims.get(name)
    if value is not None and (not isinstance(value, bytes) or len(value) > _OPTIONAL_BYTES_MAX):
        _refuse(f"its {name} is malformed")
    return value


def _refuse(why: str) -> NoReturn:
    raise ValidationException(f"The attestation document is not valid: {why}.")


def _no_tag(_decoder: object, _tag: object = None) -> NoReturn:
    raise ValueError("a tag where none belongs")


# The tags that the decoder would act on, from dates to regular expressions; the hook has the rest.
_TAGS_BANNED: Final = dict.fromkeys(
    (*range(6), *range(21, 58), 100, *range(256, 262), 1004, 43000, 55799), _no_tag
)


def _decoded(data: bytes) -> object:
    """Return the one CBOR item that fills `data`: definite lengths, no tag, no key twice."""
    stream = BytesIO(data)
    decoder = cbor2.CBORDecoder(
        stream,
        semantic_decoders=_TAGS_BANNED,
        tag_hook=_no_tag,
        read_size=1,  # so that the stream shows where the item ended
        max_depth=_DEPTH_MAX,
        allow_indefinite=False,
        allow_duplicate_keys=False,
    )
    try:
        item = decoder.decode()
    except (cbor2.CBORError, ValueError, TypeError, OverflowError):
        _refuse("it is not well-formed CBOR")
    if stream.tell() != len(data):
        _refuse("bytes follow its end")
    return item
