"""Makes HTML of templates. Everything that is put into one is escaped."""

import hashlib
import json
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kagimori_console.language.texts import LANGUAGES, texts_of

_VERSION_DIGITS: Final = 12


class Renderer:
    """The templates, in each language."""

    def __init__(self) -> None:
        self._environments = {language: _environment(language) for language in LANGUAGES}

    def render(self, language: str, template: str, **values: Any) -> str:
        """Return the HTML of a template."""
        return self._environments[language].get_template(template).render(**values)


def _environment(language: str) -> Environment:
    made = Environment(
        loader=PackageLoader("kagimori_console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    plain, plural = texts_of(language).callables
    made.install_gettext_callables(plain, plural, newstyle=True)  # type: ignore[attr-defined]
    made.filters["time"] = shown_time
    made.filters["pretty"] = pretty
    made.globals.update(static=static_url, languages=LANGUAGES, language=language)
    return made


def shown_time(value: Any) -> Markup:
    """Return a time (a datetime, seconds since the epoch, or ISO 8601) in UTC.

    A script of the page adds the viewer's own zone.
    """
    if value is None or value == "":
        return Markup("-")
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    elif not isinstance(value, datetime):
        value = datetime.fromtimestamp(float(value), UTC)
    at = value.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        at.strftime("%Y-%m-%dT%H:%M:%SZ"), at.strftime("%Y-%m-%d %H:%M:%S")
    )


def pretty(value: Any) -> str:
    """Return JSON for people: a text of JSON, or any value."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def static_url(name: str) -> str:
    """Return the address of a static file, which changes with its content."""
    return f"/static/{_version()}/{name}"


@cache
def _version() -> str:
    digest = hashlib.sha256()
    folder = resources.files("kagimori_console") / "static"
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.is_file():
            digest.update(file.name.encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:_VERSION_DIGITS]
