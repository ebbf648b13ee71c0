"""Opens ciphertexts from a copy of a store and a root, without a server: the exit door.

An HSM process is started for it, as `init` does. Backing keys are in plain form there alone; what
leaves it is the plaintext that was asked for. Policies, grants and key states are not asked:
who has the store and a root has every key.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from kagimori.deployment.facts import Facts, facts_from
from kagimori.deployment.folder import Unusable
from kagimori.deployment.roots import Root, open_hsm
from kagimori.deployment.store_copy import copied_store
from kagimori.deployment.stored_keys import alias_names, all_keys, keys_named, keys_of_material
from kagimori.hsm.process import HsmRefused
from kagimori.hsm.user import HsmUser
from kagimori.machinery.store.admin import AdminStore
from kagimori.rules.keys.kms_key import SYMMETRIC_DEFAULT, KmsKey
from kagimori.rules.keys.symmetric_ciphertext import material_id_of
from kagimori_boundary.ciphertext_form import (
    CIPHERTEXT_VERSION,
    OUTER_VERSION,
    TOKEN_CIPHERTEXT_VERSION,
)
from kagimori_boundary.commands import Command, Decapsulate, Decrypt, KeyToken, RewrapTokens
from kagimori_boundary.key_specs import SPECS, KeyUsage
from kagimori_boundary.replies import Bytes, Failed, Failure, Tokens

# Ciphertexts that take more than our own backing keys, by version.
_OUTSIDE: Final = {
    OUTER_VERSION: (
        "{arn} is in an external key store: have its proxy open the outer layer, as the page on "
        "the ciphertext format says, and give the ciphertext that is inside"
    ),
    TOKEN_CIPHERTEXT_VERSION: "{arn} is in a PKCS#11 token, which alone can decrypt with it",
}
_OPENING: Final = (KeyUsage.ENCRYPT_DECRYPT, KeyUsage.ENCAPSULATE_DECAPSULATE)


class Sealed(Struct, frozen=True):
    """A ciphertext to open. A symmetric one names its key itself; others need `key`."""

    ciphertext: bytes
    encryption_context: dict[str, str] = {}
    key: str | None = None
    algorithm: str | None = None


class Plain(Struct, frozen=True):
    """An opened ciphertext; of an encapsulation, the shared secret. Its repr shows no plaintext."""

    plaintext: bytes
    key_arn: str
    material_id: str
    algorithm: str

    def __repr__(self) -> str:
        return f"Plain(key_arn={self.key_arn!r})"


class OpenableKey(Struct, frozen=True):
    """A key that ciphertexts are made with; `opened` of its `materials` open with the root."""

    arn: str
    aliases: list[str]
    key_spec: str
    state: str
    materials: int
    opened: int


class Offline:
    """A store and an unsealed HSM."""

    def __init__(self, store: AdminStore, facts: Facts, hsm: HsmUser) -> None:
        self._store, self._facts, self._hsm = store, facts, hsm

    def decrypt(self, sealed: Sealed) -> Plain:
        """Return an opened ciphertext.

        Raises:
            Unusable: no key here opens it; the reason says what does not fit.
        """
        named = None if sealed.key is None else keys_named(self._store, sealed.key)
        if named is not None and named[0].key_spec != SYMMETRIC_DEFAULT:
            return self._decrypt_asymmetric(named, sealed)
        material_id = material_id_of(sealed.ciphertext)
        if material_id is None:
            raise Unusable(
                "this is no ciphertext of a symmetric key; if it was made with a public key, "
                "name the KMS key with --key"
            )
        found = keys_of_material(self._store, self._facts.regions, material_id)
        if not found:
            raise Unusable(
                f"no KMS key in this store has the key material {material_id}, which the "
                "ciphertext names: it is of another deployment, or of a key that was made after "
                "this copy or deleted before it"
            )
        if sealed.ciphertext[0] != CIPHERTEXT_VERSION:
            raise Unusable(_OUTSIDE[sealed.ciphertext[0]].format(arn=found[0].arn))
        if named is not None and found[0].key_id != named[0].key_id:
            raise Unusable(f"the ciphertext was made with another KMS key, {found[0].arn}")
        return self._first_opened(found, material_id, (SYMMETRIC_DEFAULT,), sealed)

    def openable_keys(self, name: str | None) -> Iterator[OpenableKey]:
        """Yield the KMS keys that ciphertexts are made with: of a name, or all.

        Raises:
            Unusable: there is none of that name.
        """
        aliases = alias_names(self._store)
        for kms_key in all_keys(self._store) if name is None else keys_named(self._store, name):
            if kms_key.key_usage in _OPENING:
                tokens = kms_key.bound_tokens.values()
                yield OpenableKey(
                    kms_key.arn,
                    aliases.get((kms_key.account_id, kms_key.region, kms_key.key_id), []),
                    kms_key.key_spec,
                    kms_key.state,
                    len(kms_key.backing_keys),
                    sum(self._opens(token) for token in tokens),
                )

    def _decrypt_asymmetric(self, named: Sequence[KmsKey], sealed: Sealed) -> Plain:
        kms_key = named[0]
        if kms_key.key_usage not in _OPENING:
            raise Unusable(
                f"{kms_key.arn} is for {kms_key.key_usage}: nothing is encrypted with it"
            )
        if sealed.encryption_context:
            raise Unusable(f"{kms_key.arn} is asymmetric: its ciphertexts have no context")
        known = SPECS[kms_key.key_spec].algorithms[KeyUsage(kms_key.key_usage)]
        if sealed.algorithm not in (None, *known):
            raise Unusable(f"{kms_key.arn} has {' and '.join(known)}, not {sealed.algorithm}")
        # OAEP shows whether the hash is the right one, so that both can be tried.
        tried = (sealed.algorithm,) if sealed.algorithm is not None else known[::-1]
        material_id = kms_key.current_material_id or ""
        return self._first_opened(named, material_id, tried, sealed)

    def _first_opened(
        self,
        found: Sequence[KmsKey],
        material_id: str,
        algorithms: Sequence[str],
        sealed: Sealed,
    ) -> Plain:
        """Return the plaintext, by the first of a key's regions and algorithms that opens it."""
        store_id = found[0].custom_key_store_id
        if store_id is not None:
            raise Unusable(
                f"the key material of {found[0].arn} is in the custom key store {store_id}, and in "
                "no copy of this store"
            )
        failure: Failure | None = None
        for kms_key in found:
            token = kms_key.bound_tokens.get(material_id)
            for algorithm in algorithms if token is not None else ():
                reply = self._hsm.perform(_opening(token or b"", algorithm, sealed))
                if isinstance(reply, Bytes):
                    return Plain(reply.value, kms_key.arn, material_id, algorithm)
                failure = reply.failure if isinstance(reply, Failed) else Failure.INTERNAL
        raise Unusable(_why(failure, found[0], material_id))

    def _opens(self, bound_token: bytes) -> bool:
        return isinstance(self._hsm.perform(RewrapTokens([KeyToken(bound_token)])), Tokens)


