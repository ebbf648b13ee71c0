"""Who asks: the caller whose signature holds on this request.

The signing key of the day comes from the HSM, once for each access key, region and service; the
secret access key never comes here.
"""

import hmac
import time
from collections.abc import Mapping
from typing import Final

from kagimori.ports import Absent, KeyHolder, View
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.caller import Caller, root_caller
from kagimori.rules.names import ACCOUNT_ID
from kagimori.rules.refusal import KMSInternalException, UnrecognizedClientException
from kagimori.rules.request import RawRequest
from kagimori.rules.sigv4.claim import Claim, Scope
from kagimori.rules.sigv4.verify import check_scope, check_time, verify
from kagimori.tables import ACCESS_KEYS
from kagimori_boundary.messages import Bytes, DeriveSigningKey

SIGNING_KEYS_MAX: Final = 10_000
GLOBAL_REGION: Final = "us-east-1"  # IAM's scope, whatever regions are served


class Who:
    """Verifies signatures; remembers signing keys and callers."""

    def __init__(self, view: View, key_holder: KeyHolder, regions: frozenset[str]) -> None:
        self._view = view
        self._key_holder = key_holder
        self._regions = regions
        self._signing_keys: dict[Scope, tuple[bytes, hmac.HMAC]] = {}
        self._callers: dict[str, tuple[AccessKey, Caller]] = {}

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
            UnrecognizedClientException: no such access key, or not in use.
        """
        scope = claim.scope
        regions = frozenset((GLOBAL_REGION,)) if service == "iam" else self._regions
        check_scope(scope, service=service, regions=regions)
        date = check_time(scope, headers, self._signing_time(now))
        access_key = await self._access_key(scope.access_key_id)
        if access_key is None or not access_key.active or b"x-amz-security-token" in headers:
            raise UnrecognizedClientException(
                "The security token included in the request is invalid."
            )
        known = self._signing_keys.get(scope)
        if known is None or known[0] is not access_key.sealed_secret:
            known = await self._derive(scope, access_key)
        verify(raw, claim, headers, date, known[1])
        return self._caller(access_key)

    def _signing_time(self, now: float) -> float:
        """Return the time by which signatures are judged."""
        return now

    async def _access_key(self, access_key_id: str) -> AccessKey | None:
        while True:
            try:
                found: AccessKey | None = self._view.one(ACCESS_KEYS, (access_key_id,))
            except Absent as absent:
                await absent.load()
            else:
                return found

    async def _derive(self, scope: Scope, access_key: AccessKey) -> tuple[bytes, hmac.HMAC]:
        command = DeriveSigningKey(
            access_key.account_id,
            access_key.access_key_id,
            access_key.sealed_secret,
            scope.date,
            scope.region,
            scope.service,
        )
        reply = await self._key_holder.perform(command)
        if not isinstance(reply, Bytes):
            raise KMSInternalException
        if len(self._signing_keys) >= SIGNING_KEYS_MAX:
            self._signing_keys.clear()
        signing_key = hmac.new(reply.value, digestmod="sha256")
        known = self._signing_keys[scope] = (access_key.sealed_secret, signing_key)
        return known

    def _caller(self, access_key: AccessKey) -> Caller:
        known = self._callers.get(access_key.access_key_id)
        if known is not None and known[0] is access_key:
            return known[1]
        caller = root_caller(access_key)
        if len(self._callers) >= SIGNING_KEYS_MAX:
            self._callers.clear()
        self._callers[access_key.access_key_id] = (access_key, caller)
        return caller


class Anyone(Who):
    """For `dev` alone: any credentials are an account's root user; nothing is verified.

    An access key id of 12 digits names the account, others are of 000000000000. An access key
    that exists (made through IAM) is verified as everywhere.
    """

    async def identify(
        self,
        raw: RawRequest,
        headers: Mapping[bytes, bytes],
        claim: Claim,
        service: str,
        now: float,
    ) -> Caller:
        access_key_id = claim.scope.access_key_id
        access_key = await self._access_key(access_key_id)
        if access_key is not None:
            return await super().identify(raw, headers, claim, service, now)
        named = ACCOUNT_ID.fullmatch(access_key_id)
        account_id = access_key_id if named else "000000000000"
        return root_caller(
            AccessKey(
                access_key_id=access_key_id,
                account_id=account_id,
                sealed_secret=b"",
                created_at=0.0,
            )
        )

    def _signing_time(self, now: float) -> float:
        """Return real time: clients sign by it, however far dev's clock was moved."""
        return time.time()
