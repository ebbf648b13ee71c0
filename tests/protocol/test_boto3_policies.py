"""boto3 and key policies, as the account's root user. Reference: 1.5, 9.1 to 9.3, 5.4."""

import json

import pytest

from serving import Signed, refused

LOCKED_OUT = "The new key policy will not allow you to update the key policy in the future."
SHARED = "The AWS_RAM policy can only be managed by the RAM service"


def allow(principal, action="kms:*", **more):
    return {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": action,
        "Resource": "*",
        **more,
    }


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture(scope="module")
def root(server):
    return f"arn:aws:iam::{server.account}:root"


def read(kms, key):
    return json.loads(kms.get_key_policy(KeyId=key)["Policy"])


def test_the_default_policy_delegates_to_the_account(kms, key, root):
    for given in ({}, {"PolicyName": "default"}):
        answer = kms.get_key_policy(KeyId=key, **given)
        assert answer["PolicyName"] == "default"
        assert json.loads(answer["Policy"]) == {
            "Version": "2012-10-17",
            "Id": "key-default-1",
            "Statement": [
                {
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": {"AWS": root},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ],
        }


def test_the_text_comes_back_printed_anew(kms, server, key, root):
    given = policy(allow(server.account, ["kms:*"], Sid="with spaces"))
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=given)
    text = kms.get_key_policy(KeyId=key)["Policy"]
    assert text.startswith('{\n  "Version" : "2012-10-17",\n  "Statement" : [ {\n')
    expected = json.loads(given)
    expected["Statement"][0]["Principal"]["AWS"] = root
    assert json.loads(text) == expected


def test_policies_are_listed(kms, key):
    answer = kms.list_key_policies(KeyId=key, Limit=1)
    assert (answer["PolicyNames"], answer["Truncated"]) == (["default"], False)
    pages = kms.get_paginator("list_key_policies").paginate(KeyId=key)
    assert [page["PolicyNames"] for page in pages] == [["default"]]
    with refused("InvalidMarkerException", ""):
        kms.list_key_policies(KeyId=key, Marker="x")


def test_there_is_one_policy(kms, key, root):
    with refused("NotFoundException", "No such policy exists"):
        kms.get_key_policy(KeyId=key, PolicyName="other")
    with refused("NotFoundException"):
        kms.get_key_policy(KeyId=key, PolicyName="AWS_RAM")
    with refused("ValidationException", SHARED):
        kms.put_key_policy(KeyId=key, PolicyName="AWS_RAM", Policy=policy(allow(root)))


def test_nobody_locks_himself_out(kms, key, root):
    before = read(kms, key)
    for statements in (
        [allow(root, "kms:Encrypt")],
        [allow(root, ["kms:Get*", "kms:List*"])],
        [allow(root), {**allow(root, "kms:PutKeyPolicy"), "Effect": "Deny"}],
    ):
        with refused("MalformedPolicyDocumentException", LOCKED_OUT):
            kms.put_key_policy(KeyId=key, Policy=policy(*statements))
        with refused("MalformedPolicyDocumentException", LOCKED_OUT):
            kms.create_key(Policy=policy(*statements))
    assert read(kms, key) == before


def test_the_lockout_check_can_be_waived_and_then_holds(kms, server, key, root):
    use = policy(allow(root, ["kms:Encrypt", "kms:DescribeKey"]))
    kms.put_key_policy(KeyId=key, Policy=use, BypassPolicyLockoutSafetyCheck=True)
    kms.encrypt(KeyId=key, Plaintext=b"x")
    kms.describe_key(KeyId=key)
    message = (
        f"User: {root} is not authorized to perform: kms:PutKeyPolicy on resource: {key} because "
        "no resource-based policy allows the kms:PutKeyPolicy action"
    )
    with refused("AccessDeniedException", message):
        kms.put_key_policy(KeyId=key, Policy=policy(allow(root)))
    answer = server.send(Signed(server, "GenerateDataKey", {"KeyId": key, "KeySpec": "AES_256"}))
    assert answer.status == 400
    assert set(answer.json) == {"__type", "Message"}
    assert answer.json["__type"] == "AccessDeniedException"


def test_an_explicit_deny_is_named(kms, key, root):
    deny = {**allow(root, "kms:Encrypt"), "Effect": "Deny"}
    kms.put_key_policy(KeyId=key, Policy=policy(allow(root), deny))
    message = (
        f"User: {root} is not authorized to perform: kms:Encrypt on resource: {key} with an "
        "explicit deny in a resource-based policy"
    )
    with refused("AccessDeniedException", message):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    kms.generate_data_key(KeyId=key, KeySpec="AES_256")


def test_a_denied_ciphertext_does_not_say_whose_it_is(kms, server, key, root):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    deny = {**allow(root, "kms:Decrypt"), "Effect": "Deny"}
    kms.put_key_policy(KeyId=key, Policy=policy(allow(root), deny))
    with refused("AccessDeniedException"):
        kms.decrypt(CiphertextBlob=blob)


def test_conditions_on_the_context_hold(kms, key, root):
    only_blue = allow(
        root,
        ["kms:Encrypt", "kms:Decrypt"],
        Condition={"StringEquals": {"kms:EncryptionContext:team": "blue"}},
    )
    manage = allow(root, ["kms:Put*", "kms:Describe*"])
    kms.put_key_policy(KeyId=key, Policy=policy(only_blue, manage))
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"team": "blue"})
    blob = blob["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"team": "blue"})["Plaintext"] == b"x"
    for context in ({}, {"team": "red"}, {"other": "blue"}):
        with refused("AccessDeniedException"):
            kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)


