"""The changes that a denial calls for are whole statements, and lead to the right editor."""

import json
from urllib.parse import parse_qs, urlsplit

from kagimori_console.pages.access.changes import changes_for, role_name
from kagimori_console.pages.access.documents import text_of, with_statement

KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234"
ALICE = "arn:aws:iam::111122223333:user/team/alice"


def denial(*lacking, action="kms:Encrypt", resource=KEY):
    return {"Action": action, "Resource": resource, "Lacking": list(lacking)}


def test_each_side_that_lacks_an_allow_gets_its_statement():
    resource, identity = changes_for(
        denial("resource-based policy", "identity-based policy"), ALICE
    )
    assert json.loads(resource.statement) == {
        "Sid": "AllowEncrypt",
        "Effect": "Allow",
        "Principal": {"AWS": ALICE},
        "Action": "kms:Encrypt",
        "Resource": "*",
    }
    assert urlsplit(resource.address).path == "/keys/1234/policy"
    assert json.loads(identity.statement)["Resource"] == KEY
    assert urlsplit(identity.address).path == "/access/users/alice/inline"
    assert parse_qs(urlsplit(identity.address).query)["add"] == [identity.statement]


def test_a_trust_policy_has_no_resource():
    role = "arn:aws:iam::111122223333:role/ops"
    (change,) = changes_for(
        denial("role trust policy", action="sts:AssumeRole", resource=role), ALICE
    )
    assert "Resource" not in json.loads(change.statement)
    assert change.address.startswith("/access/roles/ops/trust?add=")


def test_a_side_without_an_editor_has_no_address():
    for caller, side in ((ALICE, "session policy"), ("s3.amazonaws.com", "identity-based policy")):
        (change,) = changes_for(denial(side), caller)
        assert change.address == ""


def test_a_session_is_its_roles():
    assert role_name("arn:aws:sts::111122223333:assumed-role/ops/bob") == "ops"
    assert role_name(ALICE) is None


def test_a_statement_is_added_and_nothing_else_changes():
    policy = '{"Version": "2012-10-17", "Statement": {"Effect": "Deny"}}'
    assert json.loads(with_statement(policy, '{"Effect": "Allow"}')) == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny"}, {"Effect": "Allow"}],
    }
    for broken in ("{", "[]", '"x"'):
        assert with_statement(broken, "{}") == broken
        assert with_statement(policy, broken) == policy


def test_documents_are_texts():
    assert text_of("%7B%22Version%22%3A%20%222012-10-17%22%7D") == '{"Version": "2012-10-17"}'
