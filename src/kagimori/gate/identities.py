"""Identities found by their names and ARNs, and the unique ids that policies keep of them.

Source: KMS Developer Guide, "Key policies in AWS KMS".
"""

import re
from collections.abc import Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from msgspec import Struct

from kagimori.entities.identity_tables import (
    ACCOUNTS,
    GROUPS,
    MANAGED_POLICIES,
    OIDC_PROVIDERS,
    ROLES,
    USERS,
)
from kagimori.ports import Key, Table, View
from kagimori.rules.folding import fold
from kagimori.rules.identity.aws_managed import aws_managed_policy
from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.identity.group import Group
from kagimori.rules.identity.managed_policy import ManagedPolicy
from kagimori.rules.identity.oidc_provider import OidcProvider
from kagimori.rules.identity.refusals import NoSuchEntity
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.user import User
from kagimori.rules.names import root_arn
from kagimori.rules.policy.document import Document, accounts_named, principals_named

_POLICY_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):policy(/(?:[!-~]*/)?)([^/]+)")
_BEARER_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):(user|role)/(?:[!-~]*/)?([^/]+)")
_UNIQUE_ID: Final = re.compile(r"A(?:IDA|ROA)[A-Z0-9]")
_SESSION_ARN: Final = re.compile(r"arn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([^/]+)/([^/]+)")


class Principals(Protocol):
    """Users and roles to be found by name or by unique id: a `View`, or the names alone."""

    def one(self, table: Table, key: Key) -> Any:
        """Return the one with this key, or None."""

    def group(self, table: Table, group: str, values: Key) -> Sequence[Any]:
        """Return all of a group."""


class Named(Protocol):
    """An entity whose name is unique in its account."""

    @property
    def name(self) -> str:
        """Return the name as it was written."""

    @property
    def arn(self) -> str:
        """Return the ARN."""

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags."""


N = TypeVar("N", bound=Named)
N_co = TypeVar("N_co", bound=Named, covariant=True)


class UnknownPrincipal(Exception):
    """A policy names a user or role that does not exist."""


class Kind(Struct, Generic[N_co], frozen=True):
    """A kind of identity: AWS's noun, the member that names one, and how it is stored."""

    noun: str
    member: str
    table: Table


USER: Final[Kind[User]] = Kind("user", "UserName", USERS)
GROUP: Final[Kind[Group]] = Kind("group", "GroupName", GROUPS)
ROLE: Final[Kind[Role]] = Kind("role", "RoleName", ROLES)
BEARERS: Final[dict[str, Kind[Bearer]]] = {kind.noun: kind for kind in (USER, GROUP, ROLE)}


def managed_policy(view: View, arn: str) -> ManagedPolicy | None:
    """Return the managed policy with this ARN: a customer's, or AWS's; None if there is none."""
    match = _POLICY_ARN.fullmatch(arn)
    if match is None:
        return aws_managed_policy(arn)
    found: ManagedPolicy | None = view.one(MANAGED_POLICIES, (match[1], fold(match[3])))
    return found if found is not None and found.arn == arn else None


def bearer_at(view: Principals, arn: str) -> Any:
    """Return the user or role with exactly this ARN, or None."""
    match = _BEARER_ARN.fullmatch(arn)
    if match is None:
        return None
    table = USERS if match[2] == "user" else ROLES
    found = view.one(table, (match[1], fold(match[3])))
    return found if found is not None and found.arn == arn else None


def role_at(view: View, arn: str) -> Role | None:
    """Return the role with exactly this ARN, or None."""
    found = bearer_at(view, arn)
    return found if isinstance(found, Role) else None


def unique_name(view: Principals, arn: str) -> str | None:
    """Return the unique id that a principal's ARN stands for now, None if nobody has it.

    A role session's is the role's id with the session's name. A federated user has no other name
    than its ARN.
    """
    session = _SESSION_ARN.fullmatch(arn)
    if session is not None:
        role: Any = view.one(ROLES, (session[1], fold(session[2])))
        named = role is not None and role.name == session[2]
        return f"{role.unique_id}:{session[3]}" if named else None
    if ":federated-user/" in arn:
        return arn
    bearer = bearer_at(view, arn)
    return str(bearer.unique_id) if bearer is not None else None


def pins_of(view: Principals, document: Document, *, all_known: bool = True) -> dict[str, str]:
    """Return the unique ids of the principals that a policy names, by ARN.

    Raises:
        UnknownPrincipal: one of them does not exist, and `all_known` asks for it; its text is
            the ARN.
    """
    pins: dict[str, str] = {}
    for arn in sorted(principals_named(document)):
        name = unique_name(view, arn)
        if name is None and all_known:
            raise UnknownPrincipal(arn)
        if name is not None and name != arn:
            pins[arn] = name
    return pins


def check_accounts(view: Principals, document: Document, partition: str) -> None:
    """Check that the accounts exist that a policy names, also those of federated users.

    Raises:
        UnknownPrincipal: one of them does not; its text is the ARN of the account's root user.
    """
    for account_id in sorted(accounts_named(document)):
        if not is_account(view, account_id):
            raise UnknownPrincipal(root_arn(account_id, partition))


def is_account(view: Principals, account_id: str) -> bool:
    """Return whether the deployment has this account."""
    return view.one(ACCOUNTS, (account_id,)) is not None


def renamed_since(view: Principals, pins: dict[str, str]) -> dict[str, str]:
    """Return the texts that stand for pinned ARNs now, where they differ.

    That is the new ARN of who was renamed, and the unique id of who was deleted.
    """
    renamed: dict[str, str] = {}
    for arn, pin in pins.items():
        shown = shown_as(view, arn, pin)
        if shown != arn:
            renamed[arn] = shown
    return renamed


def shown_as(view: Principals, arn: str, pin: str) -> str:
    """Return the text for a principal that was written as `arn` and had this unique id then.

    That is its ARN as it is now, and the unique id once the principal was deleted.
    """
    if _UNIQUE_ID.match(pin) is None or unique_name(view, arn) == pin:
        return arn
    table = ROLES if pin.startswith("AROA") else USERS
    found = None if ":" in pin else next(iter(view.group(table, "by_id", (pin,))), None)
    return pin if found is None else str(found.arn)


def identity_named(view: View, kind: Kind[N], account_id: str, name: str) -> N | None:
    """Return the user, group or role with exactly this name, or None."""
    found: N | None = view.one(kind.table, (account_id, fold(name)))
    return found if found is not None and found.name == name else None


def not_found(kind: Kind[Any], name: str) -> NoSuchEntity:
    return NoSuchEntity(f"The {kind.noun} with name {name} cannot be found.")


def oidc_provider(view: View, account_id: str, arn: str) -> OidcProvider | None:
    """Return the account's provider with this ARN, or None."""
    _, slash, url = arn.partition(":oidc-provider/")
    if not slash:
        return None
    found: OidcProvider | None = view.one(OIDC_PROVIDERS, (account_id, url))
    return found if found is not None and found.arn == arn else None
