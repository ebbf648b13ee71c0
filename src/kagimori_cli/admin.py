"""The place where a command works: a running server, or a deployment's folder.

`--endpoint` (or AWS_ENDPOINT_URL) names a server, and the credentials are those that the AWS CLI
would use. `--data` names a folder: if a server runs there, it is asked, with the root access key
that lies in the folder (or, once that was moved away, with the credentials of the AWS CLI); else
the command reads or changes the folder itself.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from kagimori.deployment.folder import Layout, Unusable
from kagimori.deployment.running import root_access_key, running_endpoint
from kagimori_cli.terminal import EXIT_UNREADABLE, complain
from kagimori_client.admin import AdminClient, ServiceError
from kagimori_client.connection import Endpoint, Unreachable, endpoint_in
from kagimori_client.credentials import Credentials, NoCredentials, find_credentials, find_region

# A proof reads the whole trail.
SECONDS_MAX: Final = 3600.0

Folder = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The deployment's folder, on this machine."),
]
EndpointUrl = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        metavar="URL",
        help="A running server, asked with AWS credentials; by default AWS_ENDPOINT_URL.",
    ),
]


def server_for(
    data: Path | None, endpoint: str | None, *, exit_code: int = 1
) -> AdminClient | None:
    """Return the server to ask; None if the folder is not being served.

    Ends with one line if neither is named, or both are.
    """
    try:
        if data is not None:
            if endpoint is not None:
                _give_up("--data and --endpoint do not go together", EXIT_UNREADABLE)
            return _served_there(data)
        named = endpoint_in(os.environ)
        if endpoint is not None:
            named = Endpoint(endpoint, os.environ.get("AWS_CA_BUNDLE") or None)
        if named is None:
            _give_up(
                "give --data DIR, or --endpoint URL (or AWS_ENDPOINT_URL) and AWS credentials",
                EXIT_UNREADABLE,
            )
        return AdminClient(named, find_credentials(), find_region(), seconds=SECONDS_MAX)
    except (Unusable, NoCredentials) as reason:
        _give_up(str(reason), exit_code)


def served(data: Path | None, endpoint: str | None) -> AdminClient:
    """Return the server to ask; ends with one line if there is none."""
    server = server_for(data, endpoint)
    if server is None:
        _give_up(f"{data} is not being served", 1)
    return server


def _served_there(data: Path) -> AdminClient | None:
    running = running_endpoint(data)
    if running is None:
        return None
    if not Layout(data).credentials.exists():  # moved to where fewer people can read it
        endpoint = Endpoint(*running)
        return AdminClient(endpoint, find_credentials(), find_region(), seconds=SECONDS_MAX)
    made = root_access_key(data)
    return AdminClient(
        Endpoint(made.endpoint_url, made.ca_bundle),
        Credentials(made.access_key_id, made.secret_access_key),
        made.region,
        seconds=SECONDS_MAX,
    )


@contextlib.contextmanager
def refusals_explained(*, exit_code: int = 1) -> Iterator[None]:
    """End with one line if the server refuses or does not answer, or the folder is unusable."""
    try:
        yield
    except ServiceError as refused:
        _give_up(refused.message or refused.code, exit_code)
    except (Unreachable, Unusable) as reason:
        _give_up(str(reason), exit_code)


def plain_members(value: Any, keep: frozenset[str] = frozenset(), name: str = "") -> Any:
    """Return an answer with names as commands print them: `request_id` for `RequestId`.

    Maps in the members named in `keep` have names that callers gave, and stay as they are.
    """
    if name in keep:
        return value
    if isinstance(value, dict):
        return {_plain_name(key): plain_members(one, keep, key) for key, one in value.items()}
    if isinstance(value, list):
        return [plain_members(one, keep, name) for one in value]
    return value


def _plain_name(name: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name).lstrip("_")


def _give_up(reason: str, exit_code: int) -> NoReturn:
    complain(reason)
    raise typer.Exit(exit_code)
