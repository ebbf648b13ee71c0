"""Callers of `kagimori dev`, believed without a signature. NOT SAFE: never part of `serve`."""

import time
from collections.abc import Mapping
from typing import Final

from kagimori.gate.who import TOKEN_HEADER, Who
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.caller import Caller, root_caller
from kagimori.rules.identity.unique_ids import TEMPORARY_ACCESS_KEY
from kagimori.rules.names import ACCOUNT_ID
from kagimori.rules.partitions import partition_of
from kagimori.rules.refusal import Refusal, ValidationException
from kagimori.rules.request import RawRequest
from kagimori.rules.sigv4.claim import Claim, Scope

DEV_ACCOUNT: Final = "000000000000"


class UnverifiedDevCallers(Who):
    """Takes any credentials for those of an account's root user, and verifies nothing.

    An access key id of 12 digits names the account, others are of `DEV_ACCOUNT`. What was made
    through IAM or STS is verified as everywhere.
    """

    async def identify(
        self,
        raw: RawRequest,
        headers: Mapping[bytes, bytes],
        claim: Claim,
        service: str,
        now: float,
    ) -> Caller:
        access_key_id, region = claim.scope.access_key_id, claim.scope.region
        if region not in self.signable(service):
            raise ValidationException(
                f"There is no region '{region}': `kagimori dev` serves the regions that AWS has."
            )
        if await self._is_ours(claim.scope, headers):
            return await super().identify(raw, headers, claim, service, now)
        named = ACCOUNT_ID.fullmatch(access_key_id)
        return root_caller(
            AccessKey(
                access_key_id=access_key_id,
                account_id=access_key_id if named else DEV_ACCOUNT,
                sealed_secret=b"",
                created_at=0.0,
            ),
            partition_of(region).name,
        )

    async def _is_ours(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        token = headers.get(TOKEN_HEADER)
        if token is None or not scope.access_key_id.startswith(TEMPORARY_ACCESS_KEY):
            return await self.access_key_named(scope.access_key_id) is not None
        try:
            await self.opened(scope, token)
        except Refusal:
            return False
        return True

    def signing_time(self, now: float) -> float:
        """Return real time: clients sign by it, however far the server's clock was moved."""
        return time.time()
