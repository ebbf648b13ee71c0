"""Secret access keys: made here, kept outside only sealed, and turned here into signing keys."""

import base64
import hmac
import os
from typing import Final

from kagimori_hsm.domains import Domain, binding_of

_SECRET_BYTES: Final = 30  # 40 characters of base64, as AWS's are


def create(domain: Domain, account_id: str, access_key_id: str) -> tuple[str, bytes]:
    """Return a new secret access key: plain, to be shown once, and sealed, to be stored."""
    secret = base64.b64encode(os.urandom(_SECRET_BYTES)).decode()
    return secret, domain.wrap(secret.encode(), _binding(account_id, access_key_id))


def signing_key(
    domain: Domain,
    *,
    account_id: str,
    access_key_id: str,
    sealed_secret: bytes,
    date: str,
    region: str,
    service: str,
) -> bytes:
    """Return the signing key (32 bytes) for one day, region and service.

    Raises:
        TokenRefused: the sealed secret is not this access key's.
    Source: IAM User Guide, "Create a signed AWS API request", step 4.
    """
    secret = domain.unwrap(sealed_secret, _binding(account_id, access_key_id))
    key = b"AWS4" + secret
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _binding(account_id: str, access_key_id: str) -> bytes:
    return binding_of("secret access key", account_id, access_key_id)
