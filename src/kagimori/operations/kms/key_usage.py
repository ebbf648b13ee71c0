"""GetKeyLastUsage: when a key was last used, as far as it has been tracked."""

from typing import Any

from kagimori.entities.tables import KEY_USAGES
from kagimori.gate.asked import Asked
from kagimori.operations.kms.on_key import OnKey
from kagimori.operations.operation import Facts, Outcome
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.keys.usage_record import KeyUsageRecord


class _Usage(Facts):
    usage: Any = None


class GetKeyLastUsage(OnKey):
    read_only = True

    def look_up(self, asked: Asked) -> _Usage:
        facts = super().look_up(asked)
        kms_key: KmsKey = facts.kms_key
        key = (kms_key.account_id, kms_key.region, kms_key.key_id)
        written = asked.view.page(KEY_USAGES, key, None, 1)  # a page: never from memory
        usage = asked.usages.newest(key) or (written[0] if written else None)
        if usage is not None and usage.at < kms_key.created_at:
            usage = None  # of a replica that was here before this one
        return _Usage(facts.needs, kms_key, usage=usage)

    def finish(self, asked: Asked, facts: _Usage, reply: Any) -> Outcome:
        kms_key: KmsKey = facts.kms_key
        usage: KeyUsageRecord | None = facts.usage
        last = {}
        if usage is not None:
            last = {
                "Operation": usage.operation,
                "Timestamp": usage.at,
                "CloudTrailEventId": usage.event_id,
                "KmsRequestId": usage.request_id,
            }
        return Outcome(
            {
                "KeyId": kms_key.key_id,
                "KeyLastUsage": last,
                "TrackingStartDate": asked.settings.tracking_started_at,
                "KeyCreationDate": kms_key.created_at,
            }
        )
