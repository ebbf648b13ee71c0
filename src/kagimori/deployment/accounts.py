"""Accounts of a deployment, and the access keys of their root users."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from kagimori.deployment.folder import Layout, Unusable, check_exists, read_facts
from kagimori.deployment.offline import commit, new_secret, with_hsm
from kagimori.entities.tables import ACCESS_KEYS, ACCOUNTS
from kagimori.hsm.process import HsmRefused
from kagimori.machinery.chance import new_access_key_id, new_account_id, new_uuid
from kagimori.ports import Put, StoreConflict
from kagimori.rules.identity.account import AccessKey, Account
from kagimori.rules.names import ACCOUNT_ID
from kagimori.rules.records.service_event import account_created
from kagimori_boundary.commands import Command
from kagimori_boundary.replies import Reply


class RootAccessKey(Struct, frozen=True):
    """What `init` and `account create` print, and `env` later."""

    account_id: str
    region: str
    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    ca_bundle: str | None = None


class NewAccount(Struct, frozen=True):
    """What is stored of a new account, and the secret that is shown once."""

    account: Account
    access_key: AccessKey
    secret_access_key: str


def check_account_id(account_id: str) -> None:
    """Return if this can be an account's id.

    Raises:
        Unusable: it cannot.
    """
    if not ACCOUNT_ID.fullmatch(account_id):
        raise Unusable(f"an account id is 12 digits, not {account_id!r}")


def plan_account(account_id: str, ask: Callable[[Command], Reply], now: float) -> NewAccount:
    """Return a new account, with an access key for its root user whose secret the HSM drew.

    Raises:
        HsmRefused: no secret was made.
    """
    access_key_id = new_access_key_id()
    secret = new_secret(ask, account_id, access_key_id)
    return NewAccount(
        Account(account_id=account_id, created_at=now),
        AccessKey(
            access_key_id=access_key_id,
            account_id=account_id,
            sealed_secret=secret.sealed_secret,
            created_at=now,
        ),
        secret.secret_access_key,
    )


def create_account(data: Path, account_id: str | None, home: RootAccessKey) -> RootAccessKey:
    """Make a further account in a deployment, whether it is being served or not.

    `home` says where the deployment answers.

    Raises:
        Unusable: no deployment, an account id that is none or that exists.
    """
    layout = Layout(data)
    check_exists(layout)
    wanted = account_id or new_account_id()
    check_account_id(wanted)
    facts = read_facts(layout)
    now = round(time.time(), 3)
    try:
        planned = with_hsm(layout, facts, lambda ask: plan_account(wanted, ask, now))
        event_id = new_uuid()
        record = account_created(
            event_id=event_id, now=now, account_id=wanted, region=facts.regions[0]
        )
        writes = [Put(ACCOUNTS, planned.account), Put(ACCESS_KEYS, planned.access_key)]
        commit(layout, writes, event_id, record)
    except StoreConflict:
        raise Unusable(f"account {wanted} exists already") from None
    except (OSError, sqlite3.Error, HsmRefused) as problem:
        raise Unusable(f"cannot make an account in {data}: {problem}") from None
    return msgspec.structs.replace(
        home,
        account_id=wanted,
        access_key_id=planned.access_key.access_key_id,
        secret_access_key=planned.secret_access_key,
    )
