"""A seed for `kagimori dev`: keys with given ids, aliases and material, from a YAML file.

The form is the one that users of local-kms have: `Keys.Symmetric.Aes` with `BackingKeys` in hex
(the last is the current one), `Keys.Asymmetric.Rsa` and `.Ecc` with a `PrivateKeyPem`, `Aliases`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec import Struct

from kagimori.entities.tables import ALIASES, KMS_KEYS, MATERIALS
from kagimori.machinery.chance import new_uuid
from kagimori.machinery.store.admin import Change
from kagimori.ports import Put
from kagimori.rules.keys.alias import check_alias_name
from kagimori.rules.keys.kms_key import Alias, BackingKey, KmsKey, Material
from kagimori.rules.names import is_key_id
from kagimori.rules.policy.defaults import default_key_policy
from kagimori.rules.records.service_event import keys_seeded
from kagimori.rules.refusal import Refusal
from kagimori_boundary.commands import Command, StoreMaterial
from kagimori_boundary.replies import NewKey, Reply

_CURVES = {
    "secp256r1": "ECC_NIST_P256",
    "secp384r1": "ECC_NIST_P384",
    "secp521r1": "ECC_NIST_P521",
    "secp256k1": "ECC_SECG_P256K1",
}


class BadSeed(Exception):
    """A fault in a seed file, as one line for people."""


class SeedKey(Struct, frozen=True):
    """One key to be made; `materials` oldest first, the last in use."""

    key_id: str
    key_spec: str
    key_usage: str
    description: str
    materials: tuple[bytes, ...]


class Seed(Struct, frozen=True):
    keys: tuple[SeedKey, ...]
    aliases: dict[str, str]


def read_seed(path: Path) -> Seed:
    """Return the keys and aliases of a seed file.

    Raises:
        BadSeed: it cannot be read, or asks for something that cannot be.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as problem:
        raise BadSeed(f"{path} cannot be read: {str(problem).splitlines()[0]}") from None
    try:
        keys = tuple(_keys(content.get("Keys") or {}))
        aliases = {
            alias["AliasName"]: alias["TargetKeyId"] for alias in content.get("Aliases") or ()
        }
        for name in aliases:
            check_alias_name(name)
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        raise BadSeed(f"{path} is not a seed: {type(problem).__name__} {problem}") from None
    except Refusal as refusal:
        raise BadSeed(f"{path}: {refusal.message or refusal.code}") from None
    known = {key.key_id for key in keys}
    for name, target in aliases.items():
        if target not in known:
            raise BadSeed(f"{path}: {name} names {target}, which is not among the keys")
    return Seed(keys, aliases)


def planted(
    seed: Seed, account_id: str, region: str, now: float, ask: Callable[[Command], Reply]
) -> Change:
    """Return the change that a seed comes to; `ask` asks the HSM.

    Raises:
        BadSeed: the HSM does not take a key's material.
    """
    writes = list(_writes(seed, account_id, region, now, ask))
    keys = [write.entity.arn for write in writes if write.table is KMS_KEYS]
    record = keys_seeded(
        event_id=new_uuid(), now=now, account_id=account_id, region=region, key_arns=keys
    )
    return Change(writes, record)


def _writes(
    seed: Seed, account_id: str, region: str, now: float, ask: Callable[[Command], Reply]
) -> Iterator[Put]:
    for wanted in seed.keys:
        backing_keys = []
        for material in wanted.materials:
            reply = ask(
                StoreMaterial(
                    account_id,
                    region,
                    wanted.key_id,
                    wanted.key_spec,
                    wanted.key_usage,
                    "AWS_KMS",
                    material,
                )
            )
            if not isinstance(reply, NewKey):
                raise BadSeed(f"the material of {wanted.key_id} was refused")
            material_id = reply.material_id.hex()
            backing_keys.append(
                BackingKey(
                    material_id=material_id,
                    key_token=reply.key_token,
                    created_at=now,
                    public_key=reply.public_key,
                )
            )
            yield Put(
                MATERIALS,
                Material(
                    region=region,
                    material_id=material_id,
                    account_id=account_id,
                    key_id=wanted.key_id,
                ),
            )
        yield Put(
            KMS_KEYS,
            KmsKey(
                account_id=account_id,
                region=region,
                key_id=wanted.key_id,
                created_at=now,
                description=wanted.description,
                key_spec=wanted.key_spec,
                key_usage=wanted.key_usage,
                key_policy=default_key_policy(account_id, region),
                backing_keys=tuple(backing_keys),
                current_material_id=backing_keys[-1].material_id,
            ),
        )
    for name, target in seed.aliases.items():
        yield Put(
            ALIASES,
            Alias(
                account_id=account_id,
                region=region,
                alias_name=name,
                target_key_id=target,
                created_at=now,
                updated_at=now,
            ),
        )


def _keys(keys: dict[str, Any]) -> Iterator[SeedKey]:
    for entry in (keys.get("Symmetric") or {}).get("Aes") or ():
        materials = tuple(bytes.fromhex(text) for text in entry["BackingKeys"])
        yield _key(entry, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", materials)
    asymmetric = keys.get("Asymmetric") or {}
    for entry in (*(asymmetric.get("Rsa") or ()), *(asymmetric.get("Ecc") or ())):
        loaded = serialization.load_pem_private_key(entry["PrivateKeyPem"].encode(), None)
        der = loaded.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        yield _key(entry, _spec_of(loaded), "SIGN_VERIFY", (der,))


def _key(
    entry: dict[str, Any], key_spec: str, key_usage: str, materials: tuple[bytes, ...]
) -> SeedKey:
    metadata = entry["Metadata"]
    key_id = str(metadata["KeyId"])
    if not is_key_id(key_id):
        raise ValueError(f"{key_id!r} is not a key id")
    if not materials:
        raise ValueError(f"{key_id} has no backing key")
    usage = metadata.get("KeyUsage") or key_usage
    return SeedKey(key_id, key_spec, usage, metadata.get("Description") or "", materials)


def _spec_of(loaded: object) -> str:
    if isinstance(loaded, rsa.RSAPrivateKey):
        return f"RSA_{loaded.key_size}"
    if isinstance(loaded, ec.EllipticCurvePrivateKey) and loaded.curve.name in _CURVES:
        return _CURVES[loaded.curve.name]
    raise ValueError("a private key of a kind that KMS does not have")
