"""The simulated caller, and the policies that apply to it.

Source: IAM API Reference, SimulatePrincipalPolicy (PolicySourceArn, CallerArn).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NoReturn

from kagimori.gate.asked import Asked
from kagimori.gate.gathering import Holder, gathered
from kagimori.gate.identities import (
    BEARERS,
    identity_named,
    not_found,
    unique_name,
)
from kagimori.ports import View
from kagimori.rules.authorization.simulation import SourcedPolicy
from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.identity.caller import Caller
from kagimori.rules.identity.managed_policy import ManagedPolicy
from kagimori.rules.identity.refusals import InvalidInput, PolicyEvaluation
from kagimori.rules.policy.document import Document, Kind, MalformedPolicy, parse_policy
from kagimori.rules.policy.evaluate import compile_policy
from kagimori.rules.policy.principal import NameKind, Principal, PrincipalKind
from kagimori.rules.refusal import Refusal

_ENTITY_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:iam::([0-9]{12}):(user|group|role)/(?:[!-~]*/)?([\w+=,.@-]+)", re.ASCII
)
_NAME_KINDS: Final = {"user": NameKind.USER, "role": NameKind.ROLE}


def entity_at(view: View, arn: str, account_id: str) -> Bearer:
    """Return the user, group or role of an account that an ARN names.

    Raises:
        InvalidInput: the ARN can name none of them.
        NoSuchEntity: nobody has it.
    """
    account, noun, name = _parts(arn)
    found = identity_named(view, BEARERS[noun], account, name) if account == account_id else None
    if found is None or found.arn != arn:
        raise not_found(BEARERS[noun], name)
    return found


def check_entity_arn(arn: str) -> None:
    """Check that an ARN can name a user, group or role.

    Raises:
        InvalidInput: it cannot.
    """
    _parts(arn)


def caller_named(asked: Asked, arn: str | None) -> Caller:
    """Return the caller to be simulated; without ARN, an identity of the account without a name.

    What is known of one of another account is its name.
    """
    account_id = asked.caller.account_id
    if arn is None:
        return Caller(Principal(PrincipalKind.USER, account_id, "", ""), "", "")
    account, noun, name = _parts(arn)
    kind = _NAME_KINDS.get(noun)
    unique_id = None if kind is None else unique_name(asked.view, arn)
    names = () if kind is None else tuple((kind, one) for one in (arn, unique_id) if one)
    sort = PrincipalKind.ROLE_SESSION if noun == "role" else PrincipalKind.USER
    principal = Principal(sort, account, arn, arn, names)
    own = (
        identity_named(asked.view, BEARERS[noun], account, name) if account == account_id else None
    )
    tags = own.tags if own is not None and own.arn == arn else {}
    user_name = name if noun == "user" else None
    return Caller(principal, "", unique_id or "", user_name, tags=tags)


def _parts(arn: str) -> tuple[str, str, str]:
    match = _ENTITY_ARN.fullmatch(arn)
    if match is None:
        message = f"Invalid Entity Arn: {arn} does not clearly define entity type and name."
        raise InvalidInput(message)
    return match[1], match[2], match[3]


# --- policies as they are attached ----------------------------------------------------------------


def policies_of(view: View, bearer: Bearer) -> list[SourcedPolicy]:
    """Return the policies that count for a user, group or role; a user's groups' as well.

    Raises:
        PolicyEvaluation: one that is stored cannot be read.
        Absent: not in memory yet.
    """
    return [policy for holder in gathered(view, bearer) for policy in _of_holder(holder)]


def boundary_of(view: View, bearer: Bearer) -> SourcedPolicy | None:
    """Return the permissions boundary, if there is one.

    Raises:
        PolicyEvaluation: there is one that cannot be read.
        Absent: not in memory yet.
    """
    itself = gathered(view, bearer)[0]
    if itself.is_bounded and itself.boundary is None:
        _cannot_evaluate(bearer.boundary or "")
    return None if itself.boundary is None else _managed(itself.boundary)


def _of_holder(holder: Holder) -> Iterator[SourcedPolicy]:
    bearer = holder.bearer
    try:
        compiled = bearer.compiled_inline
    except MalformedPolicy:
        _cannot_evaluate(bearer.arn)
    for (name, text), policy in zip(bearer.inline_policies.items(), compiled, strict=True):
        policy_id = f"{bearer.noun}_{bearer.name}_{name}"
        named = (bearer.noun, bearer.name, name)
        yield SourcedPolicy(policy_id, bearer.noun, text, policy, holder=named)
    yield from map(_managed, holder.existing)


def _managed(policy: ManagedPolicy) -> SourcedPolicy:
    source = "aws-managed" if policy.account_id == "aws" else "user-managed"
    try:
        return SourcedPolicy(policy.name, source, policy.default.text, policy.compiled, policy.arn)
    except MalformedPolicy:
        _cannot_evaluate(policy.arn)


def _cannot_evaluate(name: str) -> NoReturn:
    raise PolicyEvaluation(f"The policies of {name} could not be evaluated.")


# --- policies as they are given -------------------------------------------------------------------


def policies_given(texts: Iterable[str] | None, member: str, partition: str) -> list[SourcedPolicy]:
    """Return identity policies that came with the request, named after their place in a member.

    Raises:
        InvalidInput: one of them is no policy.
    """
    return [
        policy_given(text, Kind.IDENTITY, f"{member}.{number}", "none", partition)
        for number, text in enumerate(texts or (), 1)
    ]


def policy_given(
    text: str, kind: Kind, policy_id: str, source: str, partition: str
) -> SourcedPolicy:
    """Return one policy that came with the request.

    Raises:
        InvalidInput: it is none.
    """
    document = document_given(text, kind, partition)
    return SourcedPolicy(policy_id, source, text, compile_policy(document, policy_id))


def document_given(text: str, kind: Kind, partition: str) -> Document:
    """Return the document of a policy that came with the request.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return parse_policy(text, kind, partition=partition)
    except MalformedPolicy as malformed:
        raise InvalidInput(str(malformed)) from None
    except Refusal as refusal:
        raise InvalidInput(refusal.message) from None
