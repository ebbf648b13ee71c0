"""boto3 and aliases. Reference: 2.3, 2.4."""

import time

import pytest

import serving
from serving import Signed, refused

NO_PREFIX = (
    'Alias must start with the prefix "alias/". Please see '
    "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
)


@pytest.fixture
def alias(request):
    """An alias name of this test's own."""
    letters = (c if c.isalnum() else "-" for c in request.node.name)
    return "alias/" + "".join(letters)


def entry_of(kms, alias_name):
    pages = kms.get_paginator("list_aliases").paginate()
    found = [a for page in pages for a in page["Aliases"] if a["AliasName"] == alias_name]
    return found[0] if found else None


def arn_of(server, alias_name):
    return f"arn:aws:kms:us-east-1:{server.account}:{alias_name}"


def test_an_alias_is_made_listed_moved_and_deleted(kms, server, key, shared_key, alias):
    key_id = key.rpartition("/")[2]
    before = time.time() - 1
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    entry = entry_of(kms, alias)
    created = entry["CreationDate"]
    assert entry == {
        "AliasName": alias,
        "AliasArn": arn_of(server, alias),
        "TargetKeyId": key_id,
        "CreationDate": created,
        "LastUpdatedDate": created,
    }
    assert before <= created.timestamp() <= time.time() + 1
    time.sleep(0.01)
    kms.update_alias(AliasName=alias, TargetKeyId=shared_key)
    moved = entry_of(kms, alias)
    assert moved["TargetKeyId"] == shared_key.rpartition("/")[2]
    assert moved["CreationDate"] == created
    assert moved["LastUpdatedDate"] > created
    assert kms.encrypt(KeyId=alias, Plaintext=b"x")["KeyId"] == shared_key
    kms.delete_alias(AliasName=alias)
    assert entry_of(kms, alias) is None
    with refused("NotFoundException", f"Alias {arn_of(server, alias)} is not found."):
        kms.encrypt(KeyId=alias, Plaintext=b"x")
    kms.create_alias(AliasName=alias, TargetKeyId=key_id)


def test_the_same_target_is_a_new_association(kms, key, alias):
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    first = entry_of(kms, alias)
    time.sleep(0.01)
    kms.update_alias(AliasName=alias, TargetKeyId=key)
    assert entry_of(kms, alias)["LastUpdatedDate"] > first["LastUpdatedDate"]


def test_a_name_is_taken_once(kms, server, key, shared_key, alias):
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    for target in (key, shared_key):
        with refused(
            "AlreadyExistsException",
            f"An alias with the name {arn_of(server, alias)} already exists",
        ):
            kms.create_alias(AliasName=alias, TargetKeyId=target)


def test_letter_case_counts(kms, key, shared_key, alias):
    kms.create_alias(AliasName=alias + "/a", TargetKeyId=key)
    kms.create_alias(AliasName=alias + "/A", TargetKeyId=shared_key)
    assert kms.describe_key(KeyId=alias + "/a")["KeyMetadata"]["Arn"] == key
    assert kms.describe_key(KeyId=alias + "/A")["KeyMetadata"]["Arn"] == shared_key


CHANGES = pytest.mark.parametrize("method", ["create_alias", "update_alias", "delete_alias"])


def change(kms, method, alias_name, target):
    given = {} if method == "delete_alias" else {"TargetKeyId": target}
    getattr(kms, method)(AliasName=alias_name, **given)


@CHANGES
@pytest.mark.parametrize("name", ["key", "Alias/x", "aliasx", "ALIAS/x"])
def test_the_prefix_is_needed(kms, shared_key, method, name):
    with refused("ValidationException", NO_PREFIX):
        change(kms, method, name, shared_key)


@CHANGES
@pytest.mark.parametrize("name", ["alias/aws/s3", "alias/aws/mine", "alias/aws/"])
def test_names_of_aws_are_not_the_customers(kms, shared_key, method, name):
    with refused("NotAuthorizedException", ""):
        change(kms, method, name, shared_key)


