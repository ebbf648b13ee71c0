"""Finds the endpoint of a running deployment, and the root access key from its folder."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from kagimori.deployment.folder import Layout, Unusable, check_exists, is_locked


class RootAccessKey(Struct, frozen=True):
    """A root access key as `init`, `account create` and `env` print it."""

    account_id: str
    region: str
    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    ca_bundle: str | None = None


def root_access_key(data: Path) -> RootAccessKey:
    """Return the root access key, with the endpoint of the running server, if there is one.

    Raises:
        Unusable: no deployment, or the file with the access key was taken away.
    """
    layout = Layout(data)
    check_exists(layout)
    try:
        made = msgspec.json.decode(layout.credentials.read_bytes(), type=RootAccessKey)
    except (OSError, ValueError):
        raise Unusable(f"{layout.credentials} cannot be read") from None
    if made.ca_bundle is not None:
        # Wherever the folder is now, and whatever folder the reader is in.
        bundle = layout.tls.resolve() / Path(made.ca_bundle).name
        made = msgspec.structs.replace(made, ca_bundle=str(bundle))
    running = running_server(data)
    if running is None:
        return made
    return msgspec.structs.replace(made, endpoint_url=_reachable(running["endpoint_url"]))


def running_endpoint(data: Path) -> tuple[str, str | None] | None:
    """Return the URL of the running server, and the file (PEM) of its authority if it has one."""
    running = running_server(data)
    if running is None:
        return None
    authority = Layout(data).authority.resolve()
    bundle = str(authority) if authority.is_file() else None
    return _reachable(running["endpoint_url"]), bundle


def running_regions(data: Path) -> tuple[str, ...]:
    """Return the regions of the running server; none if there is no server."""
    return tuple((running_server(data) or {}).get("regions", ()))


def running_server(data: Path) -> dict[str, Any] | None:
    """Return the facts of the server that uses this folder; None if there is none."""
    layout = Layout(data)
    try:
        found: dict[str, Any] = msgspec.json.decode(layout.running.read_bytes())
    except (OSError, ValueError):
        return None
    # A server that was killed leaves its facts behind, but not its lock.
    return found if is_locked(layout) else None


def _reachable(url: str) -> str:
    """Return a URL that a client on this machine can use, also of a server on all addresses."""
    for every in ("0.0.0.0", "[::]"):  # noqa: S104 - read here, not listened on
        url = url.replace(f"//{every}:", "//localhost:")
    return url
