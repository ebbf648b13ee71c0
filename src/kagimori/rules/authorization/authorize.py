"""Decides whether a caller may act, from all policies and grants; alone makes `Allowed`.

A matching Deny anywhere decides. Otherwise the key must allow the caller (key policy or grant),
and the caller's own account must agree where the way in which the key named the caller leaves
that to it. What is not allowed is denied.

Source: IAM User Guide, "Troubleshoot access denied error messages", "Policy evaluation logic" and
access_policies_boundaries; KMS API Reference, PutKeyPolicy; KMS Developer Guide, "Grants in AWS
KMS" and policy-evaluation; STS API Reference, AssumeRole.
"""

from itertools import chain
from typing import Final, final

from kagimori.rules.authorization.caller_findings import CallerFindings, is_local_caller
from kagimori.rules.authorization.decision import (
    Decision,
    IdentityRules,
    KeyRules,
    RoleRules,
    Side,
    text_for_strangers,
)
from kagimori.rules.keys.grant import WAY_OF_GRANTEE, Grant, GrantTerms, permits
from kagimori.rules.policy.evaluate import Effect, Finding, evaluate
from kagimori.rules.policy.principal import NameKind, Principal, PrincipalKind, Way
from kagimori.rules.policy.question import Question
from kagimori.rules.refusal import AccessDeniedException

# Only these work across accounts at all.
CROSS_ACCOUNT_ACTIONS: Final = frozenset(
    {
        "kms:CreateGrant",
        "kms:Decapsulate",
        "kms:Decrypt",
        "kms:DeriveSharedSecret",
        "kms:DescribeKey",
        "kms:Encapsulate",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyPair",
        "kms:GenerateDataKeyPairWithoutPlaintext",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:GenerateMac",
        "kms:GetKeyRotationStatus",
        "kms:GetPublicKey",
        "kms:ListGrants",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "kms:RetireGrant",
        "kms:RevokeGrant",
        "kms:Sign",
        "kms:Verify",
        "kms:VerifyMac",
    }
)
ROOT_ASSUMES_NO_ROLE: Final = "Roles may not be assumed by root accounts."
NO_WEB_IDENTITY: Final = "Not authorized to perform sts:AssumeRoleWithWebIdentity"


_SEAL: Final = object()


@final
class Allowed:
    """The permission to act, with the decisions that gave it; made by this module alone."""

    __slots__ = ("decisions",)

    def __init__(self, seal: object, decisions: tuple[Decision, ...]) -> None:
        # INVARIANT(deny-by-default): nothing but decisions that all allow make one.
        if seal is not _SEAL:
            raise TypeError("only permission makes Allowed")
        self.decisions = decisions


def permission(*decisions: Decision) -> Allowed:
    """Return the permission to act that decisions give together.

    Raises:
        AccessDeniedException: one of them gives none; with AWS's text.
    """
    for decision in decisions:
        if not decision.allowed:
            raise AccessDeniedException(decision.message())
    return Allowed(_SEAL, decisions)


def decide(
    principal: Principal,
    identity_rules: IdentityRules,
    key_rules: KeyRules | None,
    question: Question,
    *,
    presented: tuple[Grant, ...] = (),
    proposed: GrantTerms | None = None,
) -> Decision:
    """Return the decision on a question, with the policy or grant that made it.

    Without `key_rules` the action is one that IAM alone decides (CreateKey, the alias side, all
    of IAM). `presented` are grants found by the tokens of the request, which count though the
    index may not have them yet; `proposed` are the terms of the grant a CreateGrant would make.
    """
    findings = CallerFindings(principal, identity_rules, question)
    if key_rules is None:
        return findings.denied() or findings.by_account()
    if question.action == "kms:RetireGrant":
        # A key policy cannot give it; only `decide_retire`, which sees the grant, can.
        return findings.denied() or findings.deny(Side.RESOURCE)
    found = evaluate(
        key_rules.key_policy,
        question,
        principal,
        has_boundary=identity_rules.boundary is not None,
    )
    decision = findings.denied(found) or _by_key(findings, key_rules, found, presented, proposed)
    lets_in = found.effect is Effect.ALLOW
    return decision if lets_in else _as_shown(findings, decision, key_rules.named_as)


def _as_shown(findings: CallerFindings, decision: Decision, named_as: str | None) -> Decision:
    """Return a decision as a caller of another account, who is not let in, may see it.

    Whatever denies, the text is that of a key which does not exist.
    """
    if decision.allowed or named_as is None:
        return decision
    text = text_for_strangers(findings.principal, findings.question.action, named_as)
    return findings.deny(Side.RESOURCE, decision.statement_by, whole_message=text)


def _by_key(
    findings: CallerFindings,
    key_rules: KeyRules,
    found: Finding,
    presented: tuple[Grant, ...],
    proposed: GrantTerms | None,
) -> Decision:
    """Return the decision of key policy and grants, when nothing denies."""
    question = findings.question
    is_local = is_local_caller(findings.principal, key_rules.account_id)
    if not is_local and question.action not in CROSS_ACCOUNT_ACTIONS:
        return findings.deny(Side.RESOURCE)
    if question.resource == key_rules.key_arn:
        if findings.suffices(found.way, is_local=is_local):
            return findings.allow(Side.RESOURCE, found)
        grant = _grant_for(findings, key_rules, presented, proposed)
        if grant is not None:
            return findings.allow(Side.GRANT, grant=grant)
    return findings.deny(_missing_side(findings, found.way, is_local=is_local))


