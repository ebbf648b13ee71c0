"""The commands of a token process, which holds the connection to a PKCS#11 token.

It speaks the protocol of the HSM, and takes those of the HSM's commands that a token can perform.
A bound token names a key there by its account, key id and material id; its key token is only a
mark (`TOKEN_MARK`), since nothing of such a key exists outside.
"""

from typing import ClassVar, Final

from kagimori_boundary.commands.command import OPERATOR_ALONE, HsmCommand, Role
from kagimori_boundary.commands.control import Hello
from kagimori_boundary.commands.keep import GenerateKey
from kagimori_boundary.commands.use import (
    Decrypt,
    Encrypt,
    GenerateDataKey,
    GenerateRandom,
    ReEncrypt,
)

# The key token of a key in a PKCS#11 token. It begins like no token of a domain key.
TOKEN_MARK: Final = b"\x02PKCS#11"


class ConnectToken(HsmCommand, frozen=True, tag=90):
    """Log in to the token, unless that is done; answers `TokenConnection`.

    `password` is held against the PIN that the process has; an empty one is not.
    """

    password: str = ""


class DestroyTokenKey(HsmCommand, frozen=True, tag=91):
    """Destroy the key in the token; success if it is not there (any more)."""

    bound_token: bytes


class WrapSecret(HsmCommand, frozen=True, tag=92):
    """Wrap a secret of the HSM with a key in the token that is for this purpose alone.

    The key is made at the first use. The purpose is authenticated.
    """

    roles: ClassVar[frozenset[Role]] = OPERATOR_ALONE

    purpose: str
    secret: bytes


class UnwrapSecret(HsmCommand, frozen=True, tag=93):
    """Unwrap a secret that was wrapped for this purpose."""

    roles: ClassVar[frozenset[Role]] = OPERATOR_ALONE

    purpose: str
    wrapped: bytes


TokenCommand = (
    Hello
    | GenerateKey
    | Encrypt
    | Decrypt
    | ReEncrypt
    | GenerateDataKey
    | GenerateRandom
    | ConnectToken
    | DestroyTokenKey
    | WrapSecret
    | UnwrapSecret
)
