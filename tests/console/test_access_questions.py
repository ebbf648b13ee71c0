"""The page "what may X do to key K": each answer names the statement or grant that decides."""

import json

from kit.console import PHONE

HOSTILE = "<img src=x onerror=alert(1)>"


def test_each_answer_names_what_decides(server, as_administrator):
    iam, kms = server.client("iam"), server.client("kms")
    carol = iam.create_user(UserName="carol")["User"]["Arn"]
    made = kms.create_key()["KeyMetadata"]
    policy = {"Version": "2012-10-17", "Statement": []}
    for sid, effect, action in (("MayEncrypt", "Allow", "Encrypt"), ("NoSign", "Deny", "Sign")):
        one = {"Sid": sid, "Effect": effect, "Action": f"kms:{action}", "Resource": made["Arn"]}
        policy["Statement"].append(one)
    policy["Statement"].append(
        {
            "Sid": "Conditional",
            "Effect": "Allow",
            "Action": "kms:Verify",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestTag/x": HOSTILE}},
        }
    )
    iam.put_user_policy(
        UserName="carol", PolicyName="my_rules", PolicyDocument=json.dumps(policy, indent=2)
    )
    kms.create_grant(KeyId=made["KeyId"], GranteePrincipal=carol, Operations=["Decrypt"])

    visitor = as_administrator()
    page = visitor.go(f"/access/what-may?principal={carol}&key={made['KeyId']}")
    visitor.check_accessible()
    visitor.take_picture("what-may")

    def row(name):
        return page.inner_text(f"tr:has(code:text-is('kms:{name}'))")

    assert "Allowed" in row("Encrypt")
    assert "MayEncrypt" in row("Encrypt")
    assert "Grant" in row("Decrypt")
    assert "NoSign" in row("Sign")
    assert "Denied" in row("Sign")
    assert "Not allowed" in row("DisableKey")
    assert "aws:RequestTag/x" in row("Verify")
    page.click("tr:has(code:text-is('kms:Encrypt')) summary")
    assert "/access/users/carol/inline/my_rules" in page.content()

    page = visitor.go("/access/what-may?principal=nobody&key=" + made["KeyId"])
    assert page.locator("[role=alert]").count() == 1
    phone = as_administrator(language="ja", theme="dark", size=PHONE)
    page = phone.go(f"/access/what-may?principal={carol}&key={made['KeyId']}")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    phone.check_accessible()
    phone.take_picture("what-may-ja-dark-phone")


def test_a_session_that_iam_does_not_take_goes_on_elsewhere(root):
    page = root.go("/access/what-may?principal=arn:aws:iam::111122223333:user/x&key=x")
    assert page.inner_text("h1") != "Sign in"
    page = root.go("/keys")
    assert page.inner_text("h1") != "Sign in"