def decide_retire(
    principal: Principal,
    identity_rules: IdentityRules,
    grant: Grant,
    key_account_id: str,
    question: Question,
    *,
    named_as: str | None = None,
) -> Decision:
    """Return whether the caller may retire a grant; `question.action` is kms:RetireGrant.

    The retiring principal may, and the grantee whose grant says so, and the root user of the
    issuing account. IAM can give it only in the account that owns the key, or that is itself the
    retiring principal.

    Source: KMS Developer Guide, "Grants in AWS KMS".
    """
    findings = CallerFindings(principal, identity_rules, question)
    named = [grant.retiring] if grant.retiring is not None else []
    if "RetireGrant" in grant.terms.operations:
        named.append(grant.grantee)
    decision = findings.denied() or _by_grant(findings, grant, named, key_account_id)
    names = {principal.account_id, *(name for _, name in principal.names)}
    lets_in = not names.isdisjoint((*named, grant.issuing_account))
    return decision if lets_in else _as_shown(findings, decision, named_as)


def _by_grant(
    findings: CallerFindings, grant: Grant, named: list[str], key_account_id: str
) -> Decision:
    """Return the decision of the grant that is to be retired, when nothing denies."""
    principal = findings.principal
    for kind, name in principal.names:
        way = WAY_OF_GRANTEE.get(kind, Way.NONE)
        if name in named and findings.suffices(way, is_local=True):
            return findings.allow(Side.GRANT, grant=grant)
    is_root = principal.kind is PrincipalKind.ROOT
    if is_root and principal.account_id == grant.issuing_account:
        return findings.allow(Side.ROOT, grant=grant)
    accounts = {key_account_id, *named}
    if principal.account_id in accounts and findings.suffices(Way.ACCOUNT, is_local=True):
        return findings.allow(Side.ROOT if is_root else Side.IDENTITY, findings.identity)
    in_account = principal.account_id in accounts
    way = Way.ACCOUNT if in_account else Way.NONE
    return findings.deny(_missing_side(findings, way, is_local=True))


def decide_assume_role(
    principal: Principal, identity_rules: IdentityRules, role_rules: RoleRules, question: Question
) -> Decision:
    """Return whether the caller may assume a role (also sts:TagSession, sts:SetSourceIdentity).

    Source: STS API Reference, AssumeRole.
    """
    findings = CallerFindings(principal, identity_rules, question)
    if principal.kind is PrincipalKind.ROOT:
        return findings.deny(Side.TRUST, whole_message=ROOT_ASSUMES_NO_ROLE)
    has_boundary = identity_rules.boundary is not None
    found = evaluate(role_rules.trust_policy, question, principal, has_boundary=has_boundary)
    is_local = is_local_caller(principal, role_rules.account_id)
    if (
        findings.denied(found) is None
        and question.resource == role_rules.role_arn
        and findings.suffices(found.way, is_local=is_local)
    ):
        return findings.allow(Side.TRUST, found)
    if principal.kind is PrincipalKind.WEB_IDENTITY:
        return findings.deny(Side.TRUST, whole_message=NO_WEB_IDENTITY)
    return findings.deny(Side.TRUST)


def would_lock_out(
    principal: Principal, identity_rules: IdentityRules, key_rules: KeyRules, question: Question
) -> bool:
    """Return whether under a new key policy (in `key_rules`) the caller could not replace it again.

    `question` is the PutKeyPolicy that would follow. Grants cannot give it, so none are asked.

    Source: KMS API Reference, PutKeyPolicy.
    """
    asked = Question("kms:PutKeyPolicy", key_rules.key_arn, question.values)
    without_grants = KeyRules(key_rules.key_arn, key_rules.account_id, key_rules.key_policy)
    return not decide(principal, identity_rules, without_grants, asked).allowed


def _missing_side(findings: CallerFindings, way: Way, *, is_local: bool) -> Side:
    """Return the side whose Allow is missing, given how the key policy names the caller."""
    if way is Way.NONE:
        return Side.RESOURCE
    if is_local and way is not Way.ACCOUNT:  # only the limits could be missing
        return Side.SESSION if findings.boundary_allows else Side.BOUNDARY
    return findings.by_account().side


def _grant_for(
    findings: CallerFindings,
    key_rules: KeyRules,
    presented: tuple[Grant, ...],
    proposed: GrantTerms | None,
) -> Grant | None:
    """Return a grant that allows the caller's request, or None."""
    principal, question = findings.principal, findings.question
    names = [(WAY_OF_GRANTEE.get(kind, Way.NONE), name) for kind, name in principal.names]
    if principal.account_id and principal.kind is not PrincipalKind.SERVICE:
        names.append((Way.ACCOUNT, principal.account_id))
    is_local = is_local_caller(principal, key_rules.account_id)
    for way, name in names:
        enough = findings.suffices(way, is_local=is_local)
        # A grant that the caller's own account issued speaks for that account.
        enough_if_own = enough or findings.suffices(way, is_local=True)
        if not enough_if_own:
            continue
        for grant in chain(presented, key_rules.grants.candidates(name, question)):
            if grant.grantee != name or not permits(grant, question, proposed):
                continue
            if enough or grant.issuing_account == principal.account_id:
                return grant
    return None


__all__ = [
    "Allowed",
    "Decision",
    "Grant",
    "IdentityRules",
    "KeyRules",
    "NameKind",
    "Principal",
    "PrincipalKind",
    "Question",
    "RoleRules",
    "Side",
    "decide",
    "decide_assume_role",
    "decide_retire",
    "permission",
    "would_lock_out",
]
