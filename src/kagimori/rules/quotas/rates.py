"""Numbers that somebody has set instead of those of a profile."""

import re
from collections.abc import Iterable
from math import isfinite
from typing import Final

from kagimori.rules.quotas.profile import OFF, PROFILES, group_keys

RATE_MAX: Final = 10_000_000.0
RATE_MIN: Final = 0.01
_NUMBER: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


class BadRate(Exception):
    """A profile, group or number that there is not; its text says why."""


def check_rate(rate: float) -> float:
    """Return a rate that a group may have.

    Raises:
        BadRate: too small, too large, or no number.
    """
    if not isfinite(rate) or not RATE_MIN <= rate <= RATE_MAX:
        raise BadRate(f"a quota is a number from {RATE_MIN} to {RATE_MAX:.0f} a second")
    return rate


def read_rates(profile: str, texts: Iterable[str]) -> dict[str, float]:
    """Return the rates by group that texts like `CreateKey=50` set in a profile.

    Raises:
        BadRate: there is no such profile or group, or the number cannot be one.
    """
    if profile not in PROFILES:
        raise BadRate(f"there is no profile of quotas {profile}: {', '.join(PROFILES)}")
    known, found = group_keys(profile), dict[str, float]()
    for text in texts:
        key, _, number = text.partition("=")
        if profile != OFF and key not in known:
            raise BadRate(f"the profile {profile} has no group {key}")
        if not _NUMBER.fullmatch(number):
            raise BadRate(f"{text} is not GROUP=NUMBER")
        found[key] = check_rate(float(number))
    return found
