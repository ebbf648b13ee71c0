"""GetKeyLastUsage: when a key was last used, as far as it has been tracked."""

from kagimori.entities.tables import KEY_USAGES
from kagimori.gate.asked import Asked, Request
from kagimori.operations.kms.on_key import AboutKey, KeyFacts
from kagimori.operations.operation import Outcome
from kagimori.rules.keys.usage_record import KeyUsageRecord


class LastUsage(KeyFacts):
    """The key's newest use; None if there is none."""

    usage: KeyUsageRecord | None = None


class GetKeyLastUsage(AboutKey[LastUsage, None]):
    read_only = True

    def look_up(self, asked: Asked) -> LastUsage:
        found = self.found(asked)
        return LastUsage(found.needs, kms_key=found.kms_key)

    def read(self, asked: Asked, facts: LastUsage) -> LastUsage:
        kms_key = facts.kms_key
        key = (kms_key.account_id, kms_key.region, kms_key.key_id)
        written = asked.view.page(KEY_USAGES, key, None, 1)  # a page: never from memory
        usage = asked.usages.newest(key, written[0] if written else None)
        if usage is not None and usage.at < kms_key.created_at:
            usage = None  # of a replica that was here before this one
        return LastUsage(facts.needs, kms_key=kms_key, usage=usage)

    def finish(self, asked: Request, facts: LastUsage, reply: None) -> Outcome:
        kms_key = facts.kms_key
        usage = facts.usage
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
