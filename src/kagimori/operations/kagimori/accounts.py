"""Accounts of the deployment, for its operators."""

from collections.abc import Sequence
from typing import Any

from kagimori.entities.tables import ACCOUNTS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import check_operator, deployment_view
from kagimori.operations.kagimori.pages import after_of, answer_of, limit_of
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.rules.identity.account import Account

_LIST = "kagimori:ListAccounts"


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
