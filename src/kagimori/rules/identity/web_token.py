"""OpenID Connect tokens of AssumeRoleWithWebIdentity: parsing and verification.

Apart from the identities that they make: those are read wherever callers are, and need no
cryptography.

Source: STS API Reference, AssumeRoleWithWebIdentity; RFC 7515; RFC 7519.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.utils import base64url_decode

from kagimori.rules.identity.refusals import ExpiredTokenException, InvalidIdentityToken
from kagimori.rules.identity.token_json import read_object
from kagimori.rules.identity.web_identity import WebIdentity
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
