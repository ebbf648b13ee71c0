"""The quota of keys: customer managed ones in any state, in each account and region."""

import pytest
from msgspec.structs import replace

from kagimori.rules.refusal import LimitExceededException
from kagimori_boundary.replies import NewKey, Tokens
from kit.trial import OTHER, Trial, allow

MOST = 3


class SmallTrial(Trial):
    """Trials in a deployment with few keys."""

    made = 0

    def asked(self, name, **members):
        asked = super().asked(name, **members)
        asked.settings = replace(asked.settings, kms_keys_max=MOST)
        return asked

    def create(self, **members):
        SmallTrial.made += 1
        material = SmallTrial.made.to_bytes(32)
        return self.call("CreateKey", NewKey(material, b"token", b""), **members).answer[
            "KeyMetadata"
        ]


@pytest.fixture
def trial():
    return SmallTrial()


def test_the_last_key_is_made_and_the_next_refused_in_the_words_of_aws(trial):
    for _ in range(MOST):
        trial.create()
    with pytest.raises(LimitExceededException) as refused:
        trial.create()
    assert refused.value.message == (
        "Key quota for this account in this region is 3 but the current usage is 3."
    )


def test_every_state_and_origin_counts(trial):
    keys = [trial.create(), trial.create(), trial.call("CreateKey", Origin="EXTERNAL").answer]
    trial.call("DisableKey", KeyId=keys[0]["KeyId"])
    trial.call("ScheduleKeyDeletion", KeyId=keys[1]["KeyId"])
    with pytest.raises(LimitExceededException):
        trial.call("CreateKey", Origin="EXTERNAL")


def test_aws_managed_keys_do_not_count(trial):
    trial.call("DescribeKey", NewKey(b"m" * 32, b"token", b""), KeyId="alias/aws/s3")
    for _ in range(MOST):
        trial.create()
    trial.call("DescribeKey", NewKey(b"n" * 32, b"token", b""), KeyId="alias/aws/ebs")


def test_accounts_and_regions_have_quotas_of_their_own(trial):
    for _ in range(MOST):
        trial.create()
    trial.create(region="eu-west-1")
    trial.create(by=trial.user("alice", allow("*"), account=OTHER))


def test_a_replica_counts_in_its_region(trial):
    primary = trial.create(MultiRegion=True)["KeyId"]
    for _ in range(MOST):
        trial.create(region="eu-west-1")
    with pytest.raises(LimitExceededException):
        trial.call("ReplicateKey", Tokens([b"token"]), KeyId=primary, ReplicaRegion="eu-west-1")


def test_a_key_more_is_expected_to_fit_when_it_is_kept(trial):
    tried = trial.call("CreateKey", NewKey(b"m" * 32, b"token", b""))
    assert [write.most for write in tried.outcome.writes if hasattr(write, "most")] == [MOST]
