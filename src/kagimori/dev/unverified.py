"""Callers of `kagimori dev`, believed without a signature. NOT SAFE: never part of `serve`."""

import time
from typing import Final

from kagimori.entities.tables import ACCESS_KEYS
from kagimori.front.received import Received
from kagimori.gate.who import TOKEN_HEADER, Who
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.caller import Caller, root_caller
from kagimori.rules.identity.unique_ids import TEMPORARY_ACCESS_KEY
from kagimori.rules.names import ACCOUNT_ID
from kagimori.rules.partitions import partition_of
from kagimori.rules.refusal import UnrecognizedClientException, ValidationException
from kagimori.rules.sigv4.claim import Claim

DEV_ACCOUNT: Final = "000000000000"


class UnverifiedDevCallers(Who):
    """Takes any credentials for those of an account's root user, and verifies nothing.

    An access key id of 12 digits names the account, others are of `DEV_ACCOUNT`. What was made
    through IAM or STS is verified as everywhere, but by real time: clients sign by it, however far
    the clock was moved.
    """

    def identify(
        self, received: Received, claim: Claim, now: float, signing_time: float | None = None
    ) -> Caller:
        access_key_id, region = claim.scope.access_key_id, claim.scope.region
        if region not in self._regions.get(received.service, self._served):
            raise ValidationException(
                f"There is no region '{region}': `kagimori dev` serves the regions that AWS has."
            )
        if self._is_ours(received, claim):
            return super().identify(received, claim, now, signing_time or time.time())
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

    def _is_ours(self, received: Received, claim: Claim) -> bool:
        scope, token = claim.scope, received.headers.get(TOKEN_HEADER)
        if token is None or not scope.access_key_id.startswith(TEMPORARY_ACCESS_KEY):
            return self._view.one(ACCESS_KEYS, (scope.access_key_id,)) is not None
        try:
            self._signing_keys.opened(scope, token)
        except UnrecognizedClientException:
            return False
        return True
