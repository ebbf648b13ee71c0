"""What an account may see of the store, and that nothing handed out goes without a permission."""

import pytest

from kagimori.entities.identity_tables import ACCESS_KEY_USES, ACCESS_KEYS, USERS
from kagimori.entities.tables import ALIASES, GRANTS, KMS_KEYS, TABLES
from kagimori.gate.account_view import AccountView
from kagimori.gate.asked import Asked, Need, Settings
from kagimori.gate.may_they import NotNamed, authorize_all
from kagimori.rules.identity.account import AccessKey, AccessKeyUse
from kagimori.rules.identity.caller import root_caller
from kagimori.rules.keys.kms_key import Alias, KmsKey
from kagimori.rules.request import Call, RawRequest

OURS, THEIRS, REGION = "111122223333", "444455556666", "eu-central-1"
THEIR_KEY = (THEIRS, REGION, "mrk-1")


class Everything:
    """A store that has what it was made with, by key and by group."""

    def __init__(self, *entities):
        self.entities = entities

    def one(self, table, key):
        return next(iter(self.page(table, key, None, 1)), None)

    def group(self, table, group, values):
        return self.page(table, values, None, 100, group)

    def page(self, table, prefix, after, limit, group=None):
        fields = (table.groups[group] if group else table.key)[: len(prefix)]
        return [
            one
            for one in self.entities
            if isinstance(one, table.entity)
            and tuple(getattr(one, field) for field in fields) == prefix
        ]

    def count(self, table, group, values):
        return len(self.group(table, group, values))


def key(account_id):
    return KmsKey(
        account_id=account_id, region=REGION, key_id="mrk-1", created_at=0.0, key_policy="{}"
    )


def alias(account_id):
    return Alias(
        account_id=account_id,
        region=REGION,
        alias_name="alias/a",
        target_key_id="mrk-1",
        created_at=0.0,
        updated_at=0.0,
    )


def access_key(account_id, name):
    return AccessKey(access_key_id=name, account_id=account_id, sealed_secret=b"", created_at=0.0)


@pytest.fixture
def view():
    return AccountView(
        Everything(
            key(OURS),
            key(THEIRS),
            alias(OURS),
            alias(THEIRS),
            access_key(OURS, "AKIAOURS"),
            access_key(THEIRS, "AKIATHEIRS"),
            AccessKeyUse(access_key_id="AKIATHEIRS", at=1.0, region=REGION, service="kms"),
        ),
        OURS,
    )


@pytest.mark.parametrize(
    ("table", "ours", "theirs"),
    [
        (KMS_KEYS, (OURS, REGION, "mrk-1"), THEIR_KEY),
        (ALIASES, (OURS, REGION, "alias/a"), (THEIRS, REGION, "alias/a")),
        (ACCESS_KEYS, ("AKIAOURS",), ("AKIATHEIRS",)),
    ],
)
def test_what_is_anothers_is_not_there(view, table, ours, theirs):
    assert view.one(table, ours).account_id == OURS
    assert view.one(table, theirs) is None
    assert view.whole.one(table, theirs).account_id == THEIRS


def test_no_group_page_or_count_of_any_table_has_what_is_anothers(view):
    for table in TABLES.values():
        for group, fields in table.groups.items():
            values = (THEIRS, REGION, "mrk-1", "x")[: len(fields)]
            assert not view.group(table, group, values)
            assert not view.page(table, values, None, 10, group)
            assert view.count(table, group, values) == 0
        assert not list(view.page(table, (THEIRS,), None, 10))
    assert not view.page(ACCESS_KEY_USES, ("AKIATHEIRS",), None, 1)


def test_a_key_that_was_handed_out_shows_what_stands_on_it_and_nothing_else(view):
    view.hand_out(THEIR_KEY, "as named")
    assert view.named_as(key(THEIRS)) == "as named"
    assert view.named_as(key(OURS)) is None
    assert view.one(KMS_KEYS, THEIR_KEY) is not None
    assert view.one(ALIASES, (THEIRS, REGION, "alias/a")) is None
    assert view.group(GRANTS, "by_key", THEIR_KEY) == []
    assert not view.group(USERS, "by_account", (THEIRS,))


def asked(view):
    raw = RawRequest("r", b"POST", b"/", (), b"", "127.0.0.1", None)
    caller = root_caller(access_key(OURS, "AKIAOURS"), "aws")
    call = Call("kms", "ListAliases", REGION, None)
    return Asked(call, caller, raw, 0.0, Settings(), view, lambda: "")


@pytest.mark.parametrize("needs", [(), (Need("kms:ListAliases"),), (Need("kms:X", key(OURS)),)])
def test_nobody_goes_on_with_a_foreign_key_that_no_need_names(view, needs):
    view.hand_out(THEIR_KEY, "as named")
    with pytest.raises(NotNamed):
        authorize_all(asked(view), needs)


def test_nobody_goes_on_with_a_foreign_role_that_no_need_assumes(view):
    arn = f"arn:aws:iam::{THEIRS}:role/r"
    view.hand_out((arn,), arn)
    with pytest.raises(NotNamed):
        authorize_all(asked(view), (Need("iam:GetRole", resource=arn),))
