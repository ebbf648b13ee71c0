"""Callers, sessions and requests, made again from their records."""

import pytest

from kagimori.rules.keys.grant import GrantTerms
from kagimori.rules.records.recorded_call import Asking, Members, askings
from kagimori.rules.records.recorded_session import Made, recorded, session_made

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER = KEY.replace("1234abcd", "4321abcd")
ISSUER = {"type": "Role", "principalId": "AROAROLE", "userName": "reader", "arn": "…"}


def attributes(mfa="false"):
    return {"creationDate": "2026-01-31T12:00:00Z", "mfaAuthenticated": mfa}


def assumed(access_key_id="ASIAONE"):
    return {
        "type": "AssumedRole",
        "principalId": "AROAROLE:s1",
        "accountId": "111122223333",
        "accessKeyId": access_key_id,
        "sessionContext": {
            "sessionIssuer": ISSUER,
            "attributes": attributes(),
            "sourceIdentity": "alice",
        },
    }


def assume_role(access_key_id, by=None, **given):
    return {
        "eventName": "AssumeRole",
        "userIdentity": by or {"type": "IAMUser", "accessKeyId": "AKIA"},
        "requestParameters": given,
        "responseElements": {"credentials": {"accessKeyId": access_key_id}},
    }


# --- who asked ------------------------------------------------------------------------------------


def test_a_user_with_an_access_key_is_called_what_it_is_called_now():
    identity = {"type": "IAMUser", "accessKeyId": "AKIA", "accountId": "1", "userName": "alice"}
    found = recorded(identity, {}, "alicia")
    assert (found.access_key.user_name, found.session) == ("alicia", None)


def test_the_root_user_has_no_name():
    found = recorded({"type": "Root", "accessKeyId": "AKIA", "accountId": "1"}, {}, None)
    assert (found.access_key.user_name, found.access_key.account_id) == (None, "1")


def test_a_role_session_is_made_again_with_what_it_was_made_with():
    made = Made(("{}",), ("arn:p",), {"team": "red"}, ("team",))
    session = recorded(assumed(), {"ASIAONE": made}, None).session
    assert (session.kind, session.name, session.unique_id) == ("role", "reader", "AROAROLE")
    assert (session.session_name, session.source_identity) == ("s1", "alice")
    assert (session.policies, session.policy_arns) == (("{}",), ("arn:p",))
    assert session.tags == {"team": "red"}
    assert session.issued_at == 1769860800.0
    assert session.mfa_at is None


def test_of_a_session_whose_making_is_not_recorded_it_is_said():
    assert recorded(assumed(), {}, None).made is None


@pytest.mark.parametrize("kind", ["AWSService", "Unknown", "AWSAccount"])
def test_who_has_no_credentials_of_an_account(kind):
    assert recorded({"type": kind, "accessKeyId": "x"}, {}, None) is None


def test_a_session_with_mfa_says_so():
    identity = {
        "type": "IAMUser",
        "accessKeyId": "ASIA",
        "userName": "alice",
        "principalId": "AIDAALICE",
        "sessionContext": {"attributes": attributes("true")},
    }
    session = recorded(identity, {}, "alice").session
    assert (session.kind, session.unique_id, session.mfa_at) == ("user", "AIDAALICE", 1769860800.0)


# --- with what sessions were made -----------------------------------------------------------------


def test_policies_and_tags_are_those_of_the_request():
    record = assume_role(
        "ASIAONE",
        policy="{}",
        policyArns=[{"arn": "arn:p"}],
        tags=[{"key": "team", "value": "red"}],
        transitiveTagKeys=["team"],
    )
    assert session_made(record, {}) == (
        "ASIAONE",
        Made(("{}",), ("arn:p",), {"team": "red"}, ("team",)),
    )


def test_transitive_tags_are_inherited():
    first = Made(tags={"team": "red", "own": "x"}, transitive=("team",))
    record = assume_role("ASIATWO", assumed(), tags=[{"key": "more", "value": "y"}])
    _, made = session_made(record, {"ASIAONE": first})
    assert made.tags == {"team": "red", "more": "y"}
    assert (made.transitive, made.tags_known) == (("team",), True)


def test_tags_that_may_be_inherited_from_an_unknown_session_are_unknown():
    _, made = session_made(assume_role("ASIATWO", assumed()), {})
    assert made.tags_known is False


@pytest.mark.parametrize("spoilt", [{"eventName": "Decrypt"}, {"responseElements": None}])
def test_other_records_make_no_session(spoilt):
    assert session_made({**assume_role("ASIAONE"), **spoilt}, {}) is None


# --- what was asked -------------------------------------------------------------------------------


def record(name, *arns, **shown):
    return {
        "eventName": name,
        "requestParameters": shown or None,
        "resources": [{"ARN": arn} for arn in arns],
    }


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        (record("DescribeKey", KEY), [Asking("kms:DescribeKey")]),
        (
            record("Encrypt", KEY, keyId="alias/a", encryptionContext={"a": "b"}),
            [Asking("kms:Encrypt", {"a": "b"}, "alias/a")],
        ),
        (
            record("Encrypt", KEY, keyId="arn:aws:kms:us-east-1:1:alias/a"),
            [Asking("kms:Encrypt", {}, "alias/a")],
        ),
        (record("Decrypt", KEY), [Asking("kms:Decrypt", {})]),
        (record("Sign", KEY, keyId=KEY), [Asking("kms:Sign")]),
        (
            record("ReEncrypt", OTHER, KEY, destinationEncryptionContext={"a": "b"}),
            [Asking("kms:ReEncryptTo", {"a": "b"})],
        ),
        (
            record("ReEncrypt", KEY, KEY, sourceKeyId="alias/a"),
            [
                Asking("kms:ReEncryptFrom", {}, "alias/a", on_same_key=True),
                Asking("kms:ReEncryptTo", {}, on_same_key=True),
            ],
        ),
        (
            record(
                "CreateGrant",
                KEY,
                operations=["Decrypt"],
                constraints={"encryptionContextSubset": {"a": "b"}},
            ),
            [
                Asking(
                    "kms:CreateGrant",
                    {"a": "b"},
                    proposed=GrantTerms(frozenset({"Decrypt"}), None, {"a": "b"}),
                )
            ],
        ),
    ],
)
def test_what_a_request_needed_of_the_key(told, asked):
    assert askings(told, KEY) == asked


def test_members_have_the_names_of_the_model():
    members = Members({"pendingWindowInDays": 7, "tags": [{"tagKey": "a", "tagValue": "b"}]})
    assert members.PendingWindowInDays == 7
    assert [(tag.TagKey, tag.TagValue) for tag in members.Tags] == [("a", "b")]
    assert getattr(members, "KeyId", None) is None
