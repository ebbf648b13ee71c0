"""`kagimori why`: the whole decision behind an AccessDenied."""

from typing import Annotated, Any

import typer
from msgspec import to_builtins

from kagimori import assemble
from kagimori_cli.terminal import Data, Output, OutputOption, give_up, print_json


def why(
    *,
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="From the error, or x-amzn-RequestId.")
    ],
    data: Data,
    output: OutputOption = Output.TEXT,
) -> None:
    """Tell why a request was denied: every policy, every statement, and what would allow it."""
    try:
        denial = assemble.denial(data, request_id)
    except assemble.Unusable as reason:
        give_up(str(reason))
    if denial is None:
        give_up(f"no denial of request {request_id} is known; the last 10,000 are kept")
    told = to_builtins(denial)
    if output is Output.JSON:
        print_json(told)
        return
    typer.echo(f"{denial.caller} was denied {denial.action} on {denial.resource}")
    typer.echo(f"  {denial.reason}")
    for policy in denial.policies:
        typer.echo(f"{policy['policy']} says {policy['says']}")
        for statement in policy["statements"]:
            _tell(statement)
    for grant in denial.grants:
        typer.echo(f"grant {grant['grant_id']} gives {', '.join(grant['operations'])}")
    typer.echo(f"To allow it: {denial.suggestion}")


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
