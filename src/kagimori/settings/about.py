"""The description of one setting, and the base of every section."""

from typing import Final, NamedTuple

from msgspec import Struct

SERVE: Final = ("serve",)
DEV: Final = ("dev",)
BOTH: Final = (*SERVE, *DEV)


class About(NamedTuple):
    """The description of a setting beside its type and default.

    `flag` is its option (`--set NAME=VALUE` sets every one), in these `commands`; `variable` a
    further environment variable that it is read from. A path is relative to the file it stands in.
    """

    meaning: str
    least: float | None = None
    most: float | None = None
    flag: str | None = None
    metavar: str | None = None
    commands: tuple[str, ...] = SERVE
    variable: str | None = None
    is_path: bool = False


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A section: a frozen structure whose members are settings."""
