"""The writes for key material that is deleted on demand, or has expired."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from kagimori.entities.tables import KMS_KEYS, MATERIALS
from kagimori.ports import Delete, Put, Write
from kagimori.rules.keys.import_material import without_material
from kagimori.rules.keys.kms_key import KmsKey, Material
from kagimori_boundary.commands import ForgetMaterial


def writes_of_loss(
    members: Sequence[KmsKey], kms_key: KmsKey, material_ids: Iterable[str]
) -> list[Write]:
    """Return the changes of all members of a key's set when the key loses these materials.

    Raises:
        NotFoundException: the key never had one of them.
    """
    before = {member.region: member for member in members}
    after = dict(before)
    for material_id in material_ids:
        others = without_material(list(after.values()), after[kms_key.region], material_id)
        after = {member.region: member for member in others}
    writes: list[Write] = []
    for region, member in before.items():
        if after[region] is member:
            continue
        # One change, however many materials were lost together.
        successor = replace(after[region], version=member.version + 1)
        writes.append(Put(KMS_KEYS, successor, member, destroys=True))
        writes += [
            Delete(MATERIALS, material_row(member, key.material_id))
            for key in member.backing_keys
            if successor.backing_key(key.material_id) is None
        ]
    return writes


def forgetting(kms_key: KmsKey, material_ids: Iterable[str]) -> ForgetMaterial | None:
    """Return the notice to the HSM that a key has lost these materials; None if it had none."""
    lost = [key for key in kms_key.backing_keys if key.material_id in set(material_ids)]
    if not lost:
        return None
    return ForgetMaterial(
        [bytes.fromhex(key.material_id) for key in lost],
        [key.key_token for key in lost if key.key_token is not None],
    )


def material_row(kms_key: KmsKey, material_id: str) -> Material:
    """Return the entry by which Decrypt finds the key; it never changes."""
    return Material(
        region=kms_key.region,
        material_id=material_id,
        account_id=kms_key.account_id,
        key_id=kms_key.key_id,
    )
