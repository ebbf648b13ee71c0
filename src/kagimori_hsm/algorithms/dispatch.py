"""One door to all families: callers name the spec, the table finds the code.

`load` turns material into what the other functions take; how long that is kept is the caller's
matter (it costs 5 to 100 microseconds, so keep it). What `load` returns holds the private key: it
is never logged, compared or sent. Symmetric encryption is not here: it takes more than a message
(`symmetric.py`).

The spec is checked against usage and algorithm before any family is asked, so that no key does
what its spec does not allow, whatever a caller asks.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from kagimori_hsm.algorithms import edwards, elliptic, mac, ml_dsa, ml_kem, rsa, symmetric
from kagimori_hsm.algorithms.specs import Family, KeyUsage, spec_named
from kagimori_hsm.refused import Reason, Refused

# What a family's `load` returns; only that family looks inside.
Loaded = Any

_MODULES: Final[Mapping[Family, ModuleType]] = {
    Family.RSA: rsa,
    Family.ELLIPTIC: elliptic,
    Family.EDWARDS: edwards,
    Family.MAC: mac,
    Family.ML_DSA: ml_dsa,
    Family.ML_KEM: ml_kem,
}
_PUBLIC: Final = frozenset(
    {Family.RSA, Family.ELLIPTIC, Family.EDWARDS, Family.ML_DSA, Family.ML_KEM}
)


def generate(spec: str) -> bytes:
    """Return new material for a spec (its form is in each family's file).

    Raises:
        Refused: UNSUPPORTED, an unknown spec.
    """
    family = spec_named(spec).family
    if family is Family.SYMMETRIC:
        return symmetric.generate()
    material: bytes = _MODULES[family].generate(spec)
    return material


def load(spec: str, material: bytes) -> Loaded:
    """Return the key in the form that the other functions take as `loaded`.

    Raises:
        Refused: INCORRECT_KEY_MATERIAL, not of this spec; UNSUPPORTED, an unknown spec.
    """
    family = spec_named(spec).family
    if family is not Family.SYMMETRIC:
        return _MODULES[family].load(spec, material)
    if len(material) != symmetric.BACKING_KEY_BYTES:
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    return material


def public_key(spec: str, loaded: Loaded) -> bytes:
    """Return the public key (SubjectPublicKeyInfo, DER).

    Raises:
        Refused: UNSUPPORTED, a spec without one.
    """
    family = spec_named(spec).family
    if family not in _PUBLIC:
        raise Refused(Reason.UNSUPPORTED)
    der: bytes = _MODULES[family].public_key_der(loaded)
    return der


def sign(spec: str, loaded: Loaded, algorithm: str, message_type: str, message: bytes) -> bytes:
    """Return a signature over `message`, read as `message_type` says.

    Raises:
        Refused: BAD_DIGEST_LENGTH; UNSUPPORTED, spec, algorithm and message type do not fit.
    """
    family = _family_for(spec, KeyUsage.SIGN_VERIFY, algorithm)
    signature: bytes = family.sign(loaded, algorithm, message_type, message)
    return signature


def verify(  # noqa: PLR0917 - the order of the families
    spec: str,
    loaded: Loaded,
    algorithm: str,
    message_type: str,
    message: bytes,
    signature: bytes,
) -> None:
    """Check that `signature` is right.

    Raises:
        Refused: INVALID_SIGNATURE; BAD_DIGEST_LENGTH; UNSUPPORTED, as for `sign`.
    """
    family = _family_for(spec, KeyUsage.SIGN_VERIFY, algorithm)
    family.verify(loaded, algorithm, message_type, message, signature)


def encrypt_asymmetric(spec: str, loaded: Loaded, algorithm: str, plaintext: bytes) -> bytes:
    """Return the OAEP ciphertext.

    Raises:
        Refused: TOO_LONG; UNSUPPORTED, spec and algorithm do not fit.
    """
    return rsa.encrypt(_rsa_key(spec, loaded, algorithm), algorithm, plaintext)


def decrypt_asymmetric(spec: str, loaded: Loaded, algorithm: str, ciphertext: bytes) -> bytes:
    """Return the plaintext of an OAEP ciphertext.

    Raises:
        Refused: INVALID_CIPHERTEXT; UNSUPPORTED, spec and algorithm do not fit.
    """
    return rsa.decrypt(_rsa_key(spec, loaded, algorithm), algorithm, ciphertext)


def generate_mac(spec: str, loaded: Loaded, algorithm: str, message: bytes) -> bytes:
    """Return the MAC (28, 32, 48 or 64 bytes).

    Raises:
        Refused: UNSUPPORTED, spec and algorithm do not fit.
    """
    _family_for(spec, KeyUsage.GENERATE_VERIFY_MAC, algorithm)
    return mac.mac(loaded, algorithm, message)


def verify_mac(spec: str, loaded: Loaded, algorithm: str, message: bytes, tag: bytes) -> None:
    """Check that `tag` is right.

    Raises:
        Refused: INVALID_MAC; UNSUPPORTED, spec and algorithm do not fit.
    """
    _family_for(spec, KeyUsage.GENERATE_VERIFY_MAC, algorithm)
    mac.verify(loaded, algorithm, message, tag)


def derive(spec: str, loaded: Loaded, algorithm: str, peer_public_key: bytes) -> bytes:
    """Return the shared secret (32, 48 or 66 bytes) with the peer's key (SPKI DER).

    Raises:
        Refused: INVALID_PUBLIC_KEY; UNSUPPORTED, spec and algorithm do not fit.
    """
    _family_for(spec, KeyUsage.KEY_AGREEMENT, algorithm)
    return elliptic.derive(loaded, algorithm, peer_public_key)


def encapsulate(spec: str, loaded: Loaded, algorithm: str) -> tuple[bytes, bytes]:
    """Return a shared secret (32 bytes) and its ciphertext.

    Raises:
        Refused: UNSUPPORTED, spec and algorithm do not fit.
    """
    _family_for(spec, KeyUsage.ENCAPSULATE_DECAPSULATE, algorithm)
    return ml_kem.encapsulate(loaded, algorithm)


def decapsulate(spec: str, loaded: Loaded, algorithm: str, ciphertext: bytes) -> bytes:
    """Return the shared secret (32 bytes) of a ciphertext.

    Raises:
        Refused: INVALID_CIPHERTEXT, of the wrong length; UNSUPPORTED, as for `encapsulate`.
    """
    _family_for(spec, KeyUsage.ENCAPSULATE_DECAPSULATE, algorithm)
    return ml_kem.decapsulate(loaded, algorithm, ciphertext)


def _family_for(spec: str, usage: KeyUsage, algorithm: str) -> ModuleType:
    found = spec_named(spec)
    if not found.allows(usage, algorithm):
        raise Refused(Reason.UNSUPPORTED)
    return _MODULES[found.family]


def _rsa_key(spec: str, loaded: Loaded, algorithm: str) -> Loaded:
    # SYMMETRIC_DEFAULT has the same usage and another form, so the family is asked as well.
    found = spec_named(spec)
    if found.family is not Family.RSA or not found.allows(KeyUsage.ENCRYPT_DECRYPT, algorithm):
        raise Refused(Reason.UNSUPPORTED)
    return loaded
