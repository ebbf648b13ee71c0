"""The options of the opener, as JSON on its command line: what it may reach. No secret is in it."""

from msgspec import Struct

from kagimori_boundary.token_options import TokenOptions


class KmsOptions(Struct, frozen=True):
    """A KMS behind the AWS API. Without a file, credentials are those that AWS's tools find.

    The file is JSON with `access_key_id` and `secret_access_key`, as `kagimori init` writes it.
    """

    url: str
    credentials_file: str | None = None
    ca_bundle: str | None = None


class OpenerOptions(Struct, frozen=True):
    """Roots by the names that seals call them. `connection_fd` is inherited: the HSM's other end.

    `environment` has what the settings give the library of each token.
    """

    tokens: dict[str, TokenOptions] = {}
    environment: dict[str, dict[str, str]] = {}
    kms: dict[str, KmsOptions] = {}
    connection_fd: int = -1

    @property
    def is_needed(self) -> bool:
        """True if the settings name anything that can be reached."""
        return bool(self.tokens or self.kms)
