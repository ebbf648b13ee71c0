"""The nouns that are stored, and how each is found. The SQL is in `machinery/store/schema/`."""

from typing import Final

from kagimori.ports import Table
from kagimori.rules.identity.account import AccessKey, Account
from kagimori.rules.keys.kms_key import Alias, KmsKey, Material

ACCOUNTS: Final = Table("accounts", Account, ("account_id",))
ACCESS_KEYS: Final = Table("access_keys", AccessKey, ("access_key_id",))
KMS_KEYS: Final = Table("kms_keys", KmsKey, ("account_id", "region", "key_id"))
MATERIALS: Final = Table("materials", Material, ("region", "material_id"))
ALIASES: Final = Table(
    "aliases",
    Alias,
    ("account_id", "region", "alias_name"),
    {"by_key": ("account_id", "region", "target_key_id")},
)

TABLES: Final = {table.name: table for table in (ACCOUNTS, ACCESS_KEYS, KMS_KEYS, MATERIALS, ALIASES)}
