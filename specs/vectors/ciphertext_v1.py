# ruff: noqa: INP001
"""Print ciphertext-v1.json anew.

Made by the HSM's own code with chosen random values; every value follows from the vector's number,
so two runs write the same. tests/vectors/test_ciphertext_vectors.py verifies it without that code.
"""

import json
import sys
from collections.abc import Iterator
from hashlib import shake_256
from unittest import mock

from kagimori_boundary.commands import BoundToken
from kagimori_hsm import ciphertext
from kagimori_hsm.algorithms.importing import material_id
from kagimori_hsm.engines.software import BackingKey
from kagimori_hsm.tokens import key_identity

ACCOUNT, KEY = "111122223333", "12345678-90ab-cdef-1234-567890abcdef"
MULTI_REGION_KEY = "mrk-1234567890abcdef1234567890abcdef"
CASES = [
    ("one byte, no context", KEY, 1, {}),
    ("a block, one pair", KEY, 16, {"purpose": "test"}),
    ("a block and a byte", KEY, 17, {"purpose": "test", "tenant": "blue"}),
    ("the same pairs, written in the other order", KEY, 17, {"tenant": "blue", "purpose": "test"}),
    ("empty names and values", KEY, 5, {"": "", "a": ""}),
    ("pairs that only their lengths tell apart, 1", KEY, 5, {"a": "bc"}),
    ("pairs that only their lengths tell apart, 2", KEY, 5, {"ab": "c"}),
    ("names in UTF-8 order, not UTF-16 order", KEY, 32, {"\uff5e": "1", "\U0001f511": "2"}),
    ("the same letter, composed and not", KEY, 32, {"\u00e9": "1", "e\u0301": "2"}),
    ("as much as Encrypt takes", KEY, 4096, {"n": "v" * 300}),
    ("a multi-Region key", MULTI_REGION_KEY, 32, {"region": "any"}),
]


def vectors() -> Iterator[dict[str, object]]:
    """Yield each vector as the file has it."""
    for number, (name, key_id, length, context) in enumerate(CASES):
        drawn = shake_256(b"kagimori ciphertext vector %d" % number).digest(32 + 28 + length)
        material, random, plaintext = drawn[:32], drawn[32:60], drawn[60:]
        identity = key_identity(ACCOUNT, key_id)
        made = material_id(material, identity)
        kind = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")
        key = BackingKey(BoundToken(ACCOUNT, "us-east-1", key_id, *kind, made, b""), material)
        with mock.patch.object(ciphertext.os, "urandom", lambda size, drawn=random: drawn[:size]):
            blob = ciphertext.seal(key, plaintext, context)
        yield {
            "name": name,
            "account_id": ACCOUNT,
            "key_id": key_id,
            "backing_key": material.hex(),
            "encryption_context": context,
            "plaintext": plaintext.hex(),
            "blob": blob.hex(),
        }


if __name__ == "__main__":
    found = {"format": "kagimori ciphertext, version 1", "vectors": list(vectors())}
    json.dump(found, sys.stdout, indent=1)
    sys.stdout.write("\n")
