"""The imported key materials of a KMS key: which there are, and until when."""

import asyncio

from starlette.responses import Response

from kagimori_console.pages.key.rotation import generations_of
from kagimori_console.pages.key.subject import load, show, split
from kagimori_console.web.page import Page
from kagimori_console.web.routing import get


async def material(page: Page) -> Response:
    """List the key materials."""
    subject, found = await asyncio.gather(load(page), generations_of(page))
    materials, list_failure = split(found)
    return show(page, subject, "material", materials=materials or [], list_failure=list_failure)


ROUTES = (get("/keys/{key_id:key}/material", material),)
