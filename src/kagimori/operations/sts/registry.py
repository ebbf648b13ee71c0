"""The operations of STS."""

from typing import Final

from kagimori.operations.operation import AnyOperation
from kagimori.operations.sts import assume_role, caller_identity, decode, sessions, web_identity

STS_OPERATIONS: Final[tuple[AnyOperation, ...]] = (
    caller_identity.GetCallerIdentity(),
    caller_identity.GetAccessKeyInfo(),
    assume_role.AssumeRole(),
    decode.DecodeAuthorizationMessage(),
    sessions.GetSessionToken(),
    sessions.GetFederationToken(),
    web_identity.AssumeRoleWithWebIdentity(),
)
