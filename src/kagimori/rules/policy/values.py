"""The condition values of one request, each computed when it is first looked up.

The caller knows the request; this module only keeps what it answers. A key's values are a tuple
of strings; an absent key, an empty tuple and None are the same.

Source: KMS Developer Guide, "Condition keys for AWS KMS"; IAM User Guide, "IAM JSON policy
elements: Condition operators" and reference_policies_condition-keys.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from .steps import UNLIMITED, Steps

Given = str | Iterable[str] | None
Provider = Given | Callable[[], Given]
# A family answers for all keys that begin alike: `aws:ResourceTag/…`, `kms:EncryptionContext:…`.
Family = Callable[[str], Given]

# No condition looks at a longer value: it counts as one that could not be had. Longer than all that
# AWS documents; an encryption context may have this much as a whole.
VALUE_CHARACTERS_MAX: Final = 8192
# Keys that hold a list by nature: without a set operator their meaning is undefined.
MULTI_VALUED: Final = frozenset(
    {
        "kms:encryptioncontextkeys",
        "kms:grantoperations",
        "kms:resourcealiases",
        "aws:calledvia",
        "aws:principalorgpaths",
        "aws:principalservicenameslist",
        "aws:resourceorgpaths",
        "aws:sourceorgpaths",
        "aws:tagkeys",
        "aws:vpceorgpaths",
        "sts:transitivetagkeys",
    }
)


class ValueUnavailable(Exception):
    """A provider failed: conditions on its key hold for a Deny and fail for an Allow."""


def is_multi_valued(key: str) -> bool:
    """Return whether a folded key holds a list by nature."""
    return key in MULTI_VALUED


def family_of(key: str) -> str:
    """Return the beginning that a family of keys shares, with its `/` or second `:`; else ""."""
    slash = key.find("/")
    colon = key.find(":", key.find(":") + 1)
    ends = [end for end in (slash, colon) if end > 0]
    return key[: min(ends) + 1] if ends and ":" in key else ""


class Values:
    """A lazy mapping from folded condition key to values; each provider is asked at most once."""

    __slots__ = ("_families", "_known", "_providers", "steps")

    def __init__(
        self,
        providers: Mapping[str, Provider],
        families: Mapping[str, Family] | None = None,
        steps: Steps | None = None,
    ) -> None:
        self.steps = Steps() if steps is None else steps
        self._providers = providers
        self._families = families
        self._known: dict[str, tuple[str, ...] | ValueUnavailable | None] = {}

    @property
    def were_read(self) -> bool:
        """Return whether any value has been looked up, so that an answer may depend on it."""
        return bool(self._known)

    def lookup(self, key: str) -> tuple[str, ...] | None:
        """Return the values of a folded key, or None when the request does not have it.

        Raises:
            ValueUnavailable: the provider failed, now or when it was asked before.
        """
        try:
            known = self._known[key]
        except KeyError:
            known = self._known[key] = self._ask(key)
        if known.__class__ is ValueUnavailable:
            raise ValueUnavailable(key)
        return known  # type: ignore[return-value]  # the one failure is raised above

    def _ask(self, key: str) -> tuple[str, ...] | ValueUnavailable | None:
        try:
            given = self._given(key)
            if given is None:
                return None
            if given.__class__ is str:
                return (given,) if len(given) <= VALUE_CHARACTERS_MAX else ValueUnavailable(key)
            values = tuple(given)
        except Exception:  # noqa: BLE001 - INVARIANT(deny-by-default): any failure is a failure
            return ValueUnavailable(key)
        if all(map(_can_be_compared, values)):
            return values or None
        return ValueUnavailable(key)

    def _given(self, key: str) -> Given:
        if key in self._providers:
            provider = self._providers[key]
            return provider() if callable(provider) else provider
        if self._families is not None:
            family = self._families.get(family_of(key))
            return family(key[len(family_of(key)) :]) if family is not None else None
        return None


def _can_be_compared(value: object) -> bool:
    return isinstance(value, str) and len(value) <= VALUE_CHARACTERS_MAX


# For questions that no request asks; where one does, it brings values with steps of its own.
NO_VALUES: Final = Values({}, steps=Steps(UNLIMITED))
