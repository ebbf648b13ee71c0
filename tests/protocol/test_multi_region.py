"""Multi-Region keys: one key in several Regions. Reference: 17, 12 and 8.4."""

import os

import pytest

import outside
import serving
from dev_clock import DAY, advance, date, now
from serving import eventually, refused

ABROAD = ("eu-west-1", "ap-northeast-1")
NEW = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "ImportType": "NEW_KEY_MATERIAL"}


@pytest.fixture(scope="module")
def moving():
    """A `dev` server whose clock only these tests move."""
    with serving.dev_served() as server:
        yield server


@pytest.fixture(scope="module")
def regions(moving):
    """A client for each Region, by its name."""
    clients = {region: moving.client(region=region) for region in ("us-east-1", *ABROAD)}
    yield clients
    for client in clients.values():
        client.close()


@pytest.fixture(scope="module")
def kms(regions):
    return regions["us-east-1"]


@pytest.fixture(scope="module")
def kms_abroad(regions):
    return regions["eu-west-1"]


@pytest.fixture
def primary(kms):
    return kms.create_key(MultiRegion=True, Description="primary")["KeyMetadata"]["Arn"]


@pytest.fixture
def replica(kms, primary):
    return kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"]["Arn"]


def metadata(client, key):
    return client.describe_key(KeyId=key)["KeyMetadata"]


def there(arn, region):
    return arn.replace(":us-east-1:", f":{region}:")


def configuration(primary, *replica_regions, kind="PRIMARY", of="us-east-1"):
    def member(region):
        return {"Arn": there(primary, region), "Region": region}

    return {
        "MultiRegionKeyType": kind,
        "PrimaryKey": member(of),
        "ReplicaKeys": [member(region) for region in replica_regions],
    }


def no_primary(arn):
    return f"{arn} is not a multi-region primary key."


def materials(client, key):
    shown = client.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    return [
        (e["KeyMaterialId"], e["KeyMaterialState"], e.get("ImportState"))
        for e in shown["Rotations"]
    ]


# --- creation and replication ---------------------------------------------------------------------


def test_new_primary(kms, primary):
    found = metadata(kms, primary)
    assert found["KeyId"].startswith("mrk-")
    assert len(found["KeyId"]) == 36
    assert found["MultiRegion"] is True
    assert found["MultiRegionConfiguration"] == configuration(primary)


def test_unknown_elsewhere(kms_abroad, primary):
    arn = there(primary, "eu-west-1")
    for name in (arn, primary.rpartition("/")[2]):
        with refused("NotFoundException", f"Key '{arn}' does not exist"):
            kms_abroad.describe_key(KeyId=name)
    with refused("NotFoundException", "Invalid arn us-east-1"):
        kms_abroad.describe_key(KeyId=primary)


