"""The look-ups that reach into other accounts: every one that there is.

A key or role of another account is handed out together with a note (`AccountView.hand_out`), and
nothing goes on without a need that names that very key or role. One that does not exist is handed
out too, as one that trusts nobody: callers who may not use it get the same refusal in both cases.
The others answer less than an entity: see each.
"""

from collections.abc import Sequence
from typing import Final

from kagimori.entities.identity_tables import ACCESS_KEYS, ACCOUNT_ALIASES
from kagimori.entities.tables import ALIASES, GRANTS, KEY_STORES, KMS_KEYS, MATERIALS
from kagimori.gate.asked import Asked, Request
from kagimori.gate.identities import managed_policy, oidc_provider, role_at
from kagimori.ports import Key
from kagimori.rules.authorization.decision import CIPHERTEXT
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.managed_policy import ManagedPolicy
from kagimori.rules.identity.oidc_provider import OidcProvider
from kagimori.rules.identity.role import Role
from kagimori.rules.identity.service import service_principal
from kagimori.rules.keys.kms_key import Alias, KmsKey, Material, NobodysKey
from kagimori.rules.keys.stored_grant import StoredGrant
from kagimori.rules.names import alias_arn, key_arn

_ACCOUNT_PART: Final = 4


def key_across(asked: Asked, account_id: str, region: str, key_id: str) -> KmsKey | None:
    """Return a key by its account, Region and id; None if the caller's own account has none."""
    found: KmsKey | None = asked.view.whole.one(KMS_KEYS, (account_id, region, key_id))
    if found is not None and found.custom_key_store_id is not None:
        found = _in_its_store(asked, found)
    if account_id == asked.view.account_id:
        return found
    return _handed_out(
        asked,
        found or NobodysKey(account_id=account_id, region=region, key_id=key_id),
        key_arn(account_id, region, key_id),
    )


def key_by_alias_across(
    asked: Asked, account_id: str, region: str, alias_name: str
) -> KmsKey | None:
    """Return the key that an alias stands for; None if the caller's own account has no such."""
    view = asked.view
    alias: Alias | None = view.whole.one(ALIASES, (account_id, region, alias_name))
    found: KmsKey | None = None
    if alias is not None:
        found = view.whole.one(KMS_KEYS, (account_id, region, alias.target_key_id))
        if found is not None and found.custom_key_store_id is not None:
            found = _in_its_store(asked, found)
    if account_id == view.account_id:
        return found
    named_as = alias_arn(account_id, region, alias_name)
    return _handed_out(
        asked, found or NobodysKey(account_id=account_id, region=region, key_id=""), named_as
    )


def key_of_material(asked: Asked, material_id: str) -> KmsKey:
    """Return the key that has made a ciphertext, by the id of its material in the Region."""
    region, whole = asked.call.region, asked.view.whole
    material: Material | None = whole.one(MATERIALS, (region, material_id))
    found: KmsKey | None = None
    if material is not None:
        found = whole.one(KMS_KEYS, (material.account_id, region, material.key_id))
        if found is not None and found.custom_key_store_id is not None:
            found = _in_its_store(asked, found)
    if found is not None and found.account_id == asked.view.account_id:
        return found
    return _handed_out(
        asked, found or NobodysKey(account_id="", region=region, key_id=""), CIPHERTEXT
    )


def _in_its_store(asked: Asked, kms_key: KmsKey) -> KmsKey:
    """Return a key that a custom key store holds, with that store as it is now."""
    store_key = (kms_key.account_id, kms_key.region, kms_key.custom_key_store_id or "")
    return kms_key.seen_in(asked.view.whole.one(KEY_STORES, store_key))


def role_across(asked: Asked, arn: str) -> Role | None:
    """Return the role with exactly this ARN, which a need to assume it must name."""
    role = role_at(asked.view.whole, arn)
    if role is not None and role.account_id != asked.view.account_id:
        asked.view.hand_out((arn,), arn)
    return role


def retirable_grants(
    asked: Asked, retiring: str, after: Key | None, limit: int
) -> Sequence[StoredGrant]:
    """Return a page of the grants that a principal may retire.

    A principal of the caller's account, and a service that asks for itself, is shown them on keys
    of whichever account; of all others, those on keys of the caller's account alone.

    Source: KMS API Reference, ListRetirableGrants ("Cross-account use").
    """
    view, service = asked.view, asked.caller.service
    group = (asked.call.region, retiring)
    own = view.account_id
    asks_itself = service is not None and service_principal(service) == retiring
    if asks_itself or _is_of_account(retiring_written(asked), own):
        return view.whole.page(GRANTS, group, after, limit, "by_retiring")
    start = (own, "", "") if after is None or after[0] < own else after
    page = view.whole.page(GRANTS, group, start, limit, "by_retiring")
    return [grant for grant in page if grant.account_id == own]


def retiring_written(asked: Request) -> str:
    """Return the retiring principal that the request names, as it is written."""
    given = asked.call.input
    written: str = given.RetiringServicePrincipal or given.RetiringPrincipal
    return written


def _is_of_account(written: str, account_id: str) -> bool:
    """Return whether a principal, an ARN or an account's 12 digits, is of an account."""
    parts = written.split(":")
    owner = parts[_ACCOUNT_PART] if len(parts) > _ACCOUNT_PART else written
    return bool(account_id) and owner == account_id


def provider_across(asked: Asked, account_id: str, arn: str) -> OidcProvider | None:
    """Return a provider of the account whose role a web identity would assume.

    Nobody has signed the request, so that there is no account of the caller's.
    """
    return oidc_provider(asked.view.whole, account_id, arn)


def session_policy(asked: Asked, account_id: str, arn: str) -> ManagedPolicy | None:
    """Return AWS's policy or one of the account that a session will belong to; None for others.

    It is asked once the session is allowed, and answers nothing but the session.
    """
    policy = managed_policy(asked.view.whole, arn)
    return policy if policy is not None and policy.account_id in (account_id, "aws") else None


def account_of_access_key(asked: Asked, access_key_id: str) -> str | None:
    """Return the account of an access key, of which anybody may ask; None if there is none.

    Source: STS API Reference, GetAccessKeyInfo.
    """
    found: AccessKey | None = asked.view.whole.one(ACCESS_KEYS, (access_key_id,))
    return None if found is None or found.service is not None else found.account_id


def is_alias_taken(asked: Asked, alias: str) -> bool:
    """Return whether any account has this alias: they are unique among all accounts."""
    return asked.view.whole.one(ACCOUNT_ALIASES, (alias,)) is not None


def _handed_out(asked: Asked, kms_key: KmsKey, named_as: str) -> KmsKey:
    asked.view.hand_out((kms_key.account_id, kms_key.region, kms_key.key_id), named_as)
    return kms_key
