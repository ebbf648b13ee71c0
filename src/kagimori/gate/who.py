"""Authenticates requests: verifies the signature and finds the caller.

The signing key of the day comes from the HSM, once for each access key (or session token), region
and service; no secret access key ever comes here.
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from msgspec import Struct

from kagimori.entities.tables import ACCESS_KEYS
from kagimori.gate.callers import Callers
from kagimori.ports import Absent, Ask, KeyHolder, View
from kagimori.rules.identity.account import AccessKey, AccessKeyUse
from kagimori.rules.identity.caller import Caller, Shown, acting_for, with_source
from kagimori.rules.identity.session import SessionClaims, session_of, token_bytes
from kagimori.rules.partitions import GLOBAL_SERVICES, partition_of, signable_regions
from kagimori.rules.refusal import (
    ExpiredTokenException,
    InvalidSignatureException,
    KMSInternalException,
    Refusal,
    ThrottlingException,
    UnrecognizedClientException,
)
from kagimori.rules.request import RawRequest
from kagimori.rules.sigv4.claim import Claim, Scope
from kagimori.rules.sigv4.forwarded import HEADER, read_forwarded
from kagimori.rules.sigv4.verify import check_lifetime, check_scope, check_time, verify
from kagimori_boundary.commands import DeriveSigningKey, OpenSession
from kagimori_boundary.replies import Bytes, Failed, Failure, OpenedSession, Reply

REMEMBERED_MAX: Final = 10_000
# How often the newest use of an access key is written down.
USE_SECONDS: Final = 60.0
TOKEN_HEADER: Final = b"x-amz-security-token"
INVALID: Final = "The security token included in the request is invalid."
EXPIRED: Final = "The security token included in the request is expired"

T = TypeVar("T")


class OpenToken(Struct, frozen=True, gc=False):
    """A session token that the HSM has opened, with the signing key of one scope."""

    session: SessionClaims
    signing_key: hmac.HMAC


class Who:
    """Verifies signatures; remembers signing keys and opened session tokens."""

    def __init__(
        self,
        view: View,
        key_holder: KeyHolder,
        regions: frozenset[str],
        on_use: Callable[[AccessKeyUse], None] = lambda _: None,
        *,
        is_first: Callable[[str, float], bool],
    ) -> None:
        self._view = view
        self._key_holder = key_holder
        self._regions = {service: signable_regions(service, regions) for service in GLOBAL_SERVICES}
        self._served = regions
        self._on_use = on_use
        self._is_first = is_first
        self._callers = Callers(view)
        self._signing_keys: dict[Scope, tuple[bytes, hmac.HMAC]] = {}
        self._tokens: dict[tuple[Scope, bytes], OpenToken] = {}
        self._used_at: dict[Scope, float] = {}

    async def identify(
        self,
        raw: RawRequest,
        headers: Mapping[bytes, bytes],
        claim: Claim,
        service: str,
        now: float,
    ) -> Caller:
        """Return the caller.

        Raises:
            InvalidSignatureException, IncompleteSignatureException: not signed for here and now.
            UnrecognizedClientException: no such access key or session, or not in use.
            ExpiredTokenException: the session is over.
        """
        scope = claim.scope
        check_scope(scope, service=service, regions=self.signable(service))
        presigned = claim.presigned
        if presigned is None:
            date = check_time(scope, headers, self.signing_time(now))
            token = headers.get(TOKEN_HEADER)
        else:
            date = check_lifetime(scope, presigned, self.signing_time(now))
            token = presigned.security_token
        signing_key, look = await self._credentials(scope, token, now)
        verify(raw, claim, headers, date, signing_key)
        if token is None:
            self._note_use(scope, now)
        caller = await self._known(look)
        if caller.service is not None:
            return await self._of_service(caller, caller.service, headers, claim, now)
        return caller

    async def _credentials(
        self, scope: Scope, token: bytes | None, now: float
    ) -> tuple[hmac.HMAC, Callable[[], Caller | None]]:
        """Return the signing key of an access key or session, and how to look up whose it is."""
        if token is not None:
            opened = await self.opened(scope, token)
            if now >= opened.session.expires_at:
                raise ExpiredTokenException(EXPIRED)
            of_session, access_key_id = self._callers.of_session, scope.access_key_id
            return opened.signing_key, lambda: of_session(access_key_id, opened.session)
        access_key = await self.access_key_named(scope.access_key_id)
        if access_key is None or not access_key.active:
            raise UnrecognizedClientException(INVALID)
        known = self._signing_keys.get(scope)
        if known is None or known[0] is not access_key.sealed_secret:
            known = await self._derive(scope, access_key)
        of_access_key, found = self._callers.of_access_key, access_key
        partition = partition_of(scope.region).name
        return known[1], lambda: of_access_key(found, partition)

    async def _known(self, look: Callable[[], Caller | None]) -> Caller:
        caller = await self._found(look)
        if caller is None:  # the user or role is gone, and with it what was made of it
            raise UnrecognizedClientException(INVALID)
        return caller

    async def _of_service(
        self,
        caller: Caller,
        service: str,
        headers: Mapping[bytes, bytes],
        claim: Claim,
        now: float,
    ) -> Caller:
        """Return whom a service acts for, if it shows a request of theirs; else the service.

        What the service says counts only where its own signature covers it.

        Raises:
            InvalidSignatureException, IncompleteSignatureException: what is shown proves nothing.
        """
        signed = claim.signed_headers.split(";")
        shown = headers.get(HEADER)
        if shown is None:
            return with_source(
                caller,
                _signed(headers, signed, b"x-amz-source-arn"),
                _signed(headers, signed, b"x-amz-source-account"),
            )
        if HEADER.decode() not in signed:
            raise InvalidSignatureException("The forwarded request is not signed by the service.")
        region, signing_time = claim.scope.region, self.signing_time(now)
        forwarded = read_forwarded(shown, service=service, region=region, now=signing_time)
        scope = forwarded.claim.scope
        signing_key, look = await self._credentials(scope, forwarded.security_token, now)
        forwarded.check_signature(signing_key)
        if forwarded.security_token is None:
            self._note_use(scope, now)
        behind = await self._known(look)
        if behind.service is not None:
            raise InvalidSignatureException("A service cannot act for a service.")
        name, signed_at = forwarded.name, forwarded.signed_at
        return acting_for(behind, service, Shown(lambda: self._is_first(name, signed_at)))

    def signable(self, service: str) -> frozenset[str]:
        """Return the regions that requests to a service may be signed for."""
        return self._regions.get(service, self._served)

    def signing_time(self, now: float) -> float:
        """Return the time by which signatures are judged."""
        return now

    async def access_key_named(self, access_key_id: str) -> AccessKey | None:
        found: AccessKey | None = await self._found(
            lambda: self._view.one(ACCESS_KEYS, (access_key_id,))
        )
        return found

    async def _found(self, look: Callable[[], T]) -> T:
        while True:
            try:
                return look()
            except Absent as absent:
                await absent.load()

    async def _derive(self, scope: Scope, access_key: AccessKey) -> tuple[bytes, hmac.HMAC]:
        command = DeriveSigningKey(
            access_key.account_id,
            access_key.access_key_id,
            access_key.holder,
            access_key.sealed_secret,
            scope.date,
            scope.region,
            scope.service,
        )
        reply = await self._key_holder.perform(Ask(None, command))
        if not isinstance(reply, Bytes):
            raise _refusal(reply)
        if len(self._signing_keys) >= REMEMBERED_MAX:
            self._signing_keys.clear()
        signing_key = hmac.new(reply.value, digestmod="sha256")
        known = self._signing_keys[scope] = (access_key.sealed_secret, signing_key)
        return known

    async def opened(self, scope: Scope, token: bytes) -> OpenToken:
        """Return an opened session token; the HSM refuses one that it did not make for this key.

        Raises:
            UnrecognizedClientException: not a token, or another access key's.
        """
        known = self._tokens.get((scope, token))
        if known is not None:
            return known
        sealed = token_bytes(token)
        if sealed is None:
            raise UnrecognizedClientException(INVALID)
        command = OpenSession(scope.access_key_id, sealed, scope.date, scope.region, scope.service)
        reply = await self._key_holder.perform(Ask(None, command))
        if not isinstance(reply, OpenedSession):
            raise _refusal(reply)
        session = session_of(reply, sealed)
        if len(self._tokens) >= REMEMBERED_MAX:
            self._tokens.clear()
        opened = OpenToken(session, hmac.new(reply.signing_key, digestmod="sha256"))
        self._tokens[(scope, token)] = opened
        return opened

    def _note_use(self, scope: Scope, now: float) -> None:
        """Note the use of an access key, once its signature has been found to hold."""
        if now - self._used_at.get(scope, 0.0) < USE_SECONDS:
            return
        if len(self._used_at) >= REMEMBERED_MAX:
            self._used_at.clear()
        self._used_at[scope] = now
        self._on_use(
            AccessKeyUse(
                access_key_id=scope.access_key_id,
                at=now,
                region=scope.region,
                service=scope.service,
            )
        )


def _refusal(reply: Reply) -> Refusal:
    """Return what a caller is told when the HSM gives no signing key."""
    failure = reply.failure if isinstance(reply, Failed) else None
    if failure is Failure.EXPIRED_TOKEN:
        return ExpiredTokenException(EXPIRED)
    if failure is Failure.TOO_OFTEN:
        return ThrottlingException("Rate exceeded")
    if failure is Failure.INVALID_TOKEN:
        return UnrecognizedClientException(INVALID)
    return KMSInternalException()


def _signed(headers: Mapping[bytes, bytes], signed: list[str], name: bytes) -> str | None:
    value = headers.get(name) if name.decode() in signed else None
    return None if value is None else value.decode("latin-1")
