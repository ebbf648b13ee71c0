"""`kagimori env`, `status` and `metrics`: facts, state and counters of a deployment."""

import json
import os
import shlex
from pathlib import Path
from typing import Any, Final

import typer

from kagimori.deployment.folder import Unusable
from kagimori.deployment.running import root_access_key, running_server
from kagimori.deployment.trust_files import TRUST_STORE_PASSWORD, trust_files_in
from kagimori_cli.admin import EndpointUrl, Folder, plain_members, refusals_explained, server_for
from kagimori_cli.node_table import print_nodes
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Data, Output, OutputOption, give_up, print_json
from kagimori_client.connection import Endpoint, Unreachable

# What `status` prints, and the members of GetStatus that it comes from.
_MEMBERS: Final = {
    "status": "Status",
    "troubles": "Troubles",
    "endpoint_url": "EndpointUrl",
    "regions": "Regions",
    "workers": "Workers",
    "restarts": "Restarts",
    "records": "Records",
    "pid": "ProcessId",
    "version": "Version",
    "operator_account_id": "OperatorAccountId",
    "domain_keys": "DomainKeys",
    "rewrapping": "Rewrapping",
    "nodes": "Nodes",
}


def env(data: Data) -> None:
    """Print the environment that the AWS CLI and SDKs need."""
    try:
        made = root_access_key(data)
    except Unusable as reason:
        give_up(str(reason))
    variables = {
        "AWS_ENDPOINT_URL": made.endpoint_url,
        "AWS_ACCESS_KEY_ID": made.access_key_id,
        "AWS_SECRET_ACCESS_KEY": made.secret_access_key,
        "AWS_DEFAULT_REGION": made.region,
        "AWS_REGION": made.region,
        **_trusting(made.ca_bundle),
    }
    for name, value in variables.items():
        if value is not None:
            typer.echo(f"export {name}={shlex.quote(value)}")


def _trusting(ca_bundle: str | None) -> dict[str, str]:
    """Return the variables that make clients trust the deployment's authority, one for each kind.

    Where a variable replaces what a client trusts, its file holds the system's roots as well.
    """
    if ca_bundle is None:
        return {}
    files = trust_files_in(Path(ca_bundle).parent)
    variables = {"AWS_CA_BUNDLE": ca_bundle, "NODE_EXTRA_CA_CERTS": ca_bundle}
    if files.bundle.exists():
        variables["SSL_CERT_FILE"] = str(files.bundle)
    if files.trust_store.exists() and " " not in str(files.trust_store):
        variables["JAVA_TOOL_OPTIONS"] = _java_options(files.trust_store)
    return variables


def _java_options(trust_store: Path) -> str:
    """Return Java's options: those that are set already, without a trust store, and ours."""
    name = "-Djavax.net.ssl.trustStore"
    others = os.environ.get("JAVA_TOOL_OPTIONS", "").split()
    kept = [option for option in others if not option.startswith(name)]
    ours = [f"{name}={trust_store}", f"{name}Type=PKCS12", f"{name}Password={TRUST_STORE_PASSWORD}"]
    return " ".join([*kept, *ours])


def status(
    data: Folder = None, endpoint: EndpointUrl = None, output: OutputOption = Output.TEXT
) -> None:
    """Print whether the deployment is being served, and its state. Exit code 1 if it is not."""
    found = _of_folder(data) if data is not None and endpoint is None else _of(data, endpoint)
    if found is None:
        if output is Output.JSON:
            print_json({"status": "not running"})
        else:
            typer.echo(f"{data} is not being served")
        raise typer.Exit(1)
    if output is Output.JSON:
        print_json(found)
    else:
        nodes = found.pop("nodes", ())
        for name, value in found.items():
            typer.echo(f"{name:19} {_flat(value)}")
        if nodes:
            print_nodes(nodes)
    if found["status"] != "ready":
        raise typer.Exit(1)


def metrics(
    data: Folder = None, endpoint: EndpointUrl = None, output: OutputOption = Output.TEXT
) -> None:
    """Print the server's counters since its start. Exit code 1 if it is not running."""
    server = server_for(data, endpoint)
    if server is None:
        give_up(f"{data} is not being served")
    with refusals_explained():
        answer = server.call("GetMetricsSummary")
    if output is Output.JSON:
        print_json(plain_members(answer))
        return
    requests = [
        (one["Service"], one["Operation"], one["Result"], str(one["Count"]))
        for one in answer["Requests"]
    ]
    print_table(("service", "operation", "result", "requests"), requests, right=("requests",))
    stages = [
        (one["Stage"], str(one["Count"]), f"{one['Seconds'] / max(1, one['Count']) * 1000:.3f}")
        for one in answer["Stages"]
    ]
    headings = ("stage", "times", "ms each")
    print_table(headings, stages, right=headings[1:])
    for name, value in plain_members(answer).items():
        if name not in ("requests", "stages"):
            typer.echo(f"{name:19} {_flat(value)}")


def _of_folder(data: Path) -> dict[str, Any] | None:
    """Return the status of the supervisor, which answers also when no worker does."""
    running = running_server(data)
    if running is None:
        return None
    try:
        answer = Endpoint(running["admin_url"]).send("GET", "/status", {}, b"", seconds=5.0)[2]
        found: dict[str, Any] = json.loads(answer)
    except (Unreachable, ValueError):
        return None
    return {**found, "admin_url": running["admin_url"]}


def _of(data: Path | None, endpoint: str | None) -> dict[str, Any] | None:
    server = server_for(data, endpoint)
    if server is None:
        return None
    with refusals_explained():
        answer = server.call("GetStatus")
    return {name: plain_members(answer.get(member)) for name, member in _MEMBERS.items()}


def _flat(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return str(value)
