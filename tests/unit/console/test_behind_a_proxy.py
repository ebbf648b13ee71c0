"""A console behind a proxy with TLS: forms come from the public address, cookies go by https."""

import asyncio
import re

import httpx
import pytest

from kagimori_console.app import make_app
from kagimori_console.options import Options
from kagimori_console.sessions.cookies import new_key

PUBLIC = "https://kms.example.org"


async def sent(origin):
    """Return the answers for the page of sign-in, and for a form sent from it."""
    options = Options("http://127.0.0.1:9", public_url=PUBLIC, session_key=new_key())
    transport = httpx.ASGITransport(make_app(options))
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as browser:
        page = await browser.get("/sign-in")
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)[1]
        fields = {"csrf": csrf, "theme": "dark"}
        form = await browser.post("/preferences", data=fields, headers={"origin": origin})
    return page, form


@pytest.mark.parametrize(
    ("origin", "status"),
    [(PUBLIC, 303), ("http://kms.example.org", 403), ("https://example.com", 403), ("null", 403)],
)
def test_forms_come_from_the_public_address(origin, status):
    page, form = asyncio.run(sent(origin))
    assert page.headers["set-cookie"].startswith("__Host-kagimori-0=")
    assert page.headers["strict-transport-security"]
    assert form.status_code == status
