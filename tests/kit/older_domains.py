"""Sealed domains as earlier releases made them, written from the form that the documentation gives."""

import hmac

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LABEL = b"kagimori domain seal v1"


def derived(secret, label, salt):
    """SP 800-108 in counter mode with HMAC-SHA-256, one block of 32 bytes."""
    text = b"\x00\x00\x00\x01" + label + b"\x00" + salt + (256).to_bytes(4, "big")
    return hmac.digest(secret, text, "sha256")


def sealed_as_before(version, plain, seal_key):
    head = bytes([version]) + bytes(range(28))
    cipher = AESGCM(derived(seal_key, LABEL, head[1:17]))
    return head + cipher.encrypt(head[17:], msgspec.msgpack.encode(plain), head)


def version_1(rings, seal_key):
    """Rings alone, without times: how the first release kept them."""
    plain = {name: list(ring.plain()) for name, ring in rings.items()}
    return sealed_as_before(1, plain, seal_key)


def version_2(rings, seal_key, operator_account_id):
    """With the operators' account, and with the lives of the keys."""
    plain = {
        name: [*ring.plain(), {key: list(life) for key, life in ring.lives.items()}, ring.step]
        for name, ring in rings.items()
    }
    return sealed_as_before(2, [operator_account_id, plain], seal_key)
