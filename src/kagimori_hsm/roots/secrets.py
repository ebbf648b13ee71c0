"""Secrets of roots that people hold: a passphrase, or shares of a quorum.

Each becomes the 32 bytes that wrap a seal's keys. What people give is never kept: a share stays in
memory until enough of them are there, or for half an hour.

Source: RFC 9106 (Argon2id), section 4; SLIP-0039 (Shamir's Secret-Sharing for Mnemonic Codes).
"""

import os
import unicodedata
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from kagimori_boundary.seal_replies import SealProblem
from kagimori_hsm.roots.contents import KEY_BYTES, SALT_BYTES

if TYPE_CHECKING:
    from shamir_mnemonic.share import Share

Parameters = Mapping[str, str | int]

PASSPHRASE_CHARACTERS_MIN: Final = 12
PASSPHRASE_BYTES_MAX: Final = 1024
SHARES_MAX: Final = 16
THRESHOLD_MIN: Final = 2
COLLECTING_SECONDS_MAX: Final = 1800.0
# The second recommended option of RFC 9106.
_ITERATIONS, _LANES, _MEMORY_KIB = 3, 4, 64 * 1024
# The parameters of a seal are read before anything authenticates them.
_ITERATIONS_MAX, _LANES_MAX, _MEMORY_KIB_MAX = 16, 16, 1024 * 1024


class SecretRefused(Exception):
    """A given secret is none of this seal; says why, and no part of it."""

    def __init__(self, problem: SealProblem) -> None:
        super().__init__(problem.name)
        self.problem = problem


class Split(NamedTuple):
    """A new secret, split into shares; its repr shows none of it."""

    secret: bytes
    parameters: dict[str, str | int]
    shares: list[str]

    def __repr__(self) -> str:
        return "Split()"


def new_passphrase_parameters() -> dict[str, str | int]:
    """Return parameters for a new passphrase, with a salt of its own."""
    return {
        "salt": os.urandom(SALT_BYTES).hex(),
        "iterations": _ITERATIONS,
        "lanes": _LANES,
        "memory_kib": _MEMORY_KIB,
    }


def check_new_passphrase(given: bytes) -> None:
    """Check that a passphrase may protect a seal.

    Raises:
        SecretRefused: too short, too long, or no text.
    """
    if len(_normal(given).decode()) < PASSPHRASE_CHARACTERS_MIN:
        raise SecretRefused(SealProblem.TOO_SHORT)


def secret_of_passphrase(given: bytes, parameters: Parameters) -> bytes:
    """Return the secret of a passphrase (UTF-8); takes about a tenth of a second, and 64 MiB.

    Raises:
        SecretRefused: no text, or parameters that no seal of ours has.
    """
    text = _normal(given)
    iterations, lanes, memory_kib = (
        _count(parameters, name, most)
        for name, most in (
            ("iterations", _ITERATIONS_MAX),
            ("lanes", _LANES_MAX),
            ("memory_kib", _MEMORY_KIB_MAX),
        )
    )
    try:
        derive = Argon2id(
            salt=bytes.fromhex(str(parameters.get("salt"))),
            length=KEY_BYTES,
            iterations=iterations,
            lanes=lanes,
            memory_cost=memory_kib,
        ).derive
    except ValueError:
        raise SecretRefused(SealProblem.ALTERED) from None
    return derive(text)


def _count(parameters: Parameters, name: str, most: int) -> int:
    value = parameters.get(name)
    if not isinstance(value, int) or not 1 <= value <= most:
        raise SecretRefused(SealProblem.ALTERED)
    return value


def _normal(given: bytes) -> bytes:
    """Return a passphrase as every keyboard and terminal gives it.

    Raises:
        SecretRefused: no text, or too long.
    """
    if len(given) > PASSPHRASE_BYTES_MAX:
        raise SecretRefused(SealProblem.NO_SECRET)
    try:
        return unicodedata.normalize("NFKC", given.decode()).encode()
    except UnicodeDecodeError:
        raise SecretRefused(SealProblem.NO_SECRET) from None


def split_secret(threshold: int, count: int) -> Split:
    """Return a new secret as shares of SLIP-39; so many of them give it back.

    Raises:
        SecretRefused: a threshold that shares cannot have.
    """
    from shamir_mnemonic import generate_mnemonics  # noqa: PLC0415 - only where there are shares

    if not THRESHOLD_MIN <= threshold <= count <= SHARES_MAX:
        raise SecretRefused(SealProblem.BAD_THRESHOLD)
    secret = os.urandom(KEY_BYTES)
    (shares,) = generate_mnemonics(1, [(threshold, count)], secret)
    parameters: dict[str, str | int] = {
        "threshold": threshold,
        "shares": count,
        "share_set": _share(shares[0].encode()).identifier,
    }
    return Split(secret, parameters, shares)


def _share(words: bytes) -> "Share":
    """Return a share.

    Raises:
        SecretRefused: not the words of a share.
    """
    from shamir_mnemonic.share import Share  # noqa: PLC0415
    from shamir_mnemonic.utils import MnemonicError  # noqa: PLC0415

    try:
        return Share.from_mnemonic(b" ".join(words.lower().split()).decode("ascii"))
    except (MnemonicError, ValueError):
        raise SecretRefused(SealProblem.NO_SHARE) from None


class Collecting:
    """Shares that were given so far, for one seal and one purpose. It has no repr of them."""

    def __init__(self, parameters: Parameters, monotonic: Callable[[], float]) -> None:
        self.threshold = _count(parameters, "threshold", SHARES_MAX)
        self._share_set = parameters.get("share_set")
        self._shares: dict[int, Share] = {}
        self._until = monotonic() + COLLECTING_SECONDS_MAX
        self._monotonic = monotonic

    @property
    def given(self) -> int:
        return len(self._shares)

    @property
    def is_over(self) -> bool:
        """True once the shares have been here for too long."""
        return self._monotonic() > self._until

    def take(self, words: bytes) -> bytes | None:
        """Take a share in; return the secret once there are enough.

        Raises:
            SecretRefused: no share, one of another set, one that was given before, or shares that
                do not fit together.
        """
        share = _share(words)
        if share.identifier != self._share_set or share.member_threshold != self.threshold:
            raise SecretRefused(SealProblem.OTHER_SHARES)
        if share.index in self._shares:
            raise SecretRefused(SealProblem.SAME_SHARE)
        self._shares[share.index] = share
        if self.given < self.threshold:
            return None
        from shamir_mnemonic import combine_mnemonics  # noqa: PLC0415
        from shamir_mnemonic.utils import MnemonicError  # noqa: PLC0415

        try:
            return bytes(combine_mnemonics([one.mnemonic() for one in self._shares.values()]))
        except (MnemonicError, ValueError):
            raise SecretRefused(SealProblem.WRONG) from None
        finally:
            self._shares.clear()
