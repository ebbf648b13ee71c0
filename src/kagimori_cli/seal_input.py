"""Secrets, shares and parameters of seals, as people give them and are shown them."""

import sys
from collections.abc import Sequence
from getpass import getpass
from typing import Annotated, Final

import typer

from kagimori_cli.terminal import give_up

FILE, PASSPHRASE, QUORUM = "file", "passphrase", "quorum"
WITH_PEOPLE: Final = (PASSPHRASE, QUORUM)
SECRET_CHARACTERS_MAX: Final = 2000
Threshold = Annotated[
    int | None, typer.Option(metavar="K", help="quorum: how many shares open it, 2 or more.")
]
Shares = Annotated[
    int | None, typer.Option(metavar="N", help="quorum: how many shares there are, up to 16.")
]
_PARAMETERS: Final = {
    FILE: (),
    PASSPHRASE: (),
    QUORUM: ("threshold", "shares"),
    "pkcs11": ("root",),
    "kms": ("root", "key"),
}


def parameters_of(kind: str, **given: str | int | None) -> dict[str, str | int]:
    """Return the parameters of a new seal of this kind, out of those that options gave."""
    wanted = _PARAMETERS.get(kind)
    if wanted is None:
        give_up(f"there is no kind {kind!r}: {', '.join(_PARAMETERS)}")
    found = {name: value for name, value in given.items() if value is not None}
    for name in wanted:
        if name not in found:
            give_up(f"a seal of kind {kind} needs --{name}")
    for name in found:
        if name not in wanted:
            give_up(f"a seal of kind {kind} takes no --{name}")
    return found


def print_shares(shares: Sequence[str]) -> None:
    """Print the shares of a new seal, which are shown this once."""
    for number, share in enumerate(shares, 1):
        typer.echo(f"\nshare {number}, for one person alone:\n{share}")
    if shares:
        typer.echo("\nThey are shown this once. Each is for one person, who keeps it on paper.")


def new_passphrase() -> bytes:
    """Return a passphrase that was typed twice, or is the first line of the standard input."""
    given = read_secret("new passphrase: ")
    if sys.stdin.isatty() and read_secret("again: ") != given:
        give_up("these are two different passphrases")
    return given


def read_secret(prompt: str) -> bytes:
    """Return a secret that somebody types unseen, or one line of the standard input."""
    try:
        text = getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline(SECRET_CHARACTERS_MAX)
    except (EOFError, KeyboardInterrupt, UnicodeDecodeError):
        text = ""
    text = text.rstrip("\r\n")
    if not text:
        give_up("nothing was given")
    return text.encode(errors="surrogateescape")
