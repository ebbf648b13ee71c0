"""Seals: the root key, encrypted for each root, so that any one of them opens the domains.

A seal has an X25519 key pair and a proof key. Both private parts are wrapped by the root's secret.
The root key is encrypted to the public key, so that a new root key reaches all seals while no root
is there; who only knows the public key cannot put another root key in its place, since that takes
the proof key, which is the seal's and the HSM's alone.

Source: RFC 9180 (HPKE), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
"""

import hmac
import os
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from kagimori_boundary.seals import Seal
from kagimori_hsm.algorithms.pairwise import PairInconsistent
from kagimori_hsm.roots.contents import KEY_BYTES, SealRefused, decrypt, encrypt
from kagimori_hsm.tokens import binding_of

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_LABEL: Final = b"kagimori seal keys v1"
_INFO: Final = b"kagimori root key v1"
PAIR: Final = "X25519"
ROOT_KEY_ID_BYTES: Final = 8
_SEAL_ID_BYTES: Final = 6


class RootKey(NamedTuple):
    """A root key, and the id by which seals name it; its repr shows neither."""

    root_key_id: bytes
    secret: bytes

    def __repr__(self) -> str:
        return "RootKey()"

    @classmethod
    def draw(cls) -> "RootKey":
        return cls(os.urandom(ROOT_KEY_ID_BYTES), os.urandom(KEY_BYTES))


class NewSeal(NamedTuple):
    """A seal and its proof key, which is sealed with the domains."""

    seal: Seal
    proof_key: bytes

    def __repr__(self) -> str:
        return f"NewSeal({self.seal.seal_id})"


def new_seal(
    kind: str,
    label: str,
    parameters: dict[str, str | int],
    *,
    secret: bytes,
    root_key: RootKey,
    now: float,
) -> NewSeal:
    """Return a seal that opens with this secret of its root, once that was tried.

    Raises:
        PairInconsistent: its new key pair does not give the root key back.
    """
    private_key, proof_key = X25519PrivateKey.generate(), os.urandom(KEY_BYTES)
    seal = Seal(
        seal_id=os.urandom(_SEAL_ID_BYTES).hex(),
        kind=kind,
        label=label,
        made_at=now,
        parameters=parameters,
        public_key=private_key.public_key().public_bytes_raw(),
        wrapped_keys=b"",
        encrypted_root_key=b"",
        proof=b"",
    )
    keys = encrypt(private_key.private_bytes_raw() + proof_key, secret, _LABEL, _binding(seal))
    seal = msgspec.structs.replace(seal, wrapped_keys=keys)
    seal = with_root_key(seal, proof_key, root_key)
    try:
        opened = root_key_in(seal, root_key.root_key_id, secret)
    except SealRefused:
        raise PairInconsistent(PAIR) from None
    if opened != root_key:
        raise PairInconsistent(PAIR)
    return NewSeal(seal, proof_key)


def with_root_key(seal: Seal, proof_key: bytes, root_key: RootKey) -> Seal:
    """Return the seal with another root key in it; takes nobody's secret."""
    public_key = X25519PublicKey.from_public_bytes(seal.public_key)
    encrypted = _SUITE.encrypt(root_key.secret, public_key, _info(seal))
    proof = _proof(seal, proof_key, root_key.root_key_id, encrypted)
    return msgspec.structs.replace(seal, encrypted_root_key=encrypted, proof=proof)


def root_key_in(seal: Seal, root_key_id: bytes, secret: bytes) -> RootKey:
    """Return the root key that a seal holds.

    Raises:
        SealRefused: another secret, or a seal that was altered.
    """
    keys = decrypt(seal.wrapped_keys, secret, _LABEL, _binding(seal))
    private_key, proof_key = keys[:KEY_BYTES], keys[KEY_BYTES:]
    expected = _proof(seal, proof_key, root_key_id, seal.encrypted_root_key)
    if not hmac.compare_digest(expected, seal.proof):
        raise SealRefused
    try:
        opened = _SUITE.decrypt(
            seal.encrypted_root_key, X25519PrivateKey.from_private_bytes(private_key), _info(seal)
        )
    except (InvalidTag, ValueError):
        raise SealRefused from None
    return RootKey(root_key_id, opened)


def _binding(seal: Seal) -> bytes:
    """Return everything of a seal that its root authenticates: it can be exchanged in no part."""
    parameters = msgspec.msgpack.encode(dict(sorted(seal.parameters.items())))
    return binding_of("seal", seal.seal_id, seal.kind, parameters, seal.public_key)


def _info(seal: Seal) -> bytes:
    return binding_of(_INFO, seal.seal_id)


def _proof(seal: Seal, proof_key: bytes, root_key_id: bytes, encrypted: bytes) -> bytes:
    message = binding_of("root key of a seal", seal.seal_id, root_key_id, encrypted)
    return hmac.digest(proof_key, message, sha256)
