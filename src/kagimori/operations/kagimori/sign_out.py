"""Sign-out everywhere: all sessions of an identity are over, on every worker and node.

Sessions are stored nowhere. Each holds the generation that its identity had when it began, and
this begins another.
"""

from msgspec.structs import replace

from kagimori.entities.identity_tables import ACCOUNTS, ROLES, SIGN_IN_TOKENS, USERS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.identities import ROLE, USER, identity_named
from kagimori.operations.kagimori.refusals import ResourceNotFoundException
from kagimori.operations.operation import Facts, Operation, Outcome, Withheld
from kagimori.ports import Delete, Put, Write
from kagimori.rules.entity import changed
from kagimori.rules.identity.account import Account
from kagimori.rules.identity.bearer import identity_arn
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.sign_in_token import SignInToken
from kagimori.rules.identity.user import User
from kagimori.rules.policy.principal import PrincipalKind
from kagimori.rules.refusal import AccessDeniedException, ValidationException
from kagimori_boundary.commands.identity import ROOT_HOLDER

_ACTION = "kagimori:SignOutEverywhere"
_OWN = (PrincipalKind.ROOT, PrincipalKind.USER, PrincipalKind.USER_SESSION)


class Leaving(Facts, kw_only=True):
    """The identity whose sessions are to end, and its sign-in token that is not used yet."""

    bearer: User | Role | Account
    token: SignInToken | None = None


class SignOutEverywhere(Operation[Leaving, None]):
    """One's own sessions need no permission, those of a named user or role do."""

    service = "kagimori"

    def look_up(self, asked: Asked) -> Leaving | Withheld:
        given, caller = asked.call.input, asked.caller
        if given.UserName is not None and given.RoleName is not None:
            raise ValidationException("UserName does not go with RoleName.")
        if given.UserName is not None or given.RoleName is not None:
            return _named(asked)
        if caller.service is not None or caller.via is not None:
            raise AccessDeniedException("A service has no sessions to sign out of.")
        session = caller.session
        if session is not None and caller.principal.kind not in _OWN:
            # Others have sessions of the same role, or the user has those that it gave away.
            table = ROLES if caller.principal.kind is PrincipalKind.ROLE_SESSION else USERS
            if not session.unique_id:  # of the root user
                return _root(asked, needed=True)
            bearer: User | Role = asked.view.group(table, "by_id", (session.unique_id,))[0]
            return Leaving((Need(_ACTION, resource=bearer.arn),), bearer=bearer)
        if caller.user_name is None:
            return _root(asked, needed=False)
        user: User | None = identity_named(asked.view, USER, caller.account_id, caller.user_name)
        if user is None:
            raise ResourceNotFoundException(f"There is no user {caller.user_name}.")
        return Leaving(bearer=user)

    def read(self, asked: Asked, facts: Leaving) -> Leaving:
        bearer = facts.bearer
        holder = ROOT_HOLDER if isinstance(bearer, Account) else bearer.unique_id
        token = asked.view.one(SIGN_IN_TOKENS, (bearer.account_id, holder))
        return replace(facts, token=token)

    def finish(self, asked: Request, facts: Leaving, reply: None) -> Outcome:
        bearer = facts.bearer
        table = ACCOUNTS
        if not isinstance(bearer, Account):
            table = USERS if isinstance(bearer, User) else ROLES
        after = changed(bearer, session_generation=bearer.session_generation + 1)
        writes: list[Write] = [Put(table, after, bearer)]
        if facts.token is not None:
            writes.append(Delete(SIGN_IN_TOKENS, facts.token))
        return Outcome({}, tuple(writes))


def _named(asked: Asked) -> Leaving | Withheld:
    """Return the user or role that is named, which only the allowed are shown not to exist."""
    given, account_id = asked.call.input, asked.caller.account_id
    name = given.RoleName
    if given.UserName is not None:
        found: User | Role | None = identity_named(asked.view, USER, account_id, given.UserName)
        name, noun = given.UserName, "user"
    else:
        found, noun = identity_named(asked.view, ROLE, account_id, name), "role"
    if found is None:
        arn = identity_arn(asked.partition, account_id, noun, "/", name)
        refusal = ResourceNotFoundException(f"There is no {noun} {name}.")
        return Withheld((Need(_ACTION, resource=arn),), refusal=refusal)
    need = Need(_ACTION, resource=found.arn, resource_tags=found.tags)
    return Leaving((need,), bearer=found)


def _root(asked: Asked, *, needed: bool) -> Leaving:
    account: Account = asked.view.one(ACCOUNTS, (asked.caller.account_id,))
    arn = f"arn:{asked.partition}:iam::{account.account_id}:root"
    needs = (Need(_ACTION, resource=arn),) if needed else ()
    return Leaving(needs, bearer=account)
