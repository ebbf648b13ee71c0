"""Policies that a simulation leaves out, so that one sees what taking them away would do.

Source: IAM API Reference, SimulatePrincipalPolicy (PolicyExclusionList), PolicyIdentifier.
"""

from collections.abc import Callable
from typing import Any, Final

from kagimori.rules.authorization.simulation import SourcedPolicy
from kagimori.rules.identity.refusals import InvalidInput
from kagimori.rules.policy.match import text_glob

Excludes = Callable[[SourcedPolicy], bool]

_ARN_PREFIX: Final = "arn:"
BOUNDARY: Final = "permission-boundary"


def read_exclusions(entries: Any) -> tuple[list[Excludes], bool]:
    """Return the tests of which a policy is left out by any, and whether the boundary is.

    Raises:
        InvalidInput: an entry names nothing, several things, or a pattern that AWS refuses.
    """
    tests: list[Excludes] = []
    boundary = False
    for entry in entries or ():
        given = (entry.PolicyType, entry.PolicyArn, entry.InlinePolicyIdentifier)
        if sum(value is not None for value in given) != 1:
            raise InvalidInput("A policy identifier names exactly one of its members.")
        if entry.PolicyType == BOUNDARY:
            boundary = True
        elif entry.PolicyType is not None:
            tests.append(_of_type(entry.PolicyType))
        elif entry.PolicyArn is not None:
            tests.append(_of_arn(entry.PolicyArn))
        else:
            tests.append(_of_inline(entry.InlinePolicyIdentifier))
    return tests, boundary


def _of_type(policy_type: str) -> Excludes:
    if policy_type == "inline":
        return lambda policy: policy.holder is not None
    return lambda policy: policy.source == policy_type


def _of_arn(arn: str) -> Excludes:
    prefix, _, name = arn.partition(":policy/")
    if not arn.startswith(_ARN_PREFIX) or not name or "*" in prefix or "?" in prefix:
        raise InvalidInput(f"Invalid policy identifier: {arn}")
    fits = _pattern(arn)
    return lambda policy: policy.arn is not None and fits(policy.arn)


def _of_inline(identifier: Any) -> Excludes:
    noun, name = identifier.AttachmentType, identifier.PolicyName
    fits = _pattern(identifier.AttachmentName)

    def excludes(policy: SourcedPolicy) -> bool:
        if policy.holder is None:
            return False
        held_by, holder, policy_name = policy.holder
        return held_by == noun and policy_name == name and fits(holder)

    return excludes


def _pattern(text: str) -> Callable[[str], bool]:
    if text.count("*") > 1:
        raise InvalidInput(f"Invalid policy identifier: {text}")
    return text_glob(text)
