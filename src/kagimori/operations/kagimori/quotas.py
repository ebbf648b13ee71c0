"""Request quotas of accounts: what they are, for the account; other numbers, for operators."""

from typing import Any, Final

from kagimori.entities.tables import ACCOUNT_QUOTAS, ACCOUNTS
from kagimori.gate.asked import Asked, Need, Request
from kagimori.gate.operators import check_operator, deployment_view, foreign, reach_of
from kagimori.operations.kagimori.refusals import ResourceNotFoundException
from kagimori.operations.operation import Facts, Operation, Outcome
from kagimori.ports import Put, View
from kagimori.rules.authorization.authorize import Allowed
from kagimori.rules.entity import changed
from kagimori.rules.quotas.account_quotas import AccountQuotas, Applied, applied_quotas
from kagimori.rules.quotas.rates import BadRate, check_rate
from kagimori.rules.refusal import ValidationException

_LIST: Final = "kagimori:ListQuotas"
_SET: Final = "kagimori:SetQuota"


class FoundQuotas(Facts):
    """The own numbers of the account in the request's region, if it has any."""

    own: AccountQuotas | None = None


class ListQuotas(Operation[FoundQuotas, None]):
    """The quotas of an account in the request's region: its own, or for operators any one's."""

    service = "kagimori"
    read_only = True

    def look_up(self, asked: Asked) -> FoundQuotas:
        reach = reach_of(asked, _LIST)
        if reach is not None and _account(asked) != reach:
            raise foreign(asked, _LIST)
        return FoundQuotas((Need(_LIST),))

    def read(self, asked: Asked, facts: FoundQuotas) -> FoundQuotas:
        account = _account(asked)
        is_operator = reach_of(asked, _LIST) is None
        view: View = deployment_view(asked, _LIST) if is_operator else asked.view
        _check_account(view, account)
        own = view.one(ACCOUNT_QUOTAS, (account, asked.call.region))
        return FoundQuotas(facts.needs, own=own)

    def finish(self, asked: Request, facts: FoundQuotas, reply: None) -> Outcome:
        return Outcome(
            {
                "AccountId": _account(asked),
                "Profile": asked.settings.quota_profile,
                "Quotas": [_shown(one) for one in _applied(asked, facts.own)],
            }
        )


class SetQuota(Operation[FoundQuotas, None]):
    """Give an account another number of a group, or again the one that everybody has."""

    service = "kagimori"

    def look_up(self, asked: Asked) -> FoundQuotas:
        check_operator(asked, _SET)
        return FoundQuotas((Need(_SET),))

    def read(self, asked: Asked, facts: FoundQuotas) -> FoundQuotas:
        view = deployment_view(asked, _SET)
        _check_account(view, asked.call.input.AccountId)
        own = view.one(ACCOUNT_QUOTAS, (asked.call.input.AccountId, asked.call.region))
        return FoundQuotas(facts.needs, own=own)

    def ask(self, asked: Request, allowed: Allowed, facts: FoundQuotas) -> None:
        given = asked.call.input
        if not any(one.group.key == given.GroupName for one in _applied(asked, None)):
            raise ResourceNotFoundException(
                f"The profile {asked.settings.quota_profile} has no group {given.GroupName}."
            )
        try:
            if given.Value is not None:
                check_rate(given.Value)
        except BadRate as why:
            raise ValidationException(str(why)) from None

    def finish(self, asked: Request, facts: FoundQuotas, reply: None) -> Outcome:
        given, own = asked.call.input, facts.own
        before = own or AccountQuotas(account_id=given.AccountId, region=asked.call.region)
        rates = {key: rate for key, rate in before.rates.items() if key != given.GroupName}
        if given.Value is not None:
            rates[given.GroupName] = given.Value
        requested = {key: one for key, one in before.requested.items() if key != given.GroupName}
        after = changed(before, rates=rates, requested=requested)
        if own is None:
            after = AccountQuotas(account_id=given.AccountId, region=asked.call.region, rates=rates)
        shown = next(
            _shown(one) for one in _applied(asked, after) if one.group.key == given.GroupName
        )
        answer = {"AccountId": given.AccountId, "Quota": shown}
        return Outcome(answer, (Put(ACCOUNT_QUOTAS, after, own),), answer)


def _account(asked: Request) -> str:
    return str(asked.call.input.AccountId or asked.caller.account_id)


def _check_account(view: View, account_id: str) -> None:
    if view.one(ACCOUNTS, (account_id,)) is None:
        raise ResourceNotFoundException(f"There is no account {account_id}.")


def _applied(asked: Request, own: AccountQuotas | None) -> list[Applied]:
    settings = asked.settings
    return list(
        applied_quotas(settings.quota_profile, settings.quota_rates, asked.call.region, own)
    )


def _shown(one: Applied) -> dict[str, Any]:
    return {
        "GroupName": one.group.key,
        "QuotaCode": one.group.quota_code,
        "Unit": one.group.unit,
        "Value": one.rate,
        "DefaultValue": one.default,
        "RequestedValue": None if one.requested is None else one.requested.rate,
    }
