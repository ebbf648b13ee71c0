"""A known answer: published values for one algorithm, and the computation that repeats them.

The forms are in `symmetric_answers.py` and `pair_answers.py`.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap
from nacl.exceptions import BadSignatureError

from kagimori_hsm.refused import Refused
from kagimori_hsm.self_tests.failed import SelfTestFailed

HASHES: Final = {
    kind.name: kind
    for kind in (hashes.SHA1(), hashes.SHA224(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
}
_REFUSALS: Final = (
    InvalidSignature, InvalidTag, InvalidUnwrap, BadSignatureError, Refused, ValueError,
)  # fmt: skip


class KnownAnswer(msgspec.Struct, frozen=True, kw_only=True, tag_field="check"):
    """Published values for one algorithm; `source` says who published them, and where.

    Each form adds `check`, which repeats the computation and raises `SelfTestFailed` if that gives
    another result, or does not refuse what is false.
    """

    name: str
    source: str

    def expect(self, got: object, published: object) -> None:
        if got != published:
            raise SelfTestFailed(f"{self.name} gives another answer than the published one")

    def expect_refusal(self, attempt: Callable[[], object]) -> None:
        try:
            attempt()
        except _REFUSALS:
            return
        raise SelfTestFailed(f"{self.name} accepts what is false")


def spoilt(value: bytes) -> bytes:
    """Return the value with its last bit changed."""
    return value[:-1] + bytes((value[-1] ^ 1,))
