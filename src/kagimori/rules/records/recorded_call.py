"""Rebuilds a request from its record: the members shown, and the permissions it needed.

Source: KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail"; operations whose needs
differ from `kms:<name>` on one key are listed here.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from kagimori.rules.keys.grant import CONTEXT_OPERATIONS, GrantTerms

# No key policy gives them, so none can take them away.
WITHOUT_KEY_POLICY: Final = frozenset({"CreateKey", "RetireGrant"})
# Refusals that come before authorization, or instead of it.
UNDECIDED: Final = frozenset(
    {
        "ExpiredTokenException",
        "InvalidGrantTokenException",
        "UnrecognizedClientException",
    }
)
_SIDES: Final = (
    ("kms:ReEncryptFrom", "sourceEncryptionContext", "sourceKeyId"),
    ("kms:ReEncryptTo", "destinationEncryptionContext", "destinationKeyId"),
)


class Members:
    """The members of a request that its record shows, under AWS's names."""

    def __init__(self, shown: Mapping[str, Any]) -> None:
        self._shown = shown

    def __getattr__(self, name: str) -> Any:
        """Return a member; inner structures as these, too."""
        try:
            value = self._shown[name[:1].lower() + name[1:]]
        except KeyError:
            raise AttributeError(name) from None
        if isinstance(value, list):
            return [Members(one) if isinstance(one, dict) else one for one in value]
        return value


class Asking(Struct, frozen=True):
    """One permission that a recorded request needed on a key."""

    action: str
    encryption_context: dict[str, str] | None = None
    alias_name: str | None = None
    proposed: GrantTerms | None = None
    on_same_key: bool = False


def askings(record: Mapping[str, Any], key_arn: str) -> list[Asking]:
    """Return the permissions that a recorded KMS request needed on a key."""
    name: str = record["eventName"]
    shown = record.get("requestParameters") or {}
    if name == "ReEncrypt":
        keys = [resource.get("ARN") for resource in record.get("resources") or ()]
        same = len(set(keys)) == 1
        return [
            Asking(action, shown.get(context) or {}, _alias(shown.get(key_id)), on_same_key=same)
            for arn, (action, context, key_id) in zip(keys, _SIDES, strict=False)
            if arn == key_arn
        ]
    action = f"kms:{name}"
    if name == "CreateGrant":
        terms = _terms(shown)
        context = terms.encryption_context_equals or terms.encryption_context_subset
        return [Asking(action, None if context is None else dict(context), None, terms)]
    context = (shown.get("encryptionContext") or {}) if name in CONTEXT_OPERATIONS else None
    return [Asking(action, context, _alias(shown.get("keyId")))]


def _alias(key_id: Any) -> str | None:
    """Return the alias by which the request named its key, with its prefix, or None."""
    if not isinstance(key_id, str):
        return None
    name = key_id.rpartition(":")[2]
    return name if name.startswith("alias/") else None


def _terms(shown: Mapping[str, Any]) -> GrantTerms:
    constraints = shown.get("constraints") or {}
    return GrantTerms(
        frozenset(shown.get("operations") or ()),
        constraints.get("encryptionContextEquals"),
        constraints.get("encryptionContextSubset"),
        constraints.get("sourceArn"),
    )
