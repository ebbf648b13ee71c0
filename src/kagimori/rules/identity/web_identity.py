"""Identities of OpenID Connect: the claims of a token, and what policies and sessions take of them.

Source: STS API Reference, AssumeRoleWithWebIdentity; IAM User Guide, id_roles_providers_oidc and
reference_policies_iam-condition-keys ("Available keys for AWS web identity federation").
"""

import re
from typing import Any, Final

from msgspec import Struct

from kagimori.rules.folding import fold
from kagimori.rules.identity.refusals import InvalidIdentityToken, ValidationError
from kagimori.rules.identity.session_request import SessionTags
from kagimori.rules.identity.tags import (
    KEY_LENGTH_MAX,
    TAGS_MAX,
    VALUE_LENGTH_MAX,
    checked_tags,
)

_TAGS: Final = "https://aws.amazon.com/tags"
_SOURCE_IDENTITY: Final = "https://aws.amazon.com/source_identity"
_SOURCE_IDENTITY_TEXT: Final = re.compile(r"[\w+=,.@-]{2,256}", re.ASCII)


class WebIdentity(Struct, frozen=True):
    """The claims of a verified token: issuer, audience, subject and the others."""

    issuer: str  # without https://
    subject: str
    audience: str
    claims: dict[str, Any]


def condition_values(identity: WebIdentity, provider_arn: str) -> dict[str, str | list[str]]:
    """Return the values that a token gives to condition keys of trust policies, in lower case."""
    prefix = fold(identity.issuer)
    values: dict[str, str | list[str]] = {
        f"{prefix}:aud": identity.audience,
        f"{prefix}:sub": identity.subject,
        "aws:federatedprovider": provider_arn,
    }
    for name, value in identity.claims.items():
        if name in ("amr", "email", "oaud") and _is_plain(value):
            values[f"{prefix}:{name}"] = value
    return values


def session_tags(identity: WebIdentity) -> SessionTags:
    """Return the session tags that come with a token.

    Raises:
        InvalidIdentityToken: they are not as AWS describes them.
    """
    given = identity.claims.get(_TAGS)
    if given is None:
        return SessionTags()
    malformed = InvalidIdentityToken(f"The claim {_TAGS} is malformed")
    try:
        pairs = [_tag(key, value) for key, value in given["principal_tags"].items()]
        transitive = tuple(given.get("transitive_tag_keys", ()))
        # A request's tags are held to the model before anybody reads them, a token's are not.
        tags = checked_tags(pairs, duplicate=ValidationError)
    except (AttributeError, KeyError, TypeError, ValueError, ValidationError):
        raise malformed from None
    if len(tags) > TAGS_MAX or any(key not in tags for key in transitive):
        raise malformed
    return SessionTags(tags, transitive)


def source_identity(identity: WebIdentity) -> str | None:
    """Return the source identity that comes with a token.

    Raises:
        InvalidIdentityToken: it could not be one in a request either.
    """
    found = identity.claims.get(_SOURCE_IDENTITY)
    if found is None:
        return None
    if not isinstance(found, str) or not _SOURCE_IDENTITY_TEXT.fullmatch(found):
        raise InvalidIdentityToken(f"The claim {_SOURCE_IDENTITY} is malformed")
    return found


def _tag(key: str, value: Any) -> tuple[str, str]:
    found = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(found, str):
        raise TypeError("a tag has one text")
    if not 1 <= len(key) <= KEY_LENGTH_MAX or len(found) > VALUE_LENGTH_MAX:
        raise ValueError("a tag is longer than tags can be")
    return key, found


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(one, str) for one in value)
    )
