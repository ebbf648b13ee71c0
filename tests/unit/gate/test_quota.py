"""Requests are counted once, against the account that asks, and shared among its principals."""

import pytest

from kagimori.entities.tables import ACCOUNT_QUOTAS
from kagimori.gate import quota
from kagimori.gate.asked import Need
from kagimori.gate.quota import Quotas, quotas_of
from kagimori.machinery.quota_counts import QuotaCounts, make_counts
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.caller import root_caller
from kagimori.rules.quotas.account_quotas import AccountQuotas
from kagimori.rules.quotas.profile import AWS, OFF, OPEN
from kagimori.rules.quotas.rates import BadRate, read_rates
from kagimori.rules.refusal import ThrottlingException
from kit.trial import ACCOUNT, OTHER, REGION, Trial

NOW = 1000.0
ALLOWED = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.fixture
def trial():
    return Trial()


class Asking:
    """A request on its way: what `Progress` has, as far as quotas look at it."""

    def __init__(self, caller, name="CreateKey", *, service="kms", read_only=False, call=None):
        self.caller, self.name, self.service = caller, name, service
        self.region, self.read_only, self.call = REGION, read_only, call
        self.counted = None


def admitted(quotas, caller, times=1000, needs=(), now=NOW, **asking):
    """Return how many requests of a caller are admitted."""
    count = 0
    for _ in range(times):
        try:
            quotas.admit(Asking(caller, **asking), needs, now)
        except ThrottlingException:
            continue
        count += 1
    return count


def root_of(account):
    return root_caller(
        AccessKey(access_key_id="AKIA", account_id=account, sealed_secret=b"", created_at=0.0),
        "aws",
    )


def need(key_spec, store=None, account=ACCOUNT):
    class Key:
        pass

    Key.key_spec, Key.custom_key_store_id, Key.account_id = key_spec, store, account
    return Need("kms:Sign", kms_key=Key)


def test_an_account_is_throttled_beyond_its_rate_and_another_is_not(trial):
    quotas = Quotas(AWS, {}, trial.view)
    alice, mallory = trial.user("alice", ALLOWED), trial.user("mallory", ALLOWED, account=OTHER)
    assert admitted(quotas, mallory) == 6  # a second's worth at once
    assert admitted(quotas, alice) == 6
    assert quotas.throttled == {"CreateKey": 2 * 994}


def test_a_noisy_principal_leaves_room_for_another(trial):
    quotas = Quotas(AWS, {}, trial.view)
    noisy, quiet = trial.user("mallory", ALLOWED), trial.user("alice", ALLOWED)
    for turn in range(200):
        admitted(quotas, noisy, 5, now=NOW + turn * 0.1)
    assert admitted(quotas, quiet, 2, now=NOW + 20.0) == 2


def test_a_request_counts_once_however_often_it_is_decided(trial):
    quotas, asking = Quotas(AWS, {}, trial.view), Asking(trial.user("alice", ALLOWED))
    for _ in range(100):
        quotas.admit(asking, (), NOW)
    assert admitted(quotas, asking.caller) == 5


def test_what_was_counted_without_its_key_is_counted_by_the_key_instead(trial):
    quotas = Quotas(
        AWS,
        {"CryptographicOperationsSymmetric": 5.0, "CryptographicOperationsRsa": 2.0},
        trial.view,
    )
    caller = trial.user("alice", ALLOWED)
    asking = Asking(caller, "Sign")
    quotas.admit(asking, (), NOW)
    quotas.admit(asking, (need("RSA_2048"),), NOW)
    assert admitted(quotas, caller, name="GenerateRandom") == 6
    assert admitted(quotas, caller, name="Sign", needs=(need("RSA_2048"),)) == 2


def test_a_request_with_two_kinds_of_keys_counts_in_both_groups_or_in_none(trial):
    quotas = Quotas(
        AWS,
        {"CryptographicOperationsSymmetric": 50.0, "CryptographicOperationsRsa": 2.0},
        trial.view,
    )
    caller = trial.user("alice", ALLOWED)
    both = (need("SYMMETRIC_DEFAULT"), need("RSA_2048"))
    assert admitted(quotas, caller, name="ReEncrypt", needs=both) == 3
    assert admitted(quotas, caller, name="Encrypt", needs=both[:1]) == 48


def test_a_custom_key_store_has_one_quota_for_all_its_callers(trial):
    quotas = Quotas(AWS, {"CustomKeyStore": 20.0}, trial.view)
    alice, mallory = trial.user("alice", ALLOWED), trial.user("mallory", ALLOWED, account=OTHER)
    in_store = {"name": "Encrypt", "needs": (need("SYMMETRIC_DEFAULT", "cks-1"),)}
    assert admitted(quotas, alice, **in_store) == 21
    assert 0 < admitted(quotas, mallory, **in_store) < 21
    other = {"name": "Encrypt", "needs": (need("SYMMETRIC_DEFAULT", "cks-2"),)}
    assert admitted(quotas, alice, **other) == 21
    assert admitted(quotas, alice, name="Encrypt", needs=(need("SYMMETRIC_DEFAULT"),)) == 1000
    described = {"name": "DescribeKey", "read_only": True, "needs": in_store["needs"]}
    assert admitted(quotas, alice, **described) == 1000


def test_without_a_caller_nothing_is_counted(trial):
    quotas = Quotas(AWS, {}, trial.view)
    for _ in range(1000):
        quotas.admit(Asking(None), (), NOW)
    assert not quotas.throttled
    assert admitted(quotas, trial.user("alice", ALLOWED)) == 6


