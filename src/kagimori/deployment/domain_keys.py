"""The domain keys of a deployment that is not being served, by id and state."""

from pathlib import Path
from typing import Any

from kagimori.deployment.opened import opened
from kagimori.entities.tables import DOMAINS
from kagimori.rules.keys.domains import ALL, Domains, shown_domains
from kagimori.rules.operators.roster import Roster, shown_operators


def stored_operators(data: Path) -> dict[str, Any]:
    """Return the operators in the members of ListOperators, as the store shows them.

    Raises:
        Unusable: there is no deployment, or it cannot be read.
    """
    with opened(data, read_only=True) as deployment:
        domains: Domains | None = deployment.store.one(DOMAINS, (ALL,))
    roster = Roster() if domains is None else domains.roster
    return {
        "DeploymentId": roster.deployment_id,
        "Quorum": roster.quorum,
        "Operators": shown_operators(roster),
    }


def stored_domain_keys(data: Path) -> list[dict[str, Any]]:
    """Return the domains in the members of GetDomainStatus.

    Raises:
        Unusable: there is no deployment, or it cannot be read.
    """
    with opened(data, read_only=True) as deployment:
        domains: Domains | None = deployment.store.one(DOMAINS, (ALL,))
    return [] if domains is None else shown_domains(domains)
