"""boto3 and keys: made, described, listed, switched, deleted. Reference: 1.4, 1.5, 2, 3.1, 4."""

import datetime as dt
import re
import time

import pytest

import serving
from serving import Signed, refused

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
UNKNOWN = "11111111-2222-3333-4444-555555555555"
OTHER_ACCOUNT = "999999999999"


def metadata(kms, key_id):
    return kms.describe_key(KeyId=key_id)["KeyMetadata"]


# --- CreateKey, DescribeKey -----------------------------------------------------------------------


def test_a_minimal_key_has_the_recorded_members(kms, server):
    before = time.time()
    made = kms.create_key()["KeyMetadata"]
    created = made.pop("CreationDate").timestamp()
    assert before - 1 <= created <= time.time() + 1
    assert re.fullmatch("[0-9a-f]{64}", made.pop("CurrentKeyMaterialId"))
    key_id = made["KeyId"]
    assert re.fullmatch(UUID, key_id)
    assert made == {
        "AWSAccountId": server.account,
        "KeyId": key_id,
        "Arn": f"arn:aws:kms:us-east-1:{server.account}:key/{key_id}",
        "Enabled": True,
        "Description": "",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
    }


def test_describe_answers_what_create_answered(kms):
    made = kms.create_key(Description="für Ordner: 鍵 🔑")["KeyMetadata"]
    assert made["Description"] == "für Ordner: 鍵 🔑"
    assert metadata(kms, made["KeyId"]) == made


def test_every_member_of_create_key_is_taken(kms, server):
    policy = f"""{{"Version": "2012-10-17", "Statement": [{{"Sid": "All of it", "Effect": "Allow",
        "Principal": {{"AWS": "{server.account}"}}, "Action": "kms:*", "Resource": "*"}}]}}"""
    made = kms.create_key(
        Policy=policy,
        Description="all members",
        KeyUsage="ENCRYPT_DECRYPT",
        KeySpec="SYMMETRIC_DEFAULT",
        Origin="AWS_KMS",
        BypassPolicyLockoutSafetyCheck=True,
        Tags=[{"TagKey": "team", "TagValue": "vault"}, {"TagKey": "empty", "TagValue": ""}],
        MultiRegion=False,
    )["KeyMetadata"]
    key_id = made["KeyId"]
    tags = kms.list_resource_tags(KeyId=key_id)["Tags"]
    assert {tag["TagKey"]: tag["TagValue"] for tag in tags} == {"team": "vault", "empty": ""}
    assert "All of it" in kms.get_key_policy(KeyId=key_id)["Policy"]


def test_the_deprecated_spec_member_is_a_synonym(kms):
    made = kms.create_key(CustomerMasterKeySpec="SYMMETRIC_DEFAULT")["KeyMetadata"]
    assert made["KeySpec"] == made["CustomerMasterKeySpec"] == "SYMMETRIC_DEFAULT"
    with refused("ValidationException"):
        kms.create_key(KeySpec="SYMMETRIC_DEFAULT", CustomerMasterKeySpec="SYMMETRIC_DEFAULT")


def test_create_key_always_makes_another_key(kms):
    assert kms.create_key()["KeyMetadata"]["Arn"] != kms.create_key()["KeyMetadata"]["Arn"]


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [
        pytest.param(
            {"KeySpec": "RSA_2048"},
            "ValidationException",
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption"
            " keys.",
            id="spec-without-usage",
        ),
        pytest.param(
            {"KeySpec": "RSA_2048", "KeyUsage": "KEY_AGREEMENT"},
            "ValidationException",
            "KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048",
            id="usage-against-spec",
        ),
        pytest.param(
            {"KeyUsage": "SIGN_VERIFY"},
            "ValidationException",
            "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT",
            id="symmetric-cannot-sign",
        ),
        pytest.param({"XksKeyId": "k"}, "ValidationException", None, id="xks-without-origin"),
        pytest.param({"Origin": "AWS_CLOUDHSM"}, "ValidationException", None, id="no-key-store"),
        pytest.param(
            {"Tags": [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}]},
            "TagException",
            "Duplicate tag keys",
            id="tag-twice",
        ),
        pytest.param(
            {"Tags": [{"TagKey": "AWS:x", "TagValue": "1"}]},
            "TagException",
            "Tags beginning with aws: are reserved",
            id="tag-reserved",
        ),
        pytest.param(
            {"Policy": "{"}, "MalformedPolicyDocumentException", None, id="policy-no-json"
        ),
    ],
)
def test_create_key_refuses(kms, members, code, message):
    with refused(code, message):
        kms.create_key(**members)


