"""Checks of requests for temporary credentials: tags, session policies and durations.

Source: STS API Reference, AssumeRole and GetSessionToken; the documentation of the STS model.
"""

import zlib
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from kagimori.rules.folding import fold
from kagimori.rules.identity.bearer import compile_identity_policy
from kagimori.rules.identity.documents import read_policy
from kagimori.rules.identity.refusals import (
    InvalidParameterValue,
    PackedPolicyTooLarge,
    ValidationError,
)
from kagimori.rules.identity.session import SessionClaims
from kagimori.rules.identity.tags import read_tags
from kagimori.rules.policy.document import Kind

ROLE_SECONDS_DEFAULT: Final = 3600
CHAINED_SECONDS_MAX: Final = 3600
SESSION_SECONDS_DEFAULT: Final = 43_200
ROOT_SECONDS_MAX: Final = 3600
# How much of a session token policies and tags may take once packed. AWS does not publish its
# measure. This one fits what users measured: nine tags of 250 equal letters take 498 %, six tags as
# EKS Pod Identity sets them 74 %, a policy of 42 actions in 1,690 characters about 157 %.
PACKED_BYTES_MAX: Final = 488
# What a session tag takes beside its key and value, which are not compressed.
TAG_BYTES: Final = 16
# What session policies may be before they are packed.
SESSION_POLICY_ARNS_MAX: Final = 10
SESSION_POLICY_CHARACTERS_MAX: Final = 2048


class SessionTags(Struct, frozen=True):
    """The tags of a new session, and those that the next session of a chain inherits."""

    tags: dict[str, str] = {}
    transitive: tuple[str, ...] = ()


class Narrowing(Struct, frozen=True):
    """The session policies of a request: an inline text, and the ARNs of managed policies."""

    texts: tuple[str, ...] = ()
    arns: tuple[str, ...] = ()

    @property
    def is_given(self) -> bool:
        return bool(self.texts or self.arns)


def read_session_tags(
    tags: Sequence[Any] | None,
    transitive: Sequence[str] | None,
    before: SessionClaims | None,
) -> SessionTags:
    """Return the tags of a new session: those asked for, and those inherited from the caller's.

    Raises:
        InvalidParameterValue: a key twice, or one that was inherited, or transitive but no tag.
    """
    given = read_tags(tags, duplicate=InvalidParameterValue)
    inherited = before.inherited_tags() if before is not None else {}
    taken = {fold(key) for key in inherited}
    if any(fold(key) in taken for key in given):
        raise InvalidParameterValue(
            "One of the specified transitive tag keys can't be set because it conflicts with a "
            "transitive tag key from the calling session."
        )
    named = {fold(key): key for key in given}
    passed_on = []
    for key in transitive or ():
        if fold(key) not in named:
            raise InvalidParameterValue(
                "The specified transitive tag key must be included in the requested tags."
            )
        passed_on.append(named[fold(key)])
    return SessionTags({**inherited, **given}, (*inherited, *dict.fromkeys(passed_on)))


def narrowing_of(policy: str | None, arns: Sequence[Any] | None) -> Narrowing:
    """Return the session policies of a request, held to their sizes and not parsed yet.

    Raises:
        ValidationError: more managed ones than a session may have.
        PackedPolicyTooLarge: too much text, packed or not.
    """
    if arns is not None and len(arns) > SESSION_POLICY_ARNS_MAX:
        raise ValidationError(
            "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: "
            f"Member must have length less than or equal to {SESSION_POLICY_ARNS_MAX}"
        )
    named = tuple(one.arn for one in arns or () if one.arn is not None)
    narrowing = Narrowing((policy,) if policy is not None else (), named)
    _check_room(sum(map(len, (*narrowing.texts, *named))), SESSION_POLICY_CHARACTERS_MAX)
    return narrowing


def check_inline(narrowing: Narrowing, partition: str) -> None:
    """Check that the inline session policy is a policy; only who may have a session gets here.

    Raises:
        MalformedPolicyDocument: it is not.
    """
    for text in narrowing.texts:
        read_policy(text, Kind.IDENTITY, partition)
        compile_identity_policy(text, "session policy")


def packed_percent(narrowing: Narrowing, tags: SessionTags) -> int | None:
    """Return how much of the room for policies and tags is used; None if there are none.

    Raises:
        PackedPolicyTooLarge: more than there is.
    """
    if not (narrowing.is_given or tags.tags):
        return None
    packed = sum(len(k.encode()) + len(v.encode()) + TAG_BYTES for k, v in tags.tags.items())
    if not narrowing.is_given:
        return _check_room(packed, PACKED_BYTES_MAX, _TAGS_TOO_LARGE)
    parts = (*narrowing.texts, *narrowing.arns)
    packed += len(zlib.compress("\n".join(parts).encode()))
    return _check_room(packed, PACKED_BYTES_MAX)


_POLICY_TOO_LARGE: Final = (
    "Packed policy consumes {}% of allotted space, please use smaller policy."
)
_TAGS_TOO_LARGE: Final = "Packed size of session tags consumes {}% of allotted space."


def _check_room(used: int, most: int, message: str = _POLICY_TOO_LARGE) -> int:
    percent = -(-used * 100 // most)
    if percent > 100:  # noqa: PLR2004 - percent
        raise PackedPolicyTooLarge(message.format(percent))
    return percent


def role_session_seconds(asked: int | None, most: int, *, chained: bool) -> int:
    """Return how long a role session lasts; `most` is the role's, `chained` by a session.

    Raises:
        ValidationError: longer than that.
    """
    seconds = ROLE_SECONDS_DEFAULT if asked is None else asked
    if chained and seconds > CHAINED_SECONDS_MAX:
        raise ValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining."
        )
    if seconds > most:
        raise ValidationError(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return seconds


def user_session_seconds(asked: int | None, *, is_root: bool) -> int:
    """Return how long a session of a user lasts; the root user's are cut, not refused."""
    seconds = SESSION_SECONDS_DEFAULT if asked is None else asked
    return min(seconds, ROOT_SECONDS_MAX) if is_root else seconds
