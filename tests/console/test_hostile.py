"""Hostile requests: every route without a session, without a token, from another site, and rubbish."""

import http.client
import re
import urllib.parse

import pytest

from kagimori_console.app import PAGES
from kit.console import console_of

OPEN = [route for route in PAGES if route.open]
CLOSED = [route for route in PAGES if not route.open]
POSTS = [route for route in PAGES if route.method == "POST"]
GETS = [route for route in PAGES if route.method == "GET"]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7919*7907}}",
    "%00",
    "..%2f..%2fetc%2fpasswd",
    "é" * 300,
    "'; drop table keys; --",
]


def ids(route):
    return f"{route.method} {route.path}"


def filled(route, value):
    """Return a route's path with a value for each of its parts."""
    return re.sub(r"\{\w+(:\w+)?\}", urllib.parse.quote(value, safe="%"), route.path)


class Browser:
    """The cookies of somebody, and plain requests with them."""

    def __init__(self, url):
        self.host = urllib.parse.urlsplit(url).netloc
        self.cookies = {}

    def ask(self, method, path, fields=None, **headers):
        connection = http.client.HTTPConnection(self.host, timeout=30)
        body = None if fields is None else urllib.parse.urlencode(fields)
        sent = {"cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        if body is not None:
            sent["content-type"] = "application/x-www-form-urlencoded"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            content = answer.read().decode()
        finally:
            connection.close()
        for name, value in answer.getheaders():
            if name == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0].strip('"')
        return answer.status, dict(answer.getheaders()), content

    def csrf(self, path):
        _, _, content = self.ask("GET", path)
        return re.search(r'name="csrf" value="([^"]+)"', content)[1]


@pytest.fixture(scope="module")
def signed_in(server, console):
    browser = Browser(console)
    token = browser.csrf("/sign-in?way=key")
    key = server.credentials
    fields = {"csrf": token, "access-key-id": key.access_key, "secret": key.secret_key}
    status, headers, _ = browser.ask("POST", "/sign-in/access-key", fields)
    assert (status, headers["location"]) == (303, "/")
    return browser


@pytest.mark.parametrize("route", CLOSED, ids=ids)
def test_nobody_passes_without_signing_in(console, route):
    browser = Browser(console)
    status, headers, _ = browser.ask(
        route.method, filled(route, "x"), {} if route in POSTS else None
    )
    assert status == 303
    assert headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("route", POSTS, ids=ids)
def test_a_form_without_its_token_changes_nothing(signed_in, route):
    path = filled(route, "x")
    for fields in ({}, {"csrf": ""}, {"csrf": "wrong"}):
        assert signed_in.ask("POST", path, fields)[0] == 403


@pytest.mark.parametrize("route", POSTS, ids=ids)
def test_a_form_of_another_site_changes_nothing(signed_in, route):
    token = signed_in.csrf("/switch-role")
    path = filled(route, "x")
    for headers in (
        {"origin": "https://example.com"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ):
        assert signed_in.ask("POST", path, {"csrf": token}, **headers)[0] == 403


@pytest.mark.parametrize("route", GETS, ids=ids)
def test_hostile_text_in_an_address_is_shown_as_text(signed_in, route):
    for value in HOSTILE:
        path = filled(route, value)
        query = urllib.parse.urlencode(dict.fromkeys(("q", "next", "way", "filter", "id"), value))
        status, headers, content = signed_in.ask("GET", f"{path}?{query}")
        assert status < 500, (value, content[:2000])
        assert "<script>alert" not in content
        assert "<img src=x" not in content
        assert str(7919 * 7907) not in content
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("route", POSTS, ids=ids)
def test_empty_and_hostile_forms_are_refused_and_not_failed(server, console, route):
    if route.path == "/sign-out":
        return
    browser = Browser(console)
    token = browser.csrf("/sign-in?way=key")
    key = server.credentials
    fields = {"csrf": token, "access-key-id": key.access_key, "secret": key.secret_key}
    browser.ask("POST", "/sign-in/access-key", fields)
    token = browser.csrf("/switch-role")
    for value in ("", HOSTILE[0], HOSTILE[1]):
        status, _, content = browser.ask("POST", filled(route, value or "x"), {"csrf": token})
        assert status < 500, content[:2000]
        assert "<script>alert" not in content


def test_where_to_go_after_signing_in_is_here(server, console):
    for target in (
        "https://example.com/",
        "//example.com",
        "/\\example.com",
        "javascript:alert(1)",
    ):
        browser = Browser(console)
        token = browser.csrf("/sign-in?way=key")
        key = server.credentials
        fields = {"csrf": token, "access-key-id": key.access_key, "secret": key.secret_key}
        status, headers, _ = browser.ask("POST", "/sign-in/access-key", {**fields, "next": target})
        assert (status, headers["location"]) == (303, "/")


def test_too_large_a_form_is_refused(signed_in):
    status, _, _ = signed_in.ask("POST", "/switch-role", {"csrf": "x" * 1_000_000})
    assert status == 413


def test_an_api_that_is_away_is_said_and_it_recovers():
    with console_of("http://127.0.0.1:9") as url:
        browser = Browser(url)
        token = browser.csrf("/sign-in?way=key")
        fields = {"csrf": token, "access-key-id": "AKIAEXAMPLE", "secret": "wrong"}
        status, headers, content = browser.ask("POST", "/sign-in/access-key", fields)
        assert status == 503
        assert headers["retry-after"]
        assert "does not answer" in content
        assert browser.ask("GET", "/is-there")[0] == 503


def test_somebody_who_tries_passwords_is_slowed_down():
    with console_of("http://127.0.0.1:9", "--sign-ins-per-minute", 2) as url:
        browser = Browser(url)
        fields = {"csrf": browser.csrf("/sign-in"), "account": "1", "password": "wrong"}
        answers = [browser.ask("POST", "/sign-in/password", fields)[0] for _ in range(4)]
        assert answers == [503, 503, 429, 429]
        assert browser.ask("GET", "/sign-in")[0] == 200