def test_unknown_enumeration_values_are_named(server):
    request = Signed(server, "CreateKey", {"KeySpec": "AES_7", "KeyUsage": "PLAY"})
    answer = server.send(request)
    assert (answer.status, answer.json["__type"]) == (400, "ValidationException")
    text = answer.json["message"]
    assert text.startswith("2 validation errors detected: ")
    assert (
        "Value 'AES_7' at 'keySpec' failed to satisfy constraint: Member must satisfy enum" in text
    )
    assert (
        "Value 'PLAY' at 'keyUsage' failed to satisfy constraint: Member must satisfy enum" in text
    )


# --- key identifiers: reference, 2.2 --------------------------------------------------------------


@pytest.fixture(scope="module")
def named(kms, server):
    """A key with an alias, by all four forms of its name."""
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/keys/named", TargetKeyId=key_id)
    prefix = f"arn:aws:kms:us-east-1:{server.account}:"
    return {
        "id": key_id,
        "arn": f"{prefix}key/{key_id}",
        "alias": "alias/keys/named",
        "alias-arn": f"{prefix}alias/keys/named",
    }


@pytest.mark.parametrize("form", ["id", "arn", "alias", "alias-arn"])
def test_describe_takes_all_four_forms(kms, named, form):
    assert metadata(kms, named[form])["KeyId"] == named["id"]


BAD_REFS = [
    pytest.param(
        UNKNOWN,
        "NotFoundException",
        "Key 'arn:aws:kms:us-east-1:{account}:key/" + UNKNOWN + "' does not exist",
        id="unknown-id",
    ),
    pytest.param(
        "mrk-" + "0" * 32,
        "NotFoundException",
        "Key 'arn:aws:kms:us-east-1:{account}:key/mrk-" + "0" * 32 + "' does not exist",
        id="unknown-multi-region-id",
    ),
    pytest.param("fake", "NotFoundException", "Invalid keyId 'fake'", id="word"),
    pytest.param(
        "mrk-fake-key-id", "NotFoundException", "Invalid keyId 'mrk-fake-key-id'", id="mrk-word"
    ),
    pytest.param(
        UNKNOWN.replace("-", ""),
        "NotFoundException",
        f"Invalid keyId '{UNKNOWN.replace('-', '')}'",
        id="uuid-without-dashes",
    ),
    pytest.param(
        "arn:aws:kms:us-east-1:{account}:key/" + UNKNOWN,
        "NotFoundException",
        "Key 'arn:aws:kms:us-east-1:{account}:key/" + UNKNOWN + "' does not exist",
        id="unknown-arn",
    ),
    pytest.param(
        "arn:aws:kms:ap-south-1:{account}:key/" + UNKNOWN,
        "NotFoundException",
        "Invalid arn ap-south-1",
        id="arn-of-another-region",
    ),
    pytest.param("arn:aws:kms:us-east-1", "InvalidArnException", None, id="malformed-arn"),
    pytest.param("x" * 2049, "ValidationException", None, id="too-long"),
]


def _filled(text, server):
    return text and text.replace("{account}", server.account)


@pytest.mark.parametrize(("ref", "code", "message"), BAD_REFS)
def test_a_bad_name_is_refused(kms, server, ref, code, message):
    with refused(code, _filled(message, server)):
        kms.describe_key(KeyId=_filled(ref, server))


def test_an_unknown_alias_is_not_found(kms, server):
    arn = f"arn:aws:kms:us-east-1:{server.account}:alias/nobody"
    for ref in ("alias/nobody", arn):
        with refused("NotFoundException", f"Alias {arn} is not found."):
            kms.describe_key(KeyId=ref)


def test_another_accounts_key_is_denied_whether_or_not_it_exists(kms, server):
    arn = f"arn:aws:kms:us-east-1:{OTHER_ACCOUNT}:key/{UNKNOWN}"
    message = (
        f"User: arn:aws:iam::{server.account}:root is not authorized to perform: kms:DescribeKey "
        f"on resource: {arn} because no resource-based policy allows the kms:DescribeKey action"
    )
    with refused("AccessDeniedException", message):
        kms.describe_key(KeyId=arn)


def test_a_missing_name_is_null(server):
    answer = server.send(Signed(server, "DescribeKey", {}))
    assert answer.status == 400
    assert answer.json == {
        "__type": "ValidationException",
        "message": "1 validation error detected: Value null at 'keyId' failed to satisfy "
        "constraint: Member must not be null",
    }


