"""Checks of well-formed identity policies, with IAM's order and messages.

First what IAM's older parser refuses, then the resources, the actions, and what is missing.
Source: IAM User Guide, reference_policies_grammar and reference_policies_elements; the messages as
IAM's users quote them.
"""

import re
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from .condition import Condition, read_operator
from .grammar import VERSION_WITH_VARIABLES, Fault, Statement

_LEGACY: Final = "The policy failed legacy parsing"
_SYNTAX: Final = "Syntax errors in policy."
_VENDOR: Final = re.compile(r"[A-Za-z0-9.-]+")
# A date as IAM takes it: seconds or milliseconds since the epoch, or ISO 8601, all of it but the
# year left out at will.
_EPOCH: Final = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_ISO: Final = re.compile(
    r"[0-9]{2,4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?"
    r"(?:[Tt](?:[0-9]{1,2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)?"
    r"(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?)?",
    re.ASCII,
)
_INT64: Final = 2**63
_ARN_COLONS: Final = 5
_WITHOUT_REGION: Final = {
    "iam": "IAM resource {} cannot contain region information.",
    "s3": "Resource {} can not contain region information.",
}
_IAM_PATHS: Final = (
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
)
_WILD: Final = re.compile(r"[*?$]")


def check_identity_policy(
    policy: dict[str, Any], statements: Sequence[Statement], partition: str
) -> None:
    """Check that IAM takes the policy, as far as its single elements go.

    Raises:
        Fault: with IAM's message.
    """
    _check_form(policy, statements)
    wrong = _wrong_resource(statements, partition)
    sids = [one.sid for one in statements if one.sid]
    if len(set(sids)) != len(sids):
        raise Fault("Statement IDs (SID) in a single policy must be unique.")
    if not all(one.actions for one in statements):
        raise Fault("Policy statement must contain actions.")
    if wrong is not None:
        raise Fault(wrong)
    for action in chain.from_iterable(one.actions or () for one in statements):
        check_action(action)
    if not all(one.resources for one in statements):
        raise Fault("Policy statement must contain resources.")


def _check_form(policy: dict[str, Any], statements: Sequence[Statement]) -> None:
    conditions = [condition for one in statements for condition in one.conditions]
    if any(read_operator(condition.operator) is None for condition in conditions):
        raise Fault(_SYNTAX)
    if policy.get("Version") != VERSION_WITH_VARIABLES:
        raise Fault("Policy document must be version 2012-10-17 or greater.")
    listed = policy["Statement"]
    written = listed if isinstance(listed, list) else [listed]
    if any(one["Effect"] not in ("Allow", "Deny") for one in written):
        raise Fault(_LEGACY)
    if not all(_has_dates(condition) for condition in conditions):
        raise Fault(_LEGACY)


def check_action(action: str) -> None:
    """Check that an action has a vendor and a name, whatever they are.

    Raises:
        Fault: with IAM's message.
    """
    if action == "*":
        return
    vendor, colon, name = action.partition(":")
    if not colon:
        raise Fault("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    if ":" in name:
        raise Fault("Actions/Condition can contain only one colon.")
    if vendor != "*" and _VENDOR.fullmatch(vendor) is None:
        raise Fault(f"Vendor {vendor} is not valid")


def _has_dates(condition: Condition) -> bool:
    reading = read_operator(condition.operator)
    if reading is None or reading.operator.family != "Date":
        return True
    return all(_is_date(operand) for operand in condition.operands)


def _is_date(text: str) -> bool:
    if _EPOCH.fullmatch(text):
        return -_INT64 <= int(text) < _INT64
    return _ISO.fullmatch(text) is not None


def _wrong_resource(statements: Sequence[Statement], partition: str) -> str | None:
    """Return the fault of the resources; of several faults of a statement, the first by text.

    Raises:
        Fault: the older parser would refuse, and no other fault was found before.
    """
    wrong: str | None = None
    for statement in statements:
        for resource in sorted(statement.resources or (), reverse=True):
            wrong = _fault_of_resource(resource, partition) or wrong
        if wrong is None and any(_fails_legacy(one) for one in statement.resources or ()):
            raise Fault(_LEGACY)
    return wrong


def _fails_legacy(resource: str) -> bool:
    if resource == "*" or _WILD.search(resource):
        return False
    parts = resource.split(":")
    return (len(parts) <= _ARN_COLONS and "" in parts) or (len(parts) > 2 and not parts[2])  # noqa: PLR2004


def _fault_of_resource(resource: str, partition: str) -> str | None:
    if resource == "*":
        return None
    prefix, colon, rest = resource.partition(":")
    if not colon:
        return f'Resource {resource} must be in ARN format or "*".'
    named, colon, rest = rest.partition(":")
    if named != partition and not _WILD.search(named):
        parts = rest.split(":", 3) if rest else ["*"]
        shown = ":".join([*parts, *("*" for _ in range(4 - len(parts)))])
        return f'Partition "{named}" is not valid for resource "arn:{named}:{shown}".'
    if prefix != "arn":
        return f'Resource {resource} must be in ARN format or "*".'
    if not colon:
        return "Resource vendor must be fully qualified and cannot contain regexes."
    parts = rest.split(":", 3)
    service = parts[0]
    region = parts[1] if len(parts) > 1 else ""
    if service in _WITHOUT_REGION and region and (service == "iam" or not "".join(parts[2:3])):
        return _WITHOUT_REGION[service].format(resource)
    if service == "iam" and len(parts) > 3 and not _is_iam_path(parts[3]):  # noqa: PLR2004
        paths = ", ".join(_IAM_PATHS)
        return f'IAM resource path must either be "*" or start with {paths}.'
    return None


def _is_iam_path(path: str) -> bool:
    wild = _WILD.search(path)
    if wild is None:
        return path.startswith(_IAM_PATHS)
    literal = path[: wild.start()]
    return path.startswith(_IAM_PATHS) or any(one.startswith(literal) for one in _IAM_PATHS)
