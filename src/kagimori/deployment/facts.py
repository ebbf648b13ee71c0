"""Facts about a deployment as a whole: its regions, its domains, its operators' account."""

import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from kagimori.deployment.folder import Unusable
from kagimori.machinery.store.sqlite import Fact

_FORMAT: Final = 1


class Facts(Struct, frozen=True):
    """The facts that `init` stored in the `deployment` table.

    `operator_account_id` is the account that `init` made; see `docs/look-up/admin-api.md`.
    """

    regions: tuple[str, ...]
    endpoint_url: str
    sealed_domains: bytes
    tls: bool
    created_at: float
    operator_account_id: str

    @property
    def home_region(self) -> str:
        return self.regions[0]


def facts_from(rows: Mapping[str, Any], place: object) -> Facts:
    """Return the facts that a store has; `place` names it in errors.

    Raises:
        Unusable: it is not a store of Kagimori, or one of a newer version.
    """
    try:
        if json.loads(rows["format"]) > _FORMAT:
            raise Unusable(f"{place} was made by a newer version of Kagimori")
        return Facts(
            regions=tuple(json.loads(rows["regions"])),
            endpoint_url=json.loads(rows["endpoint_url"]),
            sealed_domains=rows["sealed_domains"],
            tls=json.loads(rows["tls"]),
            created_at=json.loads(rows["created_at"]),
            operator_account_id=json.loads(rows["operator_account_id"]),
        )
    except (KeyError, ValueError, TypeError):
        raise Unusable(f"{place} is not a store of Kagimori") from None


def new_facts(facts: Facts) -> list[Fact]:
    """Return the rows of the facts of a new deployment."""
    return [
        Fact("format", json.dumps(_FORMAT)),
        Fact("regions", json.dumps(facts.regions)),
        Fact("endpoint_url", json.dumps(facts.endpoint_url)),
        Fact("sealed_domains", facts.sealed_domains),
        Fact("tls", json.dumps(facts.tls)),
        Fact("created_at", json.dumps(facts.created_at)),
        Fact("operator_account_id", json.dumps(facts.operator_account_id)),
        Fact("streams", json.dumps({})),  # none yet: see trail/streams.py
    ]
