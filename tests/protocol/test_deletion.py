"""Deletion: the waiting period, the end, and what is left of a key: nothing. Reference: 12."""

import base64
import json
import sqlite3
import tempfile
from pathlib import Path

import pytest

import outside
import serving
from dev_clock import DAY, advance, now
from serving import eventually, refused

STRANGER = "111122223333"


@pytest.fixture(scope="module")
def moving():
    """A `dev` server whose clock only these tests move."""
    with serving.dev_served() as server:
        yield server


@pytest.fixture(scope="module")
def kms(moving):
    client = moving.client(parameter_validation=False)
    yield client
    client.close()


@pytest.fixture
def key(kms):
    return kms.create_key()["KeyMetadata"]["Arn"]


def metadata(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]


def unknown(key):
    return f"Key '{key}' does not exist"


def data_folder(server):
    """The folder of a `dev` server: the one whose facts name its address."""
    for facts in Path(tempfile.gettempdir()).glob("kagimori-dev-*/data/run/server.json"):
        if json.loads(facts.read_text()).get("endpoint_url") == server.url:
            return facts.parent.parent
    raise AssertionError("the server's folder is not to be found")


def stored_tokens(data, key):
    """The tokens of a key as its row holds them."""
    connection = sqlite3.connect(f"file:{data / 'kagimori.db'}?mode=ro", uri=True)
    try:
        region, account, key_id = key.split(":")[3], key.split(":")[4], key.rpartition("/")[2]
        (body,) = connection.execute(
            "SELECT body FROM kms_keys WHERE account_id = ? AND region = ? AND key_id = ?",
            (account, region, key_id),
        ).fetchone()
    finally:
        connection.close()
    return [
        found["key_token"] for found in json.loads(body)["backing_keys"] if "key_token" in found
    ]


def anywhere(data, *tokens):
    """The names of the files that hold a token, as text or as bytes."""
    needles = [
        needle for token in tokens for needle in (token.encode()[:60], base64.b64decode(token)[:40])
    ]
    return {
        file.name
        for file in data.rglob("*")
        if file.is_file() and any(needle in file.read_bytes() for needle in needles)
    }


# --- the waiting period ---------------------------------------------------------------------------


@pytest.mark.parametrize("days", [None, 7, 8, 30])
def test_window(moving, kms, key, days):
    answer = kms.schedule_key_deletion(KeyId=key, **({"PendingWindowInDays": days} if days else {}))
    answer.pop("ResponseMetadata")
    at = answer.pop("DeletionDate")
    assert answer == {
        "KeyId": key,
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": days or 30,
    }
    assert abs(at.timestamp() - now(moving) - (days or 30) * DAY) < 10
    found = metadata(kms, key)
    assert (found["KeyState"], found["Enabled"], found["DeletionDate"]) == (
        "PendingDeletion",
        False,
        at,
    )
    assert "PendingDeletionWindowInDays" not in found


@pytest.mark.parametrize("days", [1, 6, 31, 365])
def test_windows_that_are_refused(kms, key, days):
    with refused("ValidationException", "PendingWindowInDays must be between 7 and 30"):
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)
    assert metadata(kms, key)["KeyState"] == "Enabled"


@pytest.mark.parametrize("days", [0, -1, 366])
def test_windows_that_the_model_refuses(kms, key, days):
    with refused("ValidationException"):
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)


def test_twice_and_cancelled_twice(kms, key):
    kms.schedule_key_deletion(KeyId=key)
    with refused("KMSInvalidStateException", f"{key} is pending deletion."):
        kms.schedule_key_deletion(KeyId=key)
    answer = kms.cancel_key_deletion(KeyId=key)
    answer.pop("ResponseMetadata")
    assert answer == {"KeyId": key}
    found = metadata(kms, key)
    assert found["KeyState"] == "Disabled"
    assert "DeletionDate" not in found
    for _ in range(2):
        with refused("KMSInvalidStateException", f"{key} is not pending deletion."):
            kms.cancel_key_deletion(KeyId=key)
        kms.enable_key(KeyId=key)


