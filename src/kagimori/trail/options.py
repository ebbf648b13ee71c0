"""Configuration of the followers' process, as the supervisor gives it."""

from typing import Final

from msgspec import Struct

from kagimori.settings import AuditOptions

FINISH_SECONDS: Final = 20.0  # for the followers' last turn


class TrailConfig(Struct, frozen=True):
    """As JSON on the command line; `streams` are all that are known, and whether each is closed."""

    data: str
    hsm_socket: str
    control_fd: int
    streams: dict[str, bool]
    options: AuditOptions
    node: str = ""
    is_shared: bool = False  # other nodes use the same store


def signs(options: AuditOptions) -> bool:
    """Return whether anything is signed with the audit key."""
    return options.digest_minutes > 0 or options.deliver is not None
