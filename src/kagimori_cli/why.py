"""`kagimori why`: the whole decision behind an AccessDenied."""

from typing import Annotated, Any

import typer
from msgspec import to_builtins

from kagimori.rules.authorization.denial import Denial
from kagimori.server.start import Unusable, denied
from kagimori_cli.terminal import Data, Output, OutputOption, give_up, print_json


def why(
    *,
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="From the error, or x-amzn-RequestId.")
    ],
    data: Data,
    encoded: Annotated[
        bool, typer.Option("--encoded", help="Print it for sts:DecodeAuthorizationMessage.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Explain why a request was denied: every policy, every statement, and what would allow it."""
    try:
        denial = denied.find_denial(data, request_id)
        if denial is None:
            give_up(f"no denial of request {request_id} is known; the last 10,000 are kept")
        message = denied.encoded_message(data, denial) if encoded else None
    except Unusable as reason:
        give_up(str(reason))
    if message is not None:
        if output is Output.JSON:
            print_json({"EncodedMessage": message})
        else:
            typer.echo(message)
    elif output is Output.JSON:
        print_json(to_builtins(denial))
    else:
        _show(denial)


def _show(denial: Denial) -> None:
    typer.echo(f"{denial.caller} was denied {denial.action} on {denial.resource}")
    typer.echo(f"  {denial.reason}")
    for policy in denial.policies:
        typer.echo(f"{policy['policy']} says {policy['says']}")
        for statement in policy["statements"]:
            _tell(statement)
        if policy.get("statements_more"):
            typer.echo(f"  and {policy['statements_more']} more statements")
    for grant in denial.grants:
        typer.echo(f"grant {grant['grant_id']} gives {', '.join(grant['operations'])}")
        for lack in grant.get("shortfalls", ()):
            typer.echo(
                f"    {lack['what']}: says {lack['written']}; the request has {lack['request']}"
            )
    typer.echo(f"To allow it: {denial.suggestion}")
    for alternative in denial.alternatives:
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
