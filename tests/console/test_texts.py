"""Every text of the console is there in every language, and its values fit."""

import re
from importlib import resources

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from kagimori_console.language.texts import DEFAULT, LANGUAGES, texts_of

ROOT = resources.files("kagimori_console")
_VALUE = re.compile(r"%\((\w+)\)[sd]")


def written():
    """Return the texts of code and templates: English, and the same for many things if there is."""
    methods = [("**/templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")]
    options = {"**/templates/**.html": {"newstyle_gettext": "true", "trimmed": "false"}}
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2), "text": None, "count": (1, 2)}
    found = {}
    for file, line, message, _, _ in extract_from_dir(
        str(ROOT), methods, options, keywords=keywords, comment_tags=()
    ):
        key = message if isinstance(message, str) else message[0]
        found.setdefault(key, f"{file}:{line}")
    return found


TEXTS = written()
OTHERS = [language for language in LANGUAGES if language != DEFAULT]


def catalog(language):
    for file in sorted((ROOT / "language" / language).iterdir(), key=lambda one: one.name):
        if file.name.endswith(".po"):
            for message in read_po(file.read_bytes().splitlines(keepends=True)):
                if message.id:
                    yield file.name, message


def test_there_are_texts():
    assert len(TEXTS) > 50


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_there(language):
    known = {m.id if isinstance(m.id, str) else m.id[0] for _, m in catalog(language) if m.string}
    missing = {text: place for text, place in TEXTS.items() if text not in known}
    assert missing == {}


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_is_left_over_or_fuzzy(language):
    left = [
        (file, m.id)
        for file, m in catalog(language)
        if (m.id if isinstance(m.id, str) else m.id[0]) not in TEXTS or m.fuzzy
    ]
    assert left == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_takes_the_values_of_its_text(language):
    wrong = []
    for file, message in catalog(language):
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        strings = [message.string] if isinstance(message.string, str) else list(message.string)
        taken = {name for one in ids for name in _VALUE.findall(one)}
        if any(set(_VALUE.findall(one)) - taken for one in strings):
            wrong.append((file, message.id))
    assert wrong == []


def test_a_text_with_one_translation_is_the_same_in_all_catalogs():
    found = {}
    for _, message in catalog("ja"):
        found.setdefault(str(message.id), set()).add(str(message.string))
    assert {text: ways for text, ways in found.items() if len(ways) > 1} == {}


def test_english_is_written_where_it_is_shown():
    assert texts_of(DEFAULT).text("Sign in") == "Sign in"
