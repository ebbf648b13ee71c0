"""Reads settings from flags, environment and file, in this order of precedence.

What is unknown or out of bounds is refused with the place where it stands. Values are not repeated
in a refusal: what was put there by mistake may be a secret.
"""

import difflib
import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from kagimori.deployment.folder import Unusable
from kagimori.deployment.settings_lines import line_of
from kagimori.settings import NAMED, Setting, Settings, all_settings, settings_named

FILE_NAME: Final = "kagimori.toml"
FILE_BYTES_MAX: Final = 64 * 1024
PREFIX: Final = "KAGIMORI_"
CONFIG_VARIABLE: Final = "KAGIMORI_CONFIG"
# Variables that are none of ours may begin like ours; these are misspelt ones.
_NEAR: Final = 0.85
_UNITS: Final = ("bytes", "days", "minutes", "seconds")
_KINDS: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    dict: "a table of texts",
    tuple: "a list of texts",
}


class Loaded(NamedTuple):
    """The settings, where each came from, and variables that look like ours and are not."""

    settings: Settings
    origins: dict[str, str]
    unknown_variables: tuple[str, ...]


class _Given(NamedTuple):
    value: Any
    origin: str


def load_settings(
    *,
    config: Path | None,
    data: Path | None = None,
    environment: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
    texts: tuple[str, ...] = (),
) -> Loaded:
    """Return the settings that all sources come to.

    `config` must be there if it is given; else the file in the `data` folder counts, if there is
    one. `flags` are values by name, `texts` are `NAME=VALUE`.

    Raises:
        Unusable: what cannot be read, is unknown or out of bounds, with its place.
    """
    given: dict[str, _Given] = {}
    file = _file_of(config, data, environment)
    if file is not None:
        given.update(_from_file(file))
    given.update(_from_environment(environment))
    for name, value in (flags or {}).items():
        if value is not None:
            setting = _KNOWN[name]
            origin = f"flag {setting.about.flag}"
            is_table = _base(setting.kind) is dict
            found = _pairs(setting, value, origin) if is_table else value
            given[name] = _Given(_checked(setting, found, origin, Path.cwd()), origin)
    given.update(_from_texts(texts))
    sections: dict[str, Any] = {}
    for name, one in given.items():
        *section, member = name.split(".")
        members = sections
        for part in section:
            members = members.setdefault(part, {})
        members[member] = one.value
    settings = msgspec.convert(sections, Settings)
    names = [setting.name for setting in settings_of(settings)]
    origins = {name: given[name].origin if name in given else "default" for name in names}
    return Loaded(settings, origins, tuple(_unknown_variables(environment)))


def plain_kind(setting: Setting) -> Any:
    """Return the type without bounds: of `float | None` float, of `tuple[str, ...]` tuple."""
    return _base(setting.kind)


def settings_of(settings: Settings) -> Iterator[Setting]:
    """Yield every setting of a tree, and those of the sections that have names there."""
    yield from all_settings()
    for section in NAMED:
        for name in getattr(settings, section):
            yield from settings_named(section, name)


def value_of(settings: Settings, setting: Setting) -> Any:
    """Return the value of a setting."""
    section, _, name = setting.section.partition(".")
    values = getattr(settings, section)
    return getattr(values[name] if name else values, setting.member)


# --- the file -------------------------------------------------------------------------------------


def _file_of(config: Path | None, data: Path | None, environment: Mapping[str, str]) -> Path | None:
    if config is not None:
        return config
    if environment.get(CONFIG_VARIABLE):
        return Path(environment[CONFIG_VARIABLE])
    beside = None if data is None else data / FILE_NAME
    return beside if beside is not None and beside.exists() else None


def _from_file(file: Path) -> Iterator[tuple[str, _Given]]:
    text, tree = _read(file)
    sections = set(Settings.__struct_fields__)
    for section, members in tree.items():
        if section not in sections:
            name = section if not isinstance(members, dict) else f"[{section}]"
            near = _nearest(section, [*sections, *_KNOWN])
            raise Unusable(f"{_place(file, text, (section,))}: there is no setting {name}{near}")
        for path, table in _tables(section, members):
            if not isinstance(table, dict):
                name = ".".join(path)
                raise Unusable(f"{_place(file, text, path)}: {name} is a table: [{name}]")
            if not table and section in NAMED:
                raise Unusable(f"{_place(file, text, path)}: [{'.'.join(path)}] is empty")
            for member, value in table.items():
                place = _place(file, text, (*path, member))
                setting = _known(".".join((*path, member)), place)
                yield setting.name, _Given(_checked(setting, value, place, file.parent), place)


