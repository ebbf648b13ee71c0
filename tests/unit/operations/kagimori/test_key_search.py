"""SearchKeys: filters, pages, and nothing that the caller could not see key by key."""

import json

import pytest

from kagimori.entities.tables import ALIASES, KMS_KEYS
from kagimori.operations.kagimori import key_search
from kagimori.operations.together import together
from kagimori.pending import Pending
from kagimori.ports import Absent
from kagimori.rules.keys.kms_key import Alias, KmsKey
from kagimori.rules.keys.states import KeyState
from kagimori.rules.records.refusals import InvalidNextTokenException
from kagimori.rules.refusal import AccessDeniedException
from kit.trial import ACCOUNT, NOW, OTHER, REGION, Trial, allow


def policy_of(account, *more):
    root = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [root, *more]})


class Search(Trial):
    def key(self, key_id, *aliases, account=ACCOUNT, region=REGION, **fields):
        made = KmsKey(
            account_id=account,
            region=region,
            key_id=key_id,
            created_at=NOW,
            **{"key_policy": policy_of(account), **fields},
        )
        self.view.put(KMS_KEYS, made)
        for name in aliases:
            self.view.put(
                ALIASES,
                Alias(
                    account_id=account,
                    region=region,
                    alias_name=f"alias/{name}",
                    target_key_id=key_id,
                    created_at=NOW,
                    updated_at=NOW,
                ),
            )
        return made

    def page(self, **given):
        return self.call("SearchKeys", service="kagimori", **given).answer

    def pages(self, **given):
        """Return the ids on all pages, page by page."""
        found, token = [], None
        while True:
            page = self.page(NextToken=token, **given)
            found.append([one["KeyId"] for one in page["Keys"]])
            token = page.get("NextToken")
            if token is None:
                return found

    def ids(self, **given):
        return [one for page in self.pages(**given) for one in page]


@pytest.fixture
def trial():
    return Search()


@pytest.fixture
def sorts(trial):
    """Keys of every kind."""
    trial.key("k1", "orders", "Old-orders", tags={"team": "shop"}, description="for orders")
    trial.key("k2", "invoices", state=KeyState.DISABLED, tags={"team": "books", "a": "shop"})
    trial.key("k3", key_spec="RSA_4096", key_usage="SIGN_VERIFY")
    trial.key("mrk-1", primary_region=REGION, replica_regions=("eu-west-1",))
    trial.key("mrk-2", primary_region="eu-west-1", replica_regions=(REGION,))
    trial.key("m1", "aws/s3", key_manager="AWS")
    trial.key("k4", origin="EXTERNAL", state=KeyState.PENDING_IMPORT)
    trial.key("foreign", "orders-foreign", account=OTHER)
    trial.key("elsewhere", region="eu-west-1")
    return trial


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["k1", "k2", "k3", "k4", "m1", "mrk-1", "mrk-2"]),
        ({"KeyManager": "AWS"}, ["m1"]),
        ({"KeyManager": "CUSTOMER"}, ["k1", "k2", "k3", "k4", "mrk-1", "mrk-2"]),
        ({"Alias": "ORDERS"}, ["k1"]),
        ({"Alias": "alias/"}, ["k1", "m1", "k2"]),
        ({"Alias": "alias/", "KeyManager": "CUSTOMER"}, ["k1", "k2"]),
        ({"KeyId": "mrk-"}, ["mrk-1", "mrk-2"]),
        ({"KeyId": f"{ACCOUNT}:key/k3"}, ["k3"]),
        ({"KeyState": "Disabled"}, ["k2"]),
        ({"KeyState": "PendingImport", "Origin": "EXTERNAL"}, ["k4"]),
        ({"KeySpec": "RSA_4096"}, ["k3"]),
        ({"KeyUsage": "SIGN_VERIFY"}, ["k3"]),
        ({"RegionKind": "REGIONAL"}, ["k1", "k2", "k3", "k4", "m1"]),
        ({"RegionKind": "PRIMARY"}, ["mrk-1"]),
        ({"RegionKind": "REPLICA"}, ["mrk-2"]),
        ({"TagKey": "team"}, ["k1", "k2"]),
        ({"TagKey": "team", "TagValue": "shop"}, ["k1"]),
        ({"TagValue": "shop"}, ["k1", "k2"]),
        ({"CustomKeyStoreId": "cks-1"}, []),
    ],
)
def test_a_filter_finds_what_fits_and_nothing_else(sorts, given, expected):
    assert sorts.ids(**given) == expected


