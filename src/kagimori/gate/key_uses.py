"""Uses of KMS keys, noted once a request has succeeded (GetKeyLastUsage shows the newest)."""

from kagimori.gate.asked import Need, Request
from kagimori.rules.keys.usage_record import KeyUsageRecord, Usages
from kagimori.rules.records.copies import owners_event_id


def note_uses(usages: Usages, request: Request, needs: tuple[Need, ...], event_id: str) -> None:
    """Note the use of each key of a request; owners have a copy of the record `event_id`.

    Of another account's principal, a key's owner is shown the account alone.
    """
    principal = request.caller.principal
    asker = principal.account_id
    for need in needs:
        key = need.kms_key
        if key is None:
            continue
        copy = event_id if key.account_id == asker else owners_event_id(event_id, key.account_id)
        usages.note(
            KeyUsageRecord(
                account_id=key.account_id,
                region=key.region,
                key_id=key.key_id,
                operation=request.call.operation,
                at=request.now,
                event_id=copy,
                request_id=request.raw.request_id,
                used_by=principal.arn if asker in (key.account_id, "") else f"account {asker}",
            )
        )
