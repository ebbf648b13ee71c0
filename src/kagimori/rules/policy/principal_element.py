"""The Principal element as written: which names are well formed, and what they stand for.

Source: KMS API Reference, the errors of each action; KMS Developer Guide, "Key policies in AWS
KMS"; IAM User Guide, reference_policies_elements_principal.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from kagimori.rules.names import root_arn

from .principal import Principals

ACCOUNT_ID: Final = re.compile(r"[0-9]{12}")
_ROOT_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):root")
_NAME: Final = r"[A-Za-z0-9_+=,.@-]+"
_PATH: Final = r"(?:[\x21-\x29\x2b-\x3e\x40-\x7e]+/)?"
_PRINCIPAL_ARN: Final = re.compile(
    rf"arn:aws[a-z-]*:(?:iam::[0-9]{{12}}:(?:user|role)/{_PATH}{_NAME}"
    rf"|sts::[0-9]{{12}}:(?:assumed-role/{_NAME}/{_NAME}|federated-user/{_NAME}))"
)
_UNIQUE_ID: Final = re.compile(r"A(?:IDA|ROA|GPA)[A-Z0-9]{12,124}")
_SERVICE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_PROVIDER: Final = re.compile(
    r"arn:aws[a-z-]*:iam::[0-9]{12}:(?:saml|oidc)-provider/[\x21-\x29\x2b-\x3e\x40-\x7e]+"
    r"|[a-z0-9-]+(?:\.[a-z0-9-]+)+"
)


class BadPrincipal(ValueError):
    """A principal that cannot be named so; `is_arn` says that it began like an ARN."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f'"{kind}":"{text}"')
        self.is_arn = text.startswith("arn:")


def read_principals(element: Any, *, federated: bool, partition: str | None) -> Principals:
    """Return the principals that a Principal element names.

    ARNs must be of `partition`. None reads text that was accepted once: it may hold ARNs of any
    partition, and the unique ids of principals that were deleted.

    Raises:
        BadPrincipal: a form or name that AWS does not take.
    """
    if element == "*":
        return Principals(everyone=True)
    if not isinstance(element, dict) or not element:
        raise BadPrincipal("Principal", element if isinstance(element, str) else "")
    found: dict[str, set[str]] = {"account": set(), "name": set(), "Service": set()}
    found["Federated"] = set()
    everyone = False
    for kind, listed in element.items():
        if kind not in {"AWS", "Service"} and not (kind == "Federated" and federated):
            raise BadPrincipal(str(kind), "")
        for text in listed if isinstance(listed, list) else [listed]:
            if not isinstance(text, str):
                raise BadPrincipal(kind, "")
            if kind == "AWS" and text == "*":
                everyone = True
            else:
                group, name = _read_name(kind, text, partition)
                found[group].add(name)
    return Principals(
        everyone=everyone,
        accounts=frozenset(found["account"]),
        names=frozenset(found["name"]),
        services=frozenset(found["Service"]),
        federated=frozenset(found["Federated"]),
    )


def _read_name(kind: str, text: str, partition: str | None) -> tuple[str, str]:
    stored = partition is None
    if not stored and text.startswith("arn:") and text.split(":")[1] != partition:
        raise BadPrincipal(kind, text)
    if kind == "AWS":
        root = _ROOT_ARN.fullmatch(text)
        if root is not None or ACCOUNT_ID.fullmatch(text):
            return "account", root[1] if root is not None else text
        if _PRINCIPAL_ARN.fullmatch(text) or (stored and _UNIQUE_ID.fullmatch(text)):
            return "name", text
    elif (_SERVICE if kind == "Service" else _PROVIDER).fullmatch(text):
        return kind, text
    raise BadPrincipal(kind, text)


def renamed_element(element: Any, names: Mapping[str, str], partition: str) -> Any:
    """Return a Principal element as GetKeyPolicy shows it in a partition.

    A bare account id has become the ARN of its root; `names` gives the unique ids of principals
    deleted since.
    """
    if not isinstance(element, dict):
        return element
    shown = dict(element)
    listed = shown.get("AWS")
    if isinstance(listed, str):
        shown["AWS"] = _renamed(listed, names, partition)
    elif isinstance(listed, list):
        shown["AWS"] = [_renamed(text, names, partition) for text in listed]
    return shown


def _renamed(text: str, names: Mapping[str, str], partition: str) -> str:
    if ACCOUNT_ID.fullmatch(text):
        return root_arn(text, partition)
    return names.get(text, text)
