"""The newest use of a key is known from the moment it is noted, also while it is being written."""

from kagimori.rules.keys.usage_record import KeyUsageRecord, Usages

KEY = ("111122223333", "eu-central-1", "k1")


def use(operation):
    account_id, region, key_id = KEY
    return KeyUsageRecord(
        account_id=account_id,
        region=region,
        key_id=key_id,
        operation=operation,
        at=1.0,
        event_id="e",
        request_id="r",
    )


def test_what_was_taken_is_known_until_the_next_taking():
    usages = Usages()
    usages.note(use("Encrypt"))
    assert usages.take() == [use("Encrypt")]
    assert usages.newest(KEY) == use("Encrypt")
    usages.note(use("Decrypt"))
    assert usages.newest(KEY) == use("Decrypt")
    assert usages.take() == [use("Decrypt")]
    assert usages.newest(KEY) == use("Decrypt")
    assert usages.take() == []
    assert usages.newest(KEY) is None
