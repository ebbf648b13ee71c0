"""The list of principals and their access under a key policy, by the service's own simulator."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from kagimori_console.api.failures import ApiFailure
from kagimori_console.pages.keys.console_policy import USE
from kagimori_console.web.page import Page

PRINCIPALS_MAX: Final = 12
_KEY_ID: Final = "00000000-0000-0000-0000-000000000000"
_ANY_KEY: Final = ("PutKeyPolicy", "ScheduleKeyDeletion", "CreateGrant", "DescribeKey")


class Access(NamedTuple):
    """The simulated rows (principal, and whether each action is allowed), and the statements.

    `others` are principals that cannot be simulated: other accounts, services, everybody.
    """

    actions: list[str]
    rows: list[tuple[str, list[bool]]]
    others: list[str]
    left_out: int
    failure: ApiFailure | None


def principals_in(text: str) -> list[str]:
    """Return the principals that a policy names, each once; none if it is no policy."""
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError):
        return []
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    found = dict.fromkeys(
        one
        for statement in _list(statements)
        if isinstance(statement, dict)
        for one in _named(statement.get("Principal"))
    )
    return list(found)


async def access_under(page: Page, text: str, usage: str) -> Access:
    """Return the access that principals would have; a simulation that is refused is named."""
    partition, account_id = page.person.arn.split(":")[1], page.person.account_id
    named = principals_in(text)
    own = (f"arn:{partition}:iam::{account_id}:user/", f"arn:{partition}:iam::{account_id}:role/")
    simulated = [one for one in named if one.startswith(own)]
    actions = [*_ANY_KEY, *(one.removeprefix("kms:").rstrip("*") for one in USE.get(usage, ()))]
    region = page.session.region
    answers = await asyncio.gather(
        *(
            page.api.tried(
                "iam",
                "SimulatePrincipalPolicy",
                PolicySourceArn=one,
                ActionNames=[f"kms:{_spelled(action)}" for action in actions],
                ResourceArns=[f"arn:{partition}:kms:{region}:{account_id}:key/{_KEY_ID}"],
                ResourcePolicy=text,
                ResourceOwner=f"arn:{partition}:iam::{account_id}:root",
            )
            for one in simulated[:PRINCIPALS_MAX]
        )
    )
    rows, failure = [], None
    for one, answer in zip(simulated, answers, strict=False):
        if isinstance(answer, ApiFailure):
            failure = answer
        else:
            rows.append((one, _allowed(answer)))
    return Access(
        actions=actions,
        rows=rows,
        others=[one for one in named if one not in simulated],
        left_out=max(0, len(simulated) - PRINCIPALS_MAX),
        failure=failure,
    )


def _spelled(action: str) -> str:
    """Return an action that a wildcard stands for."""
    return "ReEncryptFrom" if action == "ReEncrypt" else action


def _allowed(answer: dict[str, Any]) -> list[bool]:
    return [one["EvalDecision"] == "allowed" for one in answer["EvaluationResults"]]


def _named(principal: Any) -> Iterator[str]:
    if isinstance(principal, dict):
        for values in principal.values():
            yield from (str(one) for one in _list(values))
    elif principal is not None:
        yield str(principal)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
