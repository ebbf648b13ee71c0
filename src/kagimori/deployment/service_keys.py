"""Access keys of services that act for callers: made, listed and taken away from the command line.

No API reaches them: they belong to no account, so that nobody in one can make a service.
"""

import sqlite3
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from kagimori.deployment.folder import Layout, Unusable, check_exists, read_facts
from kagimori.deployment.offline import commit, new_secret, with_hsm
from kagimori.entities.tables import ACCESS_KEYS
from kagimori.hsm.process import HsmRefused
from kagimori.machinery.chance import new_access_key_id, new_uuid
from kagimori.machinery.store.sqlite import Database, connect
from kagimori.ports import Delete, Put, StoreConflict
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.service import SERVICE_NAME, service_principal
from kagimori.rules.records.service_event import service_key_event

NO_ACCOUNT: Final = ""


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
    layout = Layout(data)
    check_exists(layout)
    facts = read_facts(layout)
    now = round(time.time(), 3)
    access_key_id = new_access_key_id()
    try:
        secret = with_hsm(layout, facts, lambda ask: new_secret(ask, NO_ACCOUNT, access_key_id))
        access_key = AccessKey(
            access_key_id=access_key_id,
            account_id=NO_ACCOUNT,
            sealed_secret=secret.sealed_secret,
            created_at=now,
            service=service,
        )
        _commit(layout, Put(ACCESS_KEYS, access_key), "CreateServiceAccessKey", now)
    except (OSError, sqlite3.Error, HsmRefused) as problem:
        raise Unusable(f"cannot make an access key for {service}: {problem}") from None
    return ServiceKey(
        service, service_principal(service), access_key_id, secret.secret_access_key, now
    )


def service_keys(data: Path) -> list[ServiceKey]:
    """Return the access keys of services.

    Raises:
        Unusable: no deployment, or a store that cannot be read.
    """
    return [
        ServiceKey(
            key.service or "",
            service_principal(key.service or ""),
            key.access_key_id,
            created_at=key.created_at,
        )
        for key in _stored(data)
    ]


def delete_service_key(data: Path, access_key_id: str) -> None:
    """Take an access key away; the next request with it is refused.

    Raises:
        Unusable: no deployment, or no such key of a service.
    """
    found = [key for key in _stored(data) if key.access_key_id == access_key_id]
    if not found:
        raise Unusable(f"no service has the access key {access_key_id}")
    now = round(time.time(), 3)
    try:
        _commit(Layout(data), Delete(ACCESS_KEYS, found[0]), "DeleteServiceAccessKey", now)
    except StoreConflict:
        raise Unusable(f"no service has the access key {access_key_id}") from None
    except (OSError, sqlite3.Error) as problem:
        raise Unusable(f"cannot take {access_key_id} away: {problem}") from None


def _stored(data: Path) -> list[AccessKey]:
    layout = Layout(data)
    check_exists(layout)
    try:
        connection = connect(layout.database, read_only=True)
        database = Database(connection, "", (ACCESS_KEYS,))
        found: list[AccessKey] = database.page(
            ACCESS_KEYS, (NO_ACCOUNT, ""), None, None, "by_owner"
        )
        connection.close()
    except sqlite3.Error as problem:
        raise Unusable(f"{layout.database} cannot be read: {problem}") from None
    return [key for key in found if key.service is not None]


def _commit(layout: Layout, write: Put | Delete, event_name: str, now: float) -> None:
    event_id = new_uuid()
    key: AccessKey = write.entity
    record = service_key_event(
        event_id=event_id,
        now=now,
        name=event_name,
        service=service_principal(key.service or ""),
        access_key_id=key.access_key_id,
        region=read_facts(layout).regions[0],
    )
    commit(layout, (write,), event_id, record)
