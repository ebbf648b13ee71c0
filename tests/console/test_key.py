"""A key's own pages as people use them: they see it, change it, and are asked before danger."""

import json

import pytest

from kit.console import PHONE, Visitor

HOSTILE = '"><script>document.title="broken"</script>'


@pytest.fixture
def kms(server):
    return server.client()


@pytest.fixture
def key(kms):
    return kms.create_key(Description=HOSTILE)["KeyMetadata"]


def text_of(page):
    return page.inner_text("main")


def checked(visitor, page, name):
    """Look at a page: for screen readers, for scripts of others, and as a picture."""
    visitor.check_accessible()
    assert "broken" not in page.title()
    visitor.take_picture(name)


def test_general_describes_the_key_and_changes_it(root, kms, key):
    page = root.go(f"/keys/{key['Arn']}")
    assert page.input_value("#description") == HOSTILE
    assert key["Arn"] in text_of(page)
    checked(root, page, "key-general-en")
    page.fill("#description", "orders")
    page.click("text=Save the description")
    page.wait_for_selector("text=The description is changed.")
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["Description"] == "orders"


def test_a_key_is_disabled_only_by_its_name(root, kms, key):
    kms.create_alias(AliasName=f"alias/{key['KeyId']}x", TargetKeyId=key["KeyId"])
    kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    page = root.go(f"/keys/{key['KeyId']}")
    page.click("text=Disable …")
    page.wait_for_selector("text=Disable this key?")
    assert "1 use succeeded in that time." in text_of(page)
    assert ":root" in text_of(page)
    checked(root, page, "key-danger-en")
    page.fill("#confirmation", "alias/another")
    page.click("button.danger")
    page.wait_for_selector("text=Nothing was changed.")
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "Enabled"
    page.fill("#confirmation", f"alias/{key['KeyId']}x")
    page.click("button.danger")
    page.wait_for_selector("text=The key is disabled.")
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "Disabled"
    page.click("main button:text-is('Enable')")
    page.wait_for_selector("text=The key is enabled.")


def test_a_deletion_is_scheduled_and_cancelled_on_any_page(root, kms, key):
    page = root.go(f"/keys/{key['KeyId']}/confirm/delete")
    page.fill("#days", "3")
    page.fill("#confirmation", key["KeyId"])
    page.evaluate("document.querySelector('main form:has(#days)').noValidate = true")
    page.click("button.danger")
    page.wait_for_selector("text=ValidationException")
    page.fill("#days", "8")
    page.fill("#confirmation", key["KeyId"])
    page.click("button.danger")
    page.wait_for_selector("text=The deletion of the key is scheduled.")
    page = root.go(f"/keys/{key['KeyId']}/tags")
    page.wait_for_selector("text=This key is deleted in 7 days.")
    checked(root, page, "key-pending-en")
    page.click("text=Cancel the deletion")
    page.wait_for_selector("text=The deletion is cancelled.")
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "Disabled"


def test_aliases_are_made_moved_and_deleted(root, kms, key):
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    name = f"alias/moved-{other}"
    kms.create_alias(AliasName=name, TargetKeyId=other)
    page = root.go(f"/keys/{key['KeyId']}/aliases")
    page.fill("#alias", HOSTILE)
    page.click("text=Create >> nth=-1")
    page.wait_for_selector("main .message.bad")
    assert page.input_value("#alias") == "alias/" + HOSTILE
    page.fill("#alias", name)
    page.click("text=Move an existing alias here")
    page.wait_for_selector(f"text=The alias {name} belongs to this key now.")
    checked(root, page, "key-aliases-en")
    kms.encrypt(KeyId=name, Plaintext=b"x")
    page.click("text=Delete …")
    page.wait_for_selector("text=1 of them named this alias.")
    page.fill("#confirmation", name)
    page.click("button.danger")
    page.wait_for_selector("text=The alias is deleted.")
    assert kms.list_aliases(KeyId=key["KeyId"])["Aliases"] == []


