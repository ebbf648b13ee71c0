"""A policy document: parsed from JSON text, checked, frozen. Three kinds, one grammar.

Refuses when a policy is written what could not be decided when it is used. `stored=True` reads
text that was accepted once (perhaps by an older version): what has no sense then has no effect
(in an Allow) or full effect (in a Deny), and nothing raises but text that is no policy at all.

Source: KMS API Reference, the errors of each action and PutKeyPolicy; KMS Developer Guide, "Key
policies in AWS KMS"; IAM API Reference; IAM User Guide, reference_policies_grammar.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from kagimori.rules.partitions import AWS
from kagimori.rules.refusal import (
    InvalidArnException,
    LimitExceededException,
    MalformedPolicyDocumentException,
)

from .checks import check_statement
from .condition import Condition
from .grammar import VERSION_WITH_VARIABLES, Document, Fault, Kind, Statement
from .iam_checks import check_identity_policy
from .json_text import NotJson, Number, has_only_policy_characters, print_json, read_json
from .principal import Principals
from .principal_element import BadPrincipal, read_principals, renamed_element

KEY_POLICY_BYTES_MAX: Final = 32_768
_VERSIONS: Final = (VERSION_WITH_VARIABLES, "2008-10-17")
_DOCUMENT: Final = frozenset({"Version", "Id", "Statement"})
_NO_PRINCIPAL: Final = {
    Kind.KEY: "Policy contains a statement with no principal.",
    Kind.TRUST: (
        "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: "
        "The passed in policy has a statement with no principals!"
    ),
}
_NEGATABLE: Final = ("Principal", "Action", "Resource")
_STATEMENT: Final = frozenset(
    {"Sid", "Effect", "Condition", *_NEGATABLE, *(f"Not{name}" for name in _NEGATABLE)}
)


class MalformedPolicy(Exception):
    """An identity or trust policy that IAM refuses, with IAM's message."""


def parse_policy(text: str, kind: Kind, *, stored: bool = False, partition: str = AWS) -> Document:
    """Return the document that a JSON text holds; its ARNs must be of `partition`, unless stored.

    Raises:
        MalformedPolicyDocumentException, InvalidArnException, LimitExceededException: a key
            policy that KMS refuses.
        MalformedPolicy: an identity or trust policy that IAM refuses.
    """
    if kind is Kind.KEY and not stored and len(_encoded(text)) > KEY_POLICY_BYTES_MAX:
        raise LimitExceededException(f"Key policy is larger than {KEY_POLICY_BYTES_MAX} bytes.")
    try:
        return _read_document(_read_text(text), kind, None if stored else partition)
    except NotJson:
        _refuse(kind, Fault("This policy contains invalid Json"))
    except Fault as fault:
        _refuse(kind, fault)


def _read_text(text: str) -> Any:
    if not has_only_policy_characters(text):
        raise Fault("The policy contains characters that are not allowed.")
    return read_json(text)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _refuse(kind: Kind, fault: Fault) -> NoReturn:
    if kind is not Kind.KEY:
        raise MalformedPolicy(str(fault)) from fault
    if fault.bad_arn:
        raise InvalidArnException("An ARN in the specified key policy is invalid.") from fault
    raise MalformedPolicyDocumentException(str(fault)) from fault


def pretty(text: str, partition: str, renamed: Mapping[str, str] | None = None) -> str:
    """Return a policy's text as GetKeyPolicy shows it: the same JSON, printed as Jackson does.

    Bare account ids have become root ARNs; `renamed` maps ARNs of deleted principals to ids.

    Raises:
        NotJson: the text is not JSON.
    """
    policy = read_json(text)
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    for statement in statements if isinstance(statements, list) else [statements]:
        if isinstance(statement, dict):
            for element in ("Principal", "NotPrincipal"):
                if element in statement:
                    shown = renamed_element(statement[element], renamed or {}, partition)
                    statement[element] = shown
    return print_json(policy)


def principals_named(document: Document) -> frozenset[str]:
    """Return the user, role and session ARNs that must exist when the policy is written."""
    named = (s.principals.names for s in document.statements if s.principals is not None)
    return frozenset().union(*named)


def accounts_named(document: Document) -> frozenset[str]:
    """Return the accounts that must exist when the policy is written.

    Those of users, roles and their sessions exist if they do.
    """
    named = [s.principals for s in document.statements if s.principals is not None]
    accounts = {account for principals in named for account in principals.accounts}
    names = (name for principals in named for name in principals.names)
    federated = {name.split(":")[4] for name in names if ":federated-user/" in name}
    return frozenset(accounts | federated)


