"""The KMS key: a container with an id, a policy and a state, owning one or more backing keys."""

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Final

import msgspec
from msgspec import Struct

from kagimori.rules.entity import with_fields
from kagimori.rules.key_stores.key_store import CustomKeyStore, KeyStoreType
from kagimori.rules.keys.states import KeyState
from kagimori.rules.names import key_arn
from kagimori.rules.policy.document import Document, Kind
from kagimori.rules.policy.evaluate import CompiledPolicy, compile_policy
from kagimori.rules.policy.key_policies import compiled_key_policy
from kagimori_boundary.commands import BoundToken

SYMMETRIC_DEFAULT: Final = "SYMMETRIC_DEFAULT"
CLOUDHSM: Final = KeyStoreType.CLOUDHSM.value  # the origins of keys that custom key stores hold
EXTERNAL: Final = KeyStoreType.EXTERNAL.value
CUSTOMER, AWS = "CUSTOMER", "AWS"
_TRUSTS_NOBODY: Final = compile_policy(Document(Kind.KEY, "2012-10-17", "", ()))
_encode = msgspec.msgpack.Encoder().encode


class BackingKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One generation of key material: its id (hex, 64), and its token (none once destroyed)."""

    material_id: str
    key_token: bytes | None = None
    created_at: float
    public_key: bytes = b""
    rotated_at: float | None = None
    rotation_type: str | None = None
    description: str | None = None
    expiration_model: str | None = None
    valid_to: float | None = None
    pending: bool = False
    everywhere: bool = True  # whether every member of a multi-Region set has it


class KmsKey(Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """A KMS key as stored. Times are seconds since the epoch; `version` counts its changes.

    `policy_pins` are the unique ids that the users and roles in the key policy had when it was
    written, by ARN: a re-created namesake is not meant. What is computed from a key is computed
    once, since a value never changes.
    """

    computed_from: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "compiled_policy": ("key_policy", "policy_pins")
    }

    account_id: str
    region: str
    key_id: str
    version: int = 1
    created_at: float
    description: str = ""
    key_spec: str = SYMMETRIC_DEFAULT
    key_usage: str = "ENCRYPT_DECRYPT"
    origin: str = "AWS_KMS"
    key_manager: str = CUSTOMER
    state: KeyState = KeyState.ENABLED
    key_policy: str
    policy_pins: dict[str, str] = {}
    tags: dict[str, str] = {}
    deletion_at: float | None = None
    pending_window_days: int | None = None
    rotation_period_days: int | None = None  # None: not rotated automatically
    rotation_next_at: float | None = None
    rotation_on_demand_at: float | None = None  # asked for, and not done yet
    rotations_on_demand: int = 0
    # Of a multi-Region key: shared by all members of its set.
    primary_region: str | None = None
    replica_regions: tuple[str, ...] = ()
    # Oldest first; the current one is named, since a pending one may stand behind it.
    backing_keys: tuple[BackingKey, ...] = ()
    current_material_id: str | None = None
    # Of a key that a custom key store holds.
    custom_key_store_id: str | None = None
    xks_key_id: str | None = None

    @cached_property
    def arn(self) -> str:
        return key_arn(self.account_id, self.region, self.key_id)

    @property
    def due_at(self) -> float | None:
        """Return the time of the key's next duty: deletion, rotation or expiry of material."""
        times = [backing_key.valid_to for backing_key in self.backing_keys if backing_key.key_token]
        if self.state is KeyState.PENDING_DELETION:
            times.append(self.deletion_at)
        # A replica rotates with its primary, in the primary's own time.
        elif self.state is KeyState.ENABLED and not self.is_replica:
            times += (self.rotation_on_demand_at, self.rotation_next_at)
        return min((at for at in times if at is not None), default=None)

    @property
    def is_external(self) -> bool:
        return self.origin == EXTERNAL

    @property
    def key_store(self) -> CustomKeyStore | None:
        """Return the store that holds the key, as it was when the key was looked up."""
        store: CustomKeyStore | None = vars(self).get("key_store_seen")
        return store

    def seen_in(self, store: CustomKeyStore | None) -> "KmsKey":
        """Return the same key, looked at together with the store that holds it."""
        seen = with_fields(self)
        vars(seen)["key_store_seen"] = store
        return seen

    @cached_property
    def visible_state(self) -> KeyState:
        """Return the state as callers see it: Unavailable while the key's store is not connected.

        Source: KMS Developer Guide, "Key states of AWS KMS keys" (Unavailable).
        """
        if self.custom_key_store_id is None or self.state not in (
            KeyState.ENABLED,
            KeyState.DISABLED,
        ):
            return self.state
        store = self.key_store
        return self.state if store is not None and store.is_connected else KeyState.UNAVAILABLE

    @property
    def is_replica(self) -> bool:
        return self.primary_region is not None and self.primary_region != self.region

    @property
    def is_multi_region(self) -> bool:
        return self.key_id.startswith("mrk-")

    @property
    def has_all_material(self) -> bool:
        """Return whether every generation that the key was ever used with is present."""
        used = [key for key in self.backing_keys if not key.pending]
        return bool(used) and all(key.key_token is not None for key in used)

    @cached_property
    def current(self) -> BackingKey | None:
        return self.backing_key(self.current_material_id)

    @cached_property
    def shown_material_id(self) -> str | None:
        """Return the id of the current material, of symmetric keys that our own HSM holds.

        Source: KMS API Reference, KeyMetadata (CurrentKeyMaterialId).
        """
        if self.key_spec != SYMMETRIC_DEFAULT or self.custom_key_store_id is not None:
            return None
        return self.current_material_id

    @cached_property
    def bound_tokens(self) -> dict[str, bytes]:
        """The tokens as the HSM takes them, by material id: encoded with all they are bound to."""
        return {
            backing_key.material_id: _encode(
                BoundToken(
                    self.account_id,
                    self.region,
                    self.key_id,
                    self.key_spec,
                    self.key_usage,
                    self.origin,
                    bytes.fromhex(backing_key.material_id),
                    backing_key.key_token,
                )
            )
            for backing_key in self.backing_keys
            if backing_key.key_token is not None
        }

    @cached_property
    def current_token(self) -> bytes | None:
        """The bound token that new ciphertexts and signatures are made with."""
        return self.bound_tokens.get(self.current_material_id or "")

    @cached_property
    def compiled_policy(self) -> CompiledPolicy:
        return compiled_key_policy(self.key_policy, self.policy_pins)

    def hand_over(self, compiled: CompiledPolicy) -> None:
        """Take the key policy as it was compiled when it was checked, so that it is once."""
        vars(self)["compiled_policy"] = compiled

    def with_first_material(self, backing_key: BackingKey) -> "KmsKey":
        """Return a new key with the material it was made with."""
        return with_fields(
            self, backing_keys=(backing_key,), current_material_id=backing_key.material_id
        )

    def backing_key(self, material_id: str | None) -> BackingKey | None:
        for backing_key in self.backing_keys:
            if backing_key.material_id == material_id:
                return backing_key
        return None


class NobodysKey(KmsKey, frozen=True, kw_only=True, dict=True):
    """A stand-in for a key of another account that does not exist: it trusts nobody."""

    created_at: float = 0.0
    key_policy: str = ""

    @property
    def compiled_policy(self) -> CompiledPolicy:
        return _TRUSTS_NOBODY


class Material(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The KMS key that a key material belongs to; Decrypt finds the key of a ciphertext by it."""

    region: str
    material_id: str
    account_id: str
    key_id: str
    version: int = 1


class Alias(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A name for a KMS key; `alias_name` carries the prefix `alias/`."""

    account_id: str
    region: str
    alias_name: str
    target_key_id: str
    created_at: float
    updated_at: float
    version: int = 1
