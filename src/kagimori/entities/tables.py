"""The nouns that are stored, and how each is found. The SQL is in `machinery/store/schema/`."""

from typing import Final

from kagimori.entities.identity_tables import ACCESS_KEYS, ACCOUNTS, IDENTITY_TABLES
from kagimori.entities.node_tables import NODE_TABLES
from kagimori.entities.stored_tokens import tokens_of
from kagimori.ports import Table
from kagimori.rules.authorization.denial import Denial
from kagimori.rules.key_stores.key_store import CustomKeyStore
from kagimori.rules.keys.audit_key import StoredAuditKey
from kagimori.rules.keys.domains import ClosedDomainKey, Domains
from kagimori.rules.keys.key_guard import KeyGuard
from kagimori.rules.keys.kms_key import Alias, KmsKey, Material
from kagimori.rules.keys.stored_grant import StoredGrant
from kagimori.rules.keys.usage_record import KeyUsageRecord
from kagimori.rules.operators.approval import Approval
from kagimori.rules.quotas.account_quotas import AccountQuotas

KMS_KEYS: Final = Table(
    "kms_keys",
    KmsKey,
    ("account_id", "region", "key_id"),
    {
        "by_id": ("account_id", "key_id"),
        "by_key_store": ("account_id", "custom_key_store_id"),
        "by_external_key": ("account_id", "custom_key_store_id", "xks_key_id"),
        "by_manager": ("account_id", "region", "key_manager"),
    },
    counted=("by_manager",),
    has_due=True,
    tokens=tokens_of,
    makes_callers=False,
)
MATERIALS: Final = Table("materials", Material, ("region", "material_id"), makes_callers=False)
ALIASES: Final = Table(
    "aliases",
    Alias,
    ("account_id", "region", "alias_name"),
    {"by_key": ("account_id", "region", "target_key_id")},
    makes_callers=False,
)
KEY_USAGES: Final = Table(
    "key_usages",
    KeyUsageRecord,
    ("account_id", "region", "key_id"),
    is_noted=True,
    makes_callers=False,
    unguarded="when a key was used last is shown, and written without a record",
)
DENIALS: Final = Table(
    "denials",
    Denial,
    ("slot",),
    {"by_request": ("request_id",)},
    is_noted=True,
    unguarded="denials are shown, and written over without a record",
)
GRANTS: Final = Table(
    "grants",
    StoredGrant,
    ("account_id", "region", "key_id", "grant_id"),
    {
        "by_key": ("account_id", "region", "key_id"),
        "by_grantee": ("account_id", "region", "key_id", "grantee"),
        "by_retiring": ("region", "retiring"),
        "by_name": ("account_id", "region", "key_id", "name"),
        "by_claim": ("claim",),
    },
    counted=("by_key",),
    makes_callers=False,
    # A grant only allows. Each is checked when it is loaded, and which a grantee has as well.
    unguarded_groups={
        "by_key": "counts grants, and finds those that go with their key",
        "by_retiring": "lists grants page by page",
        "by_name": "finds a grant that was made before with this name",
        "by_claim": "is a unique index",
    },
)
KEY_STORES: Final = Table(
    "custom_key_stores",
    CustomKeyStore,
    ("account_id", "region", "key_store_id"),
    {"by_owner": ("account_id", "region")},
    has_due=True,
    tokens=tokens_of,
)
DOMAINS: Final = Table("domains", Domains, ("name",))
CLOSED_DOMAIN_KEYS: Final = Table("closed_domain_keys", ClosedDomainKey, ("key_id",))
APPROVALS: Final = Table("approvals", Approval, ("request_id",), {"by_state": ("state",)})
KEY_GUARDS: Final = Table("key_guards", KeyGuard, ("account_id",), makes_callers=False)
ACCOUNT_QUOTAS: Final = Table("account_quotas", AccountQuotas, ("account_id", "region"))
AUDIT_KEYS: Final = Table("audit_keys", StoredAuditKey, ("name",), tokens=tokens_of)

TABLES: Final = {
    table.name: table
    for table in (
        *IDENTITY_TABLES,
        KMS_KEYS,
        MATERIALS,
        ALIASES,
        GRANTS,
        KEY_GUARDS,
        KEY_USAGES,
        DENIALS,
        KEY_STORES,
        DOMAINS,
        CLOSED_DOMAIN_KEYS,
        AUDIT_KEYS,
        ACCOUNT_QUOTAS,
        APPROVALS,
        *NODE_TABLES,
    )
}
# The tables whose entities hold tokens.
TOKEN_TABLES: Final = tuple(table for table in TABLES.values() if table.tokens is not None)

__all__ = [
    "ACCESS_KEYS",
    "ACCOUNTS",
    "ACCOUNT_QUOTAS",
    "ALIASES",
    "APPROVALS",
    "AUDIT_KEYS",
    "CLOSED_DOMAIN_KEYS",
    "DENIALS",
    "DOMAINS",
    "GRANTS",
    "KEY_GUARDS",
    "KEY_STORES",
    "KEY_USAGES",
    "KMS_KEYS",
    "MATERIALS",
    "TABLES",
    "TOKEN_TABLES",
]
