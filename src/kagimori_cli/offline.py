"""`kagimori decrypt-offline`: open ciphertexts from a backup and a root, without a server."""

import base64
import binascii
import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from msgspec.structs import asdict

from kagimori.backups.opening import is_backup, unpacked_backup
from kagimori.deployment.folder import Unusable
from kagimori.deployment.offline import Offline, OpenableKey, Plain, Sealed, offline
from kagimori_cli.root_option import is_asked_for, root_of
from kagimori_cli.table import print_table
from kagimori_cli.terminal import Output, OutputOption, give_up, print_json, unreadable

# The longest ciphertext that Decrypt takes has 6,144 bytes; this is its base64 with room.
CIPHERTEXT_BYTES_MAX: Final = 16 * 1024


def decrypt_offline(
    *,
    store: Annotated[
        str,
        typer.Option(
            metavar="BACKUP",
            help="A backup (a file or s3:// URL); or a copy of the data folder or kagimori.db.",
        ),
    ],
    root: Annotated[
        str,
        typer.Option(
            metavar="ROOT",
            help="The file with the seal key; or `passphrase` or `shares`, which are asked for.",
        ),
    ],
    ciphertext: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The ciphertext, as it is or in base64; - is the input."),
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(
            metavar="K=V", help="A pair of the encryption context, or all as a JSON object."
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="A KMS key by ARN, id or alias; needed for asymmetric ciphertexts alone.",
        ),
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of an asymmetric ciphertext; by default all are tried."),
    ] = None,
    list_keys: Annotated[
        bool, typer.Option("--list", help="List the keys that can be decrypted with instead.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Decrypt with a copy of a store and a root, without a server; print the plaintext as it is."""
    if list_keys == (ciphertext is not None):
        unreadable("give --ciphertext FILE, or --list")
    if is_asked_for(root) and ciphertext == "-" and not sys.stdin.isatty():
        unreadable(f"the input cannot be both the ciphertext and the {root}")
    try:
        if list_keys:
            with _opened(store, root) as opened:
                _print_keys(opened.openable_keys(key), output)
        else:
            sealed = Sealed(_read(ciphertext or "-"), _pairs(context or []), key, algorithm)
            with _opened(store, root) as opened:
                _print_plaintext(opened, sealed, output)
    except Unusable as reason:
        give_up(str(reason))


@contextlib.contextmanager
def _opened(place: str, root: str) -> Iterator[Offline]:
    """Yield the store in a backup, or in a copy.

    Raises:
        Unusable: it cannot be read, or the root does not open it.
    """
    if not is_backup(place):
        with offline(Path(place), root_of(root)) as opened:
            yield opened
        return
    given = root_of(root)
    with unpacked_backup(place, given) as folder, offline(folder, given) as opened:
        yield opened


def _print_plaintext(opened: Offline, sealed: Sealed, output: Output) -> None:
    plain: Plain = opened.decrypt(sealed)
    if output is Output.JSON:
        members: dict[str, Any] = asdict(plain)
        members["plaintext"] = base64.b64encode(plain.plaintext).decode()
        print_json(members)
        return
    sys.stdout.buffer.write(plain.plaintext)
    sys.stdout.buffer.flush()


def _print_keys(keys: Iterable[OpenableKey], output: Output) -> None:
    if output is Output.JSON:
        print_json({"keys": [asdict(one) for one in keys]})
        return
    rows = [
        (one.arn, ", ".join(one.aliases), one.key_spec, one.state, f"{one.opened}/{one.materials}")
        for one in keys
    ]
    print_table(("KMS key", "aliases", "spec", "state", "materials that open"), rows)


def _read(name: str) -> bytes:
    """Return a ciphertext from a file or the standard input; base64 is recognised and decoded."""
    try:
        if name == "-":
            content = sys.stdin.buffer.read(CIPHERTEXT_BYTES_MAX + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(CIPHERTEXT_BYTES_MAX + 1)
    except OSError as problem:
        raise Unusable(f"cannot read {name}: {problem.strerror}") from None
    if not content or len(content) > CIPHERTEXT_BYTES_MAX:
        what = "too long for" if content else "empty: no"
        raise Unusable(f"{name} is {what} a ciphertext of a KMS key")
    try:
        return base64.b64decode(b"".join(content.split()), validate=True)
    except binascii.Error:
        return content


def _pairs(given: list[str]) -> dict[str, str]:
    """Return the encryption context of the `--context` options."""
    context: dict[str, str] = {}
    for text in given:
        if text.startswith("{"):
            pairs = _object(text)
        else:
            name, equals, value = text.partition("=")
            if not equals:
                unreadable(f"--context {text!r} is no K=V")
            pairs = {name: value}
        if pairs.keys() & context.keys():
            unreadable("--context names a key twice")
        context |= pairs
    return context


def _object(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        unreadable("--context begins with { and is no JSON object of texts")
    return found
