"""AssumeRoleWithWebIdentity with boto3, unsigned, and an issuer of our own. Reference: 23.2."""

import base64
import hashlib
import hmac
import json
import time

import boto3
import botocore
import jwt
import pytest
from botocore.config import Config
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import serving
from serving import refused

ISSUER = "https://token.example.com/realms/ci"
NAME = "token.example.com/realms/ci"
CLIENT = "sts.amazonaws.com"
SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"


class Issuer:
    def __init__(self):
        self.keys = {
            "rsa": rsa.generate_private_key(65537, 2048),
            "ec": ec.generate_private_key(ec.SECP256R1()),
        }
        self.stranger = rsa.generate_private_key(65537, 2048)

    def key_set(self):
        made = []
        for name, algorithm in (("rsa", "RS256"), ("ec", "ES256")):
            public = self.keys[name].public_key()
            to_jwk = jwt.get_algorithm_by_name(algorithm).to_jwk
            made.append({**json.loads(to_jwk(public)), "kid": name, "alg": algorithm})
        return {"keys": made}

    def token(self, *, kid="rsa", key=None, algorithm=None, headers=None, **claims):
        claims = {
            "iss": ISSUER,
            "sub": "repo:alice/project:ref:main",
            "aud": CLIENT,
            "exp": time.time() + 600,
            **claims,
        }
        algorithm = algorithm or {"rsa": "RS256", "ec": "ES256"}.get(kid, "RS256")
        key = key if key is not None else self.keys[kid]
        given = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(given, key, algorithm, headers={"kid": kid, **(headers or {})})


@pytest.fixture(scope="module")
def issuer():
    return Issuer()


@pytest.fixture(scope="module")
def world(issuer, tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    file.write_text(json.dumps(issuer.key_set()))
    with serving.served("--web-identity-keys", f"{ISSUER}={file}") as server:
        iam = server.client("iam")
        provider = iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=[CLIENT])
        server.provider = provider["OpenIDConnectProviderArn"]
        yield server


def role(server, name, *conditions, actions=("sts:AssumeRoleWithWebIdentity", "sts:TagSession")):
    iam = server.client("iam")
    condition = {}
    for operator, key, value in conditions:
        condition.setdefault(operator, {})[key] = value
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": server.provider},
        "Action": list(actions),
        "Condition": condition,
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(policy))["Role"]
    allow = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    iam.put_role_policy(
        RoleName=name,
        PolicyName="inline",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    return made["Arn"]


@pytest.fixture(scope="module")
def main_only(world):
    return role(
        world,
        "main-only",
        ("StringEquals", f"{NAME}:aud", CLIENT),
        ("StringLike", f"{NAME}:sub", "repo:alice/project:*"),
    )


def unsigned(server):
    return boto3.client(
        "sts",
        endpoint_url=server.url,
        region_name="us-east-1",
        config=Config(signature_version=botocore.UNSIGNED),
    )


def assume(server, arn, token, **more):
    asked = {"RoleArn": arn, "RoleSessionName": "build", "WebIdentityToken": token}
    return unsigned(server).assume_role_with_web_identity(**asked, **more)


@pytest.mark.parametrize("kid", ["rsa", "ec"])
def test_a_token_becomes_a_session(world, issuer, main_only, kid):
    answer = assume(world, main_only, issuer.token(kid=kid))
    assert answer["SubjectFromWebIdentityToken"] == "repo:alice/project:ref:main"
    assert answer["Provider"] == world.provider
    assert answer["Audience"] == CLIENT
    made = answer["Credentials"]
    kms = boto3.client(
        "kms",
        endpoint_url=world.url,
        region_name="us-east-1",
        aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"],
        aws_session_token=made["SessionToken"],
    )
    assert kms.create_key()["KeyMetadata"]["KeyId"]


def test_the_record(world, issuer, main_only):
    token = issuer.token()
    request_id = assume(world, main_only, token)["ResponseMetadata"]["RequestId"]
    records = [
        json.loads(line)["record"]
        for file in serving.stream(world.data).glob("*.jsonl")
        for line in file.read_text().splitlines()
    ]
    (record,) = [one for one in records if one["requestID"] == request_id]
    assert record["userIdentity"]["type"] == "WebIdentityUser"
    assert record["userIdentity"]["userName"] == "repo:alice/project:ref:main"
    assert record["eventName"] == "AssumeRoleWithWebIdentity"
    assert record["recipientAccountId"] == world.account
    assert token not in json.dumps(records)
    assert token.split(".")[2] not in json.dumps(records)


def test_the_subject_must_fit(world, issuer, main_only):
    message = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    with refused("AccessDenied", message, 403):
        assume(world, main_only, issuer.token(sub="repo:mallory/project:ref:main"))
    with refused("AccessDenied", message, 403):
        assume(world, main_only.replace("main-only", "nobody"), issuer.token())


def test_a_role_for_aws_principals_is_not_for_web_identities(world, issuer):
    iam = world.client("iam")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"],
            }
        ],
    }
    arn = iam.create_role(RoleName="for-all", AssumeRolePolicyDocument=json.dumps(policy))["Role"]
    with refused("AccessDenied", status=403):
        assume(world, arn["Arn"], issuer.token())


