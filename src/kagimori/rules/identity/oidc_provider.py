"""OpenID Connect providers, as stored: whose tokens an account's roles may trust.

Source: IAM API Reference, CreateOpenIDConnectProvider.
"""

import re
from functools import cached_property
from typing import Final

from msgspec import Struct

from kagimori.rules.folding import fold
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.identity.refusals import ValidationError
from kagimori.rules.partitions import AWS

THUMBPRINTS_MAX: Final = 5
_HTTPS: Final = "https://"
_THUMBPRINT: Final = re.compile(r"[0-9a-f]{40}")
_HOST_AND_PATH: Final = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?", re.IGNORECASE | re.ASCII)


class OidcProvider(Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """A provider; `url` is its issuer's without `https://`, and so part of its ARN."""

    account_id: str
    url: str
    created_at: float
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    partition: str = AWS
    version: int = 1

    @cached_property
    def arn(self) -> str:
        return oidc_arn(self.partition, self.account_id, self.url)


def oidc_arn(partition: str, account_id: str, url: str) -> str:
    return identity_arn(partition, account_id, "oidc-provider", "/", url)


def read_url(url: str) -> str:
    """Return a provider's URL as it is stored.

    Raises:
        ValidationError: not an https URL, or with a query or fragment.
    """
    rest = url.removeprefix(_HTTPS)
    if not url.startswith(_HTTPS) or not _HOST_AND_PATH.fullmatch(rest) or set("?#") & set(rest):
        raise ValidationError("Invalid Open ID Connect Provider URL")
    return rest.rstrip("/")


def check_thumbprints(thumbprints: list[str] | None) -> tuple[str, ...]:
    """Return thumbprints in lower case.

    Raises:
        ValidationError: more than five, or one that is no SHA-1 in hexadecimal.
    """
    listed = tuple(fold(one) for one in thumbprints or ())
    if len(listed) > THUMBPRINTS_MAX:
        raise ValidationError(f"Thumbprint list must contain fewer than {THUMBPRINTS_MAX} entries.")
    if not all(_THUMBPRINT.fullmatch(one) for one in listed):
        raise ValidationError("Thumbprint list contains an invalid thumbprint.")
    return listed