def test_replicate(kms, kms_abroad, primary):
    kms.tag_resource(KeyId=primary, Tags=[{"TagKey": "only", "TagValue": "here"}])
    answer = kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")
    arn = there(primary, "eu-west-1")
    made = answer["ReplicaKeyMetadata"]
    assert (made["Arn"], made["KeyState"], made["Enabled"]) == (arn, "Creating", False)
    assert made["Description"] == ""
    assert "CurrentKeyMaterialId" not in made
    assert "ReplicaTags" not in answer
    assert '"key-default-1"' in answer["ReplicaPolicy"]
    assert made["MultiRegionConfiguration"] == configuration(primary, "eu-west-1", kind="REPLICA")
    eventually(lambda: metadata(kms_abroad, arn)["KeyState"] == "Enabled")
    found, own = metadata(kms_abroad, arn), metadata(kms, primary)
    assert found["CurrentKeyMaterialId"] == own["CurrentKeyMaterialId"]
    assert found["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA"
    assert own["MultiRegionConfiguration"] == configuration(primary, "eu-west-1")
    shared = ("KeyId", "KeyUsage", "KeySpec", "Origin", "EncryptionAlgorithms", "AWSAccountId")
    assert [found[name] for name in shared] == [own[name] for name in shared]
    assert kms_abroad.list_resource_tags(KeyId=arn)["Tags"] == []


def test_replicate_with_everything(kms, kms_abroad, primary):
    policy = kms.get_key_policy(KeyId=primary)["Policy"].replace("key-default-1", "replica")
    tags = [{"TagKey": "a", "TagValue": "b"}]
    answer = kms.replicate_key(
        KeyId=primary, ReplicaRegion="eu-west-1", Description="abroad", Policy=policy, Tags=tags
    )
    arn = answer["ReplicaKeyMetadata"]["Arn"]
    assert answer["ReplicaKeyMetadata"]["Description"] == "abroad"
    assert answer["ReplicaTags"] == tags
    assert '"replica"' in answer["ReplicaPolicy"]
    assert '"replica"' in kms_abroad.get_key_policy(KeyId=arn)["Policy"]
    assert kms_abroad.list_resource_tags(KeyId=arn)["Tags"] == tags
    assert '"key-default-1"' in kms.get_key_policy(KeyId=primary)["Policy"]


def test_three_members(regions, kms, primary):
    for region in ABROAD:
        kms.replicate_key(KeyId=primary, ReplicaRegion=region)
    for region, client in regions.items():
        kind = "PRIMARY" if region == "us-east-1" else "REPLICA"
        found = metadata(client, there(primary, region))["MultiRegionConfiguration"]
        assert found == configuration(primary, *ABROAD, kind=kind)


def test_what_cannot_be_replicated(kms, kms_abroad, primary, replica):
    with refused("AlreadyExistsException"):
        kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")
    with refused("ValidationException"):
        kms.replicate_key(KeyId=primary, ReplicaRegion="us-east-1")
    for region in ("xx-nowhere-1", "cn-north-1"):
        with refused("ValidationException"):
            kms.replicate_key(KeyId=primary, ReplicaRegion=region)
    with refused("UnsupportedOperationException", no_primary(replica)):
        kms_abroad.replicate_key(KeyId=replica, ReplicaRegion="ap-northeast-1")
    single = kms.create_key()["KeyMetadata"]["Arn"]
    with refused("UnsupportedOperationException", no_primary(single)):
        kms.replicate_key(KeyId=single, ReplicaRegion="eu-west-1")
    kms.disable_key(KeyId=primary)
    with refused("DisabledException", f"{primary} is disabled."):
        kms.replicate_key(KeyId=primary, ReplicaRegion="ap-northeast-1")
    with refused("MalformedPolicyDocumentException"):
        kms.enable_key(KeyId=primary)
        kms.replicate_key(KeyId=primary, ReplicaRegion="ap-northeast-1", Policy="{}")


def test_lockout_check_of_the_replicas_policy(kms, primary):
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}]}'
    given = {"KeyId": primary, "ReplicaRegion": "eu-west-1", "Policy": policy}
    text = "The new key policy will not allow you to update the key policy in the future."
    with refused("MalformedPolicyDocumentException", text):
        kms.replicate_key(**given)
    assert kms.replicate_key(BypassPolicyLockoutSafetyCheck=True, **given)["ReplicaPolicy"]


# --- use ------------------------------------------------------------------------------------------


def test_ciphertext_opens_in_every_region(kms, kms_abroad, primary, replica):
    for client, key in ((kms, primary), (kms_abroad, replica)):
        blob = client.encrypt(KeyId=key, Plaintext=b"p", EncryptionContext={"a": "b"})[
            "CiphertextBlob"
        ]
        for other, arn in ((kms, primary), (kms_abroad, replica)):
            found = other.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
            assert (found["Plaintext"], found["KeyId"]) == (b"p", arn)
            assert other.decrypt(CiphertextBlob=blob, KeyId=arn, EncryptionContext={"a": "b"})
            with refused("InvalidCiphertextException", ""):
                other.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "c"})
    blob = kms.encrypt(KeyId=primary, Plaintext=b"p")["CiphertextBlob"]
    with refused("NotFoundException", "Invalid arn us-east-1"):
        kms_abroad.decrypt(CiphertextBlob=blob, KeyId=primary)
    moved = kms_abroad.re_encrypt(CiphertextBlob=blob, DestinationKeyId=replica)
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == b"p"


def test_ciphertext_does_not_open_where_the_key_is_not(regions, kms, primary, replica):
    blob = kms.encrypt(KeyId=primary, Plaintext=b"p")["CiphertextBlob"]
    with refused("AccessDeniedException"):
        regions["ap-northeast-1"].decrypt(CiphertextBlob=blob)


