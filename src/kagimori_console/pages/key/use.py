"""The use of a KMS key: by day, operation and caller, its last use, and who was denied and why."""

import asyncio
import base64
from typing import Final

from starlette.responses import Response

from kagimori_console.pages.key import tally
from kagimori_console.pages.key.subject import load, show, split
from kagimori_console.pages.key.trail import EVENTS_MAX, events_of
from kagimori_console.web import plots
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get

DAYS: Final = (7, 30, 90)
_DAYS_DEFAULT: Final = 30
_DENIED_MAX: Final = 50


async def use(page: Page) -> Response:
    """Show who used the key and when."""
    asked = page.query("days")
    number = int(asked) if asked in {str(one) for one in DAYS} else _DAYS_DEFAULT
    subject, used = await asyncio.gather(
        load(page), page.api.tried("kms", "GetKeyLastUsage", KeyId=page.path("key_id"))
    )
    last, last_failure = split(used)
    found, trail_failure = split(await events_of(page, subject.reference, number))
    events = [tally.event_of(one) for one in (found.found if found else ())]
    asked_for = [one for one in events if one.is_use]
    uses = [one for one in asked_for if not one.error]
    days = tally.days_until(page.now, number)
    labels = [f"{day:%m-%d}" for day in days]
    others = page.text("Others")
    most = plots.SERIES_MAX - 1
    by_operation = tally.by_day(((one.operation, one) for one in uses), days)
    by_operation = tally.bounded(by_operation, most, others)
    by_caller = tally.by_day(((one.caller, one) for one in uses), days)
    by_caller = tally.bounded(by_caller, most, others)
    return show(
        page,
        subject,
        "use",
        days=number,
        days_choices=DAYS,
        last=last,
        last_failure=last_failure,
        trail_failure=trail_failure,
        more=found.more if found else False,
        events_max=EVENTS_MAX,
        uses=len(uses),
        dates=[day.isoformat() for day in days],
        by_operation=by_operation,
        by_caller=by_caller,
        pictures={
            name: {theme: _picture(theme, labels, series) for theme in _themes(page)}
            for name, series in (("operation", by_operation), ("caller", by_caller))
            if series
        },
        last_user=uses[0].caller if uses else "",
        callers=tally.by_caller(asked_for),
        management=tally.by_operation(one for one in events if not one.is_use),
        denied=[one for one in events if one.denied][:_DENIED_MAX],
    )


def _picture(theme: str, days: list[str], series: dict[str, list[int]]) -> str:
    """Return a plot as an address (`data:`).

    The trail answers one question at a time, and a picture with an address of its own would ask it
    again.
    """
    picture = plots.stacked(theme, days, series)
    return "data:image/svg+xml;base64," + base64.b64encode(picture).decode()


def _themes(page: Page) -> tuple[str, ...]:
    """Return the themes that the page may be shown in."""
    return ("light", "dark") if page.theme == "auto" else (page.theme,)


ROUTES = (get("/keys/{key_id:key}/use", use),)
