"""The texts of the console. English stands in the code and the templates; others in catalogs.

Each language has a folder of gettext catalogs (`.po`), one for each group of pages.
"""

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Final

from babel.messages.pofile import read_po

LANGUAGES: Final = {"en": "English", "ja": "日本語"}
DEFAULT: Final = "en"


class Texts:
    """The texts of one language."""

    def __init__(self, language: str, catalog: dict[str, str | tuple[str, ...]]) -> None:
        self.language = language
        self._catalog = catalog

    def text(self, english: str, **values: object) -> str:
        """Return a text with its values (`%(name)s`) put in."""
        found = self._catalog.get(english, english)
        found = found if isinstance(found, str) else found[0]
        return found % values if values else found

    def count(self, one: str, many: str, number: int, **values: object) -> str:
        """Return the text for a number of things; `%(num)s` is the number."""
        found = self._catalog.get(one)
        if found is None:
            chosen = one if number == 1 else many
        elif isinstance(found, str):
            chosen = found
        else:
            chosen = found[-1] if number != 1 else found[0]
        return chosen % {"num": number, **values}

    @property
    def callables(self) -> tuple[Callable[[str], str], Callable[[str, str, int], str]]:
        """The functions that Jinja's extension for translations takes."""

        def plain(english: str) -> str:
            found = self._catalog.get(english, english)
            return found if isinstance(found, str) else found[0]

        def plural(one: str, many: str, number: int) -> str:
            found = self._catalog.get(one)
            if found is None:
                return one if number == 1 else many
            return found if isinstance(found, str) else found[-1]

        return plain, plural


@cache
def texts_of(language: str) -> Texts:
    """Return the texts of a language."""
    found: dict[str, str | tuple[str, ...]] = {}
    folder = resources.files("kagimori_console.language") / language
    if language != DEFAULT:
        for file in sorted(folder.iterdir(), key=lambda one: one.name):
            if file.name.endswith(".po"):
                found |= _read(file.read_bytes())
    return Texts(language, found)


def language_wanted(chosen: str | None, accepted: str) -> str:
    """Return the language that a browser chose, or the first that it accepts of ours."""
    if chosen in LANGUAGES:
        return str(chosen)
    for part in accepted.split(","):
        language = part.partition(";")[0].strip().partition("-")[0].lower()
        if language in LANGUAGES:
            return language
    return DEFAULT


def _read(content: bytes) -> dict[str, str | tuple[str, ...]]:
    found: dict[str, str | tuple[str, ...]] = {}
    for message in read_po(content.splitlines(keepends=True)):
        if not message.id or not message.string:
            continue
        key = message.id if isinstance(message.id, str) else message.id[0]
        string = message.string
        found[key] = string if isinstance(string, str) else tuple(string)
    return found
