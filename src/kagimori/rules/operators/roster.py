"""The operators as the service shows them; the HSM has them sealed, and believes nobody else."""

from typing import Any

from msgspec import Struct

from kagimori_boundary.replies import RosterFacts


class Operator(Struct, frozen=True):
    """A person who approves; the public key is Ed25519, hexadecimal."""

    name: str
    public_key: str


class Roster(Struct, frozen=True, omit_defaults=True):
    """All operators, and how many of them must approve; nobody in a deployment without any."""

    deployment_id: str = ""
    quorum: int = 0
    operators: tuple[Operator, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(operator.name for operator in self.operators)


def roster_from(facts: RosterFacts) -> Roster:
    """Return the roster that the HSM has sealed."""
    operators = (Operator(name, key.hex()) for name, key in sorted(facts.operators.items()))
    return Roster(facts.deployment_id, facts.quorum, tuple(operators))


def shown_operators(roster: Roster) -> list[dict[str, Any]]:
    """Return the operators in the members of the admin service."""
    return [
        {"OperatorName": operator.name, "PublicKey": operator.public_key}
        for operator in roster.operators
    ]
