"""`kagimori sign-in-link`: a link that signs in to a console once."""

import re
from typing import Annotated, Final

import typer

from kagimori_cli.admin import EndpointUrl, Folder, refusals_explained, served
from kagimori_cli.terminal import EXIT_UNREADABLE, Output, OutputOption, complain, print_json

_CONSOLE: Final = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?", re.ASCII)

Console = Annotated[
    str, typer.Option("--console", metavar="URL", help="The console's address.", show_default=False)
]


def sign_in_link(
    *,
    console: Console,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print a link that signs in to a console once, within ten minutes, as the caller.

    With --data that is the root user of the deployment's account, with --endpoint the owner of the
    AWS credentials. The token stands behind the "#", which browsers send to nobody.
    """
    if not _CONSOLE.fullmatch(console):
        complain(f"{console} is no address of a console, such as http://127.0.0.1:8569")
        raise typer.Exit(EXIT_UNREADABLE)
    server = served(data, endpoint)
    with refusals_explained():
        made = server.call("CreateSignInToken")
    link = f"{console.rstrip('/')}/sign-in#token={made['SignInToken']}"
    if output is Output.JSON:
        print_json({"link": link, "expiration": made["Expiration"]})
    else:
        typer.echo(link)