def test_a_key_is_shown_with_what_lists_show(sorts):
    (found,) = sorts.page(Alias="orders")["Keys"]
    assert found == {
        "KeyId": "k1",
        "Arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k1",
        "Aliases": ["alias/Old-orders", "alias/orders"],
        "Description": "for orders",
        "KeyState": "Enabled",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "RegionKind": "REGIONAL",
        "CreationDate": NOW,
        "Tags": {"team": "shop"},
    }


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("given", [{}, {"Alias": "a"}, {"TagKey": "team"}])
def test_pages_of_any_size_show_each_key_once(sorts, size, given):
    pages = sorts.pages(MaxResults=size, **given)
    assert [one for page in pages for one in page] == sorts.ids(**given)
    assert all(len(page) <= size for page in pages)


@pytest.mark.parametrize("given", [{}, {"Alias": "a"}, {"KeyState": "Enabled"}])
def test_a_search_goes_on_where_a_request_stopped_to_look(sorts, monkeypatch, given):
    whole = sorts.ids(**given)
    monkeypatch.setattr(key_search, "LOOKED_AT_MAX", 2)
    assert sorts.ids(**given) == whole


def test_who_may_not_search_finds_nothing(sorts):
    with pytest.raises(AccessDeniedException):
        sorts.page(by=sorts.user("alice", allow("kms:*")))


def test_a_key_that_the_caller_may_not_describe_is_not_there(trial):
    deny = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "kms:DescribeKey",
        "Resource": "*",
        "Condition": {"StringLike": {"aws:PrincipalArn": "*/alice"}},
    }
    trial.key("k1", "seen")
    trial.key("k2", "hidden", key_policy=policy_of(ACCOUNT, deny))
    alice = trial.user("alice", allow("kagimori:SearchKeys"), allow("kms:*"))
    assert trial.ids(by=alice) == ["k1"]
    assert trial.ids(by=alice, Alias="hidden") == []
    assert trial.ids() == ["k1", "k2"]


def test_tags_and_aliases_are_for_those_who_may_list_them(sorts):
    alice = sorts.user("alice", allow("kagimori:SearchKeys"), allow("kms:DescribeKey"))
    first = sorts.page(by=alice)["Keys"][0]
    assert (first["KeyId"], first["Aliases"], "Tags" in first) == ("k1", [], False)
    assert sorts.ids(by=alice, TagKey="team") == []
    assert sorts.ids(by=alice, TagValue="shop") == []
    assert sorts.ids(by=alice, Alias="orders") == []


def test_an_account_finds_its_own_keys_alone(sorts):
    other = sorts.user("bob", allow("*"), account=OTHER)
    assert sorts.ids(by=other) == ["foreign"]
    assert sorts.ids(by=sorts.root(OTHER), Alias="orders") == ["foreign"]


def test_a_token_of_another_search_or_account_is_refused(sorts):
    token = sorts.page(MaxResults=1)["NextToken"]
    for given in ({"Alias": "a"}, {"by": sorts.root(OTHER)}, {"region": "eu-west-1"}):
        with pytest.raises(InvalidNextTokenException):
            sorts.page(NextToken=token, **given)


def test_a_page_costs_the_same_however_many_keys_there_are(trial):
    def looks(count):
        for number in range(count):
            trial.key(f"k{number:05}", f"name-{number:05}")
        before = trial.view.looks
        assert len(trial.page(MaxResults=50)["Keys"]) == 50
        return trial.view.looks - before

    assert looks(60) == looks(2_000)


def test_a_page_ends_when_judging_takes_too_many_steps(trial):
    for number in range(12):
        trial.key(f"k{number:02}")
    alice = trial.user("alice", allow("kagimori:SearchKeys"), allow("kms:*"))
    whole = trial.ids(by=alice)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_search, "_STEPS_MAX", 1)
        pages = trial.pages(by=alice)
    assert [one for page in pages for one in page] == whole
    assert len(pages) > 1


def test_what_is_absent_in_many_looks_is_loaded_at_once():
    there, loads = set(), []

    def look(name):
        def load():
            pending = Pending()
            loads.append((name, pending))
            return pending

        if name not in there:
            raise Absent(load)
        return name

    names = ("a", "b", "c")
    with pytest.raises(Absent) as absent:
        together(lambda name=name: look(name) for name in names)
    whole, ended = absent.value.load(), []
    whole.then(lambda: ended.append(True))
    assert [name for name, _ in loads] == list(names)
    for name, pending in loads:
        assert not ended
        there.add(name)
        pending.settle(None)
    assert ended
    assert together(lambda name=name: look(name) for name in names) == list(names)


def test_a_load_that_fails_fails_them_all():
    failing, fine = Pending(), Pending()
    pendings = iter((failing, fine))

    def absent():
        raise Absent(lambda: next(pendings))

    with pytest.raises(Absent) as raised:
        together((absent, absent))
    whole = raised.value.load()
    failing.fail(OSError("disk"))
    fine.settle(None)
    with pytest.raises(OSError, match="disk"):
        whole.result()
