"""One server, one console and one browser for all tests of the console."""

import json

import pytest

from kit.console import CHROMIUM, Visitor, browser, console_of
from serving import served


@pytest.fixture(scope="session")
def server():
    with served() as running:
        yield running


@pytest.fixture(scope="session")
def console(server):
    with console_of(server.url, region=server.region) as url:
        yield url


@pytest.fixture(scope="module")
def chromium():
    """A browser for one file: while it is there, no other event loop runs on this thread."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium (Debian package chromium)")
    with browser() as started:
        yield started


@pytest.fixture
def root(server, console, chromium):
    """Root of the account, signed in."""
    made = Visitor(chromium, console)
    key = server.credentials
    yield made.sign_in(key.access_key, key.secret_key)
    made.close()


@pytest.fixture
def stranger(console, chromium):
    """Somebody who is not signed in."""
    made = Visitor(chromium, console)
    yield made
    made.close()


@pytest.fixture(scope="session")
def administrator(server):
    """The access key of a user who may take the role `administrator`, which may do everything.

    IAM takes no session that began with an access key and without MFA, but it takes a role's.
    """
    iam = server.client("iam")
    user = iam.create_user(UserName="console-admin")["User"]
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    trust = {"Effect": "Allow", "Principal": {"AWS": user["Arn"]}, "Action": "sts:AssumeRole"}
    iam.put_user_policy(UserName="console-admin", PolicyName="all", PolicyDocument=policy)
    iam.create_role(
        RoleName="administrator",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    iam.put_role_policy(RoleName="administrator", PolicyName="all", PolicyDocument=policy)
    key = iam.create_access_key(UserName="console-admin")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


@pytest.fixture
def as_administrator(console, chromium, administrator):
    """A function that returns a browser in which the role `administrator` acts."""
    opened = []

    def visit(**choices):
        made = Visitor(chromium, console, **choices)
        opened.append(made)
        made.sign_in(*administrator)
        made.go("/switch-role")
        made.page.fill("#role", "administrator")
        made.page.click("main button.primary")
        made.page.wait_for_selector("form[action='/switch-back']", state="attached")
        return made

    yield visit
    for made in opened:
        made.close()
