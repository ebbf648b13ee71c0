"""Creates, lists and deletes access keys of services that act for callers.

They belong to no account, so that nobody in one can make a service.
"""

import time
from pathlib import Path

from msgspec import Struct

from kagimori.deployment.folder import Unusable
from kagimori.deployment.opened import Opened, new_secret, opened, with_hsm
from kagimori.entities.tables import ACCESS_KEYS
from kagimori.machinery.chance import new_access_key_id, new_uuid
from kagimori.ports import Delete, Put, StoreConflict
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.service import SERVICE_NAME, service_principal
from kagimori.rules.records.service_event import service_key_event
from kagimori_boundary.commands.identity import NO_ACCOUNT, SERVICE_HOLDER


class ServiceKey(Struct, frozen=True):
    """A service's access key; the secret is shown once, when it is made."""

    service: str
    service_principal: str
    access_key_id: str
    secret_access_key: str | None = None
    created_at: float = 0.0


def create_service_key(data: Path, service: str) -> ServiceKey:
    """Make an access key with which a gateway may act as `service` (`s3`, `ec2`, `rds` …).

    Raises:
        Unusable: no deployment, or no name of a service.
    """
    if not SERVICE_NAME.fullmatch(service):
        raise Unusable(f"a service is named as in signatures for it: s3, ec2, …, not {service!r}")
    now = round(time.time(), 3)
    access_key_id = new_access_key_id()
    holder = SERVICE_HOLDER + service
    with opened(data) as deployment:
        secret = with_hsm(
            deployment, lambda ask: new_secret(ask, NO_ACCOUNT, access_key_id, holder)
        )
        access_key = AccessKey(
            access_key_id=access_key_id,
            account_id=NO_ACCOUNT,
            sealed_secret=secret.sealed_secret,
            created_at=now,
            service=service,
            holder=holder,
        )
        _commit(deployment, Put(ACCESS_KEYS, access_key), "CreateServiceAccessKey", now)
    return ServiceKey(
        service, service_principal(service), access_key_id, secret.secret_access_key, now
    )


def service_keys(data: Path) -> list[ServiceKey]:
    """Return the access keys of services.

    Raises:
        Unusable: no deployment, or a store that cannot be read.
    """
    with opened(data, read_only=True) as deployment:
        found = _stored(deployment)
    return [
        ServiceKey(
            key.service or "",
            service_principal(key.service or ""),
            key.access_key_id,
            created_at=key.created_at,
        )
        for key in found
    ]


def delete_service_key(data: Path, access_key_id: str) -> None:
    """Delete an access key; the next request with it is refused.

    Raises:
        Unusable: no deployment, or no such key of a service.
    """
    unknown = Unusable(f"no service has the access key {access_key_id}")
    with opened(data) as deployment:
        found = [key for key in _stored(deployment) if key.access_key_id == access_key_id]
        if not found:
            raise unknown
        now = round(time.time(), 3)
        with_hsm(deployment, lambda ask: None)  # for its key, by which the store is marked
        try:
            _commit(deployment, Delete(ACCESS_KEYS, found[0]), "DeleteServiceAccessKey", now)
        except StoreConflict:
            raise unknown from None


def _stored(deployment: Opened) -> list[AccessKey]:
    found: list[AccessKey] = deployment.store.group(ACCESS_KEYS, "by_owner", (NO_ACCOUNT, ""))
    return [key for key in found if key.service is not None]


def _commit(deployment: Opened, write: Put | Delete, event_name: str, now: float) -> None:
    key: AccessKey = write.entity
    record = service_key_event(
        event_id=new_uuid(),
        now=now,
        account_id=deployment.facts.operator_account_id,
        name=event_name,
        service=service_principal(key.service or ""),
        access_key_id=key.access_key_id,
        region=deployment.facts.home_region,
    )
    deployment.store.commit((write,), record)
