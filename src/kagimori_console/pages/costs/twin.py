"""The twin: recorded requests replayed through quotas, and what that time would have cost."""

from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.costs.counting import totals
from kagimori_console.pages.health.asking import asked
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get

_DAYS: Final = (1, 7, 30, 90)
_DAYS_DEFAULT: Final = 7
_DAY_SECONDS: Final = 86_400
_PROFILES: Final = ("aws", "open")


async def show(page: Page) -> Response:
    """Show the form, and the result once it was asked for."""
    days = page.query("days")
    chosen = {
        "days": int(days) if days in map(str, _DAYS) else _DAYS_DEFAULT,
        "profile": page.query("profile") if page.query("profile") in _PROFILES else _PROFILES[0],
        "account": page.query("account").strip(),
    }
    found: dict[str, Any] | None = None
    failure: ApiFailure | None = None
    if page.query("replay"):
        try:
            found = await asked(
                page.api,
                "ReplayQuotas",
                Profile=chosen["profile"],
                AccountId=chosen["account"] or None,
                StartTime=page.now - int(str(chosen["days"])) * _DAY_SECONDS,
            )
        except ApiRefused as refused:
            if refused.signed_out:
                raise
            failure = refused
    return page.render(
        "costs/twin.html",
        status=200 if failure is None else 400,
        found=found,
        failure=failure,
        chosen=chosen,
        days=_DAYS,
        totals=[] if found is None else totals(found["Bills"]),
    )


ROUTES = (get("/costs/twin", show),)