def test_an_empty_name_is_too_short(server):
    answer = server.send(Signed(server, "DescribeKey", {"KeyId": ""}))
    assert answer.json["__type"] == "ValidationException"
    assert (
        "at 'keyId' failed to satisfy constraint: Member must have length greater"
        in (answer.json["message"])
    )


ONLY_KEYS = {
    "enable_key": {},
    "disable_key": {},
    "update_key_description": {"Description": "x"},
    "schedule_key_deletion": {},
    "cancel_key_deletion": {},
    "get_key_policy": {},
    "list_key_policies": {},
    "put_key_policy": {"Policy": "{}"},
    "tag_resource": {"Tags": []},
    "untag_resource": {"TagKeys": []},
    "list_resource_tags": {},
    "list_aliases": {},
}


@pytest.mark.parametrize("form", ["alias", "alias-arn"])
@pytest.mark.parametrize("method", ONLY_KEYS)
def test_operations_on_keys_alone_refuse_aliases(kms, named, method, form):
    with refused("InvalidArnException", "Key Aliases are not supported for this operation."):
        getattr(kms, method)(KeyId=named[form], **ONLY_KEYS[method])


@pytest.mark.parametrize("form", ["id", "arn"])
@pytest.mark.parametrize(
    "method", ["get_key_policy", "list_key_policies", "list_resource_tags", "list_aliases"]
)
def test_operations_on_keys_alone_take_id_and_arn(kms, named, method, form):
    getattr(kms, method)(KeyId=named[form])


# --- regions --------------------------------------------------------------------------------------


def test_a_key_stays_in_its_region(server, kms, named):
    elsewhere = server.client(region="eu-central-1")
    missing = f"arn:aws:kms:eu-central-1:{server.account}:key/{named['id']}"
    with refused("NotFoundException", f"Key '{missing}' does not exist"):
        elsewhere.describe_key(KeyId=named["id"])
    with refused("NotFoundException", "Invalid arn us-east-1"):
        elsewhere.describe_key(KeyId=named["arn"])
    made = elsewhere.create_key()["KeyMetadata"]
    assert made["Arn"].startswith(f"arn:aws:kms:eu-central-1:{server.account}:key/")
    listed = [k["KeyId"] for p in kms.get_paginator("list_keys").paginate() for k in p["Keys"]]
    assert named["id"] in listed
    assert made["KeyId"] not in listed
    elsewhere.close()


