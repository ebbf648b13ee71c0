"""An operator's own key: an Ed25519 private key in a file that only its user can read.

It is made on the operator's machine and stays there; the public key, one line of hexadecimal
digits, is what others are given.
"""

import getpass
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kagimori_cli.terminal import give_up

PUBLIC_SUFFIX: Final = ".pub"
FILE_BYTES_MAX: Final = 64 * 1024
_PUBLIC: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def make_key(file: Path, passphrase: bytes | None) -> str:
    """Make a private key in a new file, its public key beside, and return the public key.

    Ends with one line if there is such a file already, or it cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    content = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    public = public_key_of(key)
    try:
        _write_new(file, content, 0o600)
        _write_new(public_file_of(file), f"{public}\n".encode(), 0o644)
    except OSError as problem:
        give_up(f"{problem.filename} cannot be made: {os.strerror(problem.errno or 0)}")
    return public


def public_file_of(file: Path) -> Path:
    return file.with_name(file.name + PUBLIC_SUFFIX)


def public_key_of(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def read_public_key(written: str) -> str:
    """Return a public key that is given as it is, or as the file that holds it.

    Ends with one line if there is none.
    """
    if _PUBLIC.fullmatch(written):
        return written
    text = _read(Path(written)).decode("ascii", "replace").strip()
    if not _PUBLIC.fullmatch(text):
        give_up(f"{written} holds no public key of an operator: 64 hexadecimal digits")
    return text


def read_private_key(file: Path, ask: Callable[[str], str] = getpass.getpass) -> Ed25519PrivateKey:
    """Return the private key in a file; its passphrase is asked for if it has one.

    Ends with one line if it cannot be read.
    """
    content = _read(file)
    try:
        key = _loaded(content, file, ask)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        give_up(f"{file} holds no private key, or this is not its passphrase")
    if not isinstance(key, Ed25519PrivateKey):
        give_up(f"{file} holds another kind of key than `kagimori operator key` makes")
    return key


def _loaded(content: bytes, file: Path, ask: Callable[[str], str]) -> object:
    try:
        return serialization.load_pem_private_key(content, None)
    except TypeError:  # it is encrypted
        passphrase = ask(f"Passphrase of {file}: ")
        return serialization.load_pem_private_key(content, passphrase.encode())


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(FILE_BYTES_MAX)
    except (OSError, ValueError) as problem:
        why = os.strerror(problem.errno or 0) if isinstance(problem, OSError) else str(problem)
        give_up(f"{file} cannot be read: {why}")


def _write_new(file: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
