"""The newest use of a key is known from the moment it is noted, also while it is being written."""

from kagimori.rules.keys.usage_record import KeyUsageRecord, Usages

KEY = ("111122223333", "eu-central-1", "k1")


def use(operation, at=1.0, version=1):
    account_id, region, key_id = KEY
    return KeyUsageRecord(
        account_id=account_id,
        region=region,
        key_id=key_id,
        operation=operation,
        at=at,
        event_id="e",
        request_id="r",
        version=version,
    )


def test_what_was_taken_is_known_until_the_next_taking():
    usages = Usages()
    usages.note(use("Encrypt"))
    assert usages.take() == [use("Encrypt", version=1000)]
    assert usages.newest(KEY, None) == use("Encrypt")
    usages.note(use("Decrypt"))
    assert usages.newest(KEY, None) == use("Decrypt")
    assert usages.take() == [use("Decrypt", version=1000)]
    assert usages.newest(KEY, None) == use("Decrypt")
    assert usages.take() == []
    assert usages.newest(KEY, None) is None


def test_of_ours_and_what_is_written_the_newer_one_counts():
    usages = Usages()
    assert usages.newest(KEY, use("Sign", at=3.0)) == use("Sign", at=3.0)
    usages.note(use("Encrypt", at=2.0))
    assert usages.newest(KEY, use("Sign", at=3.0)) == use("Sign", at=3.0)
    assert usages.newest(KEY, use("Sign", at=1.0)) == use("Encrypt", at=2.0)
    usages.take()
    assert usages.newest(KEY, use("Sign", at=3.0)) == use("Sign", at=3.0)
