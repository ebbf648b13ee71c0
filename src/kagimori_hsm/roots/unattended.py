"""Roots that need no person: files whose content the HSM has, and what the opener reaches."""

from collections.abc import Iterator, Sequence
from typing import Final

from kagimori_boundary.seals import FILE, UNATTENDED_KINDS, Seal
from kagimori_hsm.roots.contents import Contents, SealRefused
from kagimori_hsm.roots.older import open_older
from kagimori_hsm.roots.opener import Opener
from kagimori_hsm.roots.secrets import SecretRefused

WRAPPED_SECRET: Final = "wrapped_secret"  # noqa: S105 - the name of a parameter


class Unattended:
    """It has no repr that shows a key."""

    def __init__(self, file_keys: Sequence[bytes], opener: Opener | None = None) -> None:
        self._file_keys = tuple(file_keys)
        self._opener = opener or Opener()

    @property
    def first_file_key(self) -> bytes:
        """The content of the first file.

        Raises:
            SealRefused: there is no file.
        """
        if not self._file_keys:
            raise SealRefused
        return self._file_keys[0]

    def add_file_key(self, file_key: bytes) -> None:
        """Use the content of a further file; the next process is given it."""
        self._file_keys = (*self._file_keys, file_key)

    def secrets_of(self, seal: Seal) -> Iterator[bytes]:
        """Yield the secrets that may open a seal; none for one that needs a person.

        Raises:
            SecretRefused: its root cannot be reached, or does not let us.
        """
        if seal.kind == FILE:
            yield from self._file_keys
        elif seal.kind in UNATTENDED_KINDS:
            parameters = dict(seal.parameters)
            try:
                wrapped = bytes.fromhex(str(parameters.pop(WRAPPED_SECRET, "")))
            except ValueError:
                wrapped = b""
            yield self._opener.unwrap(seal.kind, parameters, wrapped)

    def reachable_secrets_of(self, seal: Seal) -> list[bytes]:
        """Return the secrets that may open a seal; none if its root is not there."""
        try:
            return list(self.secrets_of(seal))
        except SecretRefused:
            return []

    def wrapped(
        self, kind: str, parameters: dict[str, str | int], secret: bytes
    ) -> dict[str, str | int]:
        """Return the parameters of a seal whose root has wrapped this secret.

        Raises:
            SecretRefused: the root cannot be reached, or does not let us.
        """
        wrapped = self._opener.wrap(kind, parameters, secret)
        return {**parameters, WRAPPED_SECRET: wrapped.hex()}

    def open_older(self, sealed_domains: bytes) -> Contents:
        """Return the contents of sealed domains that have no seals.

        Raises:
            SealRefused: no file opens them.
        """
        for file_key in self._file_keys:
            try:
                return open_older(sealed_domains, file_key)
            except SealRefused:
                continue
        raise SealRefused

    def clear(self) -> None:
        """Drop every reference to a key."""
        self._file_keys = ()
