"""OpenID Connect tokens of AssumeRoleWithWebIdentity: parsing and verification.

Source: STS API Reference, AssumeRoleWithWebIdentity; IAM User Guide, id_roles_providers_oidc and
reference_policies_iam-condition-keys ("Available keys for AWS web identity federation"); RFC 7519.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.utils import base64url_decode
from msgspec import Struct

from kagimori.rules.folding import fold
from kagimori.rules.identity.refusals import (
    ExpiredTokenException,
    InvalidIdentityToken,
    ValidationError,
)
from kagimori.rules.identity.session_request import SessionTags
from kagimori.rules.identity.tags import (
    KEY_LENGTH_MAX,
    TAGS_MAX,
    VALUE_LENGTH_MAX,
    checked_tags,
)
from kagimori.rules.identity.token_json import read_object
from kagimori.rules.numbers import finite

# Never "none", and no HMAC: a public key must not do for a secret.
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "EdDSA")
CLOCK_SECONDS: Final = 300
RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 8192
SECONDS_END: Final = 253_402_300_800.0  # the year 10000
_KEY_TYPES: Final = ("RSA", "EC", "OKP")
_PARTS: Final = 3
SUBJECT_LENGTH_MAX: Final = 255  # what the model's `webIdentitySubjectType` can answer
_TAGS: Final = "https://aws.amazon.com/tags"
_SOURCE_IDENTITY: Final = "https://aws.amazon.com/source_identity"
_SOURCE_IDENTITY_TEXT: Final = re.compile(r"[\w+=,.@-]{2,256}", re.ASCII)
# The claims are judged here, by the time and the clients handed in.
_UNJUDGED: Final[jwt.types.Options] = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
_NO_KEY: Final = (
    "Couldn't retrieve verification key from your identity provider,  please reference "
    "AssumeRoleWithWebIdentity documentation for requirements"
)
_NO_JWT: Final = (
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
)


class WebIdentity(Struct, frozen=True):
    """The claims of a verified token: issuer, audience, subject and the others."""

    issuer: str  # without https://
    subject: str
    audience: str
    claims: dict[str, Any]


def issuer_and_key(token: str) -> tuple[str, str | None]:
    """Return the issuer (without https://) and key id that an unverified token names.

    Raises:
        InvalidIdentityToken: not a token, or one that nobody could vouch for.
    """
    parts = token.split(".")
    if len(parts) != _PARTS or not token.isascii():
        raise InvalidIdentityToken(_NO_JWT)
    try:
        header, claims = (read_object(base64url_decode(part)) for part in parts[:2])
    except ValueError:
        raise InvalidIdentityToken(_NO_JWT) from None
    issuer, key_id = claims.get("iss"), header.get("kid")
    # Whoever does not know what is critical must refuse it (RFC 7515, section 4.1.11).
    if header.get("alg") not in ALGORITHMS or "crit" in header or not isinstance(issuer, str):
        raise InvalidIdentityToken(_NO_JWT)
    return issuer.removeprefix("https://").rstrip("/"), key_id if isinstance(key_id, str) else None


def verified(
    token: str, keys: Sequence[Mapping[str, Any]], client_ids: Sequence[str], now: float
) -> WebIdentity:
    """Return the claims of a token that one of the issuer's keys signed for one of the clients.

    Raises:
        InvalidIdentityToken: no such key, another signature, another audience.
        ExpiredTokenException: it was good once.
    """
    issuer, key_id = issuer_and_key(token)
    claims = _signed_claims(token, _key(keys, key_id))
    subject, expires_at = claims.get("sub"), finite(claims.get("exp"))
    starts_at, issued_at = finite(claims.get("nbf", 0)), finite(claims.get("iat", 0))
    if (
        not isinstance(subject, str)
        or not 1 <= len(subject) <= SUBJECT_LENGTH_MAX
        or expires_at is None
        or starts_at is None
        or issued_at is None
    ):
        raise InvalidIdentityToken("Missing a required claim: sub, exp")
    if not (max(expires_at, starts_at, issued_at) < SECONDS_END and issued_at <= expires_at):
        raise InvalidIdentityToken("The times of the token cannot be")
    if now >= expires_at:
        raise ExpiredTokenException(
            f"Token expired: current date/time {int(now)} must be before the expiration date/time "
            f"{int(expires_at)}"
        )
    if now + CLOCK_SECONDS < max(starts_at, issued_at):
        raise InvalidIdentityToken("The token is not yet valid")
    audience = claims.get("azp", claims.get("aud"))
    audiences = audience if isinstance(audience, list) else [audience]
    found = [one for one in audiences if isinstance(one, str) and one in client_ids]
    if not found:
        raise InvalidIdentityToken("Incorrect token audience")
    return WebIdentity(issuer, subject, found[0], claims)


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


def no_key() -> InvalidIdentityToken:
    """Return the refusal of a token whose issuer's keys cannot be fetched."""
    return InvalidIdentityToken(_NO_KEY)


def _key(keys: Sequence[Mapping[str, Any]], key_id: str | None) -> Any:
    fitting = [key for key in keys if key_id is None or key.get("kid") == key_id]
    if len(fitting) != 1:
        raise no_key()
    written = dict(fitting[0])
    # A shared secret, or a key for something else, vouches for nobody.
    if written.get("kty") not in _KEY_TYPES or written.get("use", "sig") != "sig":
        raise no_key()
    try:
        key = jwt.PyJWK(written)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        raise no_key() from None
    if isinstance(key.key, RSAPublicKey) and not _is_sound(key.key):
        raise no_key()
    return key


def _is_sound(key: RSAPublicKey) -> bool:
    """Return whether an RSA key is long enough to trust, and short enough to check with."""
    exponent = key.public_numbers().e
    return RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX and 3 <= exponent < 1 << 32  # noqa: PLR2004


def _signed_claims(token: str, key: Any) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=ALGORITHMS, options=_UNJUDGED)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        raise InvalidIdentityToken("The signature of the ID Token does not hold") from None
    return claims


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