@CHANGES
@pytest.mark.parametrize("name", ["alias/a b", "alias/é", "alias/a.b", "alias/" + "x" * 251])
def test_names_have_the_models_form(server, shared_key, method, name):
    operation = "".join(part.title() for part in method.split("_"))
    body = {"AliasName": name, "TargetKeyId": shared_key}
    answer = server.send(Signed(server, operation, body))
    assert (answer.status, answer.json["__type"]) == (400, "ValidationException")
    assert "at 'aliasName' failed to satisfy constraint: Member must" in answer.json["message"]


@CHANGES
def test_the_prefix_alone_is_no_name(kms, shared_key, method):
    with refused("InvalidAliasNameException"):
        change(kms, method, "alias/", shared_key)


@pytest.mark.parametrize("method", ["update_alias", "delete_alias"])
def test_unknown_aliases_are_not_found(kms, server, shared_key, method):
    message = f"Alias {arn_of(server, 'alias/unknown')} is not found."
    with refused("NotFoundException", message):
        change(kms, method, "alias/unknown", shared_key)


@pytest.mark.parametrize("method", ["create_alias", "update_alias"])
def test_targets_are_keys(kms, server, shared_key, alias, method):
    if method == "update_alias":
        kms.create_alias(AliasName=alias, TargetKeyId=shared_key)
    with refused("InvalidArnException", "Key Aliases are not supported for this operation."):
        change(kms, method, alias, "alias/other")
    with refused("NotFoundException", "Invalid keyId 'word'"):
        change(kms, method, alias, "word")
    unknown = "11111111-2222-3333-4444-555555555555"
    arn = f"arn:aws:kms:us-east-1:{server.account}:key/{unknown}"
    with refused("NotFoundException", f"Key '{arn}' does not exist"):
        change(kms, method, alias, unknown)


def test_an_alias_cannot_move_to_a_key_pending_deletion(kms, key, shared_key, alias):
    kms.create_alias(AliasName=alias, TargetKeyId=shared_key)
    kms.schedule_key_deletion(KeyId=key)
    with refused("KMSInvalidStateException", f"{key} is pending deletion."):
        kms.update_alias(AliasName=alias, TargetKeyId=key)


def test_an_alias_leaves_a_key_pending_deletion(kms, key, shared_key, alias):
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    kms.create_alias(AliasName=alias + "/2", TargetKeyId=key)
    kms.schedule_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    kms.update_alias(AliasName=alias, TargetKeyId=shared_key)
    kms.delete_alias(AliasName=alias + "/2")
    assert kms.list_aliases(KeyId=key)["Aliases"] == []


def test_an_alias_keeps_to_its_kind_of_key(kms, server, shared_key, alias):
    hmac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
    kms.create_alias(AliasName=alias, TargetKeyId=shared_key)
    with refused("ValidationException"):
        kms.update_alias(AliasName=alias, TargetKeyId=hmac["Arn"])
    assert entry_of(kms, alias)["TargetKeyId"] == shared_key.rpartition("/")[2]


def test_a_key_has_fifty_aliases(kms, key, shared_key, alias):
    for number in range(50):
        kms.create_alias(AliasName=f"{alias}/{number:02}", TargetKeyId=key)
    message = "Aliases per key quota for this account in this region is 50, current usage is 50."
    with refused("LimitExceededException", message):
        kms.create_alias(AliasName=f"{alias}/50", TargetKeyId=key)
    kms.create_alias(AliasName=f"{alias}/50", TargetKeyId=shared_key)
    with refused("LimitExceededException", message):
        kms.update_alias(AliasName=f"{alias}/50", TargetKeyId=key)
    kms.update_alias(AliasName=f"{alias}/00", TargetKeyId=key)
    pages = kms.get_paginator("list_aliases").paginate(KeyId=key, PaginationConfig={"PageSize": 20})
    listed = [len(page["Aliases"]) for page in pages]
    assert listed == [20, 20, 10]