@contextlib.contextmanager
def offline(place: Path, root: Root) -> Iterator[Offline]:
    """Yield the store in a copy of `place`, and an HSM that a root has unsealed.

    Raises:
        Unusable: a store that cannot be read, or a root that does not open it; also for what the
            block itself comes to.
    """
    with copied_store(place) as store, tempfile.TemporaryDirectory(prefix="kagimori-") as folder:
        facts = facts_from(store, place)
        socket_path = Path(folder) / "hsm.sock"
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(open_hsm(socket_path, facts.sealed_domains, root))
            except Unusable as reason:
                raise Unusable(f"{place}: {reason}") from None
            try:
                user = HsmUser(socket_path)
                stack.callback(user.close)
                yield Offline(store, facts, user)
            except HsmRefused as refused:
                raise Unusable(f"{place}: {refused}") from None


def _opening(token: bytes, algorithm: str, sealed: Sealed) -> Command:
    if algorithm == "ML_KEM":
        return Decapsulate(token, algorithm, sealed.ciphertext)
    return Decrypt(token, algorithm, sealed.ciphertext, sealed.encryption_context)


def _why(failure: Failure | None, kms_key: KmsKey, material_id: str) -> str:
    match failure:
        case None:
            return (
                f"the key material {material_id} of {kms_key.arn} is not in this store: imported "
                "material that was deleted, or had expired"
            )
        case Failure.TOKEN_REFUSED:
            return (
                f"the key material {material_id} of {kms_key.arn} does not open: its token was "
                "altered, or is not of this store's domain keys"
            )
        case Failure.INVALID_CIPHERTEXT if kms_key.key_spec == SYMMETRIC_DEFAULT:
            return (
                f"{kms_key.arn} does not open the ciphertext: it was altered, or the encryption "
                "context is another one"
            )
        case Failure.INVALID_CIPHERTEXT:
            return (
                f"{kms_key.arn} does not open the ciphertext: it was altered, or made with "
                "another key or algorithm"
            )
        case _:
            return f"the HSM did not open the ciphertext: {failure.name}"
