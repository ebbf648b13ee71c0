"""The first page of a KMS key: all that describes it, in words, and what may be done with it."""

import asyncio

from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.pages.key.subject import load, show, split
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get, post


async def general(page: Page) -> Response:
    """Describe the key."""
    return await _shown(page, None)


async def describe(page: Page) -> Response:
    """Change the description."""
    return await _changed(
        page,
        "UpdateKeyDescription",
        page.text("The description is changed."),
        Description=page.form.value("description"),
    )


async def enable(page: Page) -> Response:
    """Enable the key."""
    return await _changed(page, "EnableKey", page.text("The key is enabled."))


async def cancel_deletion(page: Page) -> Response:
    """Cancel the deletion; the key is disabled from then on."""
    done = page.text("The deletion is cancelled. The key is disabled until you enable it.")
    return await _changed(page, "CancelKeyDeletion", done)


async def _changed(page: Page, operation: str, done: str, **members: str) -> Response:
    try:
        await page.api.kms(operation, KeyId=page.path("key_id"), **members)
    except ApiRefused as refused:
        return await _shown(page, refused)
    page.notify(done)
    return page.redirect((await load(page)).path())


async def _shown(page: Page, failure: ApiFailure | None) -> Response:
    subject, used = await asyncio.gather(
        load(page), page.api.tried("kms", "GetKeyLastUsage", KeyId=page.path("key_id"))
    )
    last, last_failure = split(used)
    return show(page, subject, "general", failure=failure, last=last, last_failure=last_failure)


ROUTES = (
    get("/keys/{key_id:key}", general),
    post("/keys/{key_id:key}/description", describe),
    post("/keys/{key_id:key}/enable", enable),
    post("/keys/{key_id:key}/cancel-deletion", cancel_deletion),
)
