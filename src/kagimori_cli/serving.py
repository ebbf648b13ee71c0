"""`kagimori serve` and `dev`: this process becomes the server."""

from typing import Annotated, Any

import typer

from kagimori.settings.tree import encode_settings
from kagimori_cli.console import start_beside
from kagimori_cli.settings_options import Config, Texts, settings_from, with_settings
from kagimori_cli.terminal import Data, become_server

AcceptRollback = Annotated[
    bool,
    typer.Option(
        "--accept-rollback",
        help="Serve a store that is older than it was, as after a restore; it is recorded.",
    ),
]


ConsoleAt = Annotated[
    str | None,
    typer.Option(
        "--console",
        metavar="HOST:PORT",
        help="Serve the web console there; it ends with the server.",
    ),
]


SignInLink = Annotated[
    bool,
    typer.Option("--sign-in-link", help="Print a link that signs root in at the console once."),
]


@with_settings("serve")
def serve(
    *,
    data: Data,
    accept_rollback: AcceptRollback = False,
    console: ConsoleAt = None,
    sign_in_link: SignInLink = False,
    config: Config = None,
    texts: Texts = None,
    **flags: Any,
) -> None:
    """Serve a deployment until SIGTERM or SIGINT."""
    loaded = settings_from(config=config, data=data, flags=flags, texts=texts)
    accepted = ("accept-rollback",) if accept_rollback else ()
    if console is not None:
        start_beside(data, console, link=sign_in_link)
    become_server("kagimori.server.serving", str(data), encode_settings(loaded.settings), *accepted)


@with_settings("dev")
def dev(*, config: Config = None, texts: Texts = None, **flags: Any) -> None:
    """Serve for tests. NOT SAFE: nothing is kept, and any credentials are an account's root."""
    loaded = settings_from(config=config, data=None, flags=flags, texts=texts)
    typer.echo("kagimori dev is NOT SAFE: nothing is kept, any credentials are accepted", err=True)
    become_server("kagimori.dev.serving", encode_settings(loaded.settings))