def test_tags_are_edited_as_a_table(root, kms, key):
    page = root.go(f"/keys/{key['KeyId']}/tags")
    page.fill("[name=key-0]", "team")
    page.fill("[name=value-0]", "orders")
    page.fill("[name=key-1]", HOSTILE)
    page.click("text=Save the tags")
    page.wait_for_selector("main .message.bad")
    assert page.input_value("[name=key-1]") == HOSTILE
    page.fill("[name=key-1]", "")
    page.click("text=Save the tags")
    page.wait_for_selector("text=The tags are saved.")
    checked(root, page, "key-tags-en")
    page.fill("[name=key-0]", "stage")
    page.click("text=Save the tags")
    page.wait_for_selector("text=The tags are saved.")
    tags = kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]
    assert tags == [{"TagKey": "stage", "TagValue": "orders"}]


def test_a_policy_is_reviewed_before_it_is_saved(root, server, kms, key):
    kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    page = root.go(f"/keys/{key['KeyId']}/policy")
    page.wait_for_selector("text=can be changed by")
    checked(root, page, "key-policy-en")
    page.click("text=Edit as a form")
    page.fill("#sid-0", HOSTILE)
    page.fill("#what-0", "kms:PutKeyPolicy\nkms:Get*")
    page.click("text=Add a statement")
    page.fill("#who-1", f"arn:aws:iam::{server.account}:root")
    page.fill("#what-1", "kms:Describe*")
    checked(root, page, "key-policy-form-en")
    page.click("text=Review the change")
    page.wait_for_selector("text=These were allowed, and would be denied:")
    assert "kms:Encrypt" in text_of(page)
    assert page.locator("tr.added").count() > 1
    checked(root, page, "key-policy-review-en")
    page.evaluate("document.querySelector('#confirmation').required = false")
    page.click("text=Save the key policy")
    page.wait_for_selector("text=Nothing was changed.")
    assert "PutKeyPolicy" not in kms.get_key_policy(KeyId=key["KeyId"])["Policy"]


def test_a_policy_that_only_adds_needs_no_confirmation(root, server, kms, key):
    policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
    policy["Statement"].append(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{server.account}:root"},
            "Action": "kms:Decrypt",
            "Resource": "*",
        }
    )
    page = root.go(f"/keys/{key['KeyId']}/policy")
    page.fill("#policy", json.dumps(policy))
    page.click("text=Review the change")
    page.wait_for_selector("text=Nothing would newly fail")
    page.click("text=Save the key policy")
    page.wait_for_selector("text=The key policy is saved.")
    assert json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"]) == policy


def test_what_may_not_be_read_is_a_refusal_in_its_place(server, console, chromium, kms, key):
    iam = server.client("iam")
    name = f"reader-{key['KeyId']}"
    iam.create_user(UserName=name)
    allowed = {"Effect": "Allow", "Action": "kms:ListResourceTags", "Resource": "*"}
    iam.put_user_policy(
        UserName=name,
        PolicyName="tags",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )
    given = iam.create_access_key(UserName=name)["AccessKey"]
    bob = Visitor(chromium, console, language="ja", theme="dark", size=PHONE)
    bob.sign_in(given["AccessKeyId"], given["SecretAccessKey"])
    for tab in ["", "/policy", "/aliases", "/tags", "/confirm/disable"]:
        page = bob.go(f"/keys/{key['KeyId']}{tab}")
        assert "AccessDeniedException" in text_of(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        checked(bob, page, "key" + tab.replace("/", "-") + "-ja-denied")
    page = bob.go(f"/keys/{key['KeyId']}/tags")
    assert page.locator("[name=key-0]").count() == 1
    bob.close()


def test_there_is_no_such_key(root):
    assert root.page.goto("/keys/1234abcd-12ab-34cd-56ef-1234567890ab").status == 404
    assert root.page.goto("/keys/1234abcd-12ab-34cd-56ef-1234567890ab/confirm/x").status == 404
