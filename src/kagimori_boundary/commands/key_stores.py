"""Commands about the secrets of custom key stores: a proxy's credential, a cluster's password.

Each is sealed for one store and one purpose. What signs requests to a proxy never comes out again,
only the signing key of a day.
"""

from kagimori_boundary.commands.command import HsmCommand

# What a secret of a store is for: the credential of an external proxy, or a cluster's user.
PROXY, PASSWORD = "proxy", "password"


class SealStoreSecret(HsmCommand, frozen=True, tag=80):
    """Seal the secret of a custom key store; `access_key_id` is the proxy's, else empty."""

    account_id: str
    region: str
    key_store_id: str
    purpose: str
    access_key_id: str
    secret: str


class DeriveProxySigningKey(HsmCommand, frozen=True, tag=81):
    """The day's Signature Version 4 signing key for requests to an external key store proxy."""

    account_id: str
    region: str
    key_store_id: str
    access_key_id: str
    sealed: bytes
    date: str


class OpenStorePassword(HsmCommand, frozen=True, tag=82):
    """Open the password of a cluster's user, to log in with."""

    account_id: str
    region: str
    key_store_id: str
    sealed: bytes
