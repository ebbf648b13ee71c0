"""The root keys that the HSM holds while it is open, and the seals they are in.

One root key is in force. A successor that was made and is not adopted yet may have another one; it
is held beside, so that it can be opened when the store has it.
"""

import contextlib
import hmac
from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec.structs import replace

from kagimori_boundary.seals import FILE, OLDER_VERSIONS, Head, Seal
from kagimori_hsm.refused import Reason, Refused
from kagimori_hsm.roots.contents import Contents, SealRefused
from kagimori_hsm.roots.sealed import head_of, open_sealed, sealed_with
from kagimori_hsm.roots.seals import NewSeal, RootKey, new_seal, root_key_in
from kagimori_hsm.roots.unattended import Unattended

FILE_LABEL: Final = "seal.key"


class Opened(NamedTuple):
    """Sealed domains, opened: the head they had, or for an older version the one in force."""

    head: Head
    contents: Contents


class RootKeys:
    """Opens and makes sealed domains. It has no repr that shows a key."""

    def __init__(self, unattended: Unattended, now: Callable[[], float]) -> None:
        self.unattended: Final = unattended
        self._now = now
        self._root_keys: dict[bytes, RootKey] = {}
        self._steps: dict[bytes, int] = {}
        self._head: Head | None = None
        self._proof_keys: dict[str, bytes] = {}
        self._waiting: tuple[Head, bytes] | None = None

    @property
    def is_open(self) -> bool:
        return self._head is not None

    @property
    def seals(self) -> tuple[Seal, ...]:
        """The seals in force, or of the domains that wait to be opened."""
        head = self._head or (self._waiting[0] if self._waiting else None)
        return () if head is None else head.seals

    def new(
        self, kind: str, label: str, parameters: dict[str, str | int], secret: bytes
    ) -> NewSeal:
        """Return a new seal with the root key in force; its root has this secret."""
        head = self._head
        root_key = RootKey.draw() if head is None else self._root_keys[head.root_key_id]
        made = new_seal(
            kind, label, parameters, secret=secret, root_key=root_key, now=round(self._now(), 3)
        )
        if head is None:
            self.hold(root_key, 0)
            self._proof_keys = {made.seal.seal_id: made.proof_key}
            self._head = Head(root_key_id=root_key.root_key_id, step=0, seals=(made.seal,))
        return made

    def create(self) -> None:
        """Draw a root key and put it in a seal of the file, unless there is one.

        Raises:
            SealRefused: there is no file.
        """
        if self._head is None:
            self.new(FILE, FILE_LABEL, {}, self.unattended.first_file_key)

    def unseal(self, sealed_domains: bytes) -> Contents:
        """Return the contents, opened by a root that needs nobody, and put their seals in force.

        Those of an older version get a root key and a seal here, for whoever seals them next.

        Raises:
            SealRefused: no root that is here opens them, or they were altered.
        """
        if sealed_domains[:1] in OLDER_VERSIONS:
            contents = self.unattended.open_older(sealed_domains)
            self.create()
            return contents
        head = head_of(sealed_domains)
        for seal in head.seals:
            for secret in self.unattended.reachable_secrets_of(seal):
                try:
                    root_key = root_key_in(seal, head.root_key_id, secret)
                except SealRefused:
                    continue
                return self._open(head, root_key, sealed_domains)
        raise SealRefused

    def wait_for_people(self, sealed_domains: bytes) -> bool:
        """Keep sealed domains until a secret comes; return whether one could come."""
        try:
            head = head_of(sealed_domains)
        except SealRefused:
            return False
        self._waiting = (head, sealed_domains)
        return any(seal.kind != FILE for seal in head.seals)

    def open_waiting(self, seal: Seal, secret: bytes) -> Contents:
        """Return the contents of the domains that wait, opened with the secret of a root.

        Raises:
            SealRefused: it does not open the seal, or nothing waits.
        """
        if self._waiting is None:
            raise SealRefused
        head, sealed_domains = self._waiting
        root_key = root_key_in(seal, head.root_key_id, secret)
        return self._open(head, root_key, sealed_domains)

    def check_opens(self, seal: Seal, secret: bytes) -> None:
        """Check that a secret opens a seal in force.

        Raises:
            SealRefused: it does not.
        """
        head = self._head
        if head is None:
            raise SealRefused
        found = root_key_in(seal, head.root_key_id, secret)
        if not hmac.compare_digest(found.secret, self.held(head).secret):
            raise SealRefused

    def check_opens_unattended(self, seal: Seal) -> None:
        """Check that the root of a seal that needs nobody opens it now.

        Raises:
            SealRefused: it does not.
            SecretRefused: it cannot be reached, or does not let us.
        """
        for secret in self.unattended.secrets_of(seal):
            with contextlib.suppress(SealRefused):
                self.check_opens(seal, secret)
                return
        raise SealRefused

    def opened(self, sealed_domains: bytes) -> Opened:
        """Return sealed domains of this deployment, opened with a root key that is held.

        Raises:
            SealRefused: they are under another one, or were altered.
        """
        if self._head is not None and sealed_domains[:1] in OLDER_VERSIONS:
            contents = self.unattended.open_older(sealed_domains)
            return Opened(self._head, replace(contents, proof_keys=self._proof_keys))
        head = head_of(sealed_domains)
        root_key = self._root_keys.get(head.root_key_id)
        if root_key is None:
            raise SealRefused
        return Opened(head, open_sealed(sealed_domains, root_key.secret))

    def hold(self, root_key: RootKey, step: int) -> None:
        """Hold a root key that is not in force yet; the head that names it has this step."""
        self._root_keys[root_key.root_key_id] = root_key
        self._steps[root_key.root_key_id] = step

    def held(self, head: Head) -> RootKey:
        """Return the root key of a head that `opened` gave."""
        return self._root_keys[head.root_key_id]

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
        """Put the seals of opened domains in force, and let go of the root keys of before.

        Those of later heads stay: one may be in the store already while this one is adopted.
        """
        kept = {head.root_key_id}.union(
            key_id for key_id, step in self._steps.items() if step > head.step
        )
        self._root_keys = {key_id: self._root_keys[key_id] for key_id in kept}
        self._steps = {key_id: self._steps[key_id] for key_id in kept}
        self._head, self._proof_keys = head, dict(contents.proof_keys)
        self._waiting = None

    def clear(self) -> None:
        """Drop every reference to a key."""
        self.unattended.clear()
        self._head = self._waiting = None
        self._root_keys, self._steps = {}, {}
        self._proof_keys = {}

    def _open(self, head: Head, root_key: RootKey, sealed_domains: bytes) -> Contents:
        contents = open_sealed(sealed_domains, root_key.secret)
        self.hold(root_key, head.step)
        self.adopt(head, contents)
        return contents
