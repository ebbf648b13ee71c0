"""The place of a deployment's store: a file in its folder, or a database in a server."""

from pathlib import Path

from kagimori.deployment.folder import Layout, Unusable
from kagimori.machinery.store.engines import UnknownEngine, password_files, whole_url


def store_url(url: str, password_file: Path | None) -> str:
    """Return the URL of a store as it is kept in the folder.

    Raises:
        Unusable: it is none, holds a password, or says what it may not.
    """
    try:
        return whole_url(url, password_file)
    except UnknownEngine as reason:
        raise Unusable(str(reason)) from None


def store_secrets(layout: Layout) -> list[str]:
    """Return the files that hold secrets with which the store is connected to.

    Raises:
        Unusable: the URL of the store cannot be used.
    """
    try:
        return [str(file) for file in password_files(layout.store)]
    except UnknownEngine as reason:
        raise Unusable(f"{layout.store_url}: {reason}") from None
