"""The secrets of custom key stores in the HSM: for one store, one purpose, and never shown."""

import hmac

import pytest

from kagimori_boundary import commands
from kagimori_boundary.commands import Role, StoreSecretToken
from kagimori_boundary.commands.key_stores import PASSWORD, PROXY
from kagimori_boundary.replies import Bytes, Failed, Failure, Tokens
from kagimori_hsm.module import Module
from kagimori_hsm.world import World

NOW = 1_800_000_000.0  # 2027-01-15
DATE = "20270115"
ACCOUNT, REGION, STORE = "111122223333", "eu-west-1", "cks-0123456789abcdef0"
ACCESS_KEY_ID, SECRET = "A" * 20, "s" * 43


@pytest.fixture(scope="module")
def hsm():
    module = Module(bytes(32), memory_locked=False, world=World(now=lambda: NOW))
    module.self_test()
    module.perform(Role.OPERATOR, commands.CreateDomains(["identity", REGION, "us-east-1"]))
    return lambda command: module.perform(Role.WORKER, command)


def sealed(hsm, purpose=PROXY, access_key_id=ACCESS_KEY_ID, secret=SECRET):
    reply = hsm(commands.SealStoreSecret(ACCOUNT, REGION, STORE, purpose, access_key_id, secret))
    assert isinstance(reply, Bytes)
    return reply.value


def test_requests_to_a_proxy_are_signed_with_the_key_of_the_day(hsm):
    token = sealed(hsm)
    assert SECRET.encode() not in token
    reply = hsm(commands.DeriveProxySigningKey(ACCOUNT, REGION, STORE, ACCESS_KEY_ID, token, DATE))
    key = b"AWS4" + SECRET.encode()
    for part in (DATE, REGION, "kms-xks-proxy", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    assert reply == Bytes(key)


@pytest.mark.parametrize(
    "other",
    [
        {"account_id": "444455556666"},
        {"region": "us-east-1"},
        {"key_store_id": "cks-1"},
        {"access_key_id": "B" * 20},
    ],
)
def test_a_secret_is_of_one_store_and_one_access_key(hsm, other):
    fields = {
        "account_id": ACCOUNT,
        "region": REGION,
        "key_store_id": STORE,
        "access_key_id": ACCESS_KEY_ID,
        "sealed": sealed(hsm),
        "date": DATE,
    }
    reply = hsm(commands.DeriveProxySigningKey(**{**fields, **other}))
    assert reply == Failed(Failure.TOKEN_REFUSED)


@pytest.mark.parametrize("date", ["20270114", "20270116", "2027011", ""])
def test_no_signing_key_is_of_another_day(hsm, date):
    reply = hsm(
        commands.DeriveProxySigningKey(ACCOUNT, REGION, STORE, ACCESS_KEY_ID, sealed(hsm), date)
    )
    assert reply == Failed(Failure.FORBIDDEN)


def test_a_password_opens_and_a_proxys_secret_does_not(hsm):
    password = sealed(hsm, PASSWORD, "", "password")
    opened = hsm(commands.OpenStorePassword(ACCOUNT, REGION, STORE, password))
    assert opened == Bytes(b"password")
    for token in (sealed(hsm), sealed(hsm, PROXY, "")):
        refused = hsm(commands.OpenStorePassword(ACCOUNT, REGION, STORE, token))
        assert refused == Failed(Failure.TOKEN_REFUSED)
    refused = hsm(commands.DeriveProxySigningKey(ACCOUNT, REGION, STORE, "", password, DATE))
    assert refused == Failed(Failure.TOKEN_REFUSED)


def test_a_secret_of_no_known_purpose_is_not_sealed(hsm):
    for purpose in ("", "secret access key of", "PROXY"):
        command = commands.SealStoreSecret(ACCOUNT, REGION, STORE, purpose, "", SECRET)
        assert hsm(command) == Failed(Failure.FORBIDDEN)


def test_a_sealed_secret_proves_no_caller(hsm):
    """What a worker may have sealed must not become credentials of an account."""
    token = sealed(hsm)
    proof = commands.AccessKeyProof(ACCOUNT, ACCESS_KEY_ID, "root", token)
    command = commands.CreateSecretOnBehalf(ACCOUNT, "AKIA" + "B" * 16, "root", proof)
    assert hsm(command) == Failed(Failure.TOKEN_REFUSED)
    command = commands.DeriveSigningKey(ACCOUNT, ACCESS_KEY_ID, "root", token, DATE, REGION, "kms")
    assert hsm(command) == Failed(Failure.TOKEN_REFUSED)


def test_a_secret_is_wrapped_anew_as_what_it_is(hsm):
    token = sealed(hsm)
    presented = StoreSecretToken(ACCOUNT, REGION, STORE, PROXY, ACCESS_KEY_ID, token)
    assert hsm(commands.RewrapTokens([presented])) == Tokens([token]), "it is under the current key"
    other = StoreSecretToken(ACCOUNT, REGION, "cks-1", PROXY, ACCESS_KEY_ID, token)
    assert hsm(commands.RewrapTokens([other])) == Failed(Failure.TOKEN_REFUSED)
