"""Cryptography alone, in one process, with nothing around it: that of one Encrypt and one Decrypt.

For each ciphertext a key is derived (SP 800-108, HMAC-SHA-256) and used once (AES-256-GCM).
"""

import os
import time
from collections.abc import Callable

from kagimori_hsm.algorithms import symmetric

GOES = 20
GO_SECONDS = 0.05
_HEADER = bytes(61)
_AAD = b"an identity and one pair of context"


def bare_microseconds() -> tuple[float, float]:
    """Return what encrypting and decrypting 32 bytes takes, in microseconds."""
    cipher = symmetric.Cipher(symmetric.generate())
    nonce, iv, plaintext = os.urandom(16), os.urandom(12), bytes(32)
    parts = {"header": _HEADER, "aad": _AAD, "nonce16": nonce, "iv12": iv}
    blob = cipher.encrypt(plaintext=plaintext, **parts)
    return (
        best_microseconds(lambda: cipher.encrypt(plaintext=plaintext, **parts)),
        best_microseconds(lambda: cipher.decrypt(ciphertext=blob, **parts)),
    )


def best_microseconds(work: Callable[[], object]) -> float:
    """Return how long one piece of work takes: the best of many short goes, for a busy machine."""
    began = time.perf_counter()
    work()
    repeats = max(1, int(GO_SECONDS / max(1e-7, time.perf_counter() - began)))
    return min(_microseconds(work, repeats) for _ in range(GOES))


def _microseconds(work: Callable[[], object], repeats: int) -> float:
    began = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - began) * 1e6 / repeats


if __name__ == "__main__":
    print("encrypt {:.1f} us, decrypt {:.1f} us".format(*bare_microseconds()))
