"""Who asks: the principal that policies see, and what else is known of the credentials."""

from msgspec import Struct

from kagimori.rules.authorization import IdentityRules
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.names import root_arn
from kagimori.rules.policy.principal import Principal, PrincipalKind


class Caller(Struct, frozen=True, gc=False):
    """A caller whose signature holds. `user_id` is `aws:userid`."""

    principal: Principal
    access_key_id: str
    user_id: str
    user_name: str | None = None
    identity_rules: IdentityRules = IdentityRules()

    @property
    def account_id(self) -> str:
        return self.principal.account_id


def root_caller(access_key: AccessKey) -> Caller:
    """Return the root user of the access key's account."""
    arn = root_arn(access_key.account_id)
    principal = Principal(PrincipalKind.ROOT, access_key.account_id, arn, arn)
    return Caller(principal, access_key.access_key_id, access_key.account_id)
