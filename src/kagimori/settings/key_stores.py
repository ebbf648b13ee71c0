"""Settings of custom key stores: where the proxies of external ones may be, and what they prove."""

from typing import Annotated

from msgspec import field

from kagimori.settings.about import About, Section


class KeyStores(Section, frozen=True):
    """Custom key stores."""

    authorities: Annotated[
        tuple[str, ...],
        About(
            "Certificate authorities of external key store proxies, PEM, instead of those that "
            "the system trusts; may be repeated.",
            metavar="FILE",
            is_path=True,
        ),
    ] = ()
    reached_at: Annotated[
        dict[str, str],
        About(
            "Where a proxy is reached whose host has this name, such as "
            "`xks.example.com` at `10.0.0.5:8443`; any address may be named here.",
        ),
    ] = field(default_factory=dict)
    networks: Annotated[
        tuple[str, ...],
        About(
            "Networks that are not public in which proxies may be as well, such as `10.20.0.0/16`.",
        ),
    ] = ()
    proxy_milliseconds: Annotated[
        int,
        About(
            "For the answer of a proxy, from the request to its last byte; AWS's is 250.",
            least=50,
            most=10_000,
        ),
    ] = 250
