"""The account: its alias, its password policy, and how much of everything there is."""

import asyncio
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.access.asking import BOX, Field, Question, answered, ask
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

_PAGE: Final = "/access/account"
_BOXES: Final = (
    "RequireUppercaseCharacters",
    "RequireLowercaseCharacters",
    "RequireNumbers",
    "RequireSymbols",
    "AllowUsersToChangePassword",
    "HardExpiry",
)
_NUMBERS: Final = ("MinimumPasswordLength", "MaxPasswordAge", "PasswordReusePrevention")
_DIGITS_MAX: Final = 6


async def show(page: Page) -> Response:
    """Show the account."""
    summary, policy, aliases = await asyncio.gather(
        page.api.tried("iam", "GetAccountSummary"),
        page.api.tried("iam", "GetAccountPasswordPolicy"),
        page.api.tried("iam", "ListAccountAliases"),
    )
    failure = summary if isinstance(summary, ApiFailure) else None
    missing = isinstance(policy, ApiRefused) and policy.code == "NoSuchEntity"
    return page.render(
        "access/account.html",
        summary=summary["SummaryMap"] if isinstance(summary, dict) else {},
        policy=policy["PasswordPolicy"] if isinstance(policy, dict) else {},
        policy_failure=policy if isinstance(policy, ApiFailure) and not missing else None,
        alias=next(iter(aliases["AccountAliases"]), "") if isinstance(aliases, dict) else "",
        failure=failure,
    )


async def set_alias(page: Page) -> Response:
    """Set the account's alias, or remove it."""
    alias = page.form.value("alias")
    if page.form.value("what") == "remove":
        await page.api.iam("DeleteAccountAlias", AccountAlias=alias)
        page.notify(page.text("The account alias was removed."))
    else:
        await page.api.iam("CreateAccountAlias", AccountAlias=alias)
        page.notify(page.text("The account alias was set."))
    return page.redirect(_PAGE)


def _form(page: Page, policy: dict[str, Any]) -> Question:
    boxes = {
        "RequireUppercaseCharacters": page.text("At least one upper-case letter"),
        "RequireLowercaseCharacters": page.text("At least one lower-case letter"),
        "RequireNumbers": page.text("At least one digit"),
        "RequireSymbols": page.text("At least one other character"),
        "AllowUsersToChangePassword": page.text("Users may change their own passwords"),
        "HardExpiry": page.text("An expired password must be set anew by an administrator"),
    }
    numbers = {
        "MinimumPasswordLength": page.text("Shortest password (6 to 128 characters)"),
        "MaxPasswordAge": page.text("Days after which a password expires (empty: never)"),
        "PasswordReusePrevention": page.text("Earlier passwords that cannot be used again"),
    }
    return Question(
        title=page.text("Password policy"),
        button=page.text("Save"),
        back=_PAGE,
        fields=(
            *(
                Field(name, label, "number", value=str(policy.get(name) or ""))
                for name, label in numbers.items()
            ),
            *(
                Field(name, label, BOX, value="yes" if policy.get(name) else "")
                for name, label in boxes.items()
            ),
        ),
    )


async def ask_policy(page: Page) -> Response:
    """Show the form of the password policy."""
    found = await page.api.tried("iam", "GetAccountPasswordPolicy")
    return ask(page, _form(page, found["PasswordPolicy"] if isinstance(found, dict) else {}))


async def set_policy(page: Page) -> Response:
    """Save the password policy."""

    async def act() -> Response:
        numbers = {name: _number(page.form.value(name)) for name in _NUMBERS}
        boxes = {name: page.form.checked(name) for name in _BOXES}
        await page.api.iam("UpdateAccountPasswordPolicy", **numbers, **boxes)
        page.notify(page.text("The password policy was saved."))
        return page.redirect(_PAGE)

    return await answered(page, _form(page, {}), act)


async def delete_policy(page: Page) -> Response:
    """Go back to the default password policy."""
    await page.api.iam("DeleteAccountPasswordPolicy")
    page.notify(page.text("The default password policy is in force."))
    return page.redirect(_PAGE)


def _number(text: str) -> int | None:
    if not text:
        return None
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX else 0


ROUTES: Final = (
    get(_PAGE, show),
    post(f"{_PAGE}/alias", set_alias),
    get(f"{_PAGE}/password-policy", ask_policy),
    post(f"{_PAGE}/password-policy", set_policy),
    post(f"{_PAGE}/password-policy/delete", delete_policy),
)
