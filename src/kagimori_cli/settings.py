"""`kagimori settings`: what a server is set to, from where, and whether it can be started so."""

from typing import Any

import typer

from kagimori.deployment.settings_sources import settings_of, value_of
from kagimori_cli.settings_options import Config, Texts, settings_from
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Data, Output, OutputOption, print_json

settings = typer.Typer(
    help="What a server is set to, and where each setting comes from.",
    no_args_is_help=True,
    add_completion=False,
)


@settings.command(epilog="Example: kagimori settings show --data ./kagimori-data --output json")
def show(
    data: Data,
    config: Config = None,
    texts: Texts = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show every setting: its value, and the flag, variable or line that it comes from."""
    loaded = settings_from(config=config, data=data, flags={}, texts=texts)
    found = [(one, value_of(loaded.settings, one)) for one in settings_of(loaded.settings)]
    if output is Output.JSON:
        print_json(
            {one.name: {"value": value, "from": loaded.origins[one.name]} for one, value in found}
        )
        return
    rows = [(one.name, _shown(value), loaded.origins[one.name]) for one, value in found]
    print_table(("setting", "value", "from"), rows)


@settings.command(epilog="Example: kagimori settings check --data ./kagimori-data")
def check(data: Data, config: Config = None, texts: Texts = None) -> None:
    """Check the settings as `serve` does, without serving. Exit code 1 if one is wrong."""
    loaded = settings_from(config=config, data=data, flags={}, texts=texts)
    for variable in loaded.unknown_variables:
        typer.echo(f"{variable} is no setting of ours, and sets nothing", err=True)
    typer.echo("The settings are in order.")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={inner}" for name, inner in value.items()) or "-"
    if isinstance(value, tuple):
        return ", ".join(value) or "-"
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None else str(value)
