"""The opener's options, from the settings: tokens and other KMSs that can open the domains."""

from pathlib import Path

from kagimori.server.tokens import token_children
from kagimori.settings import Settings
from kagimori_boundary.opener_options import KmsOptions, OpenerOptions


def opener_options(settings: Settings, hsm_socket: Path) -> OpenerOptions:
    """Return the options of the opener: each token, and each KMS that has an endpoint."""
    children = token_children(settings.tokens, hsm_socket)
    return OpenerOptions(
        tokens={child.options.name: child.options for child in children},
        environment={child.options.name: child.environment for child in children},
        kms={
            name: KmsOptions(kms.url, kms.credentials_file, kms.ca_bundle)
            for name, kms in settings.kms_roots.items()
            if kms.url is not None
        },
    )
