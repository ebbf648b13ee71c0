"""Options of a command that starts a server, made from the definitions of the settings."""

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from kagimori.deployment.folder import Unusable
from kagimori.deployment.settings_checks import check_settings
from kagimori.deployment.settings_sources import Loaded, load_settings, plain_kind
from kagimori.settings.tree import Setting, all_settings
from kagimori_cli.terminal import give_up

F = TypeVar("F", bound=Callable[..., None])

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings; by default kagimori.toml in the data folder."
    ),
]
Texts = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any setting by name; may be repeated."),
]


def with_settings(command: str) -> Callable[[F], F]:
    """Give a function the options of every setting that has one there, in place of `**flags`."""

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        kept = [
            parameter
            for parameter in signature.parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        options = [
            inspect.Parameter(
                _argument(setting),
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=_annotation(setting),
            )
            for setting in all_settings()
            if setting.about.flag is not None and command in setting.about.commands
        ]
        whole = signature.replace(parameters=[*kept, *options])
        function.__signature__ = whole  # type: ignore[attr-defined]
        return function

    return decorate


def settings_from(
    *,
    config: Path | None,
    data: Path | None,
    flags: dict[str, Any],
    texts: list[str] | None,
) -> Loaded:
    """Return the settings from all sources, checked; end with one line about the first fault."""
    by_argument = {_argument(setting): setting.name for setting in all_settings()}
    try:
        loaded = load_settings(
            config=config,
            data=data,
            environment=os.environ,
            flags={by_argument[argument]: value for argument, value in flags.items()},
            texts=tuple(texts or ()),
        )
        check_settings(loaded.settings, os.environ)
    except Unusable as reason:
        give_up(str(reason))
    return loaded


def _argument(setting: Setting) -> str:
    return setting.name.replace(".", "__")


def _annotation(setting: Setting) -> Any:
    about = setting.about
    kind = plain_kind(setting)
    option = typer.Option(
        about.flag,
        metavar=about.metavar,
        help=about.meaning,
        min=None if about.least is None else kind(about.least),
        max=None if about.most is None else kind(about.most),
        show_default=shown_default(setting),
    )
    taken = list[str] if kind in (dict, tuple) else kind
    return Annotated[taken | None, option]


def shown_default(setting: Setting) -> Any:
    """Return the default as help shows it: as a text, or not at all."""
    default = setting.default
    is_shown = default not in (None, (), {}) and default is not False
    return str(default) if is_shown else False
