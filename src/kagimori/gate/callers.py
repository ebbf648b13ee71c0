"""Callers as the store knows them now: a user's or role's policies, gathered and compiled once.

A caller is kept until one of the entities it was made of is another; entities never change, so
to compare is to see whether they are the same objects.
"""

from typing import Any, Final

from msgspec.structs import replace

from kagimori.entities.identity_tables import ROLES, USERS
from kagimori.gate.gathering import entities_of, read_entities
from kagimori.gate.identities import managed_policy
from kagimori.ports import View
from kagimori.rules.authorization.authorize import IdentityRules
from kagimori.rules.folding import fold
from kagimori.rules.identity.account import AccessKey
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
        self._known: dict[Any, tuple[tuple[Any, ...], Caller]] = {}

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
            made_of = (access_key, partition)
            return self._kept(access_key.access_key_id, made_of) or self._keep(
                access_key.access_key_id,
                made_of,
                proven(root_caller(access_key, partition), access_key),
            )
        user: User | None = self._view.one(USERS, (access_key.account_id, fold(name)))
        if user is None or user.name != name or access_key.holder not in ("", user.unique_id):
            return None
        made_of = (access_key, *entities_of(self._view, user))
        return self._kept(access_key.access_key_id, made_of) or self._keep(
            access_key.access_key_id,
            made_of,
            proven(user_caller(access_key.access_key_id, user, _rules(made_of[1:])), access_key),
        )

    def of_session(self, access_key_id: str, session: SessionClaims) -> Caller | None:
        """Return whose session it is, judged by what the user or role may now.

        None if there is no such user or role any more, or only a namesake.

        Raises:
            Absent: not in memory yet.
        """
        bearer: Any = None
        if session.unique_id:
            table = ROLES if session.kind == ROLE else USERS
            bearer = self._view.one(table, (session.account_id, fold(session.name)))
            if bearer is None or bearer.unique_id != session.unique_id:
                # Renamed, perhaps: the id is who it is.
                bearer = next(iter(self._view.group(table, "by_id", (session.unique_id,))), None)
            if bearer is None:
                return None
        managed = [managed_policy(self._view, arn) for arn in session.policy_arns]
        made_of = (
            session,
            *managed,
            *(entities_of(self._view, bearer) if bearer is not None else ()),
        )
        known = self._kept(access_key_id, made_of)
        if known is not None:
            return known
        rules = _rules(made_of[1 + len(managed) :])
        if session.kind == FEDERATED and bearer is None:
            rules = IdentityRules((administrator_access().compiled,))
        if session.has_policies or session.kind == FEDERATED:
            narrowing = (*session.compiled_policies, *(m.compiled for m in managed if m))
            rules = IdentityRules(rules.identity_policies, rules.boundary, narrowing)
        caller = _caller(access_key_id, bearer, rules, session)
        proof = SessionProof(access_key_id, session.token)
        return self._keep(access_key_id, made_of, replace(caller, proof=proof))

    def _kept(self, key: str, made_of: tuple[Any, ...]) -> Caller | None:
        known = self._known.get(key)
        if known is None or len(known[0]) != len(made_of):
            return None
        for one, other in zip(known[0], made_of, strict=True):
            if one is not other:
                return None
        return known[1]

    def _keep(self, key: str, made_of: tuple[Any, ...], caller: Caller) -> Caller:
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


def _rules(entities: tuple[Any, ...]) -> IdentityRules:
    """Return the rules that the entities of an identity make; without any, none."""
    if not entities:
        return IdentityRules()
    gathered = read_entities(entities)
    policies: list[CompiledPolicy] = []
    for holder in gathered.holders:
        policies += holder.bearer.compiled_inline
        policies += (policy.compiled for policy in holder.attached)
    boundary: CompiledPolicy | None = None
    if gathered.is_bounded:
        # INVARIANT(deny-by-default): a boundary that cannot be read allows nothing.
        boundary = _NOTHING if gathered.boundary is None else gathered.boundary.compiled
    return IdentityRules(tuple(policies), boundary)


def _caller(
    access_key_id: str, bearer: Any, rules: IdentityRules, session: SessionClaims
) -> Caller:
    if session.kind == ROLE:
        return role_caller(access_key_id, bearer, rules, session)
    if session.kind == FEDERATED:
        return federated_caller(access_key_id, bearer, rules, session)
    if session.kind == ROOT:
        return root_session_caller(access_key_id, session)
    return user_caller(access_key_id, bearer, rules, session)
