"""Principals: the caller as policies see it, and the Principal element of a statement.

How a policy names a caller decides what else must allow, so a match is a `Way`,
not a yes.

Source: IAM User Guide, reference_policies_elements_principal and …_notprincipal; KMS Developer
Guide, "Key policies in AWS KMS".
"""

from collections.abc import Callable, Mapping
from enum import Enum, IntEnum
from operator import attrgetter
from typing import Final

from msgspec import Struct


class PrincipalKind(Enum):
    """The kind of identity that credentials belong to."""

    ROOT = "root"
    USER = "user"
    USER_SESSION = "user session"  # GetSessionToken
    ROLE_SESSION = "role session"
    FEDERATED_USER = "federated user"  # GetFederationToken
    SERVICE = "service"
    WEB_IDENTITY = "web identity"  # of an OpenID Connect provider, before it has a session
    ANONYMOUS = "anonymous"


class NameKind(Enum):
    """The kind of identity that one of the caller's names stands for."""

    USER = "user"
    ROLE = "role"
    SESSION = "session"  # an assumed-role session or a federated user: this session and no other
    SERVICE = "service"
    FEDERATED = "federated"  # an identity provider, in trust policies


class Way(IntEnum):
    """The ways in which a policy or grant can name the caller, the weakest first."""

    NONE = 0
    ACCOUNT = 1
    ROLE = 2
    USER = 3
    SERVICE = 4
    FEDERATED = 5
    SESSION = 6
    EVERYONE = 7


class Principal(Struct, frozen=True, gc=False):
    """The caller as policies see it.

    `arn` is the ARN shown in errors; `principal_arn` is `aws:PrincipalArn`. `names` are the ARNs
    and unique ids by which policies and grants may name the caller, without the account: for a
    role session the role's ARN and unique id (ROLE) and the session's ARN (SESSION).
    """

    kind: PrincipalKind
    account_id: str
    arn: str
    principal_arn: str
    names: tuple[tuple[NameKind, str], ...] = ()


class Principals(Struct, frozen=True):
    """A Principal or NotPrincipal element: account ids, names (ARNs or unique ids), services."""

    everyone: bool = False
    accounts: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    federated: frozenset[str] = frozenset()


WAY_OF_NAME: Final[Mapping[NameKind, Way]] = {
    NameKind.USER: Way.USER,
    NameKind.ROLE: Way.ROLE,
    NameKind.SESSION: Way.SESSION,
    NameKind.SERVICE: Way.SERVICE,
    NameKind.FEDERATED: Way.FEDERATED,
}
_NO_ACCOUNT: Final = (
    PrincipalKind.SERVICE,
    PrincipalKind.WEB_IDENTITY,
    PrincipalKind.ANONYMOUS,
)


def pinned(principals: Principals, pins: Mapping[str, str]) -> Principals:
    """Return the element with each pinned ARN replaced by the unique id it had when written.

    A re-created namesake has another id and no longer matches.
    """
    if not pins:
        return principals
    names = frozenset(pins.get(name, name) for name in principals.names)
    return Principals(
        everyone=principals.everyone,
        accounts=principals.accounts,
        names=names,
        services=principals.services,
        federated=principals.federated,
    )


def way_of(named: Principals, caller: Principal, *, denies: bool) -> Way:
    """Return the strongest way in which a Principal element names the caller.

    `*` means every AWS principal of every account; only a Deny extends it to services and to
    callers without a name.
    """
    has_account = caller.kind not in _NO_ACCOUNT
    if named.everyone and (denies or has_account):
        return Way.EVERYONE
    best = Way.NONE
    for kind, name in caller.names:
        if name in _LISTED[kind](named) and WAY_OF_NAME[kind] > best:
            best = WAY_OF_NAME[kind]
    if best is Way.NONE and has_account and caller.account_id in named.accounts:
        return Way.ACCOUNT
    return best


# Where in an element each kind of name is listed.
_LISTED: Final[Mapping[NameKind, Callable[[Principals], frozenset[str]]]] = {
    NameKind.USER: attrgetter("names"),
    NameKind.ROLE: attrgetter("names"),
    NameKind.SESSION: attrgetter("names"),
    NameKind.SERVICE: attrgetter("services"),
    NameKind.FEDERATED: attrgetter("federated"),
}


def is_spared(named: Principals, caller: Principal, *, has_boundary: bool) -> bool:
    """Return whether a Deny with this NotPrincipal element passes the caller by.

    The account and every kind of name the caller has must be listed, since AWS checks them one
    after the other; a caller with a permissions boundary is always hit. `*` spares nobody: in
    doubt the Deny applies.
    """
    if has_boundary or named.everyone:
        return False
    if caller.kind is PrincipalKind.ANONYMOUS:
        return False
    if caller.kind not in _NO_ACCOUNT and caller.account_id not in named.accounts:
        return False
    kinds = {kind for kind, _name in caller.names}
    spared = {kind for kind, name in caller.names if name in _LISTED[kind](named)}
    # A service without a name is nobody's exception.
    return kinds == spared and (bool(kinds) or caller.kind is PrincipalKind.ROOT)
