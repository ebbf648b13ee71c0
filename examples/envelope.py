"""Envelope encryption by hand: a data key for each file, and KMS asked only for data keys.

    python examples/envelope.py alias/my-key letter.txt

writes letter.txt.sealed (the encrypted data key beside the data), and reads it back.
"""

import os
import sys
from pathlib import Path

import boto3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

kms = boto3.client("kms")
CONTEXT = {"purpose": "envelope example"}


def seal(key_id: str, plaintext: bytes) -> bytes:
    data_key = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", EncryptionContext=CONTEXT)
    wrapped, nonce = data_key["CiphertextBlob"], os.urandom(12)
    sealed = AESGCM(data_key["Plaintext"]).encrypt(nonce, plaintext, wrapped)
    return len(wrapped).to_bytes(2, "big") + wrapped + nonce + sealed


def unseal(envelope: bytes) -> bytes:
    end = 2 + int.from_bytes(envelope[:2], "big")
    wrapped, nonce, sealed = envelope[2:end], envelope[end : end + 12], envelope[end + 12 :]
    data_key = kms.decrypt(CiphertextBlob=wrapped, EncryptionContext=CONTEXT)["Plaintext"]
    return AESGCM(data_key).decrypt(nonce, sealed, wrapped)


if __name__ == "__main__":
    name, file = sys.argv[1], Path(sys.argv[2])
    Path(f"{file}.sealed").write_bytes(seal(name, file.read_bytes()))
    print(unseal(Path(f"{file}.sealed").read_bytes()) == file.read_bytes())
