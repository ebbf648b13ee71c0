"""`kagimori why`: the whole decision behind an AccessDenied."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from msgspec import to_builtins

from kagimori.deployment.denials import encoded_message, find_denial
from kagimori_cli.admin import EndpointUrl, Folder, refusals_told, server_for
from kagimori_cli.terminal import Output, OutputOption, give_up, print_json
from kagimori_client.admin import AdminClient

# Members whose own members are data, with names that are not ours.
# Members whose names are their callers' own.
_MAPS: Final = frozenset(
    {"Conditions", "EncryptionContextEquals", "EncryptionContextSubset", "Request", "Written"}
)
_NAMES: Final = {"EventTime": "at", "ResourceAccountId": "owner"}


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
    with refusals_told():
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
    members = answer["Denial"].items()
    denial = {_NAMES.get(name, _plain_name(name)): _plain(name, one) for name, one in members}
    return denial, answer.get("EncodedMessage")


def _plain(name: str, value: Any) -> Any:
    if name in _MAPS:
        return value
    if isinstance(value, dict):
        return {_plain_name(inner): _plain(inner, one) for inner, one in value.items()}
    if isinstance(value, list):
        return [_plain(name, one) for one in value]
    return value


def _plain_name(name: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name).lstrip("_")


def _show(denial: dict[str, Any]) -> None:
    typer.echo(f"{denial['caller']} was denied {denial['action']} on {denial['resource']}")
    typer.echo(f"  {denial['reason']}")
    for policy in denial["policies"]:
        typer.echo(f"{policy['policy']} says {policy['says']}")
        for statement in policy["statements"]:
            _tell(statement)
        if policy.get("statements_more"):
            typer.echo(f"  and {policy['statements_more']} more statements")
    for grant in denial["grants"]:
        typer.echo(f"grant {grant['grant_id']} gives {', '.join(grant['operations'])}")
        for lack in grant.get("shortfalls", ()):
            typer.echo(
                f"    {lack['what']}: says {lack['written']}; the request has {lack['request']}"
            )
    if denial.get("suggestion"):
        typer.echo(f"To allow it: {denial['suggestion']}")
    for alternative in denial.get("alternatives", ()):
        typer.echo(f"Or mind that {alternative}")


def _tell(statement: dict[str, Any]) -> None:
    applies = "applies" if statement["applies"] else "does not apply"
    typer.echo(f"  {statement['effect']} {statement['statement']!r} {applies}")
    for misfit in statement["misfits"]:
        what = misfit["element"]
        if "key" in misfit:
            what = f"{what} {misfit['operator']} {misfit['key']}"
        written = ", ".join(misfit["written"]) or "nothing"
        found = ", ".join(misfit["request"]) or "nothing"
        typer.echo(f"    {what}: written {written}; the request has {found}")