# --- ListKeys -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many():
    """A deployment of its own, with seven keys."""
    with serving.served() as server:
        kms = server.client()
        arns = {kms.create_key()["KeyMetadata"]["Arn"] for _ in range(7)}
        yield kms, arns
        kms.close()


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_list_keys_pages_hold_every_key_once(many, size):
    kms, arns = many
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": size}))
    keys = [key for page in pages for key in page["Keys"]]
    assert sorted(key["KeyArn"] for key in keys) == sorted(arns)
    assert all(key["KeyArn"].endswith(f"key/{key['KeyId']}") for key in keys)
    assert all(set(key) == {"KeyId", "KeyArn"} for key in keys)
    assert all(len(page["Keys"]) <= size for page in pages)
    assert [page["Truncated"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert "NextMarker" not in pages[-1]
    assert len(pages) == -(-7 // size)


def test_list_keys_goes_on_when_the_marked_key_is_new(many):
    kms, arns = many
    first = kms.list_keys(Limit=3)
    second = kms.list_keys(Limit=3, Marker=first["NextMarker"])
    again = kms.list_keys(Limit=3, Marker=first["NextMarker"])
    assert second["Keys"] == again["Keys"]
    assert not {k["KeyArn"] for k in first["Keys"]} & {k["KeyArn"] for k in second["Keys"]}
    assert {k["KeyArn"] for k in first["Keys"]} < arns


def test_markers_are_checked(many):
    kms, _ = many
    marker = kms.list_keys(Limit=1)["NextMarker"]
    aliases = {"Marker": marker}
    for bad in ("nonsense", marker[:-2], marker + "A", "ä", "AAAA"):
        with refused("InvalidMarkerException", ""):
            kms.list_keys(Marker=bad)
    with refused("InvalidMarkerException", ""):
        kms.list_aliases(**aliases)
    with refused("InvalidMarkerException", ""):
        kms.list_keys(ResourceOwners=["SELF", "OTHER_ACCOUNTS_VIA_RAM"], Marker=marker)


def test_list_keys_resource_owners(many):
    kms, arns = many
    assert {k["KeyArn"] for k in kms.list_keys(ResourceOwners=["SELF"])["Keys"]} == arns
    shared = kms.list_keys(ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM"])
    assert (shared["Keys"], shared["Truncated"]) == ([], False)


@pytest.mark.parametrize(
    ("limit", "constraint"),
    [
        (0, "Member must have value greater than or equal to 1"),
        (1001, "Member must have value less than or equal to 1000"),
    ],
)
def test_list_keys_limits(server, limit, constraint):
    answer = server.send(Signed(server, "ListKeys", {"Limit": limit}))
    assert answer.json == {
        "__type": "ValidationException",
        "message": f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
        f"constraint: {constraint}",
    }


# --- states: reference, 1.4 and 4.2 ---------------------------------------------------------------


def test_enable_and_disable_may_be_repeated(kms, key):
    kms.enable_key(KeyId=key)
    for _ in range(2):
        kms.disable_key(KeyId=key)
        found = metadata(kms, key)
        assert (found["KeyState"], found["Enabled"]) == ("Disabled", False)
    for _ in range(2):
        kms.enable_key(KeyId=key)
        assert metadata(kms, key)["KeyState"] == "Enabled"


def test_a_description_is_replaced(kms, key):
    kms.update_key_description(KeyId=key, Description="new")
    assert metadata(kms, key)["Description"] == "new"
    kms.update_key_description(KeyId=key.rpartition("/")[2], Description="")
    assert metadata(kms, key)["Description"] == ""
    with refused("ValidationException"):
        kms.update_key_description(KeyId=key, Description="x" * 8193)


def _about(moment, days):
    expected = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    return abs((moment - expected).total_seconds()) < 60


@pytest.mark.parametrize(("given", "days"), [({}, 30), ({"PendingWindowInDays": 7}, 7)])
def test_deletion_is_scheduled_and_cancelled(kms, key, given, days):
    scheduled = kms.schedule_key_deletion(KeyId=key.rpartition("/")[2], **given)
    assert scheduled["KeyId"] == key
    assert scheduled["KeyState"] == "PendingDeletion"
    assert scheduled["PendingWindowInDays"] == days
    assert _about(scheduled["DeletionDate"], days)
    found = metadata(kms, key)
    assert (found["KeyState"], found["Enabled"]) == ("PendingDeletion", False)
    assert found["DeletionDate"] == scheduled["DeletionDate"]
    with refused("KMSInvalidStateException", f"{key} is pending deletion."):
        kms.schedule_key_deletion(KeyId=key)
    assert kms.cancel_key_deletion(KeyId=key)["KeyId"] == key
    found = metadata(kms, key)
    assert found["KeyState"] == "Disabled"
    assert "DeletionDate" not in found
    with refused("KMSInvalidStateException", f"{key} is not pending deletion."):
        kms.cancel_key_deletion(KeyId=key)


@pytest.mark.parametrize("days", [1, 6, 31, 365])
def test_a_window_outside_7_to_30_is_refused(kms, key, days):
    with refused("ValidationException", "PendingWindowInDays must be between 7 and 30"):
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)
    assert metadata(kms, key)["KeyState"] == "Enabled"


def _calls(key, other, blob):
    """One call of every operation that a key's state may refuse."""
    return {
        "encrypt": {"KeyId": key, "Plaintext": b"x"},
        "decrypt": {"CiphertextBlob": blob},
        "re_encrypt": {"CiphertextBlob": blob, "DestinationKeyId": other},
        "generate_data_key": {"KeyId": key, "KeySpec": "AES_256"},
        "generate_data_key_without_plaintext": {"KeyId": key, "KeySpec": "AES_256"},
        "create_alias": {"AliasName": f"alias/state/{key[-36:]}", "TargetKeyId": key},
        "enable_key": {"KeyId": key},
        "disable_key": {"KeyId": key},
        "tag_resource": {"KeyId": key, "Tags": [{"TagKey": "a", "TagValue": "b"}]},
        "untag_resource": {"KeyId": key, "TagKeys": ["a"]},
        "update_key_description": {"KeyId": key, "Description": "d"},
        "describe_key": {"KeyId": key},
        "get_key_policy": {"KeyId": key},
        "list_key_policies": {"KeyId": key},
        "list_resource_tags": {"KeyId": key},
        "list_aliases": {"KeyId": key},
    }


IN_CRYPTOGRAPHY = ("encrypt", "decrypt", "re_encrypt", "generate_data_key")
IN_CRYPTOGRAPHY += ("generate_data_key_without_plaintext",)
IN_EDITS = ("create_alias", "tag_resource", "untag_resource", "update_key_description")
SWITCHES = ("enable_key", "disable_key")


@pytest.mark.parametrize("method", _calls("k" * 36, "", b""))
def test_a_disabled_key(kms, key, shared_key, method):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    call = getattr(kms, method)
    given = _calls(key, shared_key, blob)[method]
    if method in IN_CRYPTOGRAPHY:
        with refused("DisabledException", f"{key} is disabled."):
            call(**given)
    else:
        call(**given)


@pytest.mark.parametrize("method", _calls("k" * 36, "", b""))
def test_a_key_pending_deletion(kms, key, shared_key, method):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key)
    call = getattr(kms, method)
    given = _calls(key, shared_key, blob)[method]
    if method in IN_CRYPTOGRAPHY + IN_EDITS + SWITCHES:
        with refused("KMSInvalidStateException", f"{key} is pending deletion."):
            call(**given)
    else:
        call(**given)


def test_a_key_that_was_disabled_encrypts_again(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key)
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"


# --- the form of answers: reference, 1.5 and 19 ---------------------------------------------------

EMPTY = {
    "EnableKey": {},
    "DisableKey": {},
    "UpdateKeyDescription": {"Description": "d"},
    "TagResource": {"Tags": [{"TagKey": "a", "TagValue": "b"}]},
    "UntagResource": {"TagKeys": ["a"]},
}


def _has_the_headers(answer):
    assert re.fullmatch(UUID, answer.headers["x-amzn-requestid"])
    assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate, private"
    assert answer.headers["expires"] == "0"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.headers["date"].endswith(" GMT")
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"
    assert answer.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize("operation", EMPTY)
def test_a_change_answers_an_empty_body(server, key, operation):
    answer = server.send(Signed(server, operation, {"KeyId": key, **EMPTY[operation]}))
    assert (answer.status, answer.body) == (200, b"")
    _has_the_headers(answer)


def test_headers_of_an_answer_and_of_a_refusal(server, shared_key):
    answer = server.send(Signed(server, "DescribeKey", {"KeyId": shared_key}))
    assert answer.status == 200
    _has_the_headers(answer)
    refusal = server.send(Signed(server, "DescribeKey", {"KeyId": "fake"}))
    assert refusal.json == {"__type": "NotFoundException", "message": "Invalid keyId 'fake'"}
    _has_the_headers(refusal)
    assert answer.headers["x-amzn-requestid"] != refusal.headers["x-amzn-requestid"]


def test_dates_are_numbers_with_milliseconds(server, key):
    answer = server.send(Signed(server, "DescribeKey", {"KeyId": key}))
    created = answer.json["KeyMetadata"]["CreationDate"]
    assert isinstance(created, float | int)
    assert round(created, 3) == created
    assert abs(created - time.time()) < 60
    scheduled = server.send(Signed(server, "ScheduleKeyDeletion", {"KeyId": key}))
    assert isinstance(scheduled.json["DeletionDate"], float | int)


def test_unknown_members_are_ignored_and_an_empty_body_is_no_member(server, shared_key):
    answer = server.send(Signed(server, "DescribeKey", {"KeyId": shared_key, "Colour": {"a": []}}))
    assert answer.status == 200
    assert server.send(Signed(server, "ListKeys", b"")).status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "SerializationException"),
        (b"[]", "SerializationException"),
        (b'{"KeyId": 7}', "SerializationException"),
        (b'{"KeyId": ["a"]}', "SerializationException"),
        (b"\xff", "SerializationException"),
    ],
)
def test_what_is_no_request_is_refused(server, body, code):
    answer = server.send(Signed(server, "DescribeKey", body))
    assert (answer.status, answer.json["__type"]) == (400, code)
    assert set(answer.json) <= {"__type", "Message"}


def test_unknown_operations(server):
    for target in ("TrentService.Nothing", "Other.Encrypt", "Encrypt", ""):
        request = Signed(server, "X", {}, headers={"X-Amz-Target": target})
        answer = server.send(request)
        assert answer.status in (400, 404), target
        assert answer.json == {"__type": "UnknownOperationException"}


@pytest.mark.parametrize(("method", "target"), [("GET", "/"), ("POST", "/other"), ("PUT", "/")])
def test_another_method_or_path_is_not_found(server, method, target):
    request = Signed(server, "ListKeys", {})
    request.method, request.target = method, target
    assert server.send(request).status in (404, 405)
