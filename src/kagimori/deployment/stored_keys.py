"""Finds KMS keys in a store that nobody serves: by a ciphertext, or by what people call them."""

from collections.abc import Iterator
from typing import Any, Final

from kagimori.deployment.folder import Unusable
from kagimori.entities.tables import ALIASES, KMS_KEYS, MATERIALS
from kagimori.machinery.store.admin import AdminStore
from kagimori.ports import Table
from kagimori.rules.keys.kms_key import Alias, KmsKey, Material
from kagimori.rules.names import KeyRef, parse_key_ref
from kagimori.rules.refusal import Refusal

PAGE_ROWS: Final = 500


def all_keys(store: AdminStore) -> Iterator[KmsKey]:
    """Yield every KMS key of every account and region, in order."""
    return _all(store, KMS_KEYS)


def keys_of_material(store: AdminStore, regions: tuple[str, ...], material_id: str) -> list[KmsKey]:
    """Return the KMS keys with this material: one, or the members of a multi-Region set."""
    found: list[KmsKey] = []
    for region in regions:
        material: Material | None = store.one(MATERIALS, (region, material_id))
        if material is not None:
            kms_key = store.one(KMS_KEYS, (material.account_id, region, material.key_id))
            found += [] if kms_key is None else [kms_key]
    return found


def keys_named(store: AdminStore, name: str) -> list[KmsKey]:
    """Return the KMS keys of a name: an ARN, a key id, or an alias (`alias/NAME`, or its ARN).

    Several are the members of one multi-Region set.

    Raises:
        Unusable: there is none of that name, or several that are not of one set.
    """
    if name.startswith("arn:"):
        found = _by_arn(store, name)
    elif name.startswith("alias/"):
        aliases: Iterator[Alias] = _all(store, ALIASES)
        found = [
            kms_key
            for alias in aliases
            if alias.alias_name == name
            for kms_key in _one(store, alias.account_id, alias.region, alias.target_key_id)
        ]
    else:
        found = [kms_key for kms_key in all_keys(store) if kms_key.key_id == name]
    if not found:
        raise Unusable(f"this store has no KMS key {name}")
    if len({(kms_key.account_id, kms_key.key_id) for kms_key in found}) > 1:
        raise Unusable(
            f"{name} names several KMS keys, give the ARN of one of them: "
            + ", ".join(kms_key.arn for kms_key in found)
        )
    return found


def alias_names(store: AdminStore) -> dict[tuple[str, str, str], list[str]]:
    """Return the names of aliases by account, region and id of the key that they are of."""
    names: dict[tuple[str, str, str], list[str]] = {}
    aliases: Iterator[Alias] = _all(store, ALIASES)
    for alias in aliases:
        of = (alias.account_id, alias.region, alias.target_key_id)
        names.setdefault(of, []).append(alias.alias_name)
    return names


def _by_arn(store: AdminStore, arn: str) -> list[KmsKey]:
    try:
        ref: KeyRef = parse_key_ref(arn, account_id="", region=_region_in(arn))
    except Refusal:
        raise Unusable(f"{arn} is no ARN of a KMS key or an alias") from None
    key_id = ref.key_id
    if ref.alias_name is not None:
        alias = store.one(ALIASES, (ref.account_id, ref.region, ref.alias_name))
        key_id = None if alias is None else alias.target_key_id
    return [] if key_id is None else _one(store, ref.account_id, ref.region, key_id)


def _region_in(arn: str) -> str:
    parts = arn.split(":")
    return parts[3] if len(parts) > 3 else ""  # noqa: PLR2004 - the region's place


def _one(store: AdminStore, account_id: str, region: str, key_id: str) -> list[KmsKey]:
    kms_key = store.one(KMS_KEYS, (account_id, region, key_id))
    return [] if kms_key is None else [kms_key]


def _all(store: AdminStore, table: Table) -> Iterator[Any]:
    after = None
    while page := store.page(table, (), after, PAGE_ROWS):
        yield from page
        after = table.key_of(page[-1])
