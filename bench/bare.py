"""The cryptography of one Encrypt and one Decrypt, in one process, with nothing around it.

For each ciphertext a key is derived (SP 800-108, HMAC-SHA-256) and used once (AES-256-GCM).
"""

import os
import time

from kagimori_hsm.algorithms import symmetric

REPEATS = 20_000
_HEADER = bytes(61)
_AAD = b"an identity and one pair of context"


def bare_microseconds() -> tuple[float, float]:
    """Return what encrypting and decrypting 32 bytes takes: the best of three, in microseconds."""
    key, nonce, iv, plaintext = symmetric.generate(), os.urandom(16), os.urandom(12), bytes(32)
    parts = {"header": _HEADER, "aad": _AAD, "nonce16": nonce, "iv12": iv}
    blob = symmetric.encrypt(key, plaintext=plaintext, **parts)
    return (
        _best(lambda: symmetric.encrypt(key, plaintext=plaintext, **parts)),
        _best(lambda: symmetric.decrypt(key, ciphertext=blob, **parts)),
    )


def _best(work) -> float:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(REPEATS):
            work()
        times.append(time.perf_counter() - began)
    return min(times) * 1e6 / REPEATS


if __name__ == "__main__":
    print("encrypt {:.1f} us, decrypt {:.1f} us".format(*bare_microseconds()))
