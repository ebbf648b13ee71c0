"""The claims inside a session token: identity, times, tags and session policies.

Nothing of it is stored; the client carries it. Source: STS API Reference, AssumeRole; IAM User
Guide, "Revoke IAM role temporary security credentials".
"""

import base64
import binascii
import zlib
from functools import cached_property
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from kagimori.rules.identity.bearer import compile_identity_policy
from kagimori.rules.partitions import AWS
from kagimori.rules.policy.evaluate import CompiledPolicy
from kagimori_boundary.commands.identity import FEDERATED, ROLE, ROOT, ROOT_HOLDER, USER
from kagimori_boundary.replies import OpenedSession

__all__ = ["FEDERATED", "ROLE", "ROOT", "USER", "SessionClaims", "encode_claims", "session_of"]

TOKEN_CHARACTERS_MAX: Final = 16_384


class SessionClaims(Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """The claims of one session. Times are seconds since the epoch.

    `name` and `unique_id` are the user's or role's (empty for the root user); `session_name` is
    the role session's or federated user's. `policies` are the texts of inline session policies,
    `policy_arns` managed ones; `mfa_at` is when a code of an MFA device was given, if one was.
    `generation` is the bearer's when it was made: a later one ends it. `is_sign_in` says that it
    began with a sign-in, and not with an access key.
    """

    kind: str
    partition: str = AWS
    account_id: str
    name: str = ""
    unique_id: str = ""
    session_name: str = ""
    issued_at: float
    expires_at: float
    mfa_at: float | None = None
    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    transitive: tuple[str, ...] = ()
    source_identity: str | None = None
    provider: str | None = None
    subject: str | None = None
    generation: int = 0
    is_sign_in: bool = False
    token: bytes = b""  # the sealed token itself, once it was opened; never sealed again

    @property
    def has_policies(self) -> bool:
        return bool(self.policies or self.policy_arns)

    @cached_property
    def compiled_policies(self) -> tuple[CompiledPolicy, ...]:
        return tuple(compile_identity_policy(text, "session policy") for text in self.policies)

    def inherited_tags(self) -> dict[str, str]:
        """Return the tags that go on to the next session of a chain."""
        return {key: self.tags[key] for key in self.transitive if key in self.tags}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SessionClaims).decode


def encode_claims(session: SessionClaims) -> bytes:
    """Return the encoded, compressed claims that the HSM seals into a session token.

    They lack what the HSM holds to rules of its own and seals beside them.
    """
    rest = replace(session, kind="", account_id="", unique_id="", issued_at=0, expires_at=0)
    return zlib.compress(_encode(rest))


def session_of(opened: OpenedSession, token: bytes) -> SessionClaims:
    """Return the claims of a session whose token the HSM has opened; its word counts."""
    is_root = opened.principal_id == ROOT_HOLDER
    return replace(
        _decode(zlib.decompress(opened.claims)),
        kind=opened.kind,
        account_id=opened.account_id,
        unique_id="" if is_root else opened.principal_id,
        issued_at=opened.issued_at,
        expires_at=opened.expires_at,
        token=token,
    )


def token_text(sealed: bytes) -> str:
    """Return the session token of a sealed session, as text."""
    return base64.b64encode(sealed).decode()


def token_bytes(text: bytes) -> bytes | None:
    """Return the sealed session in a session token; None for any other text."""
    if len(text) > TOKEN_CHARACTERS_MAX:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
