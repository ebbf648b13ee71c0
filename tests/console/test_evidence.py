"""Evidence as root sees and keeps it, and as somebody with little access does."""

import json
import secrets

import pytest

from kit.console import PHONE, Visitor

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def key(server):
    kms = server.client("kms")
    made = kms.create_key(Description=HOSTILE)["KeyMetadata"]
    kms.create_alias(AliasName="alias/evidence", TargetKeyId=made["KeyId"])
    return made


def user(server, name, *actions):
    """Return the access key of a new user who may do these actions."""
    iam = server.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=allowing(*actions))
    return iam.create_access_key(UserName=name)["AccessKey"]


def allowing(*actions):
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def auditor(server):
    return user(server, "auditor", "kms:List*")


@pytest.fixture
def in_role(server, console, chromium):
    """Somebody who switched to a role that may read everything."""
    iam, name = server.client("iam"), f"reader-{secrets.token_hex(4)}"
    made = user(server, name, "sts:AssumeRole")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{server.account}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    reading = allowing("kms:*", "iam:*", "kagimori:*")
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=reading)
    visit = Visitor(chromium, console)
    visit.sign_in(made["AccessKeyId"], made["SecretAccessKey"])
    page = visit.go("/switch-role")
    page.fill("#role", name)
    page.click("main button.primary")
    page.wait_for_selector("nav.side")
    yield visit
    visit.close()


def test_a_reader_sees_the_facts_and_the_controls(in_role, key):
    page = in_role.go("/evidence")
    text = page.inner_text("main")
    assert page.locator("#not-read").count() == 0
    for expected in (key["Arn"], HOSTILE, "alias/evidence", "OPERATIONAL", "3.7.4", "CC6.1"):
        assert expected in text
    in_role.check_accessible()
    in_role.take_picture("evidence-en")
    report = page.request.get("/evidence/evidence.json")
    document = page.request.get("/evidence/evidence.html")
    for answer in (report, document):
        assert answer.headers["content-disposition"].startswith("attachment")
    assert report.json()["not_read"] == []
    assert key["Arn"] in document.text()
    assert HOSTILE not in document.text()


def test_who_signed_in_with_an_access_key_reads_identities_too(root, key):
    page = root.go("/evidence")
    assert page.locator("#not-read").count() == 0
    assert key["Arn"] in page.inner_text("main")


def test_an_auditor_of_little_access_sees_what_is_missing(console, chromium, key, auditor):
    made = Visitor(chromium, console, language="ja", theme="dark", size=PHONE)
    made.sign_in(auditor["AccessKeyId"], auditor["SecretAccessKey"])
    page = made.go("/evidence")
    missing = page.inner_text("main")
    for expected in ("kms:DescribeKey", "iam:ListUsers", "kagimori:GetHsmStatus", "欠けている項目"):
        assert expected in missing
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    made.check_accessible()
    made.take_picture("evidence-ja-auditor")
    made.close()
