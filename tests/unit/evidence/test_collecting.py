"""Reports put together from made-up answers: facts, numbers, and what could not be read."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from kagimori_evidence.asking import Refused, collected, collected_async
from kagimori_evidence.collecting import Bounds, report_of
from kagimori_evidence.document import as_html
from kagimori_evidence.key_policies import ADMINISTRATIVE, denies_something, named_administrators

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/k1"
OTHER_KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/k2"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
HOSTILE = "<script>alert(1)</script>"


def days_ago(days):
    return NOW - timedelta(days=days)


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(principal, action, **more):
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*", **more}


def metadata(key_id, **more):
    return {
        "KeyId": key_id,
        "Arn": f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/{key_id}",
        "KeyManager": "CUSTOMER",
        "KeyState": "Enabled",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "Origin": "AWS_KMS",
        "CreationDate": days_ago(400),
        "Description": HOSTILE,
        **more,
    }


class Made:
    """An API of answers by operation, or by operation and the key, user or identity it is about."""

    def __init__(self, **answers):
        self.answers = {
            "GetCallerIdentity": {"Arn": f"arn:aws:iam::{ACCOUNT}:root", "Account": ACCOUNT},
            "GetStatus": {
                "Status": "ready",
                "Version": "1.0",
                "Regions": ["eu-central-1"],
                "EndpointUrl": "https://kms.example",
                "Workers": 2,
                "OperatorAccountId": ACCOUNT,
            },
            "GetHsmStatus": {"State": "OPERATIONAL"},
            "ListNodes": {"Nodes": [{"NodeId": "aaaaaaaaaa", "State": "LIVE"}]},
            "GetDomainStatus": {"Domains": [], "Rewrapping": {"State": "done"}},
            "GetAuditStatus": {
                "Streams": [],
                "UnsignedRecords": 1,
                "Digests": 3,
                "DigestsIntact": True,
            },
            "ListOperators": {"Quorum": 0, "Operators": []},
            "ListApprovals": {"Approvals": []},
            "ListKeys": {"Keys": [{"KeyId": "k1"}, {"KeyId": "k2"}]},
            "ListAliases": {"Aliases": [{"AliasName": "alias/a", "TargetKeyId": "k1"}]},
            "DescribeKey k1": {"KeyMetadata": metadata("k1")},
            "DescribeKey k2": {
                "KeyMetadata": metadata(
                    "k2", KeyState="PendingDeletion", DeletionDate=days_ago(-7), KeySpec="RSA_2048"
                )
            },
            "GetKeyPolicy": {"Policy": policy(allow({"AWS": ALICE}, "kms:*"))},
            "GetKeyLastUsage": {"KeyLastUsage": {}, "TrackingStartDate": days_ago(400)},
            "GetKeyRotationStatus": {"KeyRotationEnabled": False},
            "ListKeyRotations": {"Rotations": [{"RotationDate": days_ago(100)}]},
            "GetAccountSummary": {
                "SummaryMap": {"AccountMFAEnabled": 1, "AccountAccessKeysPresent": 0}
            },
            "GetAccountPasswordPolicy": Refused("NoSuchEntity", ""),
            "ListUsers": {
                "Users": [
                    {"UserName": name, "Arn": ALICE[:-5] + name, "CreateDate": days_ago(9)}
                    for name in ("alice", "bob", "carol")
                ]
            },
            "ListRoles": {"Roles": []},
            "ListMFADevices": {"MFADevices": []},
            "ListMFADevices alice": {"MFADevices": [{"SerialNumber": "s"}]},
            "ListAccessKeys": {"AccessKeyMetadata": []},
            "ListAccessKeys bob": {
                "AccessKeyMetadata": [
                    {"AccessKeyId": "AKIA1", "Status": "Active", "CreateDate": days_ago(120)},
                    {"AccessKeyId": "AKIA2", "Status": "Inactive", "CreateDate": days_ago(500)},
                ]
            },
            "GetLoginProfile": {"LoginProfile": {}},
            "GetLoginProfile carol": Refused("NoSuchEntity", ""),
            "GetAccessKeyLastUsed": {"AccessKeyLastUsed": {"LastUsedDate": days_ago(1)}},
            "SimulatePrincipalPolicy": {"EvaluationResults": []},
            f"SimulatePrincipalPolicy {ALICE}": {
                "EvaluationResults": [
                    {
                        "EvalActionName": "kms:PutKeyPolicy",
                        "EvalDecision": "allowed",
                        "EvalResourceName": KEY,
                        "ResourceSpecificResults": [
                            {"EvalResourceName": KEY, "EvalResourceDecision": "allowed"},
                            {"EvalResourceName": OTHER_KEY, "EvalResourceDecision": "explicitDeny"},
                        ],
                    }
                ]
            },
            **answers,
        }

    def __call__(self, asks):
        return [self._answer(ask) for ask in asks]

    def _answer(self, ask):
        for value in ask.members.values():
            if isinstance(value, str) and f"{ask.operation} {value}" in self.answers:
                return self.answers[f"{ask.operation} {value}"]
        return self.answers[ask.operation]


def report(made=None, bounds=None):
    asking = report_of(NOW.timestamp(), "https://kms.example", ["x"], bounds or Bounds())
    return collected(asking, made or Made())


def test_a_report_names_its_form_who_asked_and_when():
    found = report()
    assert (found["form"], found["version"]) == ("kagimori-evidence", 1)
    assert found["made_at"] == "2026-11-28T00:00:00Z"
    assert found["asked_by"].endswith(":root")
    assert found["regions"] == ["eu-central-1"]
    assert found["not_read"] == []
    json.dumps(found)


def test_keys_without_rotation_and_keys_that_go_are_named():
    summary = report()["facts"]["keys"]["summary"]
    assert summary["without_automatic_rotation"] == [KEY]
    assert summary["oldest_material_age_days"] == 100
    assert summary["pending_deletion"] == [OTHER_KEY]
    assert summary["by_state"] == {"Enabled": 1, "PendingDeletion": 1}


def test_only_a_key_that_can_rotate_is_asked_how_it_does():
    first, second = report()["facts"]["keys"]["list"]
    assert first["rotation"]["newest_material_age_days"] == 100
    assert second["rotation"] is None


def test_mfa_is_counted_among_users_with_a_password():
    facts = report()["facts"]["identities"]
    assert facts["root"] == {"mfa": True, "access_keys": False}
    assert facts["summary"]["users_with_password"] == 2
    assert facts["summary"]["users_with_password_without_mfa"] == ["bob"]
    assert facts["summary"]["active_access_keys_over_90_days"] == ["bob: AKIA1"]


def test_administrators_are_those_whom_the_simulator_allows():
    assert report()["facts"]["administrators"] == {
        KEY: {ALICE: ["kms:PutKeyPolicy"]},
        OTHER_KEY: {},
    }


def test_a_part_that_is_refused_is_named_and_no_number_is_made_up():
    denied = Refused("AccessDenied", "no")
    found = report(Made(ListUsers=denied, GetAuditStatus=denied, GetKeyPolicy=denied))
    missing = {one["operation"] for one in found["not_read"]}
    assert missing == {"iam:ListUsers", "kagimori:GetAuditStatus", "kms:GetKeyPolicy"}
    assert found["facts"]["audit_trail"] is None
    assert found["facts"]["identities"]["users"] is None
    assert found["facts"]["identities"]["summary"] is None
    assert found["facts"]["administrators"] is None
    assert found["facts"]["keys"]["list"][0]["policy_administrators"] is None


def test_whoever_may_read_nothing_still_gets_a_report():
    made = Made()
    made.answers = dict.fromkeys(made.answers, Refused("AccessDenied", HOSTILE))
    found = report(made)
    assert found["regions"] == ["x"]
    assert len(found["not_read"]) == 14
    assert found["facts"]["keys"] == {"summary": None, "list": None}
    assert HOSTILE not in as_html(found)


@pytest.mark.parametrize(
    ("operation", "place"),
    [
        ("GetKeyRotationStatus", lambda facts: facts["keys"]["summary"]["rotation_not_read"]),
        (
            "ListMFADevices bob",
            lambda facts: facts["identities"]["summary"]["users_not_read_whole"],
        ),
        (
            "GetLoginProfile bob",
            lambda facts: facts["identities"]["summary"]["users_not_read_whole"],
        ),
    ],
)
def test_a_number_never_stands_for_what_was_not_read(operation, place):
    found = report(Made(**{operation: Refused("AccessDenied", "no")}))
    assert place(found["facts"])
    assert as_html(found)


def test_without_the_simulator_nobody_is_said_to_administer_nothing():
    denied = Refused("AccessDenied", "no")
    made = Made(SimulatePrincipalPolicy=denied)
    del made.answers[f"SimulatePrincipalPolicy {ALICE}"]
    found = report(made)
    assert found["facts"]["administrators"] is None
    assert "none found" not in as_html(found)


def test_bounds_are_named_in_the_report():
    found = report(bounds=Bounds(keys_max=1, users_max=2, identities_max=1))
    assert len(found["facts"]["keys"]["list"]) == 1
    assert [one["about"] for one in found["not_read"]] == [
        "1 of 2 keys in eu-central-1",
        "1 of 3 users",
        "who administers keys: 1 of 2 users and roles",
    ]


def test_the_document_escapes_and_has_no_script():
    text = as_html(report())
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "http://" not in text
    assert text.count("<h3 ") >= 20


def test_asking_together_gives_the_same_report():
    made = Made()

    async def answers(asks):
        return made(asks)

    asking = report_of(NOW.timestamp(), "https://kms.example", ["x"], Bounds())
    with pytest.raises(StopIteration) as done:
        collected_async(asking, answers).send(None)  # it waits for nothing
    assert done.value.value == report()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (allow("*", "kms:*"), [("*", False, sorted(ADMINISTRATIVE))]),
        (allow({"AWS": "*"}, "KMS:put*"), [("*", False, ["kms:PutKeyPolicy"])]),
        (allow({"Service": "s3.amazonaws.com"}, "kms:Decrypt"), []),
        (
            allow({"Service": "s3.amazonaws.com"}, ["kms:Decrypt", "kms:CreateGrant"]),
            [("Service: s3.amazonaws.com", False, ["kms:CreateGrant"])],
        ),
        (
            allow({"AWS": ["a", "b"]}, "kms:DisableKey", Condition={"Bool": {"x": "true"}}),
            [("a", True, ["kms:DisableKey"]), ("b", True, ["kms:DisableKey"])],
        ),
        (
            {"Effect": "Allow", "Principal": "*", "NotAction": "kms:[a-z]*"},
            [("*", False, sorted(ADMINISTRATIVE))],
        ),
        (
            {"Effect": "Allow", "NotPrincipal": {"AWS": "a"}, "Action": "kms:CreateGrant"},
            [("everybody but a", False, ["kms:CreateGrant"])],
        ),
        ({"Effect": "Deny", "Principal": "*", "Action": "kms:*"}, []),
    ],
)
def test_a_policy_names_its_administrators(statement, named):
    found = named_administrators(policy(statement))
    assert [(one["principal"], one["conditional"], one["actions"]) for one in found] == named


@pytest.mark.parametrize("text", ["", "[]", "{", '{"Statement": [1]}', '{"Statement": "x"}'])
def test_a_policy_that_is_none_names_nobody(text):
    assert named_administrators(text) == []
    assert not denies_something(text)


def test_a_denial_is_seen():
    assert denies_something(policy({"Effect": "Deny", "Principal": "*", "Action": "kms:*"}))