def test_a_data_key_pair_is_counted_by_the_spec_that_is_asked_for(trial):
    quotas, caller = Quotas(AWS, {}, trial.view), trial.user("alice", ALLOWED)
    call = trial.asked("GenerateDataKeyPair", KeyId="k", KeyPairSpec="RSA_4096").call
    asked = {"name": "GenerateDataKeyPair", "needs": (need("SYMMETRIC_DEFAULT"),)}
    assert admitted(quotas, caller, call=call, **asked) == 2
    small = trial.asked("GenerateDataKeyPair", KeyId="k", KeyPairSpec="RSA_2048").call
    assert admitted(quotas, caller, call=small, **asked) == 21


def test_large_simulations_are_throttled_before_small_ones(trial):
    large = {"PolicyInputList": [], "ActionNames": ["kms:Sign"] * 1000, "ResourceArns": ["r"] * 9}
    small = {"PolicyInputList": [], "ActionNames": ["kms:Sign"]}
    counts = []
    for members in (large, small):
        call = trial.asked("SimulateCustomPolicy", service="iam", **members).call
        asked = {"name": "SimulateCustomPolicy", "service": "iam", "call": call}
        caller = trial.user("alice", ALLOWED)
        quotas = Quotas(OPEN, {}, trial.view)
        counts.append(admitted(quotas, caller, read_only=True, **asked))
    assert counts == [6, 401]


def test_other_accounts_and_principals_take_no_more_memory_than_there_is(trial, monkeypatch):
    monkeypatch.setattr(quota, "BUCKETS_MAX", 8)
    monkeypatch.setattr(quota, "REMEMBERED_MAX", 8)
    quotas = Quotas(AWS, {}, trial.view)
    for number in range(100):
        account = f"{number:012}"
        assert admitted(quotas, root_of(account), 3) > 0 or number > 8
    assert len(quotas._buckets) <= 9
    assert len(quotas._known) <= 8
    assert len(quotas._cells) <= 8
    assert admitted(quotas, root_of("999999999999"), 3, now=NOW + 60) == 3


def test_off_counts_nothing(trial):
    assert quotas_of(OFF, {}, trial.view) is None
    assert quotas_of(OPEN, {}, trial.view) is not None


def test_own_numbers_count_instead_of_those_of_the_profile(trial):
    quotas = Quotas(OPEN, read_rates(OPEN, ("Changes=3",)), trial.view)
    assert admitted(quotas, trial.user("alice", ALLOWED)) == 4


@pytest.mark.parametrize(
    ("profile", "text"),
    [(AWS, "Changs=3"), (AWS, "CreateKey"), (AWS, "CreateKey=x"), (AWS, "CreateKey=nan"),
     (AWS, "CreateKey=0"), (AWS, "CreateKey=-1"), (AWS, "CreateKey=inf"), (OPEN, "CreateKey=1"),
     ("none", ""), ("", "")],
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused(profile, text):
    with pytest.raises(BadRate):
        read_rates(profile, (text,))


def test_the_own_numbers_of_an_account_count_first_and_from_the_next_request_on(trial):
    quotas = Quotas(AWS, {"CreateKey": 9.0}, trial.view)
    caller = trial.user("alice", ALLOWED)
    assert admitted(quotas, caller) == 10
    own = AccountQuotas(account_id=ACCOUNT, region=REGION, rates={"CreateKey": 90.0})
    trial.view.put(ACCOUNT_QUOTAS, own)
    assert admitted(quotas, caller, now=NOW + 60) in (90, 91)
    trial.view.put(ACCOUNT_QUOTAS, AccountQuotas(account_id=ACCOUNT, region="eu-west-1"))
    assert admitted(quotas, caller, now=NOW + 120) in (90, 91)


# --- workers --------------------------------------------------------------------------------------


def workers(folder, number):
    make_counts(folder / "quotas", number)
    return [QuotaCounts(folder / "quotas", place, number) for place in range(number)]


def test_workers_keep_one_rate_together(trial, tmp_path):
    caller = trial.user("alice", ALLOWED)
    shared = workers(tmp_path, 3)
    quotas = [Quotas(AWS, {"CreateKey": 50.0}, trial.view, one) for one in shared]
    total = 0
    for turn in range(1000):
        for one in quotas:
            total += admitted(one, caller, 1, now=NOW + turn * 0.01)
    assert total == pytest.approx(50 * 10 + 50, rel=0.1)
    for one in shared:
        one.close()


def test_a_worker_that_was_killed_goes_on_with_the_counts_it_had(trial, tmp_path):
    caller = trial.user("alice", ALLOWED)
    first, second = workers(tmp_path, 2)
    assert admitted(Quotas(AWS, {}, trial.view, first), caller) == 6
    again = QuotaCounts(tmp_path / "quotas", 0, 2)
    assert admitted(Quotas(AWS, {}, trial.view, again), caller) <= 3
    assert admitted(Quotas(AWS, {}, trial.view, second), trial.user("bob", ALLOWED)) > 0
    for one in (first, second, again):
        one.close()


def test_places_are_the_same_for_all_workers_and_come_to_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr("kagimori.machinery.quota_counts.BUCKETS_MAX", 3)
    one, other = workers(tmp_path, 2)
    own, (theirs,), _ = one.of("b")
    own[0] = 7.0
    assert theirs[0] == 0.0
    other.of("a")
    assert other.of("b")[1][0][0] == 7.0
    assert one.of("a") is not None
    assert one.of("c") is not None
    assert one.of("d") is None
    assert other.of("d") is None
    for counts in (one, other):
        counts.close()


def test_counts_of_another_number_of_workers_are_refused(tmp_path):
    make_counts(tmp_path / "quotas", 2)
    with pytest.raises(OSError, match="not for 3 workers"):
        QuotaCounts(tmp_path / "quotas", 0, 3)
