"""Access keys of services that act for callers, for operators of the deployment."""

from collections.abc import Sequence
from typing import Any, Final

from kagimori.entities.tables import ACCESS_KEYS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import check_operator, deployment_view
from kagimori.operations.kagimori.pages import after_of, answer_of, limit_of
from kagimori.operations.kagimori.refusals import ResourceNotFoundException
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.ports import Delete
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.service import service_principal

# They belong to no account, so that nobody in one can make a service.
NO_ACCOUNT: Final = ""
_LIST = "kagimori:ListServiceKeys"
_DELETE = "kagimori:DeleteServiceKey"


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
