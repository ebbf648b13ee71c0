"""An answer for an attested recipient: CMS EnvelopedData, opened only by its RSA key.

The library's own builder names a recipient by certificate, and an attested one has only a key; so
the envelope is put together here, its cryptography being the library's.

Source: RFC 5652 section 6 (version 2, subjectKeyIdentifier); RFC 4055 section 4.1 and RFC 5754
(RSAES-OAEP with SHA-256); RFC 3565 (AES-CBC); RFC 5280 section 4.2.1.2, method 1 (identifier).
"""

import os
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kagimori_hsm.algorithms.encoding import (
    INTEGER,
    NULL,
    OCTET_STRING,
    OID,
    RSA_ENCRYPTION,
    SEQUENCE,
    SET,
    is_algorithm,
    tlv,
)
from kagimori_hsm.refused import Reason, Refused

RECIPIENT_KEY_BITS_MIN: Final = 2048
RECIPIENT_KEY_BITS_MAX: Final = 8192

_ENVELOPED_DATA: Final = tlv(OID, bytes.fromhex("2a864886f70d010703"))
_DATA: Final = tlv(OID, bytes.fromhex("2a864886f70d010701"))
_RSAES_OAEP: Final = tlv(OID, bytes.fromhex("2a864886f70d010107"))
_MGF1: Final = tlv(OID, bytes.fromhex("2a864886f70d010108"))
_SHA_256: Final = tlv(OID, bytes.fromhex("608648016503040201"))
_AES_256_CBC: Final = tlv(OID, bytes.fromhex("60864801650304012a"))

_VERSION_2: Final = tlv(INTEGER, b"\x02")
_CONTEXT_0: Final = 0x80
_CONTEXT_0_CONSTRUCTED: Final = 0xA0
_CONTEXT_1_CONSTRUCTED: Final = 0xA1

_SHA_256_IDENTIFIER: Final = tlv(SEQUENCE, _SHA_256, tlv(NULL))
_OAEP_IDENTIFIER: Final = tlv(
    SEQUENCE,
    _RSAES_OAEP,
    tlv(
        SEQUENCE,
        tlv(_CONTEXT_0_CONSTRUCTED, _SHA_256_IDENTIFIER),
        tlv(_CONTEXT_1_CONSTRUCTED, tlv(SEQUENCE, _MGF1, _SHA_256_IDENTIFIER)),
    ),
)
_OAEP: Final = rsa_padding.OAEP(rsa_padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def envelope(recipient_public_key: bytes, plaintext: bytes) -> bytes:
    """Return ContentInfo of EnvelopedData (DER) with one recipient, whose key is SPKI DER.

    Raises:
        Refused: INVALID_PUBLIC_KEY, not an RSA key of 2048 to 8192 bits.
    """
    public = _rsa_public_key(recipient_public_key)
    content_key, iv = os.urandom(32), os.urandom(16)
    try:
        encrypted_key = public.encrypt(content_key, _OAEP)
    except ValueError:  # a modulus that is none, an even one
        raise Refused(Reason.INVALID_PUBLIC_KEY) from None
    recipient = tlv(
        SEQUENCE,
        _VERSION_2,
        tlv(_CONTEXT_0, x509.SubjectKeyIdentifier.from_public_key(public).digest),
        _OAEP_IDENTIFIER,
        tlv(OCTET_STRING, encrypted_key),
    )
    content = tlv(
        SEQUENCE,
        _DATA,
        tlv(SEQUENCE, _AES_256_CBC, tlv(OCTET_STRING, iv)),
        tlv(_CONTEXT_0, _encrypted(content_key, iv, plaintext)),
    )
    enveloped = tlv(SEQUENCE, _VERSION_2, tlv(SET, recipient), content)
    return tlv(SEQUENCE, _ENVELOPED_DATA, tlv(_CONTEXT_0_CONSTRUCTED, enveloped))


def _rsa_public_key(spki: bytes) -> RSAPublicKey:
    try:
        if not is_algorithm(spki, RSA_ENCRYPTION, outer=0):
            raise Refused(Reason.INVALID_PUBLIC_KEY)
        public = serialization.load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        raise Refused(Reason.INVALID_PUBLIC_KEY) from None
    if (
        not isinstance(public, RSAPublicKey)
        or not RECIPIENT_KEY_BITS_MIN <= public.key_size <= RECIPIENT_KEY_BITS_MAX
    ):
        raise Refused(Reason.INVALID_PUBLIC_KEY)
    return public


def _encrypted(content_key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """Return AES-256-CBC of the plaintext, padded as RFC 5652 section 6.3 says."""
    padder = padding.PKCS7(algorithms.AES.block_size).padder()
    padded = padder.update(plaintext) + padder.finalize()
    encryptor = Cipher(algorithms.AES(content_key), modes.CBC(iv)).encryptor()
    return encryptor.update(padded) + encryptor.finalize()
