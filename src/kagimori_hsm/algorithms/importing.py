"""Imported key material: unwrapped, checked for its key spec, brought into one normal form.

The normal form is what the families hold: raw bytes, or PKCS#8 DER rebuilt from the key's numbers,
so that the same key imported twice gives the same bytes whatever tool wrote them.

Source: AWS KMS Developer Guide, "Importing key material"; RFC 8017 section 7.1 (OAEP); RFC 5649
(AES key wrap with padding); NIST SP 800-56B section 6.4.1 (checks of an RSA pair).
"""

from collections.abc import Callable, Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric import rsa as rsa_keys
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

from kagimori_hsm.algorithms import edwards, elliptic, encoding, mac, rsa
from kagimori_hsm.algorithms.specs import Family, KeySpec, spec_named
from kagimori_hsm.refused import Reason, Refused

WRAPPING_KEY_SPECS: Final = ("RSA_2048", "RSA_3072", "RSA_4096")
_MATERIAL_ID_LABEL: Final = b"kagimori key material id v1"

_OAEP: Final = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
_AES_WRAP: Final = {
    "RSA_AES_KEY_WRAP_SHA_1": "RSAES_OAEP_SHA_1",
    "RSA_AES_KEY_WRAP_SHA_256": "RSAES_OAEP_SHA_256",
}
_WRAPPING: Final[Mapping[Family, tuple[str, ...]]] = {
    Family.SYMMETRIC: _OAEP,
    Family.MAC: _OAEP,
    Family.RSA: tuple(_AES_WRAP),
    Family.ELLIPTIC: (*_OAEP, *_AES_WRAP),
    Family.EDWARDS: (*_OAEP, *_AES_WRAP),
}
_AES_KEY_BYTES: Final = 32
_RSA_EXPONENT_MIN: Final = 3


def may_wrap(spec: str, wrapping_algorithm: str, wrapping_key_spec: str) -> bool:
    """Return whether AWS allows this way to wrap material of this spec."""
    found = spec_named(spec)
    if not found.importable or wrapping_key_spec not in WRAPPING_KEY_SPECS:
        return False
    if wrapping_algorithm not in _WRAPPING.get(found.family, ()):
        return False
    # A P-521 private key does not fit into one OAEP block of RSA_2048.
    return not (
        spec == "ECC_NIST_P521" and wrapping_algorithm in _OAEP and wrapping_key_spec == "RSA_2048"
    )


def unwrap(
    wrapping_key: rsa_keys.RSAPrivateKey, wrapping_algorithm: str, encrypted: bytes
) -> bytes:
    """Return the material that was wrapped, not yet looked at.

    Raises:
        Refused: INVALID_CIPHERTEXT, it does not open; UNSUPPORTED, an unknown algorithm.
    """
    inner = _AES_WRAP.get(wrapping_algorithm)
    if inner is None:
        return rsa.decrypt(wrapping_key, wrapping_algorithm, encrypted)
    size = wrapping_key.key_size // 8
    aes_key = rsa.decrypt(wrapping_key, inner, encrypted[:size])
    if len(aes_key) != _AES_KEY_BYTES:
        raise Refused(Reason.INVALID_CIPHERTEXT)
    try:
        return aes_key_unwrap_with_padding(aes_key, encrypted[size:])
    except (InvalidUnwrap, ValueError):
        raise Refused(Reason.INVALID_CIPHERTEXT) from None


def normalise(
    spec: str, material: bytes, is_valid_rsa_pair: Callable[[bytes], bool] = rsa.is_valid_pair
) -> bytes:
    """Return the material in normal form, checked for its spec.

    `is_valid_rsa_pair` decides on a PKCS#8 DER, its primes included: it takes up to 0.2 s.

    Raises:
        Refused: INCORRECT_KEY_MATERIAL, wrong length, form, size, curve or numbers; UNSUPPORTED,
            a spec whose material cannot be imported.
    """
    found = spec_named(spec)
    if not found.importable:
        raise Refused(Reason.UNSUPPORTED)
    if found.family is Family.RSA:
        return _rsa(found, material, is_valid_rsa_pair)
    return _NORMALISERS[found.family](found, material)


def import_material(
    spec: str,
    *,
    wrapping_key_spec: str,
    wrapping_key_material: bytes,
    wrapping_algorithm: str,
    encrypted: bytes,
    is_valid_rsa_pair: Callable[[bytes], bool] = rsa.is_valid_pair,
) -> bytes:
    """Return the unwrapped material in normal form: `unwrap`, then `normalise`.

    Raises:
        Refused: UNSUPPORTED, INVALID_CIPHERTEXT or INCORRECT_KEY_MATERIAL, in this order.
    """
    if not may_wrap(spec, wrapping_algorithm, wrapping_key_spec):
        raise Refused(Reason.UNSUPPORTED)
    wrapping_key = rsa.load(wrapping_key_spec, wrapping_key_material)
    material = unwrap(wrapping_key, wrapping_algorithm, encrypted)
    return normalise(spec, material, is_valid_rsa_pair)