def _read(file: Path) -> tuple[str, dict[str, Any]]:
    """Return the text of a file of settings, and what it says."""
    try:
        content = file.read_bytes()
        if len(content) > FILE_BYTES_MAX:
            raise Unusable(f"{file} is no file of settings: it has more than 64 KiB")
        text = content.decode()
        tree = tomllib.loads(text)
    except OSError as problem:
        raise Unusable(f"{file} cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise Unusable(f"{file} is not UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise Unusable(f"{file} is not TOML: {problem}") from None
    return text, tree


def _tables(section: str, members: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the tables of a section, each with its path: one, or one for each name."""
    if section in NAMED and isinstance(members, dict):
        yield from (((section, name), table) for name, table in members.items())
    else:
        yield (section,), members


def _place(file: Path, text: str, path: tuple[str, ...]) -> str:
    return f"{file}:{line_of(text, path)}"


# --- the environment, and NAME=VALUE --------------------------------------------------------------


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, _Given]]:
    for variable in _unknown_variables(environment):
        near = difflib.get_close_matches(variable, _VARIABLES, 1, _NEAR)
        if near:
            raise Unusable(f"{variable} sets nothing; did you mean {near[0]}?")
    for setting in _KNOWN.values():
        for variable in setting.variables:
            text = environment.get(variable)
            if text is not None:
                place = f"environment {variable}"
                value = _checked(setting, _parsed(setting, text, place), place, Path.cwd())
                yield setting.name, _Given(value, place)
                break


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    for variable in environment:
        if variable.startswith(PREFIX) and variable not in (*_VARIABLES, CONFIG_VARIABLE):
            yield variable


def _from_texts(texts: tuple[str, ...]) -> Iterator[tuple[str, _Given]]:
    for written in texts:
        name, equals, text = written.partition("=")
        if not equals:
            raise Unusable("--set takes NAME=VALUE, like --set front.connections=100")
        place = f"flag --set {name}"
        setting = _known(name, "--set")
        value = _checked(setting, _parsed(setting, text, place), place, Path.cwd())
        yield name, _Given(value, place)


def _parsed(setting: Setting, text: str, place: str) -> Any:
    """Return the value that a text outside a file stands for; lists have commas."""
    base = _base(setting.kind)
    if base is str:
        return text
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if base is tuple:
        return parts
    if base is dict:
        return _pairs(setting, parts, place)
    try:
        return msgspec.convert(text, base, strict=False)
    except msgspec.ValidationError:
        raise _refusal(setting, place) from None


def _pairs(setting: Setting, parts: list[str], place: str) -> dict[str, str]:
    """Return a table from texts like `ISSUER=FILE`."""
    pairs = [part.rpartition("=") for part in parts]
    if not all(name for name, _, _ in pairs):
        raise Unusable(f"{place}: {setting.name} takes {setting.about.metavar}")
    return {name: value for name, _, value in pairs}


# --- checks ---------------------------------------------------------------------------------------


def _known(name: str, place: str) -> Setting:
    section, _, rest = name.partition(".")
    if section in NAMED and "." in rest:
        return _known_named(section, rest, place)
    if name not in _KNOWN:
        raise Unusable(f"{place}: there is no setting {name}{_nearest(name, _KNOWN)}")
    return _KNOWN[name]


def _known_named(section: str, rest: str, place: str) -> Setting:
    given, _, _ = rest.rpartition(".")
    known = {setting.name: setting for setting in settings_named(section, given)}
    if not known:
        raise Unusable(
            f"{place}: a name in {section} has up to 32 small letters, digits and hyphens"
        )
    name = f"{section}.{rest}"
    if name not in known:
        raise Unusable(f"{place}: there is no setting {name}{_nearest(name, known)}")
    return known[name]


def _nearest(name: str, names: Any) -> str:
    """Return whom a wrong name may mean, as the end of a sentence."""
    member = name.rpartition(".")[2]
    elsewhere = [known for known in names if known.rpartition(".")[2] == member]
    near = elsewhere or difflib.get_close_matches(name, list(names), 1)
    return f"; did you mean {near[0]}?" if near else ""


def _checked(setting: Setting, value: Any, place: str, folder: Path) -> Any:
    try:
        found = msgspec.convert(value, setting.kind)
    except msgspec.ValidationError:
        raise _refusal(setting, place) from None
    least, most = setting.about.least, setting.about.most
    if isinstance(found, int | float) and not isinstance(found, bool):
        is_low = least is not None and found < least
        is_high = most is not None and found > most
        if not math.isfinite(found) or is_low or is_high:
            raise _refusal(setting, place)
    texts = [found] if isinstance(found, str) else found if isinstance(found, tuple | dict) else []
    if any("\0" in text or not text for text in texts):
        raise Unusable(f"{place}: {setting.name} must not be empty")
    return _absolute(found, folder) if setting.about.is_path else found


def _absolute(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {name: _absolute(inner, folder) for name, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(_absolute(inner, folder) for inner in value)
    if not isinstance(value, str) or "://" in value:
        return value
    return str((folder / value).absolute())


def _refusal(setting: Setting, place: str) -> Unusable:
    return Unusable(f"{place}: {setting.name} must be {wanted(setting)}")


def wanted(setting: Setting) -> str:
    """Return the values that a setting takes, in words: `a number, 0 or more`."""
    least, most = setting.about.least, setting.about.most
    words = _KINDS[_base(setting.kind)]
    if setting.about.metavar == "FILE":
        words = words.replace("text", "path")
    unit = setting.member.rpartition("_")[2]
    if unit in _UNITS:
        words = words.replace("whole number", f"whole number of {unit}")
        words = words if f"of {unit}" in words else f"{words} of {unit}"
    if least is not None:
        low, high = _plain(least), _plain(most)
        words += f", {low} or more" if most is None else f" from {low} to {high}"
    return words


def _plain(bound: float | None) -> str:
    return str(bound).removesuffix(".0")


def _base(kind: Any) -> Any:
    """Return the plain type: of `float | None` float, of `tuple[str, ...]` tuple."""
    inner = next((one for one in getattr(kind, "__args__", ()) if one in _KINDS), kind)
    return getattr(kind, "__origin__", inner)


_KNOWN: Final = {setting.name: setting for setting in all_settings()}
_VARIABLES: Final = tuple(name for setting in _KNOWN.values() for name in setting.variables)
