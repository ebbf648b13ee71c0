"""Domain keys, for operators of the deployment: what there is, rotation, and wrapping anew."""

from collections.abc import Mapping
from typing import Any, Final

from kagimori.entities.tables import DOMAINS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import check_operator, deployment_view
from kagimori.operations.kagimori.inspecting import Inspecting, asker
from kagimori.operations.kagimori.refusals import ResourceNotFoundException
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.ports import Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.keys.domains import ALL, Domains, names_of, shown_domains, succeeded
from kagimori.rules.refusal import ServiceUnavailableException
from kagimori_boundary.commands import Command, RotateDomainKeys
from kagimori_boundary.replies import SealedDomains

_STATUS: Final = "kagimori:GetDomainStatus"
_ROTATE: Final = "kagimori:RotateDomainKey"
_REWRAP: Final = "kagimori:RewrapTokens"


class FoundDomains(Facts):
    """The rings as they are kept, and how far the server is with wrapping tokens anew."""

    domains: Domains | None = None
    rewrapping: Mapping[str, Any] | None = None

    @property
    def kept(self) -> Domains:
        """The rings.

        Raises:
            ServiceUnavailableException: there are none, in a deployment that is being made.
        """
        if self.domains is None:
            raise ServiceUnavailableException("There are no domain keys here.")
        return self.domains


class GetDomainStatus(Inspecting[FoundDomains]):
    def look_up(self, asked: Asked) -> FoundDomains:
        check_operator(asked, _STATUS)
        return FoundDomains((Need(_STATUS),))

    def read(self, asked: Asked, facts: FoundDomains) -> FoundDomains:
        domains = _domains(asked, _STATUS)
        status = self.inspector.server_status(asker(asked))
        return FoundDomains(facts.needs, domains=domains, rewrapping=status.get("Rewrapping"))

    def finish(self, asked: Request, facts: FoundDomains, reply: None) -> Outcome:
        return Outcome(
            {
                "Domains": shown_domains(facts.kept),
                "Rewrapping": _progress(facts.kept, facts.rewrapping or {}),
            }
        )


class RotateDomainKey(Operation[FoundDomains, SealedDomains]):
    """Give one domain, or all of them, a new current domain key.

    It is kept when this is answered, and in force a moment later.
    """

    service = "kagimori"

    def look_up(self, asked: Asked) -> FoundDomains:
        check_operator(asked, _ROTATE)
        return FoundDomains((Need(_ROTATE),))

    def read(self, asked: Asked, facts: FoundDomains) -> FoundDomains:
        found = FoundDomains(facts.needs, domains=_domains(asked, _ROTATE))
        name = asked.call.input.DomainName
        if name is not None and name not in names_of(found.kept, asked.settings.regions):
            raise ResourceNotFoundException(f"There is no domain {name}.")
        return found

    def ask(self, asked: Request, allowed: Allowed, facts: FoundDomains) -> Command | None:
        name = asked.call.input.DomainName
        names = names_of(facts.kept, asked.settings.regions) if name is None else (name,)
        return RotateDomainKeys(facts.kept.sealed, list(names), asked.now)

    def finish(self, asked: Request, facts: FoundDomains, reply: SealedDomains) -> Outcome:
        successor = succeeded(facts.kept, reply.sealed_domains, reply.keys)
        answer = {"Domains": shown_domains(successor)}
        return Outcome(answer, (Put(DOMAINS, successor, facts.kept),), answer)


class RewrapTokens(Operation[FoundDomains, None]):
    """Have the server search for tokens under retired domain keys again, from the beginning."""

    service = "kagimori"

    def look_up(self, asked: Asked) -> FoundDomains:
        check_operator(asked, _REWRAP)
        return FoundDomains((Need(_REWRAP),))

    def read(self, asked: Asked, facts: FoundDomains) -> FoundDomains:
        return FoundDomains(facts.needs, domains=_domains(asked, _REWRAP))

    def finish(self, asked: Request, facts: FoundDomains, reply: None) -> Outcome:
        successor = changed(facts.kept, rewrap_asked_at=asked.now)
        return Outcome(
            {"Domains": shown_domains(successor)}, (Put(DOMAINS, successor, facts.kept),)
        )


def _domains(asked: Asked, action: str) -> Domains | None:
    found: Domains | None = deployment_view(asked, action).one(DOMAINS, (ALL,))
    return found


def _progress(domains: Domains, reported: Mapping[str, Any]) -> dict[str, Any]:
    """Return how far the server is; what was asked a moment ago it does not know yet."""
    newest = max((key.made_at for key in domains.keys), default=0.0)
    is_behind = reported.get("BeganAt", 0.0) < max(domains.rewrap_asked_at, newest)
    return {**reported, "State": "running"} if is_behind else dict(reported)