def none_token(issuer):
    header, claims, _ = issuer.token().split(".")
    header = base64.urlsafe_b64encode(b'{"alg":"none","kid":"rsa"}').decode().rstrip("=")
    return f"{header}.{claims}."


def confused_token(issuer):
    """An HMAC whose secret is the public key."""
    public = issuer.keys["rsa"].public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = {"alg": "HS256", "kid": "rsa", "typ": "JWT"}
    claims = {"iss": ISSUER, "sub": "x", "aud": CLIENT, "exp": time.time() + 600}
    parts = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in (head, claims)]
    body = b".".join(parts)
    signature = base64.urlsafe_b64encode(hmac.digest(pem, body, hashlib.sha256)).rstrip(b"=")
    return (body + b"." + signature).decode()


def tagged(issuer, tags, transitive=()):
    said = {"principal_tags": tags, "transitive_tag_keys": list(transitive)}
    return issuer.token(**{"https://aws.amazon.com/tags": said})


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda i: "no token", "InvalidIdentityToken"),
        (lambda i: "a.b.c", "InvalidIdentityToken"),
        (none_token, "InvalidIdentityToken"),
        (confused_token, "InvalidIdentityToken"),
        (lambda i: i.token(key=i.stranger), "InvalidIdentityToken"),
        (lambda i: i.token(kid="rsa", headers={"kid": "unknown"}), "InvalidIdentityToken"),
        (lambda i: i.token()[:-8] + "AAAAAAAA", "InvalidIdentityToken"),
        (lambda i: i.token(iss="https://evil.example.com"), "InvalidIdentityToken"),
        (lambda i: i.token(aud="somebody-else"), "InvalidIdentityToken"),
        (lambda i: i.token(azp="somebody-else"), "InvalidIdentityToken"),
        (lambda i: i.token(sub=None), "InvalidIdentityToken"),
        (lambda i: i.token(exp=None), "InvalidIdentityToken"),
        (lambda i: i.token(exp=time.time() - 1), "ExpiredTokenException"),
        (lambda i: i.token(nbf=time.time() + 3600), "InvalidIdentityToken"),
        (lambda i: i.token(sub="alice\ud800"), "InvalidIdentityToken"),
        (lambda i: i.token(sub="alice" * 52), "InvalidIdentityToken"),
        (lambda i: i.token(**{"https://aws.amazon.com/tags": 7}), "InvalidIdentityToken"),
        (lambda i: tagged(i, {"aws:PrincipalType": "Account"}), "InvalidIdentityToken"),
        (lambda i: tagged(i, {"team": "blue", "Team": "red"}), "InvalidIdentityToken"),
        (lambda i: tagged(i, {f"t{n}": "x" for n in range(51)}), "InvalidIdentityToken"),
        (lambda i: tagged(i, {"t" * 129: "x"}), "InvalidIdentityToken"),
        (lambda i: tagged(i, {"team": "x" * 257}), "InvalidIdentityToken"),
        (lambda i: tagged(i, {"te|am": "x"}), "InvalidIdentityToken"),
        (lambda i: tagged(i, {"team": "x"}, ["other"]), "InvalidIdentityToken"),
        (lambda i: i.token(**{SOURCE_IDENTITY: "aws:alice"}), "InvalidIdentityToken"),
        (lambda i: i.token(**{SOURCE_IDENTITY: "a"}), "InvalidIdentityToken"),
        (lambda i: i.token(**{SOURCE_IDENTITY: 7}), "InvalidIdentityToken"),
    ],
)
def test_tokens_that_prove_nothing(world, issuer, main_only, make, code):
    with refused(code):
        assume(world, main_only, make(issuer))


def test_tags_come_with_a_token(world, issuer):
    arn = role(world, "blue-only", ("StringEquals", "aws:RequestTag/team", "blue"))

    assert assume(world, arn, tagged(issuer, {"team": ["blue"]}))["PackedPolicySize"]
    with refused("AccessDenied", status=403):
        assume(world, arn, tagged(issuer, {"team": ["red"]}))


def test_other_operations_need_a_signature(world):
    with refused("MissingAuthenticationToken", status=403):
        unsigned(world).get_caller_identity()


def test_saml_is_refused_as_what_is_not_offered_signed_or_not(world):
    given = {
        "RoleArn": "arn:aws:iam::111122223333:role/r",
        "PrincipalArn": "arn:aws:iam::111122223333:saml-provider/p",
        "SAMLAssertion": "YXNzZXJ0aW9u",
    }
    for sts in (unsigned(world), world.client("sts")):
        with refused("UnsupportedOperationException", status=400):
            sts.assume_role_with_saml(**given)


def test_an_issuer_without_keys(world, issuer, main_only):
    iam = world.client("iam")
    iam.create_open_id_connect_provider(Url="https://other.example.com", ClientIDList=[CLIENT])
    with refused("InvalidIdentityToken"):
        assume(world, main_only, issuer.token(iss="https://other.example.com"))


def test_a_file_that_holds_no_keys(tmp_path):
    serving.init(tmp_path / "data")
    file = tmp_path / "keys.json"
    file.write_text("[]")
    done = serving.run(
        *("serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0"),
        *("--web-identity-keys", f"{ISSUER}={file}"),
    )
    assert done.returncode == 1
    assert "ISSUER=FILE" in done.stderr
