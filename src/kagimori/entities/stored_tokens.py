"""The tokens in entities: which there are, as what the HSM opens them, and how they are replaced.

This is all that is under a domain key and stored. A test holds that no entity has another field of
bytes, so that none is forgotten when tokens are wrapped anew.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from kagimori.rules.entity import changed
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.login_profile import LoginProfile
from kagimori.rules.identity.mfa_device import ROOT_USER, MfaDevice
from kagimori.rules.key_stores.key_store import CustomKeyStore
from kagimori.rules.keys.audit_key import StoredAuditKey
from kagimori.rules.keys.kms_key import CLOUDHSM, KmsKey
from kagimori_boundary.commands import (
    AuditKeyToken,
    KeyToken,
    PasswordToken,
    SecretToken,
    SeedToken,
    StoredToken,
    StoreSecretToken,
)
from kagimori_boundary.commands.identity import ROOT_HOLDER
from kagimori_boundary.commands.key_stores import PASSWORD, PROXY


class TokenKind(NamedTuple):
    """How the tokens of one type of entity are found, presented and replaced.

    `presented` is in the order of `tokens`; the id of a password's user is looked for with
    `user_id`. `replaced` takes new tokens in the same order, and returns the entity's successor.
    """

    tokens: Callable[[Any], Sequence[bytes]]
    presented: Callable[[Any, Callable[[LoginProfile], str]], Sequence[StoredToken]]
    replaced: Callable[[Any, Sequence[bytes]], Any]


def _key_tokens(kms_key: KmsKey) -> Sequence[bytes]:
    """Return the token of every generation that has one: earlier ones and imported ones too.

    The names of keys in a cluster are no tokens of a domain key.
    """
    if kms_key.origin == CLOUDHSM:
        return ()
    return tuple(key.key_token for key in kms_key.backing_keys if key.key_token is not None)


def _key_presented(kms_key: KmsKey, _: Any) -> Sequence[StoredToken]:
    bound = kms_key.bound_tokens
    return tuple(
        KeyToken(bound[key.material_id])
        for key in kms_key.backing_keys
        if key.key_token is not None
    )


def _key_replaced(kms_key: KmsKey, tokens: Sequence[bytes]) -> KmsKey:
    new = iter(tokens)
    return changed(
        kms_key,
        backing_keys=tuple(
            key if key.key_token is None else replace(key, key_token=next(new))
            for key in kms_key.backing_keys
        ),
    )


def _access_key_presented(key: AccessKey, _: Any) -> Sequence[StoredToken]:
    return (SecretToken(key.account_id, key.access_key_id, key.holder, key.sealed_secret),)


def _password_presented(
    profile: LoginProfile, user_id: Callable[[LoginProfile], str]
) -> Sequence[StoredToken]:
    whose = ROOT_HOLDER if profile.member == ROOT_USER else user_id(profile)
    return (PasswordToken(profile.account_id, whose, profile.sealed_password),)


def _store_presented(store: CustomKeyStore, _: Any) -> Sequence[StoredToken]:
    if not store.sealed_secret:
        return ()
    return (
        StoreSecretToken(
            store.account_id,
            store.region,
            store.key_store_id,
            PROXY if store.is_external else PASSWORD,
            store.proxy.access_key_id if store.proxy is not None else "",
            store.sealed_secret,
        ),
    )


def _one(
    field: str,
    presented: Callable[[Any, Callable[[LoginProfile], str]], Sequence[StoredToken]],
) -> TokenKind:
    """Return the kind of an entity with one token, in this field."""
    return TokenKind(
        lambda entity: (getattr(entity, field),),
        presented,
        lambda entity, tokens: changed(entity, **{field: tokens[0]}),
    )


TOKEN_KINDS: Final[dict[type, TokenKind]] = {
    KmsKey: TokenKind(_key_tokens, _key_presented, _key_replaced),
    AccessKey: _one("sealed_secret", _access_key_presented),
    MfaDevice: _one(
        "sealed_seed", lambda device, _: (SeedToken(device.serial_number, device.sealed_seed),)
    ),
    LoginProfile: _one("sealed_password", _password_presented),
    CustomKeyStore: TokenKind(
        lambda store: (store.sealed_secret,) if store.sealed_secret else (),
        _store_presented,
        lambda store, tokens: changed(store, sealed_secret=tokens[0]),
    ),
    StoredAuditKey: _one("token", lambda key, _: (AuditKeyToken(key.token),)),
}


def tokens_of(entity: Any) -> Sequence[bytes]:
    """Return the tokens in an entity of one of those kinds."""
    return TOKEN_KINDS[type(entity)].tokens(entity)
