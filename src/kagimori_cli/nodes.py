"""`kagimori node`: the nodes that share the store of a deployment."""

from typing import Annotated, Any

import typer

from kagimori_cli.admin import EndpointUrl, Folder, plain_members, refusals_explained, server_for
from kagimori_cli.node_table import print_nodes
from kagimori_cli.terminal import Output, OutputOption, give_up, print_json
from kagimori_client.admin import AdminClient

node = typer.Typer(help="Nodes of the deployment.", no_args_is_help=True, add_completion=False)


@node.command("list", epilog="Example: kagimori node list --data ./kagimori-data")
def list_nodes(
    data: Folder = None, endpoint: EndpointUrl = None, output: OutputOption = Output.TEXT
) -> None:
    """List the nodes; `*` marks the one that does what time asks for. For operators."""
    server = _served(data, endpoint)
    with refusals_explained():
        nodes = server.call("ListNodes")["Nodes"]
    if output is Output.JSON:
        print_json([plain_members(one) for one in nodes])
        return
    print_nodes([plain_members(one) for one in nodes])


@node.command(epilog="Example: kagimori node remove abcdefghij --data ./kagimori-data")
def remove(
    node_id: Annotated[str, typer.Argument(metavar="NODE", help="As `node list` names it.")],
    data: Folder = None,
    endpoint: EndpointUrl = None,
) -> None:
    """Remove a node: it stops by itself, and its folder cannot be served again. For operators."""
    server = _served(data, endpoint)
    with refusals_explained():
        server.call("RemoveNode", NodeId=node_id)
    typer.echo(f"{node_id} is removed.")


def _served(data: Any, endpoint: str | None) -> AdminClient:
    server = server_for(data, endpoint)
    if server is None:
        give_up(f"{data} is not being served")
    return server
