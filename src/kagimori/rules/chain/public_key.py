"""The public audit key, which verifies the signatures of digests."""

from hashlib import sha256

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from kagimori.rules.chain.digest import BadDigest, SignedDigest, ToSign


class AuditPublicKey:
    """An RSA public key; `fingerprint` is the SHA-256 of its DER form, as digests name it."""

    def __init__(self, pem: bytes) -> None:
        """Read it.

        Raises:
            BadDigest: not an RSA public key in PEM.
        """
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise BadDigest("not a public key in PEM") from None
        if not isinstance(key, rsa.RSAPublicKey):
            raise BadDigest("not an RSA public key")
        self._key = key
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.fingerprint = sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()

    @property
    def pkcs1(self) -> bytes:
        """The key as CloudTrail's ListPublicKeys gives it: DER, PKCS #1."""
        return self._key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)

    def verify(self, signed: SignedDigest) -> None:
        """Check that this key signed the digest, in the place that the digest names.

        Raises:
            BadDigest: it did not.
        """
        digest = signed.digest
        if digest.digest_public_key_fingerprint != self.fingerprint:
            raise BadDigest("signed by another key")
        to_sign = ToSign(
            digest.digest_end_time,
            digest.digest_s3_bucket,
            digest.digest_s3_object,
            signed.content,
            digest.previous_digest_signature,
        )
        try:
            signature = bytes.fromhex(signed.signature)
            self._key.verify(signature, to_sign.text(), padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            raise BadDigest("its signature does not hold") from None
