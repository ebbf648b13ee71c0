"""Accounts of a deployment, and the access keys of their root users."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from kagimori.deployment.folder import Unusable
from kagimori.deployment.opened import new_secret, opened, with_hsm
from kagimori.deployment.running import RootAccessKey, root_access_key
from kagimori.entities.tables import ACCESS_KEYS, ACCOUNTS
from kagimori.machinery.chance import new_access_key_id, new_account_id, new_uuid
from kagimori.machinery.store.admin import Change
from kagimori.ports import Put, StoreConflict
from kagimori.rules.identity.account import AccessKey, Account
from kagimori.rules.names import ACCOUNT_ID
from kagimori.rules.records.service_event import account_created
from kagimori_boundary.commands import Command
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.replies import Reply


class NewAccount(Struct, frozen=True):
    """A new account: the entities to store, and the secret that is shown once."""

    account: Account
    access_key: AccessKey
    secret_access_key: str

    def change(self, region: str) -> Change:
        """Return the writes and the record of a new account; `region` is the record's."""
        return Change(
            [Put(ACCOUNTS, self.account), Put(ACCESS_KEYS, self.access_key)],
            account_created(
                event_id=new_uuid(),
                now=self.account.created_at,
                account_id=self.account.account_id,
                region=region,
                access_key_id=self.access_key.access_key_id,
            ),
        )


def check_account_id(account_id: str) -> None:
    """Check that this can be an account's id.

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
    secret = new_secret(ask, account_id, access_key_id, ROOT_HOLDER)
    return NewAccount(
        Account(account_id=account_id, created_at=now),
        AccessKey(
            access_key_id=access_key_id,
            account_id=account_id,
            sealed_secret=secret.sealed_secret,
            created_at=now,
            holder=ROOT_HOLDER,
        ),
        secret.secret_access_key,
    )


class ListedAccount(Struct, frozen=True):
    """An account as the command lists it."""

    account_id: str
    created_at: float
    is_operator: bool


def accounts(data: Path) -> list[ListedAccount]:
    """Return the accounts of a deployment, by their ids.

    Raises:
        Unusable: no deployment, or a store that cannot be read.
    """
    with opened(data, read_only=True) as deployment:
        operators = deployment.facts.operator_account_id
        return [
            ListedAccount(one.account_id, one.created_at, one.account_id == operators)
            for one in deployment.store.page(ACCOUNTS, (), None, None)
        ]


def create_account(data: Path, account_id: str | None = None) -> RootAccessKey:
    """Make a further account in a deployment, whether it is being served or not.

    Raises:
        Unusable: no deployment, an account id that is none or that exists.
    """
    home = root_access_key(data)
    wanted = account_id or new_account_id()
    check_account_id(wanted)
    now = round(time.time(), 3)
    with opened(data) as deployment:
        planned = with_hsm(deployment, lambda ask: plan_account(wanted, ask, now))
        change = planned.change(deployment.facts.home_region)
        try:
            deployment.store.commit(change.writes, change.record)
        except StoreConflict:
            raise Unusable(f"account {wanted} exists already") from None
    return msgspec.structs.replace(
        home,
        account_id=wanted,
        access_key_id=planned.access_key.access_key_id,
        secret_access_key=planned.secret_access_key,
    )
