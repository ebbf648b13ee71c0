"""A key's grants, rotation, material, Regions, use and cost as people see and change them."""

import json
import os

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kit.console import PHONE, Visitor

HOSTILE = "<script>document.title='broken'</script>"


@pytest.fixture
def kms(server):
    return server.client()


@pytest.fixture
def key(kms):
    return kms.create_key()["KeyMetadata"]


def person(server, name, policy=None):
    """Make a user with an access key; return the ARN, and the access key."""
    iam = server.client("iam")
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    if policy:
        document = {"Version": "2012-10-17", "Statement": policy}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    return arn, iam.create_access_key(UserName=name)["AccessKey"]


def checked(visitor, page, name):
    visitor.check_accessible()
    assert "broken" not in page.title()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]
    visitor.take_picture(name)


def test_grants_are_a_tree_of_who_passed_on_to_whom(root, server, kms, key):
    alice, given = person(server, f"alice-{key['KeyId']}")
    bob, _ = person(server, f"bob-{key['KeyId']}")
    page = root.go(f"/keys/{key['KeyId']}/grants")
    page.fill("#grantee", alice)
    page.check("[name=operation][value=CreateGrant]")
    page.check("[name=operation][value=Encrypt]")
    page.fill("#pairs", f"purpose={HOSTILE}")
    page.check("[name=kind][value=subset]")
    page.fill("#name", HOSTILE)
    page.click("text=Create the grant")
    page.wait_for_selector("main .message.bad")  # a name may not be so
    assert page.input_value("#name") == HOSTILE
    page.fill("#name", "for-alice")
    page.click("text=Create the grant")
    page.wait_for_selector("text=The grant is made.")
    hers = server.client(access_key=given["AccessKeyId"], secret=given["SecretAccessKey"])
    arn = key["Arn"]
    token = page.inner_text("main .message.good code")
    hers.create_grant(
        KeyId=arn,
        GranteePrincipal=bob,
        Operations=["Encrypt"],
        Constraints={"EncryptionContextSubset": {"purpose": HOSTILE}},
        GrantTokens=[token],
    )
    page = root.go(f"/keys/{key['KeyId']}/grants")
    assert bob in page.inner_text(f".tree li li:has-text('{alice}') ul")
    checked(root, page, "key-grants-en")
    page.click("text=End this grant … >> nth=0")
    page.click("button:text('Revoke') >> nth=0")
    page.wait_for_selector("text=The grant is revoked.")
    assert [one["GranteePrincipal"] for one in kms.list_grants(KeyId=arn)["Grants"]] == [bob]
    page.click("text=End this grant …")
    page.click("button:text('Retire')")
    page.wait_for_selector("text=The grant is retired.")
    assert kms.list_grants(KeyId=arn)["Grants"] == []


def test_a_key_is_rotated_and_its_generations_are_a_time_line(root, kms, key):
    page = root.go(f"/keys/{key['KeyId']}/rotation")
    page.fill("#days", "100")
    page.click("text=Enable the rotation")
    page.wait_for_selector("text=The key is rotated automatically from now on.")
    page.click("text=Rotate now")
    page.wait_for_selector("text=The rotation has begun.")
    checked(root, page, "key-rotation-en")
    page.click("text=Stop the rotation …")
    page.fill("#confirmation", key["KeyId"])
    page.click("button.danger")
    page.wait_for_selector("text=The key is not rotated automatically any more.")
    assert not kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]


def test_imported_material_is_deleted_only_by_the_keys_name(root, kms):
    key_id = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    wanted = kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    kms.import_key_material(
        KeyId=key_id,
        ImportToken=wanted["ImportToken"],
        EncryptedKeyMaterial=load_der_public_key(wanted["PublicKey"]).encrypt(os.urandom(32), oaep),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    page = root.go(f"/keys/{key_id}/material")
    checked(root, page, "key-material-en")
    page.click("td >> text=Delete …")
    page.wait_for_selector("text=Delete the imported key material?")
    page.fill("#confirmation", key_id)
    page.click("button.danger")
    page.wait_for_selector("text=The key material is deleted.")
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingImport"


def test_a_key_of_several_regions_shows_them(root, kms):
    key_id = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    page = root.go(f"/keys/{key_id}/regions")
    page.fill("#region", "nowhere-1")
    page.click("text=Create the replica")
    page.wait_for_selector("main .message.bad")
    assert page.input_value("#region") == "nowhere-1"
    checked(root, page, "key-regions-en")


def test_use_shows_by_whom_and_who_was_denied(server, console, chromium, root, kms, key):
    name = f"carol-{key['KeyId']}"
    arn, given = person(server, name)
    for _ in range(3):
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    hers = server.client(access_key=given["AccessKeyId"], secret=given["SecretAccessKey"])
    with pytest.raises(hers.exceptions.ClientError) as refused:
        hers.encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    request_id = refused.value.response["ResponseMetadata"]["RequestId"]
    page = root.go(f"/keys/{key['KeyId']}/use")
    page.wait_for_selector("text=3 requests used the key in this time.")
    assert f"{server.account}:root" in page.inner_text("p:has-text('Last used')")
    assert arn in page.inner_text("table:has-text('Because')")
    assert page.locator(f"a[href='/why/{request_id}']").count() == 1
    drawn = page.evaluate("[...document.querySelectorAll('img.plot')].map(i => i.naturalWidth)")
    assert len(drawn) == 2
    assert all(drawn)
    checked(root, page, "key-use-en")
    page = root.go(f"/keys/{key['KeyId']}/cost")
    page.wait_for_selector("td:text-is('2018-11')")
    checked(root, page, "key-cost-en")
    bob = Visitor(chromium, console, language="ja", theme="dark", size=PHONE)
    bob.sign_in(given["AccessKeyId"], given["SecretAccessKey"])
    for tab in ["grants", "rotation", "material", "regions", "use", "cost"]:
        page = bob.go(f"/keys/{key['KeyId']}/{tab}")
        assert "AccessDeniedException" in page.inner_text("main")
        checked(bob, page, f"key-{tab}-ja-denied")
    bob.close()
    with_root = Visitor(chromium, console, language="ja", theme="dark", size=PHONE)
    own = server.credentials
    with_root.sign_in(own.access_key, own.secret_key)
    for tab in ["", "use", "grants"]:
        page = with_root.go(f"/keys/{key['KeyId']}/{tab}".rstrip("/"))
        checked(with_root, page, f"key-{tab}-ja")
    with_root.close()
