"""Known answers of key pairs: signatures, decryption, agreement, encapsulation.

Keys are used through the families (`algorithms/dispatch.py`), as commands use them.
"""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.bindings import (
    crypto_sign_ed25519ph_final_create,
    crypto_sign_ed25519ph_final_verify,
    crypto_sign_ed25519ph_state,
    crypto_sign_ed25519ph_update,
)

from kagimori_hsm.algorithms import dispatch, edwards, elliptic, rsa
from kagimori_hsm.refused import Refused
from kagimori_hsm.self_tests.failed import SelfTestFailed
from kagimori_hsm.self_tests.known_answer import HASHES, KnownAnswer, spoilt


class Signature(KnownAnswer, frozen=True, kw_only=True, tag="signature"):
    """`is_repeatable`: the algorithm gives the published signature again; the others draw."""

    spec: str
    material: bytes
    algorithm: str
    message_type: str
    message: bytes
    signature: bytes
    is_repeatable: bool
    public_key_digest: bytes = b""

    def check(self) -> None:
        loaded = dispatch.load(self.spec, self.material)
        if self.public_key_digest:
            public_key = dispatch.public_key(self.spec, loaded)
            self.expect(hashlib.sha256(public_key).digest(), self.public_key_digest)
        how = (self.spec, loaded, self.algorithm, self.message_type)
        try:
            dispatch.verify(*how, self.message, self.signature)
        except Refused:
            raise SelfTestFailed(f"{self.name} refuses a right signature") from None
        self.expect_refusal(lambda: dispatch.verify(*how, spoilt(self.message), self.signature))
        own = dispatch.sign(*how, self.message)
        if self.is_repeatable:
            self.expect(own, self.signature)
        else:
            dispatch.verify(*how, self.message, own)


class RepeatableEcdsa(KnownAnswer, frozen=True, kw_only=True, tag="repeatable-ecdsa"):
    """ECDSA with the nonce that RFC 6979 derives, so that signing has one answer."""

    spec: str
    hash: str
    material: bytes
    message: bytes
    signature: bytes

    def check(self) -> None:
        key = elliptic.load(self.spec, self.material)
        scheme = ec.ECDSA(HASHES[self.hash], deterministic_signing=True)
        self.expect(key.sign(self.message, scheme), self.signature)


class Pss(KnownAnswer, frozen=True, kw_only=True, tag="pss"):
    """With the salt length of the published signature, which is not that of KMS."""

    spec: str
    hash: str
    algorithm: str
    material: bytes
    salt_bytes: int
    message: bytes
    signature: bytes

    def check(self) -> None:
        key = rsa.load(self.spec, self.material)
        digest = HASHES[self.hash]
        scheme = padding.PSS(padding.MGF1(digest), self.salt_bytes)
        public = key.public_key()
        try:
            public.verify(self.signature, self.message, scheme, digest)
        except InvalidSignature:
            raise SelfTestFailed(f"{self.name} refuses a right signature") from None
        false = spoilt(self.message)
        self.expect_refusal(lambda: public.verify(self.signature, false, scheme, digest))
        how = (self.spec, key, self.algorithm, "RAW", self.message)
        dispatch.verify(*how, dispatch.sign(*how))


class Prehashed25519(KnownAnswer, frozen=True, kw_only=True, tag="ed25519ph"):
    material: bytes
    message: bytes
    signature: bytes

    def check(self) -> None:
        key = edwards.load("ECC_NIST_EDWARDS25519", self.material)
        public = key.public_key().public_bytes_raw()
        secret = key.private_bytes_raw() + public
        own = crypto_sign_ed25519ph_final_create(_hashed(self.message), secret)
        self.expect(own, self.signature)
        crypto_sign_ed25519ph_final_verify(_hashed(self.message), self.signature, public)
        false = _hashed(spoilt(self.message))
        self.expect_refusal(
            lambda: crypto_sign_ed25519ph_final_verify(false, self.signature, public)
        )


class Decryption(KnownAnswer, frozen=True, kw_only=True, tag="decryption"):
    spec: str
    material: bytes
    algorithm: str
    ciphertext: bytes
    plaintext: bytes

    def check(self) -> None:
        how = (self.spec, dispatch.load(self.spec, self.material), self.algorithm)
        self.expect(dispatch.decrypt_asymmetric(*how, self.ciphertext), self.plaintext)
        own = dispatch.encrypt_asymmetric(*how, self.plaintext)
        self.expect(dispatch.decrypt_asymmetric(*how, own), self.plaintext)


class Agreement(KnownAnswer, frozen=True, kw_only=True, tag="agreement"):
    spec: str
    material: bytes
    algorithm: str
    peer_public_key: bytes
    secret: bytes

    def check(self) -> None:
        loaded = dispatch.load(self.spec, self.material)
        got = dispatch.derive(self.spec, loaded, self.algorithm, self.peer_public_key)
        self.expect(got, self.secret)


class Encapsulation(KnownAnswer, frozen=True, kw_only=True, tag="encapsulation"):
    spec: str
    material: bytes
    algorithm: str
    public_key_digest: bytes
    ciphertext: bytes
    secret: bytes

    def check(self) -> None:
        loaded = dispatch.load(self.spec, self.material)
        public_key = dispatch.public_key(self.spec, loaded)
        self.expect(hashlib.sha256(public_key).digest(), self.public_key_digest)
        how = (self.spec, loaded, self.algorithm)
        self.expect(dispatch.decapsulate(*how, self.ciphertext), self.secret)
        if dispatch.decapsulate(*how, spoilt(self.ciphertext)) == self.secret:
            raise SelfTestFailed(f"{self.name} accepts what is false")
        secret, ciphertext = dispatch.encapsulate(*how)
        self.expect(dispatch.decapsulate(*how, ciphertext), secret)


class Hpke(KnownAnswer, frozen=True, kw_only=True, tag="hpke"):
    """The published key and nonce: what is encrypted under them opens with the private key.

    The published ciphertexts have additional data, which the library's interface does not take.
    """

    private_key: bytes
    encapsulated: bytes
    info: bytes
    key: bytes
    nonce: bytes
    plaintext: bytes

    def check(self) -> None:
        suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
        private = X25519PrivateKey.from_private_bytes(self.private_key)
        sealed = AESGCM(self.key).encrypt(self.nonce, self.plaintext, b"")
        whole = self.encapsulated + sealed
        self.expect(suite.decrypt(whole, private, self.info), self.plaintext)
        self.expect_refusal(lambda: suite.decrypt(spoilt(whole), private, self.info))
        own = suite.encrypt(self.plaintext, private.public_key(), self.info)
        self.expect(suite.decrypt(own, private, self.info), self.plaintext)


def _hashed(message: bytes) -> crypto_sign_ed25519ph_state:
    state = crypto_sign_ed25519ph_state()
    crypto_sign_ed25519ph_update(state, message)
    return state
