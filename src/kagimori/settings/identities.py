"""Settings of identity providers, and of recipients that attest what they are."""

from typing import Annotated

from msgspec import field

from kagimori.settings.about import BOTH, About, Section


class WebIdentity(Section, frozen=True):
    """The issuers whose web identity tokens can be verified."""

    keys: Annotated[
        dict[str, str],
        About(
            "The JSON Web Key Set of an OpenID Connect provider; may be repeated.",
            flag="--web-identity-keys",
            metavar="ISSUER=FILE",
            commands=BOTH,
            is_path=True,
        ),
    ] = field(default_factory=dict)
    fetch: Annotated[
        bool,
        About(
            "Fetch those of other providers from their issuers.",
            flag="--fetch-web-identity-keys",
            commands=BOTH,
        ),
    ] = False


class Attestation(Section, frozen=True):
    """Recipients that attest what they are."""

    roots: Annotated[
        tuple[str, ...],
        About(
            "Roots that attested recipients may lead to, PEM; may be repeated.",
            flag="--attestation-root",
            metavar="FILE",
            is_path=True,
        ),
    ] = ()
