"""The caller of a request: its principal, credentials and policies.

Source: KMS Developer Guide, "Key policies in AWS KMS"; IAM User Guide, "AWS global condition
context keys" (the table of callers).
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from kagimori.rules.authorization.authorize import IdentityRules
from kagimori.rules.folding import fold
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.service import service_principal
from kagimori.rules.identity.session import SessionClaims
from kagimori.rules.identity.user import User
from kagimori.rules.identity.web_identity import WebIdentity
from kagimori.rules.names import root_arn
from kagimori.rules.policy.principal import NameKind, Principal, PrincipalKind
from kagimori.rules.refusal import InvalidSignatureException
from kagimori_boundary.commands import Proof

ANONYMOUS: Final = Principal(PrincipalKind.ANONYMOUS, "", "anonymous", "")


class Shown:
    """A request that a service shows for its caller: good once.

    `is_first` says whether nobody has used it before; it is asked when a call is allowed, so that
    what was refused does not use it up.
    """

    __slots__ = ("_is_first", "_used")

    def __init__(self, is_first: Callable[[], bool]) -> None:
        self._is_first = is_first
        self._used = False

    def use(self) -> None:
        """Use it for the one call that it came with, however often that is decided anew.

        Raises:
            InvalidSignatureException: another call has used it.
        """
        if not self._used and not self._is_first():
            raise InvalidSignatureException("The forwarded request has been used already.")
        self._used = True


class Caller(Struct, frozen=True, gc=False):
    """A caller whose signature was verified.

    `user_id` is `aws:userid`; `session` there is only with temporary credentials; `tags` are
    `aws:PrincipalTag`; `issuer_arn` is the role's. `via` is the service that acts for the caller,
    with what it has `shown`; `service` is the one that acts for itself, and then `source_arn` and
    `source_account` are what it says it acts upon. `proof` is what the HSM wants to see before it
    makes credentials on their behalf.
    """

    principal: Principal
    access_key_id: str
    user_id: str
    user_name: str | None = None
    identity_rules: IdentityRules = IdentityRules()
    session: SessionClaims | None = None
    tags: dict[str, str] = {}
    issuer_arn: str | None = None
    via: str | None = None
    service: str | None = None
    source_arn: str | None = None
    source_account: str | None = None
    shown: Shown | None = None
    proof: Proof | None = None

    @property
    def account_id(self) -> str:
        return self.principal.account_id


def nobody() -> Caller:
    """Return the caller of a request that needs no signature."""
    return Caller(ANONYMOUS, "", "")


def root_caller(access_key: AccessKey, partition: str) -> Caller:
    """Return the root user of the access key's account."""
    arn = root_arn(access_key.account_id, partition)
    principal = Principal(PrincipalKind.ROOT, access_key.account_id, arn, arn)
    return Caller(principal, access_key.access_key_id, access_key.account_id)


def service_caller(access_key: AccessKey, service: str) -> Caller:
    """Return a service that acts for itself; it belongs to no account."""
    name = service_principal(service)
    principal = Principal(PrincipalKind.SERVICE, "", name, "", ((NameKind.SERVICE, name),))
    return Caller(principal, access_key.access_key_id, name, service=service)


def web_identity_caller(identity: WebIdentity, provider_arn: str) -> Caller:
    """Return the caller that an identity provider's token identifies, before there is a session."""
    name = f"{identity.issuer}:{identity.audience}:{identity.subject}"
    names = ((NameKind.FEDERATED, provider_arn),)
    principal = Principal(PrincipalKind.WEB_IDENTITY, "", provider_arn, "", names)
    return Caller(principal, "", name, identity.subject)


def root_session_caller(access_key_id: str, session: SessionClaims) -> Caller:
    """Return the root user with credentials of GetSessionToken."""
    account_id = session.account_id
    arn = root_arn(account_id, session.partition)
    principal = Principal(PrincipalKind.ROOT, account_id, arn, arn)
    return Caller(principal, access_key_id, account_id, session=session)


def user_caller(
    access_key_id: str, user: User, rules: IdentityRules, session: SessionClaims | None = None
) -> Caller:
    """Return an IAM user, with long-term credentials or those of GetSessionToken."""
    kind = PrincipalKind.USER if session is None else PrincipalKind.USER_SESSION
    principal = Principal(kind, user.account_id, user.arn, user.arn, _user_names(user))
    return Caller(principal, access_key_id, user.unique_id, user.name, rules, session, user.tags)


def role_caller(
    access_key_id: str, role: Role, rules: IdentityRules, session: SessionClaims
) -> Caller:
    """Return a session of a role; its tags override the role's, whatever their letter case."""
    user_id = f"{role.unique_id}:{session.session_name}"
    arn = session_arn(role, session.session_name)
    names = (
        (NameKind.ROLE, role.arn),
        (NameKind.ROLE, role.unique_id),
        (NameKind.SESSION, arn),
        (NameKind.SESSION, user_id),
    )
    principal = Principal(PrincipalKind.ROLE_SESSION, role.account_id, arn, role.arn, names)
    overridden = {fold(key) for key in session.tags}
    tags = {key: value for key, value in role.tags.items() if fold(key) not in overridden}
    return Caller(
        principal,
        access_key_id,
        user_id,
        None,
        rules,
        session,
        {**tags, **session.tags},
        role.arn,
    )


def federated_caller(
    access_key_id: str, user: User | None, rules: IdentityRules, session: SessionClaims
) -> Caller:
    """Return a federated user; `user` made it, or the root user did."""
    arn = federated_arn(session.partition, session.account_id, session.session_name)
    names = ((NameKind.SESSION, arn), *(_user_names(user) if user is not None else ()))
    principal = Principal(PrincipalKind.FEDERATED_USER, session.account_id, arn, arn, names)
    user_id = f"{session.account_id}:{session.session_name}"
    issuer = root_arn(session.account_id, session.partition) if user is None else user.arn
    return Caller(principal, access_key_id, user_id, None, rules, session, session.tags, issuer)


def acting_for(caller: Caller, service: str, shown: Shown | None = None) -> Caller:
    """Return the caller of a request that a service makes on their behalf."""
    return replace(caller, via=service, shown=shown)


def with_source(caller: Caller, arn: str | None, account: str | None) -> Caller:
    """Return a service caller with the resource and account that it acts upon."""
    if arn is None and account is None:
        return caller
    return replace(caller, source_arn=arn, source_account=account)


def session_arn(role: Role, session_name: str) -> str:
    return f"arn:{role.partition}:sts::{role.account_id}:assumed-role/{role.name}/{session_name}"


def federated_arn(partition: str, account_id: str, name: str) -> str:
    return f"arn:{partition}:sts::{account_id}:federated-user/{name}"


def _user_names(user: User) -> tuple[tuple[NameKind, str], ...]:
    return ((NameKind.USER, user.arn), (NameKind.USER, user.unique_id))
