"""New KMS keys: asked of the HSM, and stored with their first material."""

from kagimori.entities.tables import KMS_KEYS, MATERIALS
from kagimori.gate.asked import Request
from kagimori.ports import ExpectAtMost, Put, Write
from kagimori.rules.keys.key_quota import counted_with
from kagimori.rules.keys.kms_key import BackingKey, KmsKey, Material
from kagimori_boundary.commands import GenerateKey
from kagimori_boundary.replies import NewKey


def generate(planned: KmsKey) -> GenerateKey:
    """Return the command that makes a planned key's material."""
    return GenerateKey(
        planned.account_id,
        planned.region,
        planned.key_id,
        planned.key_spec,
        planned.key_usage,
        planned.origin,
    )


def room_for_one_more(asked: Request, kms_key: KmsKey) -> ExpectAtMost:
    """Return the expectation of one key more, so that no two make the last together."""
    together = counted_with(kms_key.account_id, kms_key.region)
    return ExpectAtMost(KMS_KEYS, "by_manager", together, asked.settings.kms_keys_max)


def with_material(planned: KmsKey, reply: NewKey, now: float) -> tuple[KmsKey, list[Write]]:
    """Return the key with its first material, and the writes that store it."""
    material_id = reply.material_id.hex()
    kms_key = planned.with_first_material(
        BackingKey(
            material_id=material_id,
            key_token=reply.key_token,
            created_at=now,
            public_key=reply.public_key,
        )
    )
    material = Material(
        region=kms_key.region,
        material_id=material_id,
        account_id=kms_key.account_id,
        key_id=kms_key.key_id,
    )
    return kms_key, [Put(KMS_KEYS, kms_key), Put(MATERIALS, material)]
