"""The ciphertext vectors that others may test against, held to the page on the format.

The verifier here is written from docs/look-up/ciphertext-format.md with HMAC and AES-GCM alone; the
HSM's own code opens them as well. Promise: old-ciphertext-lives.
"""

import hmac
import json
import subprocess
import sys
from pathlib import Path
from struct import pack

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kagimori_boundary.commands import BoundToken
from kagimori_hsm import ciphertext
from kagimori_hsm.engines.software import BackingKey
from kagimori_hsm.refused import Refused

FOLDER = Path(__file__).parents[2] / "specs" / "vectors"
FILE = json.loads((FOLDER / "ciphertext-v1.json").read_text())
VECTORS = FILE["vectors"]
FIELDS = {
    *("name", "account_id", "key_id", "backing_key"),
    *("encryption_context", "plaintext", "blob"),
}


def with_length(part):
    return pack(">I", len(part)) + part


def identity_of(vector):
    return with_length(vector["account_id"].encode()) + with_length(vector["key_id"].encode())


def opened(vector, blob, context):
    """Open a blob as the page says."""
    version, material_id, nonce, iv = blob[:1], blob[1:33], blob[33:49], blob[49:61]
    assert version == b"\x01"
    backing_key = bytes.fromhex(vector["backing_key"])
    first = hmac.digest(b"kagimori key material id v1", backing_key, "sha256")
    assert material_id == hmac.digest(first, identity_of(vector) + b"\x01", "sha256")
    fixed = b"kagimori encrypt v1\x00" + nonce + pack(">I", 256)
    key = hmac.digest(backing_key, pack(">I", 1) + fixed, "sha256")
    pairs = sorted((name.encode(), value.encode()) for name, value in context.items())
    form = pack(">I", len(pairs)) + b"".join(with_length(part) for pair in pairs for part in pair)
    return AESGCM(key).decrypt(iv, blob[61:], blob[:61] + identity_of(vector) + form)


def hsm_key(vector):
    kind = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")
    material_id = bytes.fromhex(vector["blob"])[1:33]
    names = (vector["account_id"], "us-east-1", vector["key_id"])
    return BackingKey(
        BoundToken(*names, *kind, material_id, b""), bytes.fromhex(vector["backing_key"])
    )


def test_the_file_has_what_is_read_and_nothing_else():
    assert set(FILE) == {"format", "vectors"}
    assert all(set(vector) == FIELDS for vector in VECTORS)
    assert len({vector["blob"] for vector in VECTORS}) == len(VECTORS)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_vector_opens_as_the_page_says_and_as_the_hsm_does(vector):
    blob, context = bytes.fromhex(vector["blob"]), vector["encryption_context"]
    assert opened(vector, blob, context).hex() == vector["plaintext"]
    assert ciphertext.open_sealed(hsm_key(vector), blob, context).hex() == vector["plaintext"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_no_vector_opens_under_anothers_context_or_key(vector):
    blob = bytes.fromhex(vector["blob"])
    for other in VECTORS:
        if other["encryption_context"] != vector["encryption_context"]:
            with pytest.raises(InvalidTag):
                opened(vector, blob, other["encryption_context"])
            with pytest.raises(Refused):
                ciphertext.open_sealed(hsm_key(vector), blob, other["encryption_context"])
        if other is not vector:
            with pytest.raises(Refused):
                ciphertext.open_sealed(hsm_key(other), blob, vector["encryption_context"])


def test_every_byte_and_every_cut_is_guarded():
    vector = VECTORS[2]
    key, context = hsm_key(vector), vector["encryption_context"]
    blob = bytes.fromhex(vector["blob"])
    spoilt = [blob[:at] + bytes((blob[at] ^ 1,)) + blob[at + 1 :] for at in range(len(blob))]
    for one in [*spoilt, *(blob[:at] for at in range(len(blob))), blob + b"\0"]:
        with pytest.raises(Refused):
            ciphertext.open_sealed(key, one, context)


def test_the_generator_writes_the_file_that_is_here():
    made = subprocess.run(
        [sys.executable, str(FOLDER / "ciphertext_v1.py")],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert made.stdout == (FOLDER / "ciphertext-v1.json").read_bytes()