# --- pages ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listed():
    """A deployment with nine aliases of two keys."""
    with serving.served() as server:
        kms = server.client()
        keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2)]
        names = [f"alias/{letter}" for letter in "aBcDeFgHi"]
        for number, name in enumerate(names):
            kms.create_alias(AliasName=name, TargetKeyId=keys[number % 2])
        yield kms, keys, names
        kms.close()


@pytest.mark.parametrize("size", [1, 2, 8, 9, 100])
def test_pages_hold_every_alias_once(listed, size):
    kms, _, names = listed
    pages = list(kms.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": size}))
    found = [alias["AliasName"] for page in pages for alias in page["Aliases"]]
    assert len(set(found)) == len(found)
    assert {name for name in found if not name.startswith("alias/aws/")} == set(names)
    assert [page["Truncated"] for page in pages] == [True] * (len(pages) - 1) + [False]


def test_aliases_of_aws_are_listed_without_a_target(listed):
    kms, keys, _ = listed
    entry = entry_of(kms, "alias/aws/s3")
    assert entry["AliasArn"].endswith(":alias/aws/s3")
    assert "TargetKeyId" not in entry
    of_one = kms.list_aliases(KeyId=keys[0])["Aliases"]
    assert not [alias for alias in of_one if alias["AliasName"].startswith("alias/aws/")]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_pages_of_one_key(listed, size):
    kms, keys, names = listed
    for number, key_id in enumerate(keys):
        pages = kms.get_paginator("list_aliases").paginate(
            KeyId=key_id, PaginationConfig={"PageSize": size}
        )
        found = [alias["AliasName"] for page in pages for alias in page["Aliases"]]
        assert sorted(found) == sorted(names[number::2])


def test_a_page_goes_on_after_its_last_alias_is_gone(listed):
    kms, keys, names = listed
    kms.create_alias(AliasName="alias/b", TargetKeyId=keys[0])
    order = [alias["AliasName"] for alias in kms.list_aliases()["Aliases"]]
    place = order.index("alias/b")
    first = kms.list_aliases(Limit=place + 1)
    kms.delete_alias(AliasName="alias/b")
    rest = kms.list_aliases(Marker=first["NextMarker"])["Aliases"]
    assert [alias["AliasName"] for alias in rest] == order[place + 1 :]
    assert set(names) < set(order)


def test_markers_belong_to_what_was_listed(listed):
    kms, keys, _ = listed
    everything = kms.list_aliases(Limit=1)["NextMarker"]
    of_one = kms.list_aliases(KeyId=keys[0], Limit=1)["NextMarker"]
    for bad in ("x", everything + "=", of_one):
        with refused("InvalidMarkerException", ""):
            kms.list_aliases(Marker=bad)
    with refused("InvalidMarkerException", ""):
        kms.list_aliases(KeyId=keys[1], Marker=of_one)
    with refused("InvalidMarkerException", ""):
        kms.list_keys(Marker=everything)


@pytest.mark.parametrize(("limit", "edge"), [(0, "greater"), (101, "less"), (1001, "less")])
def test_limits(server, limit, edge):
    answer = server.send(Signed(server, "ListAliases", {"Limit": limit}))
    assert answer.json["__type"] == "ValidationException"
    assert answer.json["message"].startswith(
        f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
        f"Member must have value {edge} than or equal to "
    )


@pytest.mark.parametrize("operation", ["CreateAlias", "UpdateAlias", "DeleteAlias"])
def test_changes_answer_an_empty_body(kms, server, key, alias, operation):
    if operation != "CreateAlias":
        kms.create_alias(AliasName=alias, TargetKeyId=key)
    body = {"AliasName": alias} if operation == "DeleteAlias" else {}
    body = body or {"AliasName": alias, "TargetKeyId": key}
    answer = server.send(Signed(server, operation, body))
    assert (answer.status, answer.body) == (200, b"")
