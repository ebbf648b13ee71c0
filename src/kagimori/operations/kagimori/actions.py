"""Dangerous actions: what a request for each says exactly, and the changes that it comes to."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from kagimori.entities.tables import CLOSED_DOMAIN_KEYS, DOMAINS
from kagimori.gate.asked import Asked
from kagimori.gate.operators import deployment_view
from kagimori.operations.kagimori.refusals import ResourceNotFoundException
from kagimori.operations.key_policy_checks import check_new_policy
from kagimori.ports import Put
from kagimori.rules.keys.domains import ALL, ClosedDomainKey, Domains, closed
from kagimori.rules.keys.domains import performed as performed_on
from kagimori.rules.keys.kms_key import AWS, KmsKey
from kagimori.rules.operators.roster import Roster
from kagimori.rules.refusal import ServiceUnavailableException, ValidationException
from kagimori_boundary.commands.approvals import (
    ADD_OPERATORS,
    CHANGE_QUORUM,
    DESTROY_DOMAIN_KEYS,
    DOMAIN_KEY_IDS,
    OPERATOR_NAMES,
    OPERATOR_PREFIX,
    POLICY_SHA256,
    QUORUM,
    REMOVE_OPERATORS,
    REMOVE_SEAL,
    REPLACE_KEY_POLICY,
    SEAL_ID,
    ZEROIZE_HSM,
)
from kagimori_boundary.replies import SealedDomains
from kagimori_boundary.seals import seals_in

OPERATORS_MAX: Final = 32


class Proposal(Struct, frozen=True):
    """The resource and parameters to sign; `document` is a text whose digest is among them."""

    resource: str
    parameters: dict[str, str]
    document: str = ""


class Proposing(NamedTuple):
    """A request, the domains as they are kept, and the KMS key that it names."""

    asked: Asked
    domains: Domains
    kms_key: KmsKey | None

    @property
    def given(self) -> Any:
        return self.asked.call.input


def kept_domains(asked: Asked, action: str) -> Domains:
    """Return the sealed domains.

    Raises:
        ServiceUnavailableException: there are none, in a deployment that is being made.
    """
    found: Domains | None = deployment_view(asked, action).one(DOMAINS, (ALL,))
    if found is None:
        raise ServiceUnavailableException("There are no domain keys here.")
    return found


def proposal(
    asked: Asked, action: str, domains: Domains, kms_key: KmsKey | None = None
) -> Proposal:
    """Return the proposal in the members of a request, if it could be done now.

    `kms_key` is the one that `KeyId` names.

    Raises:
        ValidationException, ResourceNotFoundException, and those of key policies: it could not.
    """
    given = asked.call.input
    for member in MEMBERS:
        if getattr(given, member, None) is not None and member not in _MEMBERS_OF[action]:
            raise ValidationException(f"{member} does not go with {action}.")
    return _PROPOSE[action](Proposing(asked, domains, kms_key))


def writes_of(
    action: str, parameters: Mapping[str, str], kept: Domains, reply: SealedDomains, now: float
) -> Sequence[Put]:
    """Return the changes of the domains; what is no longer to be used is closed with them."""
    after = performed_on(kept, reply.sealed_domains, reply.keys, reply.roster)
    if action != DESTROY_DOMAIN_KEYS:
        return (Put(DOMAINS, after, kept),)
    named = parameters[DOMAIN_KEY_IDS].split(",")
    keys = [key for key in kept.keys if key.key_id in named and key.closed_at is None]
    shut = replace(closed(after, keys, now), version=after.version)
    closings = (
        Put(CLOSED_DOMAIN_KEYS, ClosedDomainKey(key_id=key.key_id, closed_at=now)) for key in keys
    )
    return (Put(DOMAINS, shut, kept), *closings)


def digest_of(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()


# --- one function for each action ---------------------------------------------------------------


def _add_operators(of: Proposing) -> Proposal:
    given, roster = of.given, of.domains.roster
    added = {one.OperatorName: one.PublicKey for one in given.Operators or ()}
    if not added or len(added) != len(given.Operators):
        raise ValidationException("Operators must name at least one operator, and each once.")
    for name in added:
        if name in roster.names:
            raise ValidationException(f"{name} is an operator already.")
    keys = [operator.public_key for operator in roster.operators] + list(added.values())
    if len(set(keys)) != len(keys):
        raise ValidationException("Each operator must have a key of their own.")
    quorum = _quorum(given.Quorum, roster, len(keys))
    named = {f"{OPERATOR_PREFIX}{name}": key for name, key in added.items()}
    return Proposal(roster.deployment_id, {**named, QUORUM: quorum})


def _remove_operators(of: Proposing) -> Proposal:
    given, roster = of.given, of.domains.roster
    names = sorted(set(given.OperatorNames or ()))
    if not names:
        raise ValidationException("OperatorNames must name at least one operator.")
    for name in names:
        if name not in roster.names:
            raise ResourceNotFoundException(f"There is no operator {name}.")
    quorum = _quorum(given.Quorum, roster, len(roster.operators) - len(names))
    return Proposal(roster.deployment_id, {OPERATOR_NAMES: ",".join(names), QUORUM: quorum})


def _change_quorum(of: Proposing) -> Proposal:
    given, roster = of.given, of.domains.roster
    if given.Quorum is None:
        raise ValidationException("Quorum must be given.")
    quorum = _quorum(given.Quorum, roster, len(roster.operators))
    return Proposal(roster.deployment_id, {QUORUM: quorum})


def _destroy_domain_keys(of: Proposing) -> Proposal:
    names = sorted(set(of.given.DomainKeyIds or ()))
    if not names:
        raise ValidationException("DomainKeyIds must name at least one domain key.")
    known = {key.key_id: key for key in of.domains.keys}
    for name in names:
        if name not in known:
            raise ResourceNotFoundException(f"There is no domain key {name}.")
        if known[name].is_current:
            raise ValidationException(f"The domain key {name} is current: rotate its domain first.")
    return Proposal(of.domains.roster.deployment_id, {DOMAIN_KEY_IDS: ",".join(names)})


def _remove_seal(of: Proposing) -> Proposal:
    if of.given.SealId is None:
        raise ValidationException("SealId must be given.")
    seals = {seal.seal_id: seal for seal in seals_in(of.domains.sealed)}
    seal = seals.get(of.given.SealId)
    if seal is None:
        raise ResourceNotFoundException(f"There is no seal {of.given.SealId}.")
    if len(seals) == 1:
        raise ValidationException("The last seal cannot be removed.")
    named = {SEAL_ID: seal.seal_id, "kind": seal.kind, "label": seal.label}
    return Proposal(of.domains.roster.deployment_id, named)


def _zeroize(of: Proposing) -> Proposal:
    return Proposal(of.domains.roster.deployment_id, {})


def _replace_key_policy(of: Proposing) -> Proposal:
    given, kms_key = of.given, of.kms_key
    if kms_key is None or given.Policy is None:
        raise ValidationException("KeyId and Policy must be given.")
    if kms_key.key_manager == AWS:
        raise ValidationException("The policy of an AWS managed key cannot be replaced.")
    check_new_policy(of.asked, kms_key, given.Policy, bypass=True)
    return Proposal(kms_key.arn, {POLICY_SHA256: digest_of(given.Policy)}, given.Policy)


def _quorum(given: int | None, roster: Roster, operators: int) -> str:
    quorum = roster.quorum if given is None else given
    if operators > OPERATORS_MAX:
        raise ValidationException(f"There cannot be more than {OPERATORS_MAX} operators.")
    if not 1 <= quorum <= operators:
        raise ValidationException(
            f"Quorum must be between 1 and the number of operators, which would be {operators}."
        )
    return str(quorum)


_PROPOSE: Final[Mapping[str, Callable[[Proposing], Proposal]]] = {
    ADD_OPERATORS: _add_operators,
    REMOVE_OPERATORS: _remove_operators,
    CHANGE_QUORUM: _change_quorum,
    DESTROY_DOMAIN_KEYS: _destroy_domain_keys,
    REMOVE_SEAL: _remove_seal,
    ZEROIZE_HSM: _zeroize,
    REPLACE_KEY_POLICY: _replace_key_policy,
}
_MEMBERS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    ADD_OPERATORS: ("Operators", "Quorum"),
    REMOVE_OPERATORS: ("OperatorNames", "Quorum"),
    CHANGE_QUORUM: ("Quorum",),
    DESTROY_DOMAIN_KEYS: ("DomainKeyIds",),
    REMOVE_SEAL: ("SealId",),
    ZEROIZE_HSM: (),
    REPLACE_KEY_POLICY: ("KeyId", "Policy"),
}
MEMBERS: Final = tuple(dict.fromkeys(name for names in _MEMBERS_OF.values() for name in names))
