"""Authenticates requests: verifies the signature and finds the caller.

Looks only at what is in memory; what is not raises `Absent`, and the path has it loaded and asks
again from the start.
"""

import hmac
from collections.abc import Callable
from math import inf
from typing import Final

from msgspec import Struct

from kagimori.entities.tables import ACCESS_KEYS
from kagimori.front.received import Received
from kagimori.gate.acting_for import acting, forwarded_by
from kagimori.gate.callers import Callers
from kagimori.gate.signing_keys import EXPIRED, INVALID, REMEMBERED_MAX, SigningKeys
from kagimori.ports import CountingView, KeyHolder
from kagimori.rules.identity.account import AccessKey, AccessKeyUse
from kagimori.rules.identity.caller import Caller
from kagimori.rules.identity.session import ROLE, SessionClaims
from kagimori.rules.partitions import GLOBAL_SERVICES, partition_of, signable_regions
from kagimori.rules.refusal import ExpiredTokenException, UnrecognizedClientException
from kagimori.rules.sigv4.claim import Claim, Scope
from kagimori.rules.sigv4.verify import check_claim, verify

# How often the newest use of an access key or role is written down.
USE_SECONDS: Final = 60.0
TOKEN_HEADER: Final = b"x-amz-security-token"

# An access key, or what an opened session token says: what a signature was made with.
Credential = AccessKey | SessionClaims


class Known(Struct, frozen=True):
    """One whose signature has held: good while the store is as it was at `epoch`, and `until` then.

    A signature is verified for every request; who a valid one belongs to is found only once.
    """

    epoch: int
    signing_key: hmac.HMAC
    caller: Caller
    until: float = inf


class Who:
    """Verifies signatures, and says whose they are."""

    def __init__(
        self,
        view: CountingView,
        key_holder: KeyHolder,
        regions: frozenset[str],
        on_use: Callable[[AccessKeyUse], None] = lambda _: None,
        *,
        is_first: Callable[[str, float], bool],
    ) -> None:
        self._view = view
        self._served = regions
        self._regions = {service: signable_regions(service, regions) for service in GLOBAL_SERVICES}
        self._on_use = on_use
        self._is_first = is_first
        self._callers = Callers(view)
        self._signing_keys = SigningKeys(key_holder)
        self._known: dict[tuple[Scope, bytes | None], Known] = {}
        self._used_at: dict[Scope | str, float] = {}

    def forget(self) -> None:
        """Forget signing keys and sessions: the HSM is sealed, so that nobody is served."""
        self._signing_keys.forget()
        self._known.clear()

    def identify(
        self, received: Received, claim: Claim, now: float, signing_time: float | None = None
    ) -> Caller:
        """Return the caller; the signature is judged by the time of signing, if it is not `now`.

        Raises:
            InvalidSignatureException, IncompleteSignatureException: not signed for here and now.
            UnrecognizedClientException: no such access key or session, or not in use.
            ExpiredTokenException: the session is over.
            Absent: not in memory yet.
        """
        headers, scope, service = received.headers, claim.scope, received.service
        regions = self._regions.get(service, self._served)
        at = now if signing_time is None else signing_time
        date = check_claim(claim, headers, service=service, regions=regions, now=at)
        presigned = claim.presigned
        token = headers.get(TOKEN_HEADER) if presigned is None else presigned.security_token
        known = self._known.get((scope, token))
        if known is not None and known.epoch == self._view.epoch and now < known.until:
            verify(received.raw, claim, headers, date, known.signing_key)
            caller = known.caller
        else:
            signing_key, credential = self._credential(scope, token, now)
            verify(received.raw, claim, headers, date, signing_key)
            caller = self._owner(scope, credential)
            until = inf if isinstance(credential, AccessKey) else credential.expires_at
            self._remember(scope, token, Known(self._view.epoch, signing_key, caller, until))
        if token is not None or now - self._used_at.get(scope, 0.0) >= USE_SECONDS:
            self._note_use(scope, caller, now)
        if caller.service is None:
            return caller
        shown = forwarded_by(caller, caller.service, received, claim, at)
        if isinstance(shown, Caller):
            return shown
        scope, token = shown.claim.scope, shown.security_token
        signing_key, credential = self._credential(scope, token, now)
        shown.check_signature(signing_key)
        behind = self._owner(scope, credential)
        self._note_use(scope, behind, now)
        return acting(behind, caller.service, shown, self._is_first)

    def _credential(
        self, scope: Scope, token: bytes | None, now: float
    ) -> tuple[hmac.HMAC, Credential]:
        """Return the signing key of an access key or session, and what it belongs to."""
        if token is not None:
            opened = self._signing_keys.opened(scope, token)
            if now >= opened.session.expires_at:
                raise ExpiredTokenException(EXPIRED)
            return opened.signing_key, opened.session
        access_key = self._view.one(ACCESS_KEYS, (scope.access_key_id,))
        if access_key is None or not access_key.active:
            raise UnrecognizedClientException(INVALID)
        return self._signing_keys.of_access_key(scope, access_key), access_key

    def _owner(self, scope: Scope, credential: Credential) -> Caller:
        """Return whose credential it is, whose signature has been found to hold."""
        if isinstance(credential, AccessKey):
            caller = self._callers.of_access_key(credential, partition_of(scope.region).name)
        else:
            caller = self._callers.of_session(scope.access_key_id, credential)
        if caller is None:  # the user or role is gone, and with it what was made of it
            raise UnrecognizedClientException(INVALID)
        return caller

    def _remember(self, scope: Scope, token: bytes | None, known: Known) -> None:
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[scope, token] = known

    def _note_use(self, scope: Scope, caller: Caller, now: float) -> None:
        """Write down that an access key or, by its unique id, a role was used, if that is due."""
        session = caller.session
        if session is not None and session.kind != ROLE:
            return
        used = scope if session is None else session.unique_id
        if now - self._used_at.get(used, 0.0) < USE_SECONDS:
            return
        if len(self._used_at) >= REMEMBERED_MAX:
            self._used_at.clear()
        self._used_at[used] = now
        self._on_use(
            AccessKeyUse(
                access_key_id=scope.access_key_id if session is None else session.unique_id,
                at=now,
                region=scope.region,
                service=scope.service,
                version=round(now * 1000),
            )
        )
