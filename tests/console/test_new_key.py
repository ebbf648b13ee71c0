"""The wizard for a new key as people use it."""

import json

import pytest

from kit.console import PHONE, Visitor

HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture(scope="module")
def people(server):
    """A user and a role of the account, by their ARNs."""
    iam = server.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}}
    text = json.dumps(
        {"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]}
    )
    user = iam.create_user(UserName="wizard-alice")["User"]["Arn"]
    role = iam.create_role(RoleName="wizard-app", AssumeRolePolicyDocument=text)["Role"]["Arn"]
    return {"alice": user, "app": role}


def on(page):
    page.click("main form button.primary")


def to_policy(page, alias):
    page.goto("/new-key")
    on(page)
    page.fill("#alias", alias)
    on(page)
    on(page)
    on(page)
    page.wait_for_selector("textarea[name=policy]")


def test_a_key_is_made_in_five_steps(server, root, people):
    page = root.go("/new-key")
    root.check_accessible()
    root.take_picture("new-key-1-en")
    on(page)
    page.fill("#alias", "wizard orders")
    on(page)
    assert "An alias has 1 to 250" in page.locator(".message.bad").inner_text()
    page.fill("#alias", "wizard-orders")
    page.fill("#description", HOSTILE)
    page.fill("#tag-key-1", "team")
    page.fill("#tag-value-1", "shop")
    root.check_accessible()
    on(page)
    page.fill("#arns", people["alice"])
    page.click("button[value=find]")
    assert page.is_checked("input[value$=wizard-alice]")
    root.check_accessible()
    root.take_picture("new-key-3-en")
    on(page)
    page.fill("#arns", people["app"])
    page.fill("#accounts", "12345")
    on(page)
    assert "12 digits" in page.locator("main").inner_text()
    page.fill("#accounts", "")
    on(page)
    page.wait_for_selector("textarea[name=policy]")
    root.check_accessible()
    root.take_picture("new-key-5-en")
    on(page)
    page.wait_for_url("**/keys/*")
    kms = server.client("kms")
    made = kms.describe_key(KeyId="alias/wizard-orders")["KeyMetadata"]
    assert made["Description"] == HOSTILE
    tags = kms.list_resource_tags(KeyId=made["KeyId"])["Tags"]
    assert tags == [{"TagKey": "team", "TagValue": "shop"}]
    text = kms.get_key_policy(KeyId=made["KeyId"], PolicyName="default")["Policy"]
    sids = {one["Sid"]: one["Principal"]["AWS"] for one in json.loads(text)["Statement"]}
    assert sids["Allow access for Key Administrators"] == people["alice"]
    assert sids["Allow use of the key"] == people["app"]


def test_a_policy_is_checked_while_typing_and_again_when_it_is_sent(server, root):
    to_policy(root.page, "wizard-checked")
    page, found = root.page, root.page.locator("#policy-check")
    assert "valid" in found.inner_text()
    page.fill("textarea[name=policy]", '{\n  "Version" }')
    page.wait_for_selector("#policy-check.bad")
    assert "Line 2, column 13" in found.inner_text()
    alone = {
        "Effect": "Allow",
        "Principal": {"AWS": server.client("sts").get_caller_identity()["Arn"]},
        "Action": "kms:Encrypt",
        "Resource": "*",
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [alone]})
    page.fill("textarea[name=policy]", text)
    page.wait_for_selector("#policy-check.warning")
    before = len(server.client("kms").list_keys()["Keys"])
    on(page)
    assert "will not allow you to update" in page.locator("main").inner_text()
    assert page.input_value("textarea[name=policy]") == text
    assert len(server.client("kms").list_keys()["Keys"]) == before
    page.click("text=Discard my edits")
    assert "Enable IAM User Permissions" in page.input_value("textarea[name=policy]")


def test_only_combinations_that_there_are_go_on(root):
    page = root.go("/new-key")
    page.check("input[value=SIGN_VERIFY]")
    assert page.input_value("#spec") == "RSA_2048"
    page.select_option("#spec", "ML_DSA_65")
    page.check("input[value=EXTERNAL]")
    on(page)
    assert "cannot be imported" in page.locator(".message.bad").inner_text()


def test_a_key_whose_alias_fails_is_there_and_gets_another(server, root):
    to_policy(root.page, "wizard-late")
    kms, page = server.client("kms"), root.page
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/wizard-late", TargetKeyId=other)
    on(page)
    assert "was created, but it was not given its alias" in page.locator("main").inner_text()
    root.check_accessible()
    page.fill("#alias", "alias/wizard-later")
    on(page)
    page.wait_for_url("**/keys/*")
    assert kms.describe_key(KeyId="alias/wizard-later")["KeyMetadata"]["KeyId"] in page.url


def test_a_phone_goes_the_same_way_in_japanese(server, console, chromium):
    made = Visitor(chromium, console, language="ja", theme="dark", size=PHONE)
    made.sign_in(server.credentials.access_key, server.credentials.secret_key)
    to_policy(made.page, "wizard-ja")
    assert made.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    made.check_accessible()
    made.take_picture("new-key-5-ja-dark-390")
    made.close()
