"""No form of any page is taken without its token, and nobody sees a page without signing in."""

import asyncio
import itertools
import re
import time

import httpx
import pytest
from cryptography.fernet import Fernet
from starlette.responses import Response

from kagimori_console.app import PAGES, make_app
from kagimori_console.options import Options
from kagimori_console.sessions.cookies import SessionCookies
from kagimori_console.sessions.session import Person, new_session
from kagimori_console.web.routing import POST

KEY = Fernet.generate_key()
NOBODY_LISTENS = "http://127.0.0.1:9"
FORMS = [route for route in PAGES if route.method == POST]
FORBIDDEN, SEE_OTHER = 403, 303


def signed_in():
    """Return a session of somebody who is signed in."""
    now = time.time()
    person = Person(
        account_id="111122223333",
        arn="arn:aws:iam::111122223333:user/alice",
        access_key_id="ASIAEXAMPLE",
        secret_access_key="secret",
        session_token="token",
        expires_at=now + 3600,
    )
    return new_session("eu-central-1", now, person)


def cookies_of(session):
    """Return the cookies of a session, by their names."""
    answer = Response()
    SessionCookies(KEY, secure=False).write(answer, session, {})
    found = [value.decode() for name, value in answer.raw_headers if name == b"set-cookie"]
    return dict(one.partition(";")[0].split("=", 1) for one in found)


@pytest.fixture(scope="module")
def console():
    """A console whose service does not answer."""
    return make_app(Options(endpoint_url=NOBODY_LISTENS, session_key=KEY))


def answers(console, routes, session=None, **sent):
    """Return the answer of each route, by its path."""
    addresses = itertools.count(1)

    async def asked(route):
        # Each from an address of its own, since addresses have rates.
        transport = httpx.ASGITransport(console, client=(f"10.0.0.{next(addresses) % 250}", 1))
        cookies = {} if session is None else cookies_of(session)
        path = re.sub(r"\{[^}]*\}", "x", route.path)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://console.example", cookies=cookies
        ) as client:
            return await client.request(route.method, path, **sent)

    async def all_asked():
        return {f"{route.method} {route.path}": await asked(route) for route in routes}

    return asyncio.run(all_asked())


@pytest.mark.parametrize("form", [{"x": "1"}, {"csrf": ""}, {"csrf": "another"}], ids=str)
def test_no_form_is_taken_without_its_token(console, form):
    found = answers(console, FORMS, signed_in(), data=form)
    assert {one for one, answer in found.items() if answer.status_code != FORBIDDEN} == set()


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://elsewhere.example"}, {"sec-fetch-site": "cross-site"}],
    ids=["origin", "site"],
)
def test_no_form_of_another_site_is_taken(console, headers):
    session = signed_in()
    found = answers(console, FORMS, session, data={"csrf": session.csrf}, headers=headers)
    assert {one for one, answer in found.items() if answer.status_code != FORBIDDEN} == set()


def test_nobody_sees_a_page_without_signing_in(console):
    found = answers(console, [route for route in PAGES if not route.open])
    seen = {one for one, answer in found.items() if answer.status_code != SEE_OTHER}
    assert seen == set()


def test_what_scripts_ask_for_changes_no_session(console):
    found = answers(console, [route for route in PAGES if route.background], signed_in())
    assert found
    assert {one for one, answer in found.items() if "set-cookie" in answer.headers} == set()
