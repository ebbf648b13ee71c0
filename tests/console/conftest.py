"""One server, one console and one browser for all tests of the console."""

import pytest

from kit.console import CHROMIUM, Visitor, browser, console_of
from serving import served


@pytest.fixture(scope="session")
def server():
    with served() as running:
        yield running


@pytest.fixture(scope="session")
def console(server):
    with console_of(server.url, region=server.region) as url:
        yield url


@pytest.fixture(scope="module")
def chromium():
    """A browser for one file: while it is there, no other event loop runs on this thread."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium (Debian package chromium)")
    with browser() as started:
        yield started


@pytest.fixture
def root(server, console, chromium):
    """Root of the account, signed in."""
    made = Visitor(chromium, console)
    key = server.credentials
    yield made.sign_in(key.access_key, key.secret_key)
    made.close()


@pytest.fixture
def stranger(console, chromium):
    """Somebody who is not signed in."""
    made = Visitor(chromium, console)
    yield made
    made.close()