@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
        ("ML_DSA_44", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "KEY_AGREEMENT"),
    ],
)
def test_other_kinds_are_replicated(kms, kms_abroad, spec, usage):
    primary = kms.create_key(MultiRegion=True, KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]
    replica = kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"][
        "Arn"
    ]
    if spec == "HMAC_256":
        given = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
        mac = kms.generate_mac(KeyId=primary, **given)["Mac"]
        assert kms_abroad.generate_mac(KeyId=replica, **given)["Mac"] == mac
        return
    keys = [
        c.get_public_key(KeyId=k)["PublicKey"] for c, k in ((kms, primary), (kms_abroad, replica))
    ]
    assert keys[0] == keys[1]
    if usage == "SIGN_VERIFY":
        algorithm = "ML_DSA_SHAKE_256" if spec == "ML_DSA_44" else "ECDSA_SHA_256"
        given = {"Message": b"m", "SigningAlgorithm": algorithm}
        signature = kms_abroad.sign(KeyId=replica, **given)["Signature"]
        assert kms.verify(KeyId=primary, Signature=signature, **given)["SignatureValid"]


def test_what_members_have_for_themselves(kms, kms_abroad, primary, replica):
    kms_abroad.update_key_description(KeyId=replica, Description="abroad")
    assert metadata(kms, primary)["Description"] == "primary"
    name = f"alias/mrk/{primary[-12:]}"
    kms.create_alias(AliasName=name, TargetKeyId=primary)
    with refused("NotFoundException"):
        kms_abroad.describe_key(KeyId=name)
    kms_abroad.create_grant(
        KeyId=replica, GranteePrincipal="arn:aws:iam::111122223333:root", Operations=["Decrypt"]
    )
    assert kms.list_grants(KeyId=primary)["Grants"] == []
    kms_abroad.disable_key(KeyId=replica)
    assert metadata(kms, primary)["KeyState"] == "Enabled"
    blob = kms.encrypt(KeyId=primary, Plaintext=b"p")["CiphertextBlob"]
    with refused("DisabledException", f"{replica} is disabled."):
        kms_abroad.decrypt(CiphertextBlob=blob)
    usage = kms_abroad.get_key_last_usage(KeyId=replica)
    assert usage["KeyLastUsage"] == {}


# --- the primary Region ---------------------------------------------------------------------------


