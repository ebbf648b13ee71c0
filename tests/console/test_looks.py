"""Every component as people see it: languages, themes, phone and desktop, and for screen readers."""

import pytest

from kit.console import DESKTOP, PHONE, Visitor


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_components_are_accessible_everywhere(server, console, chromium, language, size, theme):
    made = Visitor(chromium, console, language=language, theme=theme, size=size)
    key = server.credentials
    made.sign_in(key.access_key, key.secret_key)
    page = made.go("/stories")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= size["width"]
    made.check_accessible()
    made.take_picture(f"stories-{language}-{theme}-{size['width']}")
    made.close()
