"""Health of the random generators: the kernel's, and OpenSSL's, which makes key pairs.

OpenSSL is asked whether its generator is seeded; then a sample of each must not repeat itself. The
bounds are such that a sound generator fails less than once in 2**50 runs.

Source: NIST SP 800-90B, sections 4.4.1 (repetition count) and 4.4.2 (adaptive proportion), for
eight bits of entropy in a byte.
"""

import os
from collections.abc import Callable, Mapping
from typing import Final

from cryptography.hazmat.bindings.openssl.binding import Binding
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kagimori_hsm.self_tests.failed import Passed, SelfTestFailed

SAMPLE_BYTES: Final = 4096
REPEATED_MAX: Final = 8  # the same byte in a row
WINDOW_BYTES: Final = 512
OF_ONE_VALUE_MAX: Final = 29  # in a window
_SOURCE: Final = "NIST SP 800-90B, sections 4.4.1 and 4.4.2"


def check_random_sources(
    sources: Mapping[str, Callable[[], bytes]] | None = None,
) -> list[Passed]:
    """Take a sample of each generator; return what passed.

    Raises:
        SelfTestFailed: OpenSSL's is not seeded, or a sample repeats itself.
    """
    if Binding().lib.RAND_status() != 1:
        raise SelfTestFailed("OpenSSL's random generator is not seeded")
    passed = []
    for name, sample in (sources or SOURCES).items():
        first, second = sample(), sample()
        if first == second or not first:
            raise SelfTestFailed(f"{name} gives the same twice")
        check_sample(name, first + second)
        passed.append(Passed(name, _SOURCE))
    return passed


def check_sample(name: str, sample: bytes) -> None:
    """Check that no byte is repeated too often.

    Raises:
        SelfTestFailed: one is.
    """
    last, repeated = -1, 0
    for byte in sample:
        repeated = repeated + 1 if byte == last else 1
        last = byte
        if repeated > REPEATED_MAX:
            raise SelfTestFailed(f"{name} repeats itself")
    for start in range(0, len(sample), WINDOW_BYTES):
        window = sample[start : start + WINDOW_BYTES]
        if max(map(window.count, set(window))) > OF_ONE_VALUE_MAX:
            raise SelfTestFailed(f"{name} prefers one value")


def _kernel() -> bytes:
    return os.urandom(SAMPLE_BYTES // 2)


def _openssl() -> bytes:
    """Return bytes that OpenSSL drew for keys; those whose bits X25519 fixes are left out."""
    return b"".join(X25519PrivateKey.generate().private_bytes_raw()[1:31] for _ in range(34))


SOURCES: Final[Mapping[str, Callable[[], bytes]]] = {
    "random generator of the kernel": _kernel,
    "random generator of OpenSSL": _openssl,
}