def test_what_works_while_it_waits(kms, key):
    name = f"alias/waits/{key[-12:]}"
    kms.create_alias(AliasName=name, TargetKeyId=key)
    grant = kms.create_grant(
        KeyId=key, GranteePrincipal=f"arn:aws:iam::{STRANGER}:root", Operations=["Decrypt"]
    )
    other = kms.create_grant(
        KeyId=key, GranteePrincipal=f"arn:aws:iam::{STRANGER}:root", Operations=["Encrypt"]
    )
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
    kms.schedule_key_deletion(KeyId=key)
    assert metadata(kms, name)["Arn"] == key
    policy = kms.get_key_policy(KeyId=key)["Policy"]
    kms.put_key_policy(KeyId=key, Policy=policy)
    assert kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
    assert len(kms.list_resource_tags(KeyId=key)["Tags"]) == 1
    assert len(kms.list_grants(KeyId=key)["Grants"]) == 2
    kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    kms.retire_grant(GrantToken=other["GrantToken"])
    assert kms.list_grants(KeyId=key)["Grants"] == []
    assert key in [found["KeyArn"] for found in kms.list_keys(Limit=1000)["Keys"]]
    pending = f"{key} is pending deletion."
    for call, given in (
        (kms.enable_key, {}),
        (kms.disable_key, {}),
        (kms.tag_resource, {"Tags": [{"TagKey": "a", "TagValue": "c"}]}),
        (kms.untag_resource, {"TagKeys": ["a"]}),
        (kms.update_key_description, {"Description": "d"}),
        (kms.encrypt, {"Plaintext": b"p"}),
        (
            kms.create_grant,
            {"GranteePrincipal": f"arn:aws:iam::{STRANGER}:root", "Operations": ["Decrypt"]},
        ),
    ):
        with refused("KMSInvalidStateException", pending):
            call(KeyId=key, **given)
    for call in (kms.create_alias, kms.update_alias):
        with refused("KMSInvalidStateException", pending):
            call(AliasName=name if call == kms.update_alias else name + "x", TargetKeyId=key)
    kms.delete_alias(AliasName=name)
    with refused("NotFoundException"):
        kms.describe_key(KeyId=name)


# --- the end --------------------------------------------------------------------------------------


