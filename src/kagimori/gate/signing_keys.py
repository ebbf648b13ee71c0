"""Signing keys of access keys, and session tokens opened: asked of the HSM once, then remembered.

No secret access key comes here: the HSM derives the key of one day, region and service, and opens
the tokens that it has sealed. What is not known yet raises `Absent`, like what the store must be
asked for.
"""

import hmac
from collections.abc import Callable
from functools import partial
from typing import Final

from msgspec import Struct

from kagimori.pending import Pending
from kagimori.ports import Absent, Ask, KeyHolder
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.session import SessionClaims, session_of, token_bytes
from kagimori.rules.refusal import (
    ExpiredTokenException,
    KMSInternalException,
    Refusal,
    ThrottlingException,
    UnrecognizedClientException,
)
from kagimori.rules.sigv4.claim import Scope
from kagimori_boundary.commands import Command, DeriveSigningKey, OpenSession
from kagimori_boundary.replies import Bytes, Failed, Failure, OpenedSession, Reply

REMEMBERED_MAX: Final = 10_000
REFUSED_MAX: Final = 1_000
INVALID: Final = "The security token included in the request is invalid."
EXPIRED: Final = "The security token included in the request is expired"


class OpenToken(Struct, frozen=True, gc=False):
    """A session token that the HSM has opened, with the signing key of one scope."""

    session: SessionClaims
    signing_key: hmac.HMAC


class SigningKeys:
    """Remembers signing keys (HMAC-SHA-256, keyed) and opened session tokens."""

    def __init__(self, key_holder: KeyHolder) -> None:
        self._key_holder = key_holder
        self._derived: dict[Scope, tuple[bytes, hmac.HMAC]] = {}
        self._tokens: dict[tuple[Scope, bytes], OpenToken] = {}
        self._refused: set[tuple[Scope, bytes]] = set()

    def of_access_key(self, scope: Scope, access_key: AccessKey) -> hmac.HMAC:
        """Return the signing key of an access key.

        Raises:
            Absent: not derived yet.
        """
        known = self._derived.get(scope)
        if known is not None and known[0] is access_key.sealed_secret:
            return known[1]
        command = DeriveSigningKey(
            access_key.account_id,
            access_key.access_key_id,
            access_key.holder,
            access_key.sealed_secret,
            scope.date,
            scope.region,
            scope.service,
        )
        keep = partial(self._keep_key, scope, access_key.sealed_secret)
        raise Absent(partial(self._ask, command, keep))

    def opened(self, scope: Scope, token: bytes) -> OpenToken:
        """Return an opened session token; the HSM refuses one that it did not make for this key.

        Raises:
            UnrecognizedClientException: not a token, or another access key's.
            Absent: not opened yet.
        """
        known = self._tokens.get((scope, token))
        if known is not None:
            return known
        sealed = None if (scope, token) in self._refused else token_bytes(token)
        if sealed is None:
            raise UnrecognizedClientException(INVALID)
        command = OpenSession(scope.access_key_id, sealed, scope.date, scope.region, scope.service)
        raise Absent(partial(self._ask, command, partial(self._keep_token, scope, token, sealed)))

    def forget(self) -> None:
        """Forget all of them; the HSM is asked again."""
        self._derived.clear()
        self._tokens.clear()

    def _ask(self, command: Command, keep: Callable[[Reply], None]) -> Pending[None]:
        """Settle once the HSM's reply is kept; fail as `keep` does."""
        loaded: Pending[None] = Pending()
        asked = self._key_holder.perform(Ask(None, command))
        asked.then(partial(_take, asked, keep, loaded))
        return loaded

    def _keep_key(self, scope: Scope, sealed_secret: bytes, reply: Reply) -> None:
        if not isinstance(reply, Bytes):
            raise _refusal(reply)
        if len(self._derived) >= REMEMBERED_MAX:
            self._derived.clear()
        self._derived[scope] = (sealed_secret, hmac.new(reply.value, digestmod="sha256"))

    def _keep_token(self, scope: Scope, token: bytes, sealed: bytes, reply: Reply) -> None:
        if isinstance(reply, Failed) and reply.failure is Failure.INVALID_TOKEN:
            # Remembered apart, so that no flood of them costs the others.
            if len(self._refused) >= REFUSED_MAX:
                self._refused.clear()
            self._refused.add((scope, token))
            return
        if not isinstance(reply, OpenedSession):
            raise _refusal(reply)
        if len(self._tokens) >= REMEMBERED_MAX:
            self._tokens.clear()
        session = session_of(reply, sealed)
        signing_key = hmac.new(reply.signing_key, digestmod="sha256")
        self._tokens[(scope, token)] = OpenToken(session, signing_key)


def _take(asked: Pending[Reply], keep: Callable[[Reply], None], loaded: Pending[None]) -> None:
    try:
        keep(asked.result())
    except Exception as failure:  # noqa: BLE001 - whoever waits must hear of it
        loaded.fail(failure)
    else:
        loaded.settle(None)


def _refusal(reply: Reply) -> Refusal:
    """Return the refusal for a caller to whom the HSM gives no signing key."""
    failure = reply.failure if isinstance(reply, Failed) else None
    if failure is Failure.EXPIRED_TOKEN:
        return ExpiredTokenException(EXPIRED)
    if failure is Failure.TOO_OFTEN:
        return ThrottlingException("Rate exceeded")
    return KMSInternalException()
