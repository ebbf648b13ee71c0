"""The page on the ciphertext format: its vector follows from its words, and the HSM agrees.

Written from the page alone: HMAC and AES-GCM, nothing of ours but the opening at the end.
"""

import hmac
import json
from struct import pack
from types import SimpleNamespace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from documents.pages import blocks
from kagimori_hsm import ciphertext
from kagimori_hsm.algorithms import symmetric
from kagimori_hsm.tokens import key_identity

PAGE = "docs/look-up/ciphertext-format.md"


def vector():
    text = blocks(PAGE, "text")[0]  # the vector comes before the formats of what is sealed
    return {line[:14].strip(): line[14:].strip() for line in text.splitlines()}


def with_length(part):
    return pack(">I", len(part)) + part


def test_the_vector_follows_from_the_description():
    said = vector()
    material = bytes.fromhex(said["backing key"])
    identity = with_length(said["account id"].encode()) + with_length(said["key id"].encode())
    pseudorandom = hmac.digest(b"kagimori key material id v1", material, "sha256")
    material_id = hmac.digest(pseudorandom, identity + b"\x01", "sha256")
    assert material_id.hex() == said["material id"]

    nonce, iv = bytes.fromhex(said["N"]), bytes.fromhex(said["IV"])
    fixed = b"kagimori encrypt v1" + b"\x00" + nonce + pack(">I", 256)
    key = hmac.digest(material, pack(">I", 1) + fixed, "sha256")
    assert key.hex() == said["K"]

    pairs = sorted((k.encode(), v.encode()) for k, v in json.loads(said["context"]).items())
    context = pack(">I", len(pairs))
    for name, value in pairs:
        context += with_length(name) + with_length(value)
    header = b"\x01" + material_id + nonce + iv
    assert len(header) == 61
    sealed = AESGCM(key).encrypt(iv, said["plaintext"].encode(), header + identity + context)
    assert (header + sealed).hex() == said["blob"]


def test_the_hsm_opens_the_vector():
    said = vector()
    key = SimpleNamespace(
        cipher=lambda: symmetric.Cipher(bytes.fromhex(said["backing key"])),
        material_id=bytes.fromhex(said["material id"]),
        identity=key_identity(said["account id"], said["key id"]),
    )
    opened = ciphertext.open_sealed(key, bytes.fromhex(said["blob"]), json.loads(said["context"]))
    assert opened == said["plaintext"].encode()
