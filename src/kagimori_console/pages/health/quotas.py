"""Request quotas of an account: shown, asked for by its owners, set by operators."""

from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.health.asking import failure_in, found_in, tried
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

_FORM: Final = "health/quotas.html"


async def show(page: Page) -> Response:
    """Show the quotas of the caller's account, or for operators of any."""
    return await _shown(page, page.query("account"))


async def change(page: Page) -> Response:
    """Set a quota, or ask for one; a refusal shows the form again."""
    account, group = page.form.value("account"), page.form.value("group")
    try:
        number = _number(page)
        if page.form.value("way") == "set":
            await page.api.admin("SetQuota", AccountId=account, GroupName=group, Value=number)
            page.notify(page.text("The quota %(group)s is set.", group=group))
        else:
            await page.api.call(
                "service-quotas",
                "RequestServiceQuotaIncrease",
                ServiceCode="kms",
                QuotaCode=page.form.value("code"),
                DesiredValue=number,
            )
            page.notify(page.text("The quota %(group)s is asked for.", group=group))
    except ApiRefused as refused:
        if refused.signed_out:
            raise
        return await _shown(page, account, refused)
    return page.redirect(f"/health/quotas?account={quote(account, safe='')}")


async def _shown(page: Page, account: str, refused: ApiFailure | None = None) -> Response:
    quotas = await tried(page.api, "ListQuotas", AccountId=account or None)
    values: dict[str, Any] = {
        "quotas": found_in(quotas),
        "account": account,
        "failure": failure_in(quotas),
        "refused": refused,
        "typed": {name: page.form.value(name) for name in ("group", "number", "way")},
    }
    return page.render(_FORM, status=200 if refused is None else 400, **values)


def _number(page: Page) -> float | None:
    """Return the number that was typed; None for the one that every account has."""
    typed = page.form.value("number")
    if not typed:
        return None
    try:
        return float(typed)
    except ValueError:
        raise ApiRefused(
            "kagimori",
            "SetQuota",
            code="ValidationException",
            message=page.text("A quota is a number, such as 50."),
            status=400,
            request_id="",
        ) from None


ROUTES = (get("/health/quotas", show), post("/health/quotas", change))
