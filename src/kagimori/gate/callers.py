"""Callers as the store knows them now: a user's or role's policies, gathered and compiled once.

A caller is kept until one of the entities it was made of is another; entities never change, so
to compare is to see whether they are the same objects.
"""

from typing import Final

from msgspec.structs import replace

from kagimori.entities.identity_tables import ACCOUNTS, ROLES, USERS
from kagimori.gate.gathering import Holder, gathered
from kagimori.gate.identities import managed_policy
from kagimori.ports import View
from kagimori.rules.authorization.authorize import IdentityRules
from kagimori.rules.folding import fold
from kagimori.rules.identity.account import AccessKey, Account
from kagimori.rules.identity.aws_managed import administrator_access
from kagimori.rules.identity.caller import (
    Caller,
    federated_caller,
    role_caller,
    root_caller,
    root_session_caller,
    service_caller,
    user_caller,
)
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.session import FEDERATED, ROLE, ROOT, SessionClaims
from kagimori.rules.identity.user import User
from kagimori.rules.policy.document import Document, Kind
from kagimori.rules.policy.evaluate import CompiledPolicy
from kagimori_boundary.commands import AccessKeyProof, SessionProof
from kagimori_boundary.commands.identity import ROOT_HOLDER, SERVICE_HOLDER

CALLERS_MAX: Final = 10_000
_NOTHING: Final = CompiledPolicy(Document(Kind.IDENTITY, "2012-10-17", "", ()), "", ())


class Callers:
    """Makes callers, and remembers them."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._known: dict[str, tuple[tuple[object, ...], Caller]] = {}

    def of_access_key(self, access_key: AccessKey, partition: str) -> Caller | None:
        """Return whose access key it is; None if the user is no more.

        `partition` is that of the request: it is part of the root user's name.

        Raises:
            Absent: not in memory yet.
        """
        name, service = access_key.user_name, access_key.service
        if not _is_holders(access_key):
            return None
        if service is not None:
            return self._kept(access_key.access_key_id, (access_key,)) or self._keep(
                access_key.access_key_id,
                (access_key,),
                proven(service_caller(access_key, service), access_key),
            )
        if name is None:
            made_of: tuple[object, ...] = (access_key, partition)
            return self._kept(access_key.access_key_id, made_of) or self._keep(
                access_key.access_key_id,
                made_of,
                proven(root_caller(access_key, partition), access_key),
            )
        user: User | None = self._view.one(USERS, (access_key.account_id, fold(name)))
        if user is None or user.name != name or access_key.holder not in ("", user.unique_id):
            return None
        holders = gathered(self._view, user)
        made_of = (access_key, *_entities(holders))
        return self._kept(access_key.access_key_id, made_of) or self._keep(
            access_key.access_key_id,
            made_of,
            proven(user_caller(access_key.access_key_id, user, _rules(holders)), access_key),
        )

    def of_session(self, access_key_id: str, session: SessionClaims) -> Caller | None:
        """Return whose session it is, judged by what the user or role may now.

        None if there is no such user or role any more, or only a namesake, or if its sessions were
        ended since.

        Raises:
            Absent: not in memory yet.
        """
        bearer: User | Role | None = None
        if session.unique_id:
            table = ROLES if session.kind == ROLE else USERS
            bearer = self._view.one(table, (session.account_id, fold(session.name)))
            if bearer is None or bearer.unique_id != session.unique_id:
                # Renamed, perhaps: the id is who it is.
                bearer = next(iter(self._view.group(table, "by_id", (session.unique_id,))), None)
            if bearer is None:
                return None
        # The root user's generation is with the account.
        of: User | Role | Account | None = bearer
        if of is None:
            of = self._view.one(ACCOUNTS, (session.account_id,))
        if of is not None and session.generation < of.session_generation:
            return None
        managed = [managed_policy(self._view, arn) for arn in session.policy_arns]
        holders = () if bearer is None else gathered(self._view, bearer)
        made_of = (session, of, *managed, *_entities(holders))
        known = self._kept(access_key_id, made_of)
        if known is not None:
            return known
        rules = _rules(holders)
        if session.kind == FEDERATED and bearer is None:
            rules = IdentityRules((administrator_access().compiled,))
        if session.has_policies or session.kind == FEDERATED:
            narrowing = (*session.compiled_policies, *(m.compiled for m in managed if m))
            rules = IdentityRules(rules.identity_policies, rules.boundary, narrowing)
        caller = _caller(access_key_id, bearer, rules, session)
        if caller is None:
            return None
        proof = SessionProof(access_key_id, session.token)
        return self._keep(access_key_id, made_of, replace(caller, proof=proof))

    def _kept(self, key: str, made_of: tuple[object, ...]) -> Caller | None:
        known = self._known.get(key)
        if known is None or len(known[0]) != len(made_of):
            return None
        for one, other in zip(known[0], made_of, strict=True):
            if one is not other:
                return None
        return known[1]

    def _keep(self, key: str, made_of: tuple[object, ...], caller: Caller) -> Caller:
        if len(self._known) >= CALLERS_MAX:
            self._known.clear()
        self._known[key] = (made_of, caller)
        return caller


def proven(caller: Caller, access_key: AccessKey) -> Caller:
    """Return a caller with what shows the HSM that they have this access key."""
    proof = AccessKeyProof(
        access_key.account_id,
        access_key.access_key_id,
        access_key.holder,
        access_key.sealed_secret,
    )
    return replace(caller, proof=proof)


def _is_holders(access_key: AccessKey) -> bool:
    """Return whether the store says of the root user and of services what the HSM has sealed."""
    if access_key.holder == "":
        return True
    if access_key.service is not None:
        return access_key.holder == SERVICE_HOLDER + access_key.service
    return (access_key.holder == ROOT_HOLDER) is (access_key.user_name is None)


def _entities(holders: tuple[Holder, ...]) -> tuple[object, ...]:
    return tuple(entity for holder in holders for entity in holder.entities)


def _rules(holders: tuple[Holder, ...]) -> IdentityRules:
    """Return the rules that the policies of an identity make; without any, none."""
    if not holders:
        return IdentityRules()
    policies: list[CompiledPolicy] = []
    for holder in holders:
        policies += holder.bearer.compiled_inline
        policies += (policy.compiled for policy in holder.existing)
    boundary: CompiledPolicy | None = None
    itself = holders[0]
    if itself.is_bounded:
        # INVARIANT(deny-by-default): a boundary that cannot be read allows nothing.
        boundary = _NOTHING if itself.boundary is None else itself.boundary.compiled
    return IdentityRules(tuple(policies), boundary)


def _caller(
    access_key_id: str, bearer: User | Role | None, rules: IdentityRules, session: SessionClaims
) -> Caller | None:
    """Return the caller of a session; None if it is not of the kind that its bearer makes."""
    if session.kind == ROLE:
        if not isinstance(bearer, Role):
            return None
        return role_caller(access_key_id, bearer, rules, session)
    if isinstance(bearer, Role):
        return None
    if session.kind == FEDERATED:
        return federated_caller(access_key_id, bearer, rules, session)
    if session.kind == ROOT:
        return root_session_caller(access_key_id, session)
    return None if bearer is None else user_caller(access_key_id, bearer, rules, session)
