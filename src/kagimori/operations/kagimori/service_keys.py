"""Access keys of services that act for callers, for operators of the deployment."""

from collections.abc import Sequence
from typing import Any, Final

from kagimori.entities.tables import ACCESS_KEYS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import check_operator, deployment_view
from kagimori.operations.kagimori.new_access_keys import new_access_key
from kagimori.operations.kagimori.pages import after_of, answer_of, limit_of
from kagimori.operations.kagimori.refusals import ResourceNotFoundException
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.ports import Delete, Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.identity import unique_ids
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.service import service_principal
from kagimori_boundary.commands import Command, CreateSecretOnBehalf
from kagimori_boundary.commands.identity import NO_ACCOUNT, SERVICE_HOLDER
from kagimori_boundary.replies import NewSecret

_CREATE: Final = "kagimori:CreateServiceKey"
_LIST: Final = "kagimori:ListServiceKeys"
_DELETE: Final = "kagimori:DeleteServiceKey"


class NewKey(Facts):
    """The id of the access key to make."""

    access_key_id: str = ""


class CreateServiceKey(Operation[NewKey, NewSecret]):
    """Make an access key with which a gateway may act as a service."""

    service = "kagimori"

    def look_up(self, asked: Asked) -> NewKey:
        check_operator(asked, _CREATE)
        return NewKey((Need(_CREATE),))

    def read(self, asked: Asked, facts: NewKey) -> NewKey:
        drawn = unique_ids.access_key_id(unique_ids.ACCESS_KEY, asked.draw())
        return NewKey(facts.needs, access_key_id=drawn)

    def ask(self, asked: Request, allowed: Allowed, facts: NewKey) -> Command | None:
        holder = SERVICE_HOLDER + asked.call.input.Service
        return CreateSecretOnBehalf(NO_ACCOUNT, facts.access_key_id, holder, asked.caller.proof)

    def finish(self, asked: Request, facts: NewKey, reply: NewSecret) -> Outcome:
        service: str = asked.call.input.Service
        key = AccessKey(
            access_key_id=facts.access_key_id,
            account_id=NO_ACCOUNT,
            sealed_secret=reply.sealed_secret,
            created_at=asked.now,
            service=service,
            holder=SERVICE_HOLDER + service,
        )
        made = {"ServiceKey": _shown(key)}
        return Outcome(
            {**made, "AccessKey": new_access_key(key, reply.secret_access_key)},
            (Put(ACCESS_KEYS, key),),
            {**made, "AccessKey": new_access_key(key)},
        )


class ListedKeys(Facts):
    keys: Sequence[AccessKey] = ()


class ListServiceKeys(Operation[ListedKeys, None]):
    service = "kagimori"
    read_only = True

    def look_up(self, asked: Asked) -> ListedKeys:
        check_operator(asked, _LIST)
        return ListedKeys((Need(_LIST),))

    def read(self, asked: Asked, facts: ListedKeys) -> ListedKeys:
        owner = (NO_ACCOUNT, "")
        found = deployment_view(asked, _LIST).page(
            ACCESS_KEYS, owner, after_of(asked), limit_of(asked) + 1, "by_owner"
        )
        return ListedKeys(facts.needs, keys=found)

    def finish(self, asked: Request, facts: ListedKeys, reply: None) -> Outcome:
        return Outcome(
            answer_of(asked, facts.keys, "ServiceKeys", _shown, lambda key: key.access_key_id)
        )


class FoundKey(Facts):
    key: AccessKey | None = None


class DeleteServiceKey(Operation[FoundKey, None]):
    service = "kagimori"

    def look_up(self, asked: Asked) -> FoundKey:
        check_operator(asked, _DELETE)
        return FoundKey((Need(_DELETE),))

    def read(self, asked: Asked, facts: FoundKey) -> FoundKey:
        access_key_id = asked.call.input.AccessKeyId
        found: AccessKey | None = deployment_view(asked, _DELETE).one(ACCESS_KEYS, (access_key_id,))
        if found is None or found.service is None:
            raise ResourceNotFoundException(f"No service has the access key {access_key_id}.")
        return FoundKey(facts.needs, key=found)

    def finish(self, asked: Request, facts: FoundKey, reply: None) -> Outcome:
        return Outcome(writes=(Delete(ACCESS_KEYS, facts.key),))


def _shown(key: AccessKey) -> dict[str, Any]:
    service = key.service or ""
    return {
        "Service": service,
        "ServicePrincipal": service_principal(service),
        "AccessKeyId": key.access_key_id,
        "CreatedAt": key.created_at,
    }
