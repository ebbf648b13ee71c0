"""The root keys that the HSM holds while it is open, and the seals they are in.

One root key is in force. A successor that was made and is not adopted yet may have another one; it
is held beside, so that it can be opened when the store has it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from kagimori_boundary.seals import FILE, OLDER_VERSIONS, Head, Seal
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.roots.contents import Contents, SealRefused
from kagimori_hsm.roots.older import open_older
from kagimori_hsm.roots.sealed import head_of, open_sealed, sealed_with
from kagimori_hsm.roots.seals import RootKey, new_seal, root_key_in

FILE_LABEL = "seal.key"


class Opened(NamedTuple):
    """Sealed domains, opened: the head they had, or for an older version the one in force."""

    head: Head
    contents: Contents


class RootKeys:
    """Opens and makes sealed domains. It has no repr that shows a key."""

    def __init__(self, file_keys: Sequence[bytes], now: Callable[[], float]) -> None:
        self._file_keys = tuple(file_keys)
        self._now = now
        self._root_keys: dict[bytes, RootKey] = {}
        self._head: Head | None = None
        self._proof_keys: dict[str, bytes] = {}

    @property
    def seals(self) -> tuple[Seal, ...]:
        """The seals in force; none before the domains are open."""
        return () if self._head is None else self._head.seals

    def create(self) -> None:
        """Draw a root key and put it in a seal of the file, unless there is one."""
        if self._head is None:
            root_key = RootKey.draw()
            made = new_seal(
                FILE,
                FILE_LABEL,
                {},
                secret=self._file_keys[0],
                root_key=root_key,
                now=round(self._now(), 3),
            )
            self._root_keys[root_key.root_key_id] = root_key
            self._proof_keys = {made.seal.seal_id: made.proof_key}
            self._head = Head(root_key_id=root_key.root_key_id, step=0, seals=(made.seal,))

    def unseal(self, sealed_domains: bytes) -> Contents:
        """Return the contents, opened by a root that needs nobody, and put their seals in force.

        Those of an older version get a root key and a seal here, for whoever seals them next.

        Raises:
            SealRefused: no root that is here opens them, or they were altered.
        """
        if sealed_domains[:1] in OLDER_VERSIONS:
            contents = self._open_older(sealed_domains)
            self.create()
            return contents
        head = head_of(sealed_domains)
        root_key = self._root_key_by_file(head)
        contents = open_sealed(sealed_domains, root_key.secret)
        self._root_keys[root_key.root_key_id] = root_key
        self.adopt(head, contents)
        return contents

    def opened(self, sealed_domains: bytes) -> Opened:
        """Return sealed domains of this deployment, opened with a root key that is held.

        Raises:
            SealRefused: they are under another one, or were altered.
        """
        if self._head is not None and sealed_domains[:1] in OLDER_VERSIONS:
            contents = self._open_older(sealed_domains)
            return Opened(self._head, replace(contents, proof_keys=self._proof_keys))
        head = head_of(sealed_domains)
        root_key = self._root_keys.get(head.root_key_id)
        if root_key is None:
            raise SealRefused
        return Opened(head, open_sealed(sealed_domains, root_key.secret))

    def sealed(self, contents: Contents, head: Head | None = None) -> bytes:
        """Return contents under the root key of a head; by default the one in force.

        Raises:
            SealRefused: there is none.
        """
        if head is None:
            head, contents = self._head, replace(contents, proof_keys=self._proof_keys)
        if head is None:
            raise SealRefused
        return sealed_with(self._root_keys[head.root_key_id].secret, head, contents)

    def check_succeeds(self, head: Head) -> None:
        """Check that a head is the one in force, or a later one.

        Raises:
            Refused: FORBIDDEN, its seals are those of before a change that is in force.
        """
        if self._head is not None and head.step < self._head.step:
            raise Refused(Reason.FORBIDDEN)

    def adopt(self, head: Head, contents: Contents) -> None:
        """Put the seals of opened domains in force; their root key alone is held from then on."""
        self._root_keys = {head.root_key_id: self._root_keys[head.root_key_id]}
        self._head, self._proof_keys = head, dict(contents.proof_keys)

    def clear(self) -> None:
        """Drop every reference to a key."""
        self._file_keys, self._head = (), None
        self._root_keys.clear()
        self._proof_keys = {}

    def _open_older(self, sealed_domains: bytes) -> Contents:
        for file_key in self._file_keys:
            try:
                return open_older(sealed_domains, file_key)
            except SealRefused:
                continue
        raise SealRefused

    def _root_key_by_file(self, head: Head) -> RootKey:
        for seal in head.seals:
            for file_key in self._file_keys if seal.kind == FILE else ():
                try:
                    return root_key_in(seal, head.root_key_id, file_key)
                except SealRefused:
                    continue
        raise SealRefused