def material_id(material: bytes, key_identity: bytes) -> bytes:
    """Return the 32 bytes that name this material within this KMS key (`key_identity`).

    HKDF, that is, HMAC-SHA-256 twice, and not once with the material as the key: then the id would
    be a MAC that an HMAC_256 key itself would accept, and the id is no secret.
    Source: RFC 5869; NIST SP 800-56C revision 2.
    """
    return HKDF(SHA256(), 32, salt=_MATERIAL_ID_LABEL, info=key_identity).derive(material)


def _symmetric(spec: KeySpec, material: bytes) -> bytes:
    if len(material) != spec.material_bytes:
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    return material


def _mac(spec: KeySpec, material: bytes) -> bytes:
    return mac.load(spec.name, material)


def _rsa(spec: KeySpec, material: bytes, is_valid_pair: Callable[[bytes], bool]) -> bytes:
    der = _pkcs8(material)
    # A key bound to PSS (another OID) is none: it would lose its restriction by being rebuilt.
    key = _private_key(der, encoding.RSA_ENCRYPTION)
    if not isinstance(key, rsa_keys.RSAPrivateKey) or key.key_size != spec.bits:
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    # Until here nothing was computed with its numbers; from here on they are what they claim.
    if not is_valid_pair(der):
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    numbers = key.private_numbers()
    p, q = max(numbers.p, numbers.q), min(numbers.p, numbers.q)
    e = numbers.public_numbers.e
    if e < _RSA_EXPONENT_MIN or e % 2 == 0 or p == q:
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    d = rsa_keys.rsa_recover_private_exponent(e, p, q)
    rebuilt = rsa_keys.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa_keys.rsa_crt_dmp1(d, p),
        dmq1=rsa_keys.rsa_crt_dmq1(d, q),
        iqmp=rsa_keys.rsa_crt_iqmp(p, q),
        public_numbers=numbers.public_numbers,
    )
    # The primes and all numbers were checked above; these follow from them.
    return rsa.private_der(rebuilt.private_key(unsafe_skip_rsa_key_validation=True))


def _elliptic(spec: KeySpec, material: bytes) -> bytes:
    der = _pkcs8(material)
    key = _private_key(der, encoding.EC_PUBLIC_KEY)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    curve = elliptic.CURVES[spec.name]()
    if key.curve.name != curve.name or not encoding.has_named_parameters(der, outer=1):
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    numbers = key.private_numbers()
    try:
        rebuilt = ec.derive_private_key(numbers.private_value, curve)
    except ValueError:
        raise Refused(Reason.INCORRECT_KEY_MATERIAL) from None
    if rebuilt.public_key().public_numbers() != numbers.public_numbers:
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    return elliptic.private_der(rebuilt)


def _edwards(_spec: KeySpec, material: bytes) -> bytes:
    key = _private_key(_pkcs8(material), encoding.ED25519)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    return edwards.private_der(
        ed25519.Ed25519PrivateKey.from_private_bytes(key.private_bytes_raw())
    )


_NORMALISERS: Final[Mapping[Family, Callable[[KeySpec, bytes], bytes]]] = {
    Family.SYMMETRIC: _symmetric,
    Family.MAC: _mac,
    Family.ELLIPTIC: _elliptic,
    Family.EDWARDS: _edwards,
}


def _pkcs8(material: bytes) -> bytes:
    """Return PKCS#8 in DER, the key inside its octet string as well."""
    try:
        outer = encoding.members(encoding.to_der(material))
        tags = [tag for tag, _ in outer[:3]]
        if tags != [encoding.INTEGER, encoding.SEQUENCE, encoding.OCTET_STRING]:
            raise Refused(Reason.INCORRECT_KEY_MATERIAL)
        outer[2] = encoding.OCTET_STRING, encoding.to_der(outer[2][1])
        return encoding.tlv(
            encoding.SEQUENCE, *(encoding.tlv(tag, content) for tag, content in outer)
        )
    except ValueError:
        raise Refused(Reason.INCORRECT_KEY_MATERIAL) from None


def _private_key(der: bytes, oid: bytes) -> object:
    """Return the key that the library reads, if it is of this algorithm; RSA: not checked yet."""
    try:
        if not encoding.is_algorithm(der, oid, outer=1):
            raise Refused(Reason.INCORRECT_KEY_MATERIAL)
        return serialization.load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused(Reason.INCORRECT_KEY_MATERIAL) from None
