"""The rotation of a KMS key: automatic with a period, on demand, and its generations in time."""

import asyncio
from typing import Any, Final

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.key.subject import Facts, listed, load, show, split
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post

_DEFAULT_DAYS: Final = 365


async def rotation(page: Page) -> Response:
    """Show how the key is rotated, and its generations."""
    return await _shown(page)


async def enable(page: Page) -> Response:
    """Have the key rotated automatically."""
    days = page.form.number("days")
    done = page.text("The key is rotated automatically from now on.")
    return await _changed(page, "EnableKeyRotation", done, RotationPeriodInDays=days or 0)


async def rotate(page: Page) -> Response:
    """Rotate the key on demand."""
    done = page.text("The rotation has begun. The new generation is in use in a moment.")
    return await _changed(page, "RotateKeyOnDemand", done)


async def generations_of(page: Page) -> list[Facts] | ApiFailure:
    """Return all key materials of the key, oldest first, or the failure."""
    found = await listed(
        page,
        "ListKeyRotations",
        "Rotations",
        KeyId=page.path("key_id"),
        IncludeKeyMaterial="ALL_KEY_MATERIAL",
    )
    return found if isinstance(found, ApiFailure) else [Facts(one) for one in found]


async def _changed(page: Page, operation: str, done: str, **members: Any) -> Response:
    try:
        await page.api.kms(operation, KeyId=page.path("key_id"), **members)
    except ApiRefused as refused:
        return await _shown(page, failure=refused)
    page.notify(done)
    return page.redirect((await load(page)).path("rotation"))


async def _shown(page: Page, *, failure: ApiFailure | None = None) -> Response:
    subject, found, generations = await asyncio.gather(
        load(page),
        page.api.tried("kms", "GetKeyRotationStatus", KeyId=page.path("key_id")),
        generations_of(page),
    )
    status, status_failure = split(found)
    listed_generations, list_failure = split(generations)
    period = (status or Facts())["RotationPeriodInDays"] or _DEFAULT_DAYS
    return show(
        page,
        subject,
        "rotation",
        failure=failure,
        rotation=status,
        status_failure=status_failure,
        generations=listed_generations or [],
        list_failure=list_failure,
        days=page.form.value("days") or str(period),
    )


ROUTES = (
    get("/keys/{key_id:key}/rotation", rotation),
    post("/keys/{key_id:key}/rotation/enable", enable),
    post("/keys/{key_id:key}/rotation/now", rotate),
)
