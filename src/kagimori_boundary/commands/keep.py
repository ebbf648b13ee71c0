"""Commands that make, import, replicate and forget key material."""

from typing import Annotated, ClassVar

from msgspec import Meta

from kagimori_boundary.commands.command import (
    OPERATOR_AND_WORKER,
    HsmCommand,
    Lane,
    Role,
    lane_of_making,
)


class GenerateKey(HsmCommand, frozen=True, tag=4):
    """Make a backing key; answers a token for `region`, and one for each replica region."""

    account_id: str
    region: str
    key_id: str
    key_spec: str
    key_usage: str
    origin: str
    replica_regions: Annotated[tuple[str, ...], Meta(max_length=100)] = ()

    @property
    def lane(self) -> Lane:
        return lane_of_making(self.key_spec)


class CreateImportParameters(HsmCommand, frozen=True, tag=20):
    """Make a wrapping key pair; the private half leaves only inside the import token.

    `valid_to`: seconds since the epoch.
    """

    is_slow: ClassVar[bool] = True

    account_id: str
    region: str
    key_id: str
    wrapping_algorithm: str
    wrapping_key_spec: str
    valid_to: float


class ImportMaterial(HsmCommand, frozen=True, tag=21):
    is_slow: ClassVar[bool] = True
    is_carried: ClassVar[bool] = True

    account_id: str
    region: str
    key_id: str
    key_spec: str
    key_usage: str
    import_token: bytes
    encrypted_material: bytes
    now: float


class ReplicateMaterial(HsmCommand, frozen=True, tag=22):
    """Wrap keys of one region's domain for another's; answers one token for each."""

    bound_tokens: list[bytes]
    region: str


class ForgetMaterial(HsmCommand, frozen=True, tag=23):
    """Drop destroyed materials from memory, and open these tokens of theirs no more.

    Sent once the loss is committed. A command that was decided before that may still be on its way
    with such a token; the same material, imported again, comes with another.
    """

    material_ids: list[bytes]
    key_tokens: list[bytes]


class StoreMaterial(HsmCommand, frozen=True, tag=28):
    """Take in key material as it is; for `dev` alone, which keeps no secrets."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_AND_WORKER
    is_slow: ClassVar[bool] = True

    account_id: str
    region: str
    key_id: str
    key_spec: str
    key_usage: str
    origin: str
    material: bytes
