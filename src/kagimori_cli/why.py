"""`kagimori why`: the whole decision behind an AccessDenied."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from msgspec import to_builtins

from kagimori.deployment.denials import encoded_message, find_denial
from kagimori_cli.admin import EndpointUrl, Folder, plain_members, refusals_explained, server_for
from kagimori_cli.terminal import Output, OutputOption, give_up, print_json
from kagimori_client.admin import AdminClient

# Members whose own members have names that callers gave.
_MAPS: Final = frozenset({"Conditions", "EncryptionContextEquals", "EncryptionContextSubset"})
_NAMES: Final = {"event_time": "at", "resource_account_id": "owner"}


def why(
    *,
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="From the error, or x-amzn-RequestId.")
    ],
    data: Folder = None,
    endpoint: EndpointUrl = None,
    encoded: Annotated[
        bool, typer.Option("--encoded", help="Print it for sts:DecodeAuthorizationMessage.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Explain why a request was denied: every policy, every statement, and what would allow it."""
    server = server_for(data, endpoint)
    with refusals_explained():
        if server is None:
            denial, message = _in_folder(data or Path(), request_id, encoded=encoded)
        else:
            denial, message = _from(server, request_id, encoded=encoded)
    if encoded:
        if message is None:
            give_up("this decision is too long for a message; see `kagimori why` without it")
        if output is Output.JSON:
            print_json({"EncodedMessage": message})
        else:
            typer.echo(message)
    elif output is Output.JSON:
        print_json(denial)
    else:
        _show(denial)


def _in_folder(data: Path, request_id: str, *, encoded: bool) -> tuple[dict[str, Any], str | None]:
    found = find_denial(data, request_id)
    if found is None:
        give_up(f"no denial of request {request_id} is known; the last 10,000 are kept")
    denial: dict[str, Any] = to_builtins(found)
    return denial, encoded_message(data, found) if encoded else None


def _from(
    server: AdminClient, request_id: str, *, encoded: bool
) -> tuple[dict[str, Any], str | None]:
    answer = server.call("GetDenial", RequestId=request_id, IncludeEncodedMessage=encoded or None)
    members = plain_members(answer["Denial"], _MAPS)
    denial = {_NAMES.get(name, name): one for name, one in members.items()}
    return denial, answer.get("EncodedMessage")


def _show(denial: dict[str, Any]) -> None:
    typer.echo(f"{denial['caller']} was denied {denial['action']} on {denial['resource']}")
    typer.echo(f"  {denial['reason']}")
    for policy in denial["policies"]:
        typer.echo(f"{policy['policy']} says {policy['says']}")
        for statement in policy["statements"]:
            _show_statement(statement)
        if policy.get("statements_more"):
            typer.echo(f"  and {policy['statements_more']} more statements")
    for grant in denial["grants"]:
        typer.echo(f"grant {grant['grant_id']} gives {', '.join(grant['operations'])}")
        for lack in grant.get("shortfalls", ()):
            written, found = _listed(lack["written"]), _listed(lack["request"])
            typer.echo(f"    {lack['what']}: says {written}; the request has {found}")
    if denial.get("suggestion"):
        typer.echo(f"To allow it: {denial['suggestion']}")
    for alternative in denial.get("alternatives", ()):
        typer.echo(f"Or mind that {alternative}")


def _show_statement(statement: dict[str, Any]) -> None:
    applies = "applies" if statement["applies"] else "does not apply"
    typer.echo(f"  {statement['effect']} {statement['statement']!r} {applies}")
    for misfit in statement["misfits"]:
        what = misfit["element"]
        if "key" in misfit:
            what = f"{what} {misfit['operator']} {misfit['key']}"
        written, found = _listed(misfit["written"]), _listed(misfit["request"])
        typer.echo(f"    {what}: written {written}; the request has {found}")


def _listed(texts: list[str]) -> str:
    return ", ".join(texts) or "nothing"