def test_changes_hold_at_once(kms, key, root):
    deny = {**allow(root, "kms:Encrypt"), "Effect": "Deny"}
    for _ in range(5):
        kms.put_key_policy(KeyId=key, Policy=policy(allow(root), deny))
        with refused("AccessDeniedException"):
            kms.encrypt(KeyId=key, Plaintext=b"x")
        kms.put_key_policy(KeyId=key, Policy=policy(allow(root)))
        kms.encrypt(KeyId=key, Plaintext=b"x")


def test_policies_survive_other_changes_in_every_state(kms, key, root):
    kms.schedule_key_deletion(KeyId=key)
    kms.put_key_policy(KeyId=key, Policy=policy(allow(root, Sid="late")))
    assert read(kms, key)["Statement"][0]["Sid"] == "late"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("{", "MalformedPolicyDocumentException", id="no-json"),
        pytest.param("[]", "MalformedPolicyDocumentException", id="no-object"),
        pytest.param("{}", "MalformedPolicyDocumentException", id="no-statement"),
        pytest.param(
            policy({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}),
            "MalformedPolicyDocumentException",
            id="no-principal",
        ),
        pytest.param(
            policy({"Effect": "Allow", "Principal": "*", "Resource": "*"}),
            "MalformedPolicyDocumentException",
            id="no-action",
        ),
        pytest.param(
            policy({"Effect": "Allow", "Principal": "*", "Action": "kms:*"}),
            "MalformedPolicyDocumentException",
            id="no-resource",
        ),
        pytest.param(
            policy({**allow("*"), "Effect": "allow"}),
            "MalformedPolicyDocumentException",
            id="effect",
        ),
        pytest.param(
            policy(allow("arn:aws:iam::123456789012:group/g")), "InvalidArnException", id="group"
        ),
        pytest.param(policy(allow("arn:aws:iam::1:nobody")), "InvalidArnException", id="bad-arn"),
        pytest.param(
            policy(allow("*", Sid="x" * 33_000)), "LimitExceededException", id="too-large"
        ),
    ],
)
def test_refused_documents(kms, key, text, code):
    before = read(kms, key)
    for bypass in (False, True):
        with refused(code):
            kms.put_key_policy(KeyId=key, Policy=text, BypassPolicyLockoutSafetyCheck=bypass)
    assert read(kms, key) == before


def test_a_put_answers_an_empty_body(server, key, root):
    body = {"KeyId": key, "Policy": policy(allow(root))}
    answer = server.send(Signed(server, "PutKeyPolicy", body))
    assert (answer.status, answer.body) == (200, b"")
