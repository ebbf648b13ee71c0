"""Users, groups, roles and policies as people manage them in the console."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from kit.console import PHONE
from totp import code

HOSTILE = "<img src=x onerror=alert(1)>"
ALLOW = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Sid": "All"}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=1)


def press(page, name):
    page.click(f"main button:text-is('{name}')")


def test_a_user_is_made_given_everything_and_deleted(server, as_administrator):
    iam = server.client("iam")
    visitor = as_administrator()
    page = visitor.go("/access/users")
    visitor.check_accessible()
    page.click("a:has-text('Create user')")
    page.fill("#name", "no spaces allowed")
    press(page, "Create user")
    assert page.locator("[role=alert]").count() == 1
    assert page.input_value("#name") == "no spaces allowed"
    page.fill("#name", "dave")
    press(page, "Create user")
    page.wait_for_url("**/access/users/dave")

    page.click("a:has-text('Set password')")
    page.fill("#password", "correct-Horse-7-battery")
    press(page, "Set password")
    assert iam.get_login_profile(UserName="dave")["LoginProfile"]["PasswordResetRequired"]

    press(page, "Create access key")
    key, secret = page.inner_text("#new-key-id"), page.inner_text("#new-secret")
    visitor.check_accessible()
    own = server.client("sts", access_key=key, secret=secret)
    assert own.get_caller_identity()["Arn"].endswith(":user/dave")
    page.click("a:has-text('I have copied it')")
    assert secret not in page.content()
    press(page, "Deactivate")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        own.get_caller_identity()

    page.fill("#device", "dave-phone")
    press(page, "Add MFA device")
    page.wait_for_selector("img[src^='data:image/png']")
    visitor.check_accessible()
    seed = page.inner_text("#seed")
    page.fill("#code1", "000000")
    page.fill("#code2", "000001")
    press(page, "Enable device")
    assert seed not in page.content()
    now = time.time()
    page.fill("#code1", code(seed, now - 30))
    page.fill("#code2", code(seed, now))
    press(page, "Enable device")
    page.wait_for_url("**/access/users/dave")
    assert len(iam.list_mfa_devices(UserName="dave")["MFADevices"]) == 1

    page.click("a:has-text('Create inline policy')")
    page.fill("#policy", '{"Version": "2012-10-17", "Statement": [{}]}')
    page.wait_for_selector("#checked.bad")
    page.fill("#policy", policy({**ALLOW, "Condition": {"StringEquals": {"aws:x": HOSTILE}}}))
    page.wait_for_selector("#checked.good")
    visitor.check_accessible()
    page.fill("#name", "mine")
    press(page, "Save")
    page.click("a:text-is('mine')")
    assert HOSTILE in page.input_value("#policy")
    page.click("a:has-text('Cancel')")

    page.fill("#tag-key", "team")
    page.fill("#tag-value", "blue")
    press(page, "Set tag")
    visitor.check_accessible()
    visitor.take_picture("access-user")
    page.click("a:has-text('Delete user')")
    assert "DeleteAccessKey" in page.inner_text("main")
    page.fill("#confirm", "alice")
    press(page, "Delete")
    assert "another one" in page.inner_text("[role=alert] >> nth=0")
    page.fill("#confirm", "dave")
    press(page, "Delete")
    page.wait_for_url("**/access/users")
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_user(UserName="dave")


def test_policies_groups_and_roles_hang_together(server, as_administrator):
    iam = server.client("iam")
    visitor = as_administrator()
    page = visitor.go("/access/policies/new")
    page.fill("#name", "use-keys")
    page.fill("#description", HOSTILE)
    page.fill("#policy", "{")
    press(page, "Save")
    assert "MalformedPolicyDocument" in page.inner_text("[role=alert] >> nth=0")
    page.fill("#policy", policy(ALLOW))
    press(page, "Save")
    page.wait_for_selector("h2:has-text('Version v1')")
    assert HOSTILE in page.inner_text("main")
    page.click("a:has-text('Create new version')")
    page.fill("#policy", policy({**ALLOW, "Action": "kms:Encrypt"}))
    press(page, "Save")
    page.wait_for_selector("h2:has-text('Version v2')")
    visitor.check_accessible()
    visitor.take_picture("access-policy")
    arn = iam.list_policies(Scope="Local")["Policies"][0]["Arn"]

    visitor.go("/access/groups/new")
    page.fill("#name", "writers")
    press(page, "Create group")
    page.fill("#attach-policy", arn)
    press(page, "Attach")
    iam.create_user(UserName="erin")
    visitor.go("/access/groups/writers")
    page.fill("#user", "erin")
    press(page, "Add user")
    visitor.check_accessible()
    assert page.locator("a[href='/access/users/erin']").count() == 1
    visitor.go(f"/access/policies/{arn.replace('/', '%2F')}")
    assert page.locator("a[href='/access/groups/writers']").count() == 1

    visitor.go("/access/roles/new")
    page.fill("#name", "auditors")
    page.fill("#description", HOSTILE)
    press(page, "Create role")
    page.wait_for_selector("h1:text-is('auditors')")
    assert HOSTILE in page.inner_text("dl.facts")
    page.fill("#boundary-policy", arn)
    press(page, "Set boundary")
    statement = json.dumps({"Sid": "Offered", **ALLOW, "Action": "kms:Decrypt"})
    visitor.go("/access/roles/auditors/boundary?add=" + statement)
    assert "kms:Decrypt" in page.input_value("#policy")
    visitor.go("/access/roles/auditors")
    visitor.check_accessible()
    visitor.take_picture("access-role")
    page.click("a:has-text('Delete role')")
    page.fill("#confirm", "auditors")
    press(page, "Delete")
    page.wait_for_url("**/access/roles")


def test_account_providers_and_own_credentials(server, as_administrator, root):
    iam = server.client("iam")
    visitor = as_administrator()
    page = visitor.go("/access/account/password-policy")
    page.fill("#MinimumPasswordLength", "14")
    page.check("[name=RequireNumbers]")
    press(page, "Save")
    assert iam.get_account_password_policy()["PasswordPolicy"]["MinimumPasswordLength"] == 14
    press(page, "Back to the default")
    page = visitor.go("/access/account")
    visitor.check_accessible()
    visitor.take_picture("access-account")
    visitor.go("/access/providers/new")
    page.fill("#url", "https://issuer.example")
    page.fill("#clients", "one\ntwo")
    page.fill("#thumbprints", "a" * 40)
    press(page, "Add provider")
    page.wait_for_selector("td:has-text('two')")
    visitor.check_accessible()
    page.click("a:has-text('Delete provider')")
    page.fill("#confirm", "issuer.example")
    visitor.take_picture("access-form")
    page.click("main button.danger")
    page.wait_for_url("**/access/providers")
    page = visitor.go("/me")
    assert "You act as a role" in page.inner_text("main")
    visitor.check_accessible()


def test_the_pages_are_there_in_japanese_on_a_phone_in_the_dark(server, as_administrator):
    server.client("iam").create_user(UserName="hanako")
    visitor = as_administrator(language="ja", theme="dark", size=PHONE)
    for path in (
        "users",
        "users/new",
        "users/hanako",
        "users/hanako/inline",
        "users/hanako/password",
        "groups",
        "roles",
        "roles/administrator",
        "policies",
        "providers",
        "account",
    ):
        page = visitor.go(f"/access/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        visitor.check_accessible()
        visitor.take_picture(f"access-{path.replace('/', '-')}-ja-dark-phone")