def _read_document(policy: Any, kind: Kind, partition: str | None) -> Document:
    if not isinstance(policy, dict) or not policy.keys() <= _DOCUMENT:
        raise Fault("Syntax errors in policy.")
    version = policy.get("Version", "2008-10-17")
    policy_id = policy.get("Id", "")
    listed = policy.get("Statement")
    statements = listed if isinstance(listed, list) else [listed]
    if version not in _VERSIONS or not _is_text(policy_id) or not statements:
        raise Fault("Syntax errors in policy.")
    variables = version == VERSION_WITH_VARIABLES
    read = tuple(_read_statement(statement, kind, partition) for statement in statements)
    if partition is None:
        return Document(kind, version, policy_id, read)
    if kind is Kind.IDENTITY:
        check_identity_policy(policy, read, partition)
    sids = [statement.sid for statement in read if statement.sid]
    if kind is not Kind.KEY and len(set(sids)) != len(sids):
        raise Fault("Statement IDs (SID) in a single policy must be unique.")
    for statement in read:
        check_statement(statement, kind, variables=variables)
    return Document(kind, version, policy_id, read)


def _read_statement(statement: Any, kind: Kind, partition: str | None) -> Statement:
    if not isinstance(statement, dict) or not statement.keys() <= _STATEMENT:
        raise Fault("Syntax errors in policy.")
    effect = statement.get("Effect")
    sid = statement.get("Sid", "")
    # Of an identity policy it is said later that the effect is in the wrong case.
    if kind is Kind.IDENTITY and partition is not None and isinstance(effect, str):
        effect = effect.title()
    if effect not in ("Allow", "Deny") or not _is_text(sid):
        raise Fault("Syntax errors in policy.")
    actions, not_action = _either(statement, "Action")
    resources, not_resource = _either(statement, "Resource")
    principals, not_principal = _read_principal(statement, kind, partition)
    return Statement(
        sid,
        effect == "Allow",
        actions,
        not_action,
        resources,
        not_resource,
        principals,
        not_principal,
        _read_conditions(statement.get("Condition", {})),
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def _either(statement: dict[str, Any], name: str) -> tuple[tuple[str, ...] | None, bool]:
    """Return the texts of an element or of its negated twin, and which it was."""
    if name in statement and f"Not{name}" in statement:
        raise Fault("Syntax errors in policy.")
    negated = f"Not{name}" in statement
    listed = statement.get(f"Not{name}" if negated else name)
    if listed is None and name not in statement and not negated:
        return None, False
    texts = tuple(listed) if isinstance(listed, list) else (listed,)
    if not all(_is_text(text) for text in texts):
        raise Fault("Syntax errors in policy.")
    return texts, negated


def _read_principal(
    statement: dict[str, Any], kind: Kind, partition: str | None
) -> tuple[Principals | None, bool]:
    given = [name for name in ("Principal", "NotPrincipal") if name in statement]
    if kind is Kind.IDENTITY:
        if given:
            raise Fault("Policy document should not specify a principal.")
        return None, False
    if partition is not None and not any(_names_somebody(statement[name]) for name in given):
        raise Fault(_NO_PRINCIPAL[kind])
    not_principal = given == ["NotPrincipal"]
    # An Allow for everybody but a few would let in the unknown; trust policies have no exceptions.
    useless = not_principal and (statement["Effect"] == "Allow" or kind is Kind.TRUST)
    if len(given) != 1 or (useless and partition is not None):
        raise Fault("Policy contains a statement with one or more invalid principals.")
    try:
        federated = kind is Kind.TRUST
        element = statement[given[0]]
        return read_principals(element, federated=federated, partition=partition), not_principal
    except BadPrincipal as bad:
        if kind is Kind.TRUST:
            raise Fault(f"Invalid principal in policy: {bad}") from bad
        message = "Policy contains a statement with one or more invalid principals."
        raise Fault(message, bad_arn=bad.is_arn) from bad


def _names_somebody(element: Any) -> bool:
    """Return whether a Principal element has anything that could name somebody."""
    if isinstance(element, dict):
        return any(listed != [] for listed in element.values())
    return True


def _read_conditions(block: Any) -> tuple[Condition, ...]:
    if not isinstance(block, dict):
        raise Fault("Syntax errors in policy.")
    conditions: list[Condition] = []
    for operator, entries in block.items():
        if not isinstance(entries, dict):
            raise Fault("Syntax errors in policy.")
        for key, listed in entries.items():
            operands = listed if isinstance(listed, list) else [listed]
            conditions.append(Condition(operator, key, tuple(_scalar(o) for o in operands)))
    return tuple(conditions)


def _scalar(value: Any) -> str:
    """Return a JSON scalar as the string it compares as."""
    if isinstance(value, str):
        return str(value)
    if value is True or value is False:
        return "true" if value else "false"
    raise Fault("Syntax errors in policy.")


__all__ = [
    "Document",
    "Kind",
    "MalformedPolicy",
    "Statement",
    "accounts_named",
    "parse_policy",
    "pretty",
    "principals_named",
]