def test_another_primary(kms, kms_abroad, regions, primary, replica):
    kms.replicate_key(KeyId=primary, ReplicaRegion="ap-northeast-1")
    kms.update_primary_region(KeyId=primary, PrimaryRegion="eu-west-1")
    eventually(lambda: metadata(kms_abroad, replica)["KeyState"] == "Enabled")
    for region, client in regions.items():
        found = metadata(client, there(primary, region))["MultiRegionConfiguration"]
        assert found["PrimaryKey"] == {"Arn": replica, "Region": "eu-west-1"}
        assert {m["Region"] for m in found["ReplicaKeys"]} == {"us-east-1", "ap-northeast-1"}
        assert found["MultiRegionKeyType"] == ("PRIMARY" if region == "eu-west-1" else "REPLICA")
    for call, given in (
        (kms.enable_key_rotation, {}),
        (kms.rotate_key_on_demand, {}),
        (kms.replicate_key, {"ReplicaRegion": "sa-east-1"}),
        (kms.update_primary_region, {"PrimaryRegion": "us-east-1"}),
    ):
        with refused("UnsupportedOperationException", no_primary(primary)):
            call(KeyId=primary, **given)
    made = kms_abroad.replicate_key(KeyId=replica, ReplicaRegion="sa-east-1")
    assert made["ReplicaKeyMetadata"]["Arn"] == there(primary, "sa-east-1")
    kms_abroad.update_primary_region(KeyId=replica, PrimaryRegion="us-east-1")
    assert metadata(kms, primary)["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"


def test_primaries_that_cannot_be(kms, kms_abroad, primary, replica):
    with refused("NotFoundException"):
        kms.update_primary_region(KeyId=primary, PrimaryRegion="ap-northeast-1")
    with refused("UnsupportedOperationException", no_primary(replica)):
        kms_abroad.update_primary_region(KeyId=replica, PrimaryRegion="eu-west-1")
    single = kms.create_key()["KeyMetadata"]["Arn"]
    with refused("UnsupportedOperationException", no_primary(single)):
        kms.update_primary_region(KeyId=single, PrimaryRegion="eu-west-1")
    kms_abroad.disable_key(KeyId=replica)
    with refused("DisabledException", f"{replica} is disabled."):
        kms.update_primary_region(KeyId=primary, PrimaryRegion="eu-west-1")
    kms_abroad.enable_key(KeyId=replica)
    kms.disable_key(KeyId=primary)
    with refused("DisabledException", f"{primary} is disabled."):
        kms.update_primary_region(KeyId=primary, PrimaryRegion="eu-west-1")


# --- deletion -------------------------------------------------------------------------------------


def test_replica_goes_and_comes_again(moving, kms, kms_abroad, primary, replica):
    blob = kms_abroad.encrypt(KeyId=replica, Plaintext=b"p")["CiphertextBlob"]
    answer = kms_abroad.schedule_key_deletion(KeyId=replica, PendingWindowInDays=7)
    assert answer["KeyState"] == "PendingDeletion"
    assert metadata(kms, primary)["KeyState"] == "Enabled"
    with refused("AlreadyExistsException"):
        kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")
    with refused("KMSInvalidStateException", f"{replica} is pending deletion."):
        kms.update_primary_region(KeyId=primary, PrimaryRegion="eu-west-1")
    advance(moving, days=8)
    with refused("NotFoundException", f"Key '{replica}' does not exist"):
        kms_abroad.describe_key(KeyId=replica)
    assert metadata(kms, primary)["MultiRegionConfiguration"] == configuration(primary)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"p"
    with refused("AccessDeniedException"):
        kms_abroad.decrypt(CiphertextBlob=blob)
    kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")
    assert kms_abroad.get_key_last_usage(KeyId=replica)["KeyLastUsage"] == {}
    assert kms_abroad.decrypt(CiphertextBlob=blob)["Plaintext"] == b"p"


def test_primary_waits_for_its_replicas(moving, regions, kms, kms_abroad, primary, replica):
    third = kms.replicate_key(KeyId=primary, ReplicaRegion="ap-northeast-1")["ReplicaKeyMetadata"][
        "Arn"
    ]
    answer = kms.schedule_key_deletion(KeyId=primary, PendingWindowInDays=10)
    answer.pop("ResponseMetadata")
    assert answer == {
        "KeyId": primary,
        "KeyState": "PendingReplicaDeletion",
        "PendingWindowInDays": 10,
    }
    found = metadata(kms, primary)
    assert found["PendingDeletionWindowInDays"] == 10
    assert "DeletionDate" not in found
    text = f"{primary} is pending replica deletion."
    for call, given in (
        (kms.encrypt, {"Plaintext": b"p"}),
        (kms.schedule_key_deletion, {}),
        (kms.enable_key, {}),
        (kms.replicate_key, {"ReplicaRegion": "sa-east-1"}),
        (kms.update_primary_region, {"PrimaryRegion": "eu-west-1"}),
    ):
        with refused("KMSInvalidStateException", text):
            call(KeyId=primary, **given)
    advance(moving, days=40)
    assert metadata(kms, primary)["KeyState"] == "PendingReplicaDeletion"
    kms_abroad.schedule_key_deletion(KeyId=replica, PendingWindowInDays=7)
    advance(moving, days=8)
    assert metadata(kms, primary)["KeyState"] == "PendingReplicaDeletion"
    assert kms.get_key_rotation_status(KeyId=primary)["KeyRotationEnabled"] is False
    regions["ap-northeast-1"].schedule_key_deletion(KeyId=third, PendingWindowInDays=7)
    advance(moving, days=7, seconds=1)
    found = metadata(kms, primary)
    assert found["KeyState"] == "PendingDeletion"
    assert "PendingDeletionWindowInDays" not in found
    assert abs(found["DeletionDate"].timestamp() - now(moving) - 10 * DAY) < 20
    advance(moving, days=11)
    with refused("NotFoundException"):
        kms.describe_key(KeyId=primary)


def test_waiting_primary_may_be_kept(moving, kms, kms_abroad, primary, replica):
    kms.schedule_key_deletion(KeyId=primary)
    kms.cancel_key_deletion(KeyId=primary)
    found = metadata(kms, primary)
    assert found["KeyState"] == "Disabled"
    assert "PendingDeletionWindowInDays" not in found
    kms_abroad.schedule_key_deletion(KeyId=replica, PendingWindowInDays=7)
    advance(moving, days=8)
    assert metadata(kms, primary)["KeyState"] == "Disabled"
    kms.enable_key(KeyId=primary)
    assert kms.encrypt(KeyId=primary, Plaintext=b"p")["CiphertextBlob"]


# --- imported material ----------------------------------------------------------------------------


@pytest.fixture
def imported(kms, kms_abroad):
    """A primary with imported material and its replica without: ARNs, and the material."""
    material = os.urandom(32)
    primary = outside.new_imported_key(kms, material, MultiRegion=True)
    replica = kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"][
        "Arn"
    ]
    return primary, replica, material


