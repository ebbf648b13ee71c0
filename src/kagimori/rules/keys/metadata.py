"""Builds KeyMetadata, which DescribeKey, CreateKey and ReplicateKey return.

Source: KMS API Reference, KeyMetadata.
"""

from typing import Any, Final

from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.states import KeyState
from kagimori.rules.names import key_arn
from kagimori_boundary.key_specs import SPECS, KeyUsage

# Under which member each usage's algorithms are listed.
ALGORITHM_MEMBERS: Final = {
    KeyUsage.ENCRYPT_DECRYPT: "EncryptionAlgorithms",
    KeyUsage.SIGN_VERIFY: "SigningAlgorithms",
    KeyUsage.GENERATE_VERIFY_MAC: "MacAlgorithms",
    KeyUsage.KEY_AGREEMENT: "KeyAgreementAlgorithms",
    KeyUsage.ENCAPSULATE_DECAPSULATE: "EncapsulationAlgorithms",
}
# Specs newer than the deprecated CustomerMasterKeySpec enumeration are not shown under it.
_NEWER: Final = ("ML_", "ECC_NIST_EDWARDS25519")


def key_metadata(kms_key: KmsKey) -> dict[str, Any]:
    """Return the members of KeyMetadata; absent ones are left out."""
    metadata: dict[str, Any] = {
        "AWSAccountId": kms_key.account_id,
        "KeyId": kms_key.key_id,
        "Arn": kms_key.arn,
        "CreationDate": kms_key.created_at,
        "Enabled": kms_key.visible_state is KeyState.ENABLED,
        "Description": kms_key.description,
        "KeyState": kms_key.visible_state.value,
        "Origin": kms_key.origin,
        "KeyManager": kms_key.key_manager,
        **spec_members(kms_key),
        "MultiRegion": kms_key.is_multi_region,
    }
    if kms_key.state is KeyState.PENDING_DELETION:
        metadata["DeletionDate"] = kms_key.deletion_at
    if kms_key.state is KeyState.PENDING_REPLICA_DELETION:
        metadata["PendingDeletionWindowInDays"] = kms_key.pending_window_days
    if kms_key.is_multi_region and kms_key.primary_region is not None:
        metadata["MultiRegionConfiguration"] = _multi_region(kms_key, kms_key.primary_region)
    metadata.update(_expiration(kms_key))
    if kms_key.custom_key_store_id is not None:
        metadata.update(_key_store_members(kms_key))
    if kms_key.shown_material_id is not None:
        metadata["CurrentKeyMaterialId"] = kms_key.shown_material_id
    return metadata


def _key_store_members(kms_key: KmsKey) -> dict[str, Any]:
    """Return the members on the custom key store that holds the key."""
    members: dict[str, Any] = {"CustomKeyStoreId": kms_key.custom_key_store_id}
    store = kms_key.key_store
    if store is not None and store.cluster_id is not None:
        members["CloudHsmClusterId"] = store.cluster_id
    if kms_key.xks_key_id is not None:
        members["XksKeyConfiguration"] = {"Id": kms_key.xks_key_id}
    return members


def _multi_region(kms_key: KmsKey, primary_region: str) -> dict[str, Any]:
    def member(region: str) -> dict[str, str]:
        return {"Arn": key_arn(kms_key.account_id, region, kms_key.key_id), "Region": region}

    return {
        "MultiRegionKeyType": "REPLICA" if kms_key.is_replica else "PRIMARY",
        "PrimaryKey": member(primary_region),
        "ReplicaKeys": [member(region) for region in kms_key.replica_regions],
    }


def _expiration(kms_key: KmsKey) -> dict[str, Any]:
    """Return the members on expiry of imported material, if the key has any."""
    if kms_key.origin != "EXTERNAL" or not kms_key.has_all_material:
        return {}
    times = [key.valid_to for key in kms_key.backing_keys if not key.pending]
    expiring = [at for at in times if at is not None]
    if not expiring:
        return {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    return {"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": min(expiring)}


def spec_members(kms_key: KmsKey) -> dict[str, Any]:
    """Return the members on spec, usage and algorithms, which GetPublicKey has too."""
    usage = KeyUsage(kms_key.key_usage)
    algorithms = SPECS[kms_key.key_spec].algorithms[usage]
    members: dict[str, Any] = {
        "KeyUsage": kms_key.key_usage,
        "KeySpec": kms_key.key_spec,
        ALGORITHM_MEMBERS[usage]: list(algorithms),
    }
    if not kms_key.key_spec.startswith(_NEWER):
        members["CustomerMasterKeySpec"] = kms_key.key_spec
    return members
