"""Accounts of the deployment, for its operators."""

from collections.abc import Sequence
from typing import Any

from kagimori.entities.tables import ACCESS_KEYS, ACCOUNTS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import check_operator, deployment_view
from kagimori.operations.kagimori.new_access_keys import new_access_key
from kagimori.operations.kagimori.pages import after_of, answer_of, limit_of
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.ports import Put
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.identity import unique_ids
from kagimori.rules.identity.account import AccessKey, Account
from kagimori_boundary.commands import Command, CreateAccountSecret
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.replies import NewSecret

_CREATE = "kagimori:CreateAccount"
_LIST = "kagimori:ListAccounts"


class NewAccount(Facts):
    """The id of the access key that the new account's root user gets."""

    access_key_id: str = ""


class CreateAccount(Operation[NewAccount, NewSecret]):
    """Make an account, whose id the HSM draws, and an access key of its root user."""

    service = "kagimori"

    def look_up(self, asked: Asked) -> NewAccount:
        check_operator(asked, _CREATE)
        return NewAccount((Need(_CREATE),))

    def read(self, asked: Asked, facts: NewAccount) -> NewAccount:
        drawn = unique_ids.access_key_id(unique_ids.ACCESS_KEY, asked.draw())
        return NewAccount(facts.needs, access_key_id=drawn)

    def ask(self, asked: Request, allowed: Allowed, facts: NewAccount) -> Command | None:
        return CreateAccountSecret(facts.access_key_id, asked.caller.proof)

    def finish(self, asked: Request, facts: NewAccount, reply: NewSecret) -> Outcome:
        account = Account(account_id=reply.account_id, created_at=asked.now)
        access_key = AccessKey(
            access_key_id=facts.access_key_id,
            account_id=reply.account_id,
            sealed_secret=reply.sealed_secret,
            created_at=asked.now,
            holder=ROOT_HOLDER,
        )
        made = {"Account": _shown(asked, account)}
        return Outcome(
            {**made, "AccessKey": new_access_key(access_key, reply.secret_access_key)},
            (Put(ACCOUNTS, account), Put(ACCESS_KEYS, access_key)),
            {**made, "AccessKey": new_access_key(access_key)},
        )


class ListedAccounts(Facts):
    accounts: Sequence[Account] = ()


class ListAccounts(Operation[ListedAccounts, None]):
    service = "kagimori"
    read_only = True

    def look_up(self, asked: Asked) -> ListedAccounts:
        check_operator(asked, _LIST)
        return ListedAccounts((Need(_LIST),))

    def read(self, asked: Asked, facts: ListedAccounts) -> ListedAccounts:
        found = deployment_view(asked, _LIST).page(
            ACCOUNTS, (), after_of(asked), limit_of(asked) + 1
        )
        return ListedAccounts(facts.needs, accounts=found)

    def finish(self, asked: Request, facts: ListedAccounts, reply: None) -> Outcome:
        return Outcome(
            answer_of(
                asked,
                facts.accounts,
                "Accounts",
                lambda account: _shown(asked, account),
                lambda account: account.account_id,
            )
        )


def _shown(asked: Request, account: Account) -> dict[str, Any]:
    return {
        "AccountId": account.account_id,
        "CreatedAt": account.created_at,
        "IsOperator": account.account_id == asked.settings.operator_account_id,
    }
