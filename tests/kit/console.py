"""A console in front of a real server, and a browser, for tests of the pages as people use them."""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from serving import KAGIMORI, environment

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
READY = "kagimori console at "
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium (Debian package chromium)"
)


@contextlib.contextmanager
def console_of(endpoint_url, *options, region="eu-central-1"):
    """Yield the address of a console of its own for an endpoint."""
    arguments = ["console", "--endpoint", endpoint_url, "--listen", "127.0.0.1:0"]
    arguments += ["--requests-per-second", "10000", "--sign-ins-per-minute", "10000"]
    process = subprocess.Popen(
        [KAGIMORI, *arguments, "--region", region, *map(str, options)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        line = process.stdout.readline()
        assert line.startswith(READY), line
        yield line.removeprefix(READY).strip()
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@contextlib.contextmanager
def browser():
    """Yield a Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


class Visitor:
    """A person at a browser. What the browser complains of is kept in `complaints`."""

    def __init__(self, started, console_url, *, language="en", theme="light", size=DESKTOP):
        self.url = console_url
        self.context = started.new_context(
            base_url=console_url,
            locale=language,
            viewport=size,
            color_scheme=theme,
            timezone_id="Europe/Berlin",
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.complaints = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.elsewhere = []
        self.page.on("request", self._asked)

    def _said(self, message):
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def _asked(self, request):
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def sign_in(self, access_key_id, secret_access_key):
        """Sign in with an access key."""
        self.page.goto("/sign-in?way=key")
        self.page.fill("#access-key-id", access_key_id)
        self.page.fill("#secret", secret_access_key)
        self.page.click("main button.primary")
        self.page.wait_for_selector("nav.side")
        return self

    def go(self, path):
        """Open a page of the console; return the browser's page."""
        self.page.goto(path)
        return self.page

    def check_accessible(self):
        """Fail if axe finds anything serious or critical on the page."""
        from axe_core_python.sync_playwright import Axe

        found = Axe().run(self.page)
        serious = [
            (one["id"], [node["html"][:200] for node in one["nodes"]])
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
        ]
        assert not serious, json.dumps(serious, indent=1)

    def take_picture(self, name):
        """Write a screenshot to the folder KAGIMORI_SCREENSHOTS, if it is set."""
        folder = os.environ.get("KAGIMORI_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    def close(self):
        """End the visit; fail if a page asked another host or broke its own policy."""
        self.context.close()
        assert not self.elsewhere, self.elsewhere
        assert not self.complaints, self.complaints


@contextlib.contextmanager
def visitor(started, console_url, **choices):
    """Yield a person at a browser of their own."""
    made = Visitor(started, console_url, **choices)
    yield made
    made.close()
