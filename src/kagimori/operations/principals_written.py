"""Principals as callers write them into key policies and grants, and what is kept of them.

What is kept is the unique id, so that whoever is later made under the same name gets nothing.

DIFFERS(aws): `kagimori dev` takes names that nobody has, since tests written for others use them.

Source: KMS Developer Guide, "Key policies in AWS KMS" and "Grants in AWS KMS".
"""

import re
from typing import Final

from kagimori.gate.asked import Asked
from kagimori.gate.identities import (
    UnknownPrincipal,
    check_accounts,
    is_account,
    pins_of,
    unique_name,
)
from kagimori.rules.keys.grant_request import principal_name
from kagimori.rules.names import ACCOUNT_ID
from kagimori.rules.policy.document import Document
from kagimori.rules.refusal import InvalidArnException, MalformedPolicyDocumentException

UNIQUE_ID: Final = re.compile(r"A(?:IDA|ROA)[A-Z0-9]{12,124}(?::[\w+=,.@-]{2,64})?", re.ASCII)


def key_policy_pins(asked: Asked, document: Document) -> dict[str, str]:
    """Return the unique ids of the users and roles that a new key policy names, by ARN.

    Raises:
        MalformedPolicyDocumentException: one of them does not exist, or an account.
    """
    try:
        all_known = not asked.settings.unknown_principals
        if all_known:
            check_accounts(asked.view.principals, document, asked.partition)
        return pins_of(asked.view.principals, document, all_known=all_known)
    except UnknownPrincipal:
        raise MalformedPolicyDocumentException(
            "Policy contains a statement with one or more invalid principals."
        ) from None


def new_party(asked: Asked, written: str) -> str:
    """Return the form in which a new grant keeps its grantee or retiring principal.

    Raises:
        InvalidArnException: not an ARN of a principal, or nobody has it.
    """
    name = principal_name(written)
    is_foreign = written.startswith("arn:") and written.split(":")[1] != asked.partition
    known = None if is_foreign else _party(asked, written)
    if known is None and (is_foreign or not asked.settings.unknown_principals):
        raise InvalidArnException(f"ARN does not refer to a valid principal: {written}")
    return known or name


def listed_party(asked: Asked, written: str) -> str:
    """Return the forms in which grants to this principal keep it; an unknown name has none.

    Raises:
        InvalidArnException: not an ARN of a principal.
    """
    if UNIQUE_ID.fullmatch(written):  # as lists show principals that were deleted
        return written
    return _party(asked, written) or principal_name(written)


def _party(asked: Asked, written: str) -> str | None:
    """Return an account's digits or the unique id of a principal; None if nobody has the name."""
    name, principals = principal_name(written), asked.view.principals
    is_alone = ACCOUNT_ID.fullmatch(name) is not None
    if is_alone or ":federated-user/" in name:  # who has no other name than this
        return name if is_account(principals, name if is_alone else name.split(":")[4]) else None
    return unique_name(principals, name)