def test_not_before_its_date(moving, kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    advance(moving, seconds=7 * DAY - 60)
    assert metadata(kms, key)["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=key)
    advance(moving, days=30)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"p"


def test_nothing_of_the_key_is_left(moving, kms, key):
    name = f"alias/goes/{key[-12:]}"
    alias_arn = key.rpartition("key/")[0] + name
    kms.create_alias(AliasName=name, TargetKeyId=key)
    grant = kms.create_grant(
        KeyId=key,
        GranteePrincipal=f"arn:aws:iam::{STRANGER}:root",
        RetiringPrincipal=f"arn:aws:iam::{STRANGER}:root",
        Operations=["Decrypt", "RetireGrant"],
    )
    stranger = moving.client(access_key=STRANGER)
    retirable = {"RetiringPrincipal": f"arn:aws:iam::{STRANGER}:root"}
    assert grant["GrantId"] in [
        found["GrantId"] for found in stranger.list_retirable_grants(**retirable)["Grants"]
    ]
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
    blob = kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    other = kms.create_key()["KeyMetadata"]["Arn"]
    tokens = stored_tokens(data_folder(moving), key)
    assert len(tokens) == 1
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    advance(moving, days=7, seconds=1)
    for call, given in (
        (kms.describe_key, {}),
        (kms.encrypt, {"Plaintext": b"p"}),
        (kms.get_key_policy, {}),
        (kms.list_resource_tags, {}),
        (kms.list_grants, {}),
        (kms.list_aliases, {}),
        (kms.cancel_key_deletion, {}),
        (kms.get_key_rotation_status, {}),
        (kms.get_key_last_usage, {}),
        (kms.revoke_grant, {"GrantId": grant["GrantId"]}),
        (kms.retire_grant, {"GrantId": grant["GrantId"]}),
    ):
        with refused("NotFoundException", unknown(key)):
            call(KeyId=key, **given)
    with refused("NotFoundException", f"Alias {alias_arn} is not found."):
        kms.describe_key(KeyId=name)
    kms.create_alias(AliasName=name, TargetKeyId=other)
    assert metadata(kms, name)["Arn"] == other
    with refused("AccessDeniedException"):  # strangers are told one text, whatever exists
        stranger.retire_grant(GrantToken=grant["GrantToken"])
    assert grant["GrantId"] not in [
        found["GrantId"] for found in stranger.list_retirable_grants(**retirable)["Grants"]
    ]
    with refused("AccessDeniedException"):
        stranger.decrypt(CiphertextBlob=blob, GrantTokens=[grant["GrantToken"]])
    with refused("AccessDeniedException"):
        kms.decrypt(CiphertextBlob=blob)
    with refused("NotFoundException", unknown(key)):
        kms.decrypt(CiphertextBlob=blob, KeyId=key)
    # To another key it is as anybody's blob: which key it was is nobody's knowledge any more.
    with refused("InvalidCiphertextException", ""):
        kms.decrypt(CiphertextBlob=blob, KeyId=other)
    with refused("AccessDeniedException"):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)
    keys = [
        found["KeyArn"]
        for page in kms.get_paginator("list_keys").paginate()
        for found in page["Keys"]
    ]
    assert key not in keys
    assert other in keys
    aliases = [a for page in kms.get_paginator("list_aliases").paginate() for a in page["Aliases"]]
    assert key.rpartition("/")[2] not in [found.get("TargetKeyId") for found in aliases]
    stranger.close()


def test_grantee_is_told_nothing_of_a_key_that_is_gone(moving, kms, key):
    stranger = moving.client(access_key=STRANGER)
    kms.create_grant(
        KeyId=key, GranteePrincipal=f"arn:aws:iam::{STRANGER}:root", Operations=["DescribeKey"]
    )
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    advance(moving, days=8)
    with refused("AccessDeniedException"):
        stranger.describe_key(KeyId=key)
    stranger.close()


def test_many_keys_end_at_once(moving, kms):
    keys = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(230)]
    for key in keys:
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    advance(moving, days=8)
    left = {
        found["KeyArn"]
        for page in kms.get_paginator("list_keys").paginate()
        for found in page["Keys"]
    }
    assert not left & set(keys)


def test_deletion_is_recorded_as_the_services_own_event(moving, kms, key):
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    advance(moving, days=8)

    def events():
        text = b"".join(
            f.read_bytes() for f in (data_folder(moving) / "audit").rglob("*") if f.is_file()
        )
        return [
            line for line in text.splitlines() if b'"DeleteKey"' in line and key.encode() in line
        ]

    eventually(events)
    assert len(events()) == 1
    assert b"AwsServiceEvent" in events()[0]


# --- what the disk holds --------------------------------------------------------------------------


def test_tokens_of_a_deleted_key_leave_the_store(moving, kms):
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.rotate_key_on_demand(KeyId=key)
    data = data_folder(moving)
    eventually(lambda: len(stored_tokens(data, key)) == 2)
    tokens = stored_tokens(data, key)
    assert anywhere(data, *tokens)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    advance(moving, days=8)
    # What was written ahead is there until the log is begun anew: writing enough does that.
    for _ in range(400):
        kms.create_key(Description="x" * 8000)
    found = anywhere(data, *tokens)
    assert not found - {"kagimori.db-wal"}


@pytest.fixture(scope="module")
def served():
    with serving.served() as server:
        yield server


def test_tokens_of_deleted_material_leave_the_store(served):
    kms = served.client()
    material = b"\x07" * 32
    key = outside.new_imported_key(kms, material)
    tokens = stored_tokens(served.data, key)
    assert len(tokens) == 1
    assert anywhere(served.data, *tokens)
    kms.delete_imported_key_material(KeyId=key)
    kms.close()
    served.stop()
    assert anywhere(served.data, *tokens) == set()
