"""Replies about seals: how far an unsealing is, why a secret was refused, what was changed."""

from enum import IntEnum

from msgspec import Struct


class SealProblem(IntEnum):
    """The reason why the HSM did not do something about a seal; no part of a secret is in it."""

    WRONG = 1  # the passphrase, the shares, the token or the other KMS do not open this seal
    NO_SHARE = 2  # not the words of a share: one is missing or misspelt
    OTHER_SHARES = 3  # a share of another seal
    SAME_SHARE = 4  # this share was given already
    TOO_SHORT = 5  # a new passphrase
    NO_SECRET = 6  # not the form of a secret of this kind
    BAD_THRESHOLD = 7
    ALTERED = 8  # the root is right, and what it should open was changed
    DELAYED = 9  # after a wrong secret: only once the time is over
    BUSY = 10  # somebody else's secret is being tried, or another change is being made
    NO_SUCH_SEAL = 11
    LAST_SEAL = 12
    TOO_MANY_SEALS = 13
    UNREACHABLE = 14  # the token or the other KMS does not answer
    NOT_APPROVED = 15
    NOT_SEALED = 16
    UNKNOWN_KIND = 17
    LONG_LABEL = 18


class SealRefusal(Struct, frozen=True, array_like=True, tag=50):
    """`wait_seconds` is how long no other secret is tried for this seal."""

    problem: SealProblem
    wait_seconds: float = 0.0


class SealProgress(Struct, frozen=True, array_like=True, tag=51):
    """`is_done`: the seal was opened. `given` of `needed` secrets are there."""

    is_done: bool
    given: int
    needed: int


class SealFacts(Struct, frozen=True, array_like=True):
    """One seal; `made_at` is in seconds since the epoch, `given` of `needed` secrets are there."""

    seal_id: str
    kind: str
    label: str
    made_at: float
    given: int = 0
    needed: int = 1
    wait_seconds: float = 0.0


class Seals(Struct, frozen=True, array_like=True, tag=52):
    """The seals of the domains that are open, or wait to be opened."""

    is_open: bool
    seals: list[SealFacts]
    is_changing: bool = False


class SealAdded(Struct, frozen=True, array_like=True, tag=53):
    """A seal that is made and not yet kept; its shares are shown once, here."""

    seal_id: str
    shares: list[str]


class SealEvent(Struct, frozen=True, array_like=True):
    """An attempt to open a seal, for the audit trail; `problem` is empty if it succeeded."""

    number: int
    at: float
    name: str
    seal_id: str
    kind: str
    problem: str
    given: int = 0
    needed: int = 0


class SealEvents(Struct, frozen=True, array_like=True, tag=54):
    """`has_change`: a change of the seals waits to be kept."""

    events: list[SealEvent]
    has_change: bool