def test_replica_waits_for_the_same_material(kms, kms_abroad, imported):
    primary, replica, material = imported
    found = metadata(kms_abroad, replica)
    assert (found["KeyState"], found["Origin"]) == ("PendingImport", "EXTERNAL")
    assert found["CurrentKeyMaterialId"] == metadata(kms, primary)["CurrentKeyMaterialId"]
    assert not {"ExpirationModel", "ValidTo"} & set(found)
    blob = kms.encrypt(KeyId=primary, Plaintext=b"p")["CiphertextBlob"]
    with refused("KMSInvalidStateException", f"{replica} is pending import."):
        kms_abroad.decrypt(CiphertextBlob=blob)
    with refused("IncorrectKeyMaterialException"):
        outside.imported(kms_abroad, replica, os.urandom(32))
    outside.imported(kms_abroad, replica, material)
    assert kms_abroad.decrypt(CiphertextBlob=blob)["Plaintext"] == b"p"
    kms_abroad.delete_imported_key_material(KeyId=replica)
    assert metadata(kms_abroad, replica)["KeyState"] == "PendingImport"
    assert metadata(kms, primary)["KeyState"] == "Enabled"


def test_primary_without_material_is_not_replicated(kms):
    primary = kms.create_key(MultiRegion=True, Origin="EXTERNAL")["KeyMetadata"]["Arn"]
    with refused("KMSInvalidStateException", f"{primary} is pending import."):
        kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")


