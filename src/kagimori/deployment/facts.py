"""Facts about a deployment as a whole: its regions, its domains, its operators' account."""

import json
from typing import Final

from msgspec import Struct

from kagimori.deployment.folder import Unusable
from kagimori.entities.tables import DOMAINS
from kagimori.machinery.store.admin import AdminStore
from kagimori.machinery.store.database import Fact
from kagimori.rules.keys.domains import ALL

_FORMAT: Final = 1


class Facts(Struct, frozen=True):
    """The facts that `init` stored in the `deployment` table.

    `sealed_domains` is what the HSM is unsealed with; it changes with each rotation, so that a
    server reads it again for each new HSM. `operator_account_id` is the account that `init` made;
    see `docs/look-up/admin-api.md`.
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


def facts_from(store: AdminStore, place: object) -> Facts:
    """Return the facts that a store has; `place` names it in errors.

    Raises:
        Unusable: it is not a store of Kagimori, or one of a newer version.
        StoreUnusable: it cannot be read.
    """
    rows, domains = store.facts(), store.one(DOMAINS, (ALL,))
    try:
        if json.loads(rows["format"]) > _FORMAT:
            raise Unusable(f"{place} was made by a newer version of Kagimori")
        return Facts(
            regions=tuple(json.loads(rows["regions"])),
            endpoint_url=json.loads(rows["endpoint_url"]),
            sealed_domains=domains.sealed,
            tls=json.loads(rows["tls"]),
            created_at=json.loads(rows["created_at"]),
            operator_account_id=json.loads(rows["operator_account_id"]),
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        raise Unusable(f"{place} is not a store of Kagimori") from None


def new_facts(facts: Facts) -> list[Fact]:
    """Return the rows of the facts of a new deployment, but for its domains."""
    return [
        Fact("format", json.dumps(_FORMAT)),
        Fact("regions", json.dumps(facts.regions)),
        Fact("endpoint_url", json.dumps(facts.endpoint_url)),
        Fact("tls", json.dumps(facts.tls)),
        Fact("created_at", json.dumps(facts.created_at)),
        Fact("operator_account_id", json.dumps(facts.operator_account_id)),
        Fact("streams", json.dumps({})),  # none yet: see trail/streams.py
    ]
