"""Checks of the settings of PKCS#11 tokens, before a process is started for any of them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.x509 import load_pem_x509_certificate

from kagimori.deployment.folder import Unusable
from kagimori.settings import Token

TOKENS_MAX: Final = 32
# CloudHsmClusterIdType of the KMS service model.
_CLUSTER_ID: Final = re.compile(r"cluster-[2-7a-zA-Z]{11,16}")


def check_tokens(tokens: Mapping[str, Token]) -> None:
    """Check that each token's settings are whole, and that no two are of one cluster.

    Raises:
        Unusable: they are not, or a file that they name cannot be read.
    """
    if len(tokens) > TOKENS_MAX:
        raise Unusable(f"there are more than {TOKENS_MAX} tokens")
    clusters: set[str] = set()
    for name, token in tokens.items():
        _check(f"tokens.{name}", token)
        if token.cluster_id in clusters:
            raise Unusable(f"tokens.{name}.cluster_id is another token's as well")
        clusters |= {token.cluster_id} if token.cluster_id else set()


def _check(section: str, token: Token) -> None:
    for member in ("module", "pin_file"):
        if getattr(token, member) is None:
            raise Unusable(f"{section} needs {section}.{member}")
    if token.label is None and token.serial is None:
        raise Unusable(f"{section} needs {section}.label or {section}.serial")
    for member in ("module", "pin_file", "trust_anchor"):
        file = getattr(token, member)
        if file is not None and not Path(file).is_file():
            raise Unusable(f"{section}.{member}: {file} is no file")
    if token.cluster_id is None:
        return
    if not _CLUSTER_ID.fullmatch(token.cluster_id):
        raise Unusable(
            f"{section}.cluster_id must be cluster- and 11 to 16 letters or digits from 2 to 7"
        )
    if token.trust_anchor is None:
        raise Unusable(f"{section}.cluster_id needs {section}.trust_anchor")
    read_trust_anchor(f"{section}.trust_anchor", token.trust_anchor)


def read_trust_anchor(setting: str, file: str) -> str:
    """Return the certificate in a file, PEM.

    Raises:
        Unusable: there is none.
    """
    try:
        text = Path(file).read_text(encoding="ascii")
        load_pem_x509_certificate(text.encode())
    except (OSError, ValueError):
        raise Unusable(f"{setting}: {file} holds no certificate in PEM") from None
    return text