def test_new_material_is_used_once_it_is_everywhere(kms, kms_abroad, imported):
    primary, replica, material = imported
    outside.imported(kms_abroad, replica, material)
    first = metadata(kms, primary)["CurrentKeyMaterialId"]
    fresh = os.urandom(32)
    with refused("UnsupportedOperationException"):
        outside.imported(kms_abroad, replica, fresh, **NEW)
    with refused("ValidationException"):
        outside.imported(kms_abroad, replica, material, KeyMaterialDescription="d")
    second = outside.imported(kms, primary, fresh, KeyMaterialDescription="fresh", **NEW)[
        "KeyMaterialId"
    ]
    waits = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    assert materials(kms, primary) == [(first, "CURRENT", "IMPORTED"), (second, waits, "IMPORTED")]
    assert materials(kms_abroad, replica) == [
        (first, "CURRENT", "IMPORTED"),
        (second, waits, "PENDING_IMPORT"),
    ]
    nothing = f"No available key material pending rotation for the key: {primary}."
    with refused("KMSInvalidStateException", nothing):
        kms.rotate_key_on_demand(KeyId=primary)
    outside.imported(kms_abroad, replica, fresh)
    for client, key in ((kms, primary), (kms_abroad, replica)):
        assert materials(client, key)[1] == (second, "PENDING_ROTATION", "IMPORTED")
    old = kms_abroad.encrypt(KeyId=replica, Plaintext=b"old")["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=primary)
    for client, key in ((kms, primary), (kms_abroad, replica)):
        eventually(
            lambda client=client, key=key: metadata(client, key)["CurrentKeyMaterialId"] == second
        )
    new = kms.encrypt(KeyId=primary, Plaintext=b"new")["CiphertextBlob"]
    for client in (kms, kms_abroad):
        assert client.decrypt(CiphertextBlob=old)["Plaintext"] == b"old"
        assert client.decrypt(CiphertextBlob=new)["Plaintext"] == b"new"


def test_what_waits_is_deleted_everywhere_from_the_primary(kms, kms_abroad, imported):
    primary, replica, material = imported
    outside.imported(kms_abroad, replica, material)
    fresh = os.urandom(32)
    for _ in range(2):
        second = outside.imported(kms, primary, fresh, **NEW)["KeyMaterialId"]
        outside.imported(kms_abroad, replica, fresh)
        kms.delete_imported_key_material(KeyId=primary, KeyMaterialId=second)
        for client, key in ((kms, primary), (kms_abroad, replica)):
            assert len(materials(client, key)) == 1
            assert metadata(client, key)["KeyState"] == "Enabled"


def test_what_waits_is_deleted_from_a_replica_alone(kms, kms_abroad, imported):
    primary, replica, material = imported
    outside.imported(kms_abroad, replica, material)
    fresh = os.urandom(32)
    second = outside.imported(kms, primary, fresh, **NEW)["KeyMaterialId"]
    outside.imported(kms_abroad, replica, fresh)
    kms_abroad.delete_imported_key_material(KeyId=replica, KeyMaterialId=second)
    waits = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    assert materials(kms, primary)[1] == (second, waits, "IMPORTED")
    assert materials(kms_abroad, replica)[1] == (second, waits, "PENDING_IMPORT")
    assert metadata(kms_abroad, replica)["KeyState"] == "Enabled"
    with refused("KMSInvalidStateException"):
        kms.rotate_key_on_demand(KeyId=primary)
    outside.imported(kms_abroad, replica, fresh)
    kms.rotate_key_on_demand(KeyId=primary)
    eventually(lambda: metadata(kms_abroad, replica)["CurrentKeyMaterialId"] == second)


def test_new_replica_needs_what_waits_as_well(moving, kms, kms_abroad):
    first, second = os.urandom(32), os.urandom(32)
    primary = outside.new_imported_key(kms, first, MultiRegion=True)
    second_id = outside.imported(kms, primary, second, **NEW)["KeyMaterialId"]
    assert materials(kms, primary)[1][1] == "PENDING_ROTATION"
    replica = kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"][
        "Arn"
    ]
    assert materials(kms, primary)[1][1] == "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    with refused("KMSInvalidStateException"):
        kms.rotate_key_on_demand(KeyId=primary)
    outside.imported(kms_abroad, replica, first)
    assert metadata(kms_abroad, replica)["KeyState"] == "Enabled"
    with refused("KMSInvalidStateException"):
        kms.rotate_key_on_demand(KeyId=primary)
    # The replica that lacks it goes: then it is everywhere.
    kms_abroad.schedule_key_deletion(KeyId=replica, PendingWindowInDays=7)
    advance(moving, days=8)
    assert materials(kms, primary)[1] == (second_id, "PENDING_ROTATION", "IMPORTED")
    kms.rotate_key_on_demand(KeyId=primary)
    eventually(lambda: metadata(kms, primary)["CurrentKeyMaterialId"] == second_id)


def test_expiry_is_each_members_own(moving, kms, kms_abroad, imported):
    primary, replica, material = imported
    outside.imported(kms_abroad, replica, material, ValidTo=date(now(moving) + DAY))
    assert "ValidTo" not in metadata(kms, primary)
    advance(moving, days=2)
    assert metadata(kms_abroad, replica)["KeyState"] == "PendingImport"
    assert metadata(kms, primary)["KeyState"] == "Enabled"


def test_imported_signing_key_is_the_same_abroad(kms, kms_abroad):
    private_key = outside.new_private_key("ECC_NIST_P256")
    primary = outside.new_imported_key(kms, private_key, "ECC_NIST_P256", MultiRegion=True)
    replica = kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"][
        "Arn"
    ]
    with refused("IncorrectKeyMaterialException"):
        outside.imported(kms_abroad, replica, outside.new_private_key("ECC_NIST_P256"))
    outside.imported(kms_abroad, replica, private_key)
    given = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = kms_abroad.sign(KeyId=replica, **given)["Signature"]
    assert kms.verify(KeyId=primary, Signature=signature, **given)["SignatureValid"]
