"""Keys on short Weierstrass curves: ECDSA signatures and ECDH agreement.

The material is PKCS#8 DER with a named curve. Signatures are DER SEQUENCE(r, s), neither of them
normalised. The curve fixes the hash.

Source: NIST FIPS 186-5 section 6; SP 800-186; SEC 2 (secp256k1); SP 800-56A revision 3, section
5.7.1.2 (ECC CDH); RFC 3279 section 2.2.3.
"""

from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kagimori_hsm.algorithms import encoding
from kagimori_hsm.algorithms.rsa import hash_or_prehashed
from kagimori_hsm.algorithms.specs import KeyUsage, spec_named
from kagimori_hsm.refused import Reason, Refused

CURVES: Final[Mapping[str, type[ec.EllipticCurve]]] = {
    "ECC_NIST_P256": ec.SECP256R1,
    "ECC_NIST_P384": ec.SECP384R1,
    "ECC_NIST_P521": ec.SECP521R1,
    "ECC_SECG_P256K1": ec.SECP256K1,
}
_SPEC_OF_CURVE: Final = {curve().name: spec for spec, curve in CURVES.items()}
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "ECDSA_SHA_256": hashes.SHA256(),
    "ECDSA_SHA_384": hashes.SHA384(),
    "ECDSA_SHA_512": hashes.SHA512(),
}


def generate(spec: str) -> bytes:
    """Return a new private key (PKCS#8 DER, named curve, public key included)."""
    return private_der(ec.generate_private_key(_curve(spec)))


def load(spec: str, material: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the key to operate with.

    Raises:
        Refused: INCORRECT_KEY_MATERIAL, not a private key on this spec's curve.
    """
    try:
        key = serialization.load_der_private_key(material, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused(Reason.INCORRECT_KEY_MATERIAL) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != _curve(spec).name:
        raise Refused(Reason.INCORRECT_KEY_MATERIAL)
    return key


def private_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the private key as PKCS#8 DER, unencrypted: secret."""
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_key_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the SubjectPublicKeyInfo (DER, uncompressed point)."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def sign(
    key: ec.EllipticCurvePrivateKey, algorithm: str, message_type: str, message: bytes
) -> bytes:
    """Return the signature (DER; at most 72, 104 or 139 bytes).

    Raises:
        Refused: BAD_DIGEST_LENGTH; UNSUPPORTED, an algorithm not of this curve, or another type.
    """
    return key.sign(message, _scheme(key, algorithm, message_type, message))


def verify(
    key: ec.EllipticCurvePrivateKey,
    algorithm: str,
    message_type: str,
    message: bytes,
    signature: bytes,
) -> None:
    """Check that the signature is this key's over this message.

    Raises:
        Refused: INVALID_SIGNATURE; BAD_DIGEST_LENGTH; UNSUPPORTED, as for `sign`.
    """
    scheme = _scheme(key, algorithm, message_type, message)
    try:
        key.public_key().verify(signature, message, scheme)
    except InvalidSignature:
        raise Refused(Reason.INVALID_SIGNATURE) from None


def derive(key: ec.EllipticCurvePrivateKey, algorithm: str, peer_public_key: bytes) -> bytes:
    """Return the raw shared x-coordinate (32, 48 or 66 bytes, leading zeros kept).

    `peer_public_key` is a SubjectPublicKeyInfo (DER) on the same, named curve.

    Raises:
        Refused: INVALID_PUBLIC_KEY, not such a key, or a point not on the curve; UNSUPPORTED,
            another algorithm, or a curve (secp256k1) that agrees on nothing.
    """
    if not spec_named(_SPEC_OF_CURVE[key.curve.name]).allows(KeyUsage.KEY_AGREEMENT, algorithm):
        raise Refused(Reason.UNSUPPORTED)
    try:
        if not (
            encoding.is_algorithm(peer_public_key, encoding.EC_PUBLIC_KEY, outer=0)
            and encoding.has_named_parameters(peer_public_key, outer=0)
        ):
            raise Refused(Reason.INVALID_PUBLIC_KEY)
        peer = serialization.load_der_public_key(peer_public_key)
    except (ValueError, UnsupportedAlgorithm):
        raise Refused(Reason.INVALID_PUBLIC_KEY) from None
    if not isinstance(peer, ec.EllipticCurvePublicKey) or peer.curve.name != key.curve.name:
        raise Refused(Reason.INVALID_PUBLIC_KEY)
    try:
        return key.exchange(ec.ECDH(), peer)
    except ValueError:
        raise Refused(Reason.INVALID_PUBLIC_KEY) from None


def _curve(spec: str) -> ec.EllipticCurve:
    try:
        return CURVES[spec]()
    except KeyError:
        raise Refused(Reason.UNSUPPORTED) from None


def _scheme(
    key: ec.EllipticCurvePrivateKey, algorithm: str, message_type: str, message: bytes
) -> ec.ECDSA:
    if not spec_named(_SPEC_OF_CURVE[key.curve.name]).allows(KeyUsage.SIGN_VERIFY, algorithm):
        raise Refused(Reason.UNSUPPORTED)
    return ec.ECDSA(hash_or_prehashed(_HASHES[algorithm], message_type, message))
