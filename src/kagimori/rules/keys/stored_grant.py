"""Grants as stored, and their grant tokens."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from kagimori.rules.keys.grant import Grant, GrantTerms
from kagimori.rules.names import key_arn, root_arn
from kagimori.rules.partitions import partition_of
from kagimori.rules.refusal import InvalidGrantTokenException


class StoredGrant(Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """One grant on one KMS key.

    `claim` is what no two grants share: CreateGrant again with the same Name is the same grant
    (None without a Name, and in grants made before there were claims). `grantee` and `retiring`
    are as policies name principals: ARNs, unique ids, service names, or 12 digits for an account.
    `grantee_shown` and `retiring_shown` are what the caller wrote.
    """

    account_id: str
    region: str
    key_id: str
    grant_id: str
    version: int = 1
    created_at: float
    name: str = ""
    claim: str | None = None
    grantee: str
    grantee_shown: str
    grantee_is_service: bool = False
    retiring: str | None = None
    retiring_shown: str | None = None
    retiring_is_service: bool = False
    issuing_account: str
    operations: tuple[str, ...]
    encryption_context_equals: dict[str, str] | None = None
    encryption_context_subset: dict[str, str] | None = None
    source_arn: str | None = None

    @cached_property
    def grant(self) -> Grant:
        """The grant as the rules see it."""
        return Grant(
            grant_id=self.grant_id,
            key_arn=key_arn(self.account_id, self.region, self.key_id),
            grantee=self.grantee,
            terms=self.terms,
            issuing_account=self.issuing_account,
            retiring=self.retiring,
            name=self.name,
            created_at=self.created_at,
        )

    @cached_property
    def terms(self) -> GrantTerms:
        return GrantTerms(
            operations=frozenset(self.operations),
            encryption_context_equals=self.encryption_context_equals,
            encryption_context_subset=self.encryption_context_subset,
            source_arn=self.source_arn,
        )

    def claimed(self) -> "StoredGrant":
        """Return the grant with its claim."""
        return replace(self, claim=claim_of(self) if self.name else None)


def claim_of(grant: StoredGrant) -> str:
    """Return a digest (hex, 64) of the parameters by which a repeated CreateGrant is recognised.

    Source: KMS Developer Guide, "Creating grants".
    """
    parts = (
        (grant.account_id, grant.region, grant.key_id),
        (grant.name, grant.grantee, grant.retiring),
        sorted(set(grant.operations)),
        _pairs(grant.encryption_context_equals),
        _pairs(grant.encryption_context_subset),
        grant.source_arn,
    )
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


Party = tuple[str, str]


def parties_of(grant: StoredGrant) -> list[Party]:
    """Return grantee and retiring principal, each as it was written and as it is kept."""
    parties = [(grant.grantee_shown, grant.grantee)]
    if grant.retiring_shown is not None and grant.retiring is not None:
        parties.append((grant.retiring_shown, grant.retiring))
    return parties


def shown_grant(grant: StoredGrant, renamed: Mapping[Party, str]) -> dict[str, Any]:
    """Return a grant as the list operations answer it."""
    constraints = {
        "EncryptionContextEquals": grant.encryption_context_equals,
        "EncryptionContextSubset": grant.encryption_context_subset,
        "SourceArn": grant.source_arn,
    }
    given = {name: value for name, value in constraints.items() if value is not None}
    shown: dict[str, Any] = {
        "KeyId": key_arn(grant.account_id, grant.region, grant.key_id),
        "GrantId": grant.grant_id,
        "Name": grant.name,
        "CreationDate": grant.created_at,
        _member("Grantee", is_service=grant.grantee_is_service): renamed.get(
            (grant.grantee_shown, grant.grantee), grant.grantee_shown
        ),
        "IssuingAccount": root_arn(grant.issuing_account, partition_of(grant.region).name),
        "Operations": list(grant.operations),
    }
    if grant.retiring_shown is not None:
        member = _member("Retiring", is_service=grant.retiring_is_service)
        shown[member] = renamed.get(
            (grant.retiring_shown, grant.retiring or ""), grant.retiring_shown
        )
    if given:
        shown["Constraints"] = given
    return shown


def _pairs(context: dict[str, str] | None) -> list[tuple[str, str]] | None:
    return None if context is None else sorted(context.items())


def _member(role: str, *, is_service: bool) -> str:
    return f"{role}ServicePrincipal" if is_service else f"{role}Principal"


class GrantRef(Struct, frozen=True, array_like=True):
    """The content of a grant token. `nonce` makes the tokens of a grant differ."""

    account_id: str
    region: str
    key_id: str
    grant_id: str
    nonce: str


_VERSION = b"\x01"
_decode = msgspec.msgpack.Decoder(GrantRef).decode


def grant_token(ref: GrantRef) -> str:
    """Return a grant token. It is no secret: it allows nothing beyond the grant."""
    return base64.b64encode(_VERSION + msgspec.msgpack.encode(ref)).decode()


def read_grant_token(token: str) -> GrantRef:
    """Return the content of a grant token.

    Raises:
        InvalidGrantTokenException: not a token of ours.
    """
    try:
        content = base64.b64decode(token, validate=True)
        if content[:1] == _VERSION:
            ref: GrantRef = _decode(content[1:])
            return ref
    except (binascii.Error, ValueError):
        pass
    raise InvalidGrantTokenException("The grant token is not valid.")
