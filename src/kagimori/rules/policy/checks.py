"""Checks of new policy statements beyond their grammar.

Source: KMS Developer Guide, "Key policies in AWS KMS"; KMS API Reference, PutKeyPolicy; IAM User
Guide, "IAM JSON policy elements: Condition operators" and "IAM policy elements: Variables and
tags"; IAM API Reference; IAM's messages as its users quote them.
"""

import re
from typing import Final

from kagimori.rules.folding import fold

from .condition import fault_of
from .grammar import Fault, Kind, Statement
from .iam_checks import check_action
from .match import resource_pieces
from .template import BadVariable, Variable, parse_template, split_parts

_IAM_SID: Final = re.compile(r"[0-9A-Za-z]*")
_ARN_PREFIX_PARTS: Final = 5
_FOR_ALL_FORBIDDEN: Final = ("kms:encryptioncontext:", "aws:requesttag/")


def check_statement(statement: Statement, kind: Kind, *, variables: bool) -> None:
    """Refuse a statement that could not be evaluated as meant.

    Raises:
        Fault: with AWS's message.
    """
    if not statement.actions:
        raise Fault("Policy statement must contain actions.")
    if kind is Kind.TRUST and statement.resources is not None:
        raise Fault("Has prohibited field Resource")
    if kind is not Kind.TRUST and not statement.resources:
        raise Fault("Policy statement must contain resources.")
    if kind is not Kind.KEY:
        _check_iam(statement, kind)
    if kind is Kind.IDENTITY:
        for resource in statement.resources or ():
            _check_resource(resource, variables=variables)
    for condition in statement.conditions:
        fault = fault_of(condition, variables=variables, in_key_policy=kind is Kind.KEY)
        if fault is not None:
            raise Fault(fault)
        for_all = condition.operator.startswith("ForAllValues:")
        if kind is Kind.KEY and for_all and _is_overly_permissive(condition.key):
            message = f"Remove ForAllValues from the condition on {condition.key}."
            raise Fault(f"OverlyPermissiveCondition: {message}")


def _is_overly_permissive(key: str) -> bool:
    # ForAllValues holds for an absent key, so on these it would let through what has no value.
    return fold(key).startswith(_FOR_ALL_FORBIDDEN)


def _check_iam(statement: Statement, kind: Kind) -> None:
    if _IAM_SID.fullmatch(statement.sid) is None:
        raise Fault(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
            "regular expression [0-9A-Za-z]*"
        )
    for action in statement.actions or ():
        check_action(action)
        if kind is Kind.TRUST and not fold(action).startswith("sts:"):
            raise Fault("AssumeRole policy may only specify STS AssumeRole actions.")


def _check_resource(resource: str, *, variables: bool) -> None:
    try:
        pieces = parse_template(resource, variables=variables, wildcards=True)
    except BadVariable as bad:
        raise Fault(f"Resource {resource} contains an invalid policy variable.") from bad
    if resource_pieces(pieces) is None:
        raise Fault("Vendor must be fully qualified and cannot contain regexes.")
    before = split_parts(pieces, _ARN_PREFIX_PARTS + 1)[:_ARN_PREFIX_PARTS]
    if any(isinstance(piece, Variable) for part in before for piece in part):
        raise Fault(f"Resource {resource} has a policy variable before the fifth colon.")
