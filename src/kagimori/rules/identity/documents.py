"""Policy documents of IAM: identity and trust policies, and their size limits.

Source: IAM API Reference ("Limits", "Messages").
"""

from typing import Final

from kagimori.rules.identity.refusals import LimitExceeded, MalformedPolicyDocument
from kagimori.rules.policy.document import Document, Kind, MalformedPolicy, parse_policy

INLINE_CHARACTERS_MAX: Final = {"user": 2_048, "group": 5_120, "role": 10_240}
MANAGED_CHARACTERS_MAX: Final = 6_144
TRUST_CHARACTERS_MAX: Final = 2_048
JSON_BLANKS: Final = " \t\n\r"


def read_policy(text: str, kind: Kind, partition: str) -> Document:
    """Return the document of an identity or trust policy written in a partition.

    Raises:
        MalformedPolicyDocument: with IAM's message.
    """
    try:
        return parse_policy(text, kind, partition=partition)
    except MalformedPolicy as malformed:
        raise MalformedPolicyDocument(str(malformed)) from None


def check_inline_size(noun: str, name: str, texts: dict[str, str]) -> None:
    """Check that these inline policies together are not too large.

    Raises:
        LimitExceeded: they are; white space is not counted.
    """
    most = INLINE_CHARACTERS_MAX[noun]
    if sum(characters(text) for text in texts.values()) > most:
        raise LimitExceeded(f"Maximum policy size of {most} bytes exceeded for {noun} {name}")


def check_size(text: str, *, quota: str, most: int) -> None:
    """Check that a policy is not too large.

    Raises:
        LimitExceeded: it is; white space is not counted.
    """
    if characters(text) > most:
        raise LimitExceeded(f"Cannot exceed quota for {quota}: {most}")


def characters(text: str) -> int:
    """Return the length of a policy without white space, which quotas do not count."""
    return len(text) - sum(map(text.count, JSON_BLANKS))
