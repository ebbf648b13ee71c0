"""`kagimori approval`: requests for dangerous actions, which operators sign."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from kagimori_cli.admin import (
    EndpointUrl,
    Folder,
    plain_members,
    refusals_explained,
    served,
)
from kagimori_cli.approval_requests import KEPT, ask_for, print_approval
from kagimori_cli.operator_keys import public_key_of, read_private_key
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Output, OutputOption, give_up, print_json
from kagimori_cli.times import shown
from kagimori_client.admin import AdminClient
from kagimori_client.approvals import APPROVE, REFUSE, NotAsShown, signed_text

approval = typer.Typer(
    help="Dangerous actions: requests that several operators approve, or one refuses.",
    no_args_is_help=True,
    add_completion=False,
)

_OPERATIONS: Final = {APPROVE: "SignApproval", REFUSE: "RefuseApproval"}

RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="The id of the request.")]
OperatorName = Annotated[str, typer.Option("--operator", metavar="NAME", help="As whom you sign.")]
KeyFile = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="Your private key, on this machine.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Sign without being asked.")]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="For those who are to approve.")
]


@approval.command(
    "break-glass",
    epilog="Example: kagimori approval break-glass ARN --policy new.json --reason 'locked out'",
)
def break_glass(
    *,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The KMS key: an ARN, id or alias.")],
    policy: Annotated[Path, typer.Option("--policy", metavar="FILE", help="Its new key policy.")],
    reason: Reason,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Ask for a new key policy for a KMS key whose policy locked everybody out."""
    try:
        text = policy.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        give_up(f"{policy} cannot be read: {problem}")
    server = served(data, endpoint)
    ask_for(server, output, Action="ReplaceKeyPolicy", KeyId=key, Policy=text, Reason=reason)


@approval.command("list", epilog="Example: kagimori approval list --data ./kagimori-data")
def list_approvals(
    data: Folder = None, endpoint: EndpointUrl = None, output: OutputOption = Output.TEXT
) -> None:
    """List requests, the oldest first."""
    server = served(data, endpoint)
    with refusals_explained():
        found = [one for page in server.pages("ListApprovals") for one in page["Approvals"]]
    if output is Output.JSON:
        print_json([plain_members(one, KEPT) for one in found])
        return
    rows = [
        (
            one["RequestId"],
            one["Action"],
            one["State"],
            str(len(one["Approvals"])),
            shown(one["NotBefore"]),
            shown(one["ExpiresAt"]),
        )
        for one in found
    ]
    print_table(("request", "action", "state", "approved by", "not before", "until"), rows)


@approval.command("show", epilog="Example: kagimori approval show REQUEST --data ./kagimori-data")
def show_approval(
    request_id: RequestId,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show a request with everything that is signed."""
    server = served(data, endpoint)
    with refusals_explained():
        found = server.call("GetApproval", RequestId=request_id)["Approval"]
    print_approval(found, output)


@approval.command(
    epilog="Example: kagimori approval approve REQUEST --operator alice --key alice.key"
)
def approve(
    *,
    request_id: RequestId,
    operator: OperatorName,
    key: KeyFile,
    yes: Yes = False,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Approve a request: what you see is what you sign."""
    server = served(data, endpoint)
    _sign(server, APPROVE, request_id, operator=operator, key_file=key, output=output, yes=yes)


@approval.command(
    epilog="Example: kagimori approval refuse REQUEST --operator alice --key alice.key"
)
def refuse(
    *,
    request_id: RequestId,
    operator: OperatorName,
    key: KeyFile,
    yes: Yes = False,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Refuse a request, which ends it: one operator is enough."""
    server = served(data, endpoint)
    _sign(server, REFUSE, request_id, operator=operator, key_file=key, output=output, yes=yes)


@approval.command(epilog="Example: kagimori approval execute REQUEST --data ./kagimori-data")
def execute(
    request_id: RequestId,
    data: Folder = None,
    endpoint: EndpointUrl = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Perform a request that enough operators approved and nobody can refuse any more."""
    server = served(data, endpoint)
    with refusals_explained():
        done = server.call("ExecuteApproval", RequestId=request_id)["Approval"]
    print_approval(done, output)


def _sign(
    server: AdminClient,
    decision: str,
    request_id: str,
    *,
    operator: str,
    key_file: Path,
    output: Output,
    yes: bool,
) -> None:
    with refusals_explained():
        found = server.call("GetApproval", RequestId=request_id)["Approval"]
        roster = server.call("ListOperators")
    key = read_private_key(key_file)
    known = {one["OperatorName"]: one["PublicKey"] for one in roster["Operators"]}
    if operator not in known:
        give_up(f"there is no operator {operator}")
    if known[operator] != public_key_of(key):
        give_up(f"{key_file} is not the key of {operator} that is registered")
    if not yes:
        _confirm(found, decision)
    try:
        signature = key.sign(signed_text(decision, found))
    except NotAsShown as why:
        give_up(f"not signed: {why}")
    members: dict[str, Any] = {"OperatorName": operator, "Signature": signature.hex()}
    with refusals_explained():
        after = server.call(_OPERATIONS[decision], RequestId=request_id, **members)["Approval"]
    print_approval(after, output)


def _confirm(found: Mapping[str, Any], decision: str) -> None:
    """Show the request where it does not mix with answers, and ask."""
    seconds = found["NotBefore"] - time.time()
    print_approval(found, Output.TEXT)
    if seconds > 0:
        typer.echo(f"It can be refused for {seconds / 3600:.1f} hours more.", err=True)
    if not typer.confirm(f"{decision.capitalize()} this?", err=True):
        give_up("nothing was signed")
