"""Grants: made, used, passed on, listed, ended, between two accounts. Reference: 10."""

import base64
import contextlib
import re
import sqlite3
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

import serving
from kagimori.entities.tables import GRANTS
from kagimori.machinery.store.sql import Statements
from kagimori.rules.keys.stored_grant import StoredGrant
from serving import refused

STRANGER, THIRD = "111122223333", "444455556666"
STRANGER_ROOT, THIRD_ROOT = f"arn:aws:iam::{STRANGER}:root", f"arn:aws:iam::{THIRD}:root"
ROLE = f"arn:aws:iam::{STRANGER}:role/reader"
EVERY_KEY = {"DescribeKey", "CreateGrant", "RetireGrant"}
BOTH_WAYS = {"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"}
SYMMETRIC = BOTH_WAYS | {
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
}
OPERATIONS = {
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"): SYMMETRIC | EVERY_KEY,
    ("RSA_2048", "ENCRYPT_DECRYPT"): BOTH_WAYS | {"GetPublicKey"} | EVERY_KEY,
    ("ECC_NIST_P256", "SIGN_VERIFY"): {"Sign", "Verify", "GetPublicKey"} | EVERY_KEY,
    ("ML_DSA_44", "SIGN_VERIFY"): {"Sign", "Verify", "GetPublicKey"} | EVERY_KEY,
    ("ECC_NIST_P256", "KEY_AGREEMENT"): {"DeriveSharedSecret", "GetPublicKey"} | EVERY_KEY,
    ("HMAC_256", "GENERATE_VERIFY_MAC"): {"GenerateMac", "VerifyMac"} | EVERY_KEY,
    ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"): {"Encapsulate", "Decapsulate", "GetPublicKey"}
    | EVERY_KEY,
}
ALL = set().union(*OPERATIONS.values())


@pytest.fixture(scope="module")
def clients(dev):
    """Clients of `dev` by account: the key's owner, a stranger and a third."""
    made = {
        name: dev.client(access_key=account, parameter_validation=False)
        for name, account in (("owner", "test"), ("stranger", STRANGER), ("third", THIRD))
    }
    yield made
    for client in made.values():
        client.close()


@pytest.fixture(scope="module")
def owner(clients):
    return clients["owner"]


@pytest.fixture(scope="module")
def stranger(clients):
    return clients["stranger"]


@pytest.fixture
def key(owner):
    return owner.create_key()["KeyMetadata"]["Arn"]


def grant(client, key, *operations, to=STRANGER_ROOT, **members):
    answer = client.create_grant(
        KeyId=key, GranteePrincipal=to, Operations=list(operations), **members
    )
    answer.pop("ResponseMetadata")
    return answer


def grants(client, key, **filters):
    pages = client.get_paginator("list_grants").paginate(KeyId=key, **filters)
    return [found for page in pages for found in page["Grants"]]


def ids(found):
    return {one["GrantId"] for one in found}


# --- what a grant is ------------------------------------------------------------------------------


def test_grant_with_everything(owner, key):
    operations = ["Decrypt", "Encrypt", "RetireGrant"]
    constraints = {"EncryptionContextSubset": {"a": "b"}}
    made = grant(
        owner,
        key,
        *operations,
        to=ROLE,
        RetiringPrincipal=THIRD_ROOT,
        Constraints=constraints,
        Name="n/1:_-",
    )
    assert re.fullmatch(r"[0-9a-f]{64}", made["GrantId"])
    assert base64.b64decode(made["GrantToken"], validate=True)
    (found,) = grants(owner, key)
    created = found.pop("CreationDate")
    assert created.timestamp() > 0
    assert found == {
        "KeyId": key,
        "GrantId": made["GrantId"],
        "Name": "n/1:_-",
        "GranteePrincipal": ROLE,
        "RetiringPrincipal": THIRD_ROOT,
        "IssuingAccount": "arn:aws:iam::000000000000:root",
        "Operations": operations,
        "Constraints": constraints,
    }


def test_grant_with_little(owner, key):
    grant(owner, key, "Decrypt")
    (found,) = grants(owner, key)
    assert found["Name"] == ""
    assert not {"RetiringPrincipal", "Constraints", "RetiringServicePrincipal"} & set(found)


@pytest.mark.parametrize(("spec", "usage"), OPERATIONS)
def test_operations_by_kind_of_key(owner, spec, usage):
    key = owner.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]
    allowed = OPERATIONS[spec, usage]
    grant(owner, key, *sorted(allowed))
    for operation in ALL - allowed:
        with refused("ValidationException"):
            grant(owner, key, operation)
        with refused("ValidationException"):
            grant(owner, key, "DescribeKey", operation)


def test_operations_that_are_none(owner, key):
    for operations in ([], ["PutKeyPolicy"], ["decrypt"], ["ReEncrypt"], ["*"], [""]):
        with refused("ValidationException"):
            grant(owner, key, *operations)
    with refused("ValidationException", "Grants must not contain only the CreateGrant operation."):
        grant(owner, key, "CreateGrant")


@pytest.mark.parametrize(
    "principal",
    [
        STRANGER_ROOT,
        ROLE,
        f"arn:aws:iam::{STRANGER}:user/path/of/name",
        f"arn:aws:sts::{STRANGER}:assumed-role/reader/session",
        f"arn:aws:sts::{STRANGER}:federated-user/name",
    ],
)
def test_principals(owner, key, principal):
    grant(owner, key, "Decrypt", to=principal, RetiringPrincipal=principal)
    (found,) = grants(owner, key)
    assert (found["GranteePrincipal"], found["RetiringPrincipal"]) == (principal, principal)
    assert len(grants(owner, key, GranteePrincipal=principal)) == 1


@pytest.mark.parametrize(
    "principal",
    [
        f"arn:aws:iam::{STRANGER}:group/readers",
        f"arn:aws:iam::{STRANGER}:role/",
        f"arn:aws:iam::{STRANGER}:policy/p",
        "arn:aws:iam::1111:root",
        "arn:aws:s3:::bucket",
        "somebody",
        "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000",
    ],
)
def test_principals_that_are_none(owner, key, principal):
    for members in ({"to": principal}, {"RetiringPrincipal": principal}):
        with refused("InvalidArnException"):
            grant(owner, key, "Decrypt", **members)


def test_grantee_is_named_in_one_way(owner, key):
    with refused("ValidationException"):
        owner.create_grant(KeyId=key, Operations=["Decrypt"])
    with refused("ValidationException"):
        grant(owner, key, "Decrypt", GranteeServicePrincipal="a.amazonaws.com")
    with refused("ValidationException"):
        grant(
            owner,
            key,
            "Decrypt",
            RetiringPrincipal=ROLE,
            RetiringServicePrincipal="a.amazonaws.com",
        )


def test_grant_to_a_service(owner, key):
    source = "arn:aws:s3:us-east-1:111122223333:bucket"
    given = {
        "KeyId": key,
        "Operations": ["Decrypt"],
        "GranteeServicePrincipal": "backup.amazonaws.com",
        "Constraints": {"SourceArn": source},
        "RetiringServicePrincipal": "backup.amazonaws.com",
    }
    for missing in ("Constraints", "RetiringServicePrincipal"):
        with refused("ValidationException"):
            owner.create_grant(**{name: value for name, value in given.items() if name != missing})
    owner.create_grant(**given)
    (found,) = grants(owner, key, GranteeServicePrincipal="backup.amazonaws.com")
    assert found["GranteeServicePrincipal"] == "backup.amazonaws.com"
    assert "GranteePrincipal" not in found
    assert found["Constraints"] == {"SourceArn": source}


# --- the same grant again -------------------------------------------------------------------------


def test_same_name_and_parameters_are_the_same_grant(owner, key):
    given = {
        "Name": "once",
        "RetiringPrincipal": ROLE,
        "Constraints": {"EncryptionContextEquals": {"a": "b"}},
    }
    first = grant(owner, key, "Decrypt", "Encrypt", **given)
    again = grant(owner, key, "Encrypt", "Decrypt", **given)
    assert first["GrantId"] == again["GrantId"]
    assert first["GrantToken"] != again["GrantToken"]
    others = [
        grant(owner, key, "Decrypt", **given),
        grant(owner, key, "Decrypt", "Encrypt", **{**given, "Name": "twice"}),
        grant(owner, key, "Decrypt", "Encrypt", to=ROLE, **given),
        grant(owner, key, "Decrypt", "Encrypt", **{**given, "RetiringPrincipal": THIRD_ROOT}),
        grant(
            owner,
            key,
            "Decrypt",
            "Encrypt",
            **{**given, "Constraints": {"EncryptionContextSubset": {"a": "b"}}},
        ),
    ]
    assert len({first["GrantId"]} | ids(others)) == 6
    assert len(grants(owner, key)) == 6
    owner.revoke_grant(KeyId=key, GrantId=first["GrantId"])
    assert grant(owner, key, "Decrypt", "Encrypt", **given)["GrantId"] != first["GrantId"]


def test_same_name_asked_for_at_once_is_one_grant():
    """By clients of two workers, neither of whom can see the other's grant coming."""
    with serving.served("--workers", "2") as server, ThreadPoolExecutor(16) as callers:
        clients = [server.client() for _ in range(16)]
        key = clients[0].create_key()["KeyMetadata"]["Arn"]
        for name in ("one", "two", "three"):
            together = threading.Barrier(len(clients))

            def ask(client, name=name, together=together):
                together.wait(30)
                return grant(client, key, "Decrypt", to=key.split(":")[4], Name=name)

            answers = list(callers.map(ask, clients))
            assert len(ids(answers)) == 1
            assert len({answer["GrantToken"] for answer in answers}) == len(clients)
        assert len(grants(clients[0], key)) == 3
        for client in clients:
            client.close()


def test_without_a_name_each_is_another(owner, key):
    assert len({grant(owner, key, "Decrypt")["GrantId"] for _ in range(5)}) == 5


def test_same_name_on_two_keys(owner, key):
    other = owner.create_key()["KeyMetadata"]["Arn"]
    made = [grant(owner, arn, "Decrypt", Name="same")["GrantId"] for arn in (key, other)]
    assert made[0] != made[1]


# --- constraints ----------------------------------------------------------------------------------


def encrypted(client, key, context):
    return client.encrypt(KeyId=key, Plaintext=b"p", EncryptionContext=context)["CiphertextBlob"]


@pytest.mark.parametrize(
    ("constraint", "context", "allowed"),
    [
        ({"EncryptionContextEquals": {"a": "1", "b": "2"}}, {"b": "2", "a": "1"}, True),
        ({"EncryptionContextEquals": {"a": "1"}}, {"a": "1", "b": "2"}, False),
        ({"EncryptionContextEquals": {"a": "1"}}, {}, False),
        ({"EncryptionContextEquals": {"a": "1"}}, {"A": "1"}, False),
        ({"EncryptionContextEquals": {"a": "1"}}, {"a": "2"}, False),
        ({"EncryptionContextEquals": {}}, {}, True),
        ({"EncryptionContextEquals": {}}, {"a": "1"}, True),
        ({"EncryptionContextSubset": {"a": "1"}}, {"a": "1", "b": "2"}, True),
        ({"EncryptionContextSubset": {"a": "1"}}, {"b": "2"}, False),
        ({"EncryptionContextSubset": {"a": "1"}}, {"A": "1", "b": "2"}, False),
        ({"EncryptionContextSubset": {}}, {"b": "2"}, True),
        ({"EncryptionContextEquals": {}, "EncryptionContextSubset": {}}, {"b": "2"}, True),
        ({"EncryptionContextEquals": {"a": "1"}, "EncryptionContextSubset": {}}, {}, False),
        ({"EncryptionContextEquals": {}, "EncryptionContextSubset": {"a": "1"}}, {}, False),
        (None, {"b": "2"}, True),
    ],
)
def test_context_constraints(owner, stranger, key, constraint, context, allowed):
    members = {"Constraints": constraint} if constraint is not None else {}
    token = grant(owner, key, "Decrypt", "DescribeKey", **members)["GrantToken"]
    blob = encrypted(owner, key, context)
    given = {"CiphertextBlob": blob, "EncryptionContext": context}
    for tokens in ([], [token]):
        if allowed:
            # The stranger's own account must allow it as well, which its root user does.
            assert stranger.decrypt(GrantTokens=tokens, **given)["Plaintext"] == b"p"
        else:
            with refused("AccessDeniedException"):
                stranger.decrypt(GrantTokens=tokens, **given)
    # What takes no context is not constrained by it.
    assert stranger.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key
    with refused("AccessDeniedException"):
        stranger.encrypt(KeyId=key, Plaintext=b"p", EncryptionContext=context)


def test_an_empty_map_is_no_constraint(owner, key):
    """Terraform sends both maps, one of them empty."""
    for name, other in (("Equals", "Subset"), ("Subset", "Equals")):
        kept = {f"EncryptionContext{name}": {"a": "1"}}
        made = grant(owner, key, "Decrypt", Constraints={**kept, f"EncryptionContext{other}": {}})
        (listed,) = owner.list_grants(KeyId=key, GrantId=made["GrantId"])["Grants"]
        assert listed["Constraints"] == kept
        made = grant(owner, key, "Decrypt", Constraints={f"EncryptionContext{name}": {}})
        (listed,) = owner.list_grants(KeyId=key, GrantId=made["GrantId"])["Grants"]
        assert "Constraints" not in listed


def test_constraints_that_cannot_be(owner, key):
    both = {"EncryptionContextEquals": {"a": "1"}, "EncryptionContextSubset": {"a": "1"}}
    with refused("ValidationException", "More than one constraint supplied"):
        grant(owner, key, "Decrypt", Constraints=both)
    for pairs in ({str(n): "v" for n in range(9)}, {"k": "v" * 385}):
        with refused("ValidationException"):
            grant(owner, key, "Decrypt", Constraints={"EncryptionContextEquals": pairs})
    grant(
        owner, key, "Decrypt",
        Constraints={"EncryptionContextSubset": {str(n): "v" * 384 for n in range(8)}},
    )  # fmt: skip
    signer = owner.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    for name in ("EncryptionContextEquals", "EncryptionContextSubset"):
        with refused("ValidationException"):
            grant(owner, signer, "Sign", Constraints={name: {"a": "1"}})


def test_grant_for_a_source_gives_nothing_to_a_direct_call(owner, stranger, key):
    constraints = {"SourceArn": "arn:aws:s3:us-east-1:111122223333:bucket"}
    token = grant(owner, key, "DescribeKey", "Encrypt", Constraints=constraints)["GrantToken"]
    with refused("AccessDeniedException"):
        stranger.describe_key(KeyId=key, GrantTokens=[token])
    with refused("AccessDeniedException"):
        stranger.encrypt(KeyId=key, Plaintext=b"p", GrantTokens=[token])


# --- use and tokens -------------------------------------------------------------------------------


def test_grant_gives_its_operations_on_its_key(owner, stranger, key):
    other = owner.create_key()["KeyMetadata"]["Arn"]
    with refused("AccessDeniedException"):
        stranger.encrypt(KeyId=key, Plaintext=b"p")
    made = grant(owner, key, "Encrypt")
    blob = stranger.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    token = [made["GrantToken"]]
    for call in (
        lambda: stranger.decrypt(CiphertextBlob=blob, GrantTokens=token),
        lambda: stranger.encrypt(KeyId=other, Plaintext=b"p", GrantTokens=token),
        lambda: stranger.describe_key(KeyId=key, GrantTokens=token),
        lambda: stranger.list_grants(KeyId=key),
        lambda: stranger.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key, GrantTokens=token),
    ):
        with refused("AccessDeniedException"):
            call()
    owner.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    for tokens in ([], token):
        with refused("AccessDeniedException"):
            stranger.encrypt(KeyId=key, Plaintext=b"p", GrantTokens=tokens)


def test_both_sides_of_re_encrypt(owner, stranger):
    one, other = (owner.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    blob = owner.encrypt(KeyId=one, Plaintext=b"p")["CiphertextBlob"]
    grant(owner, one, "ReEncryptFrom")
    with refused("AccessDeniedException"):
        stranger.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)
    grant(owner, other, "ReEncryptTo")
    moved = stranger.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)
    assert owner.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == b"p"
    with refused("AccessDeniedException"):
        stranger.re_encrypt(CiphertextBlob=moved["CiphertextBlob"], DestinationKeyId=one)


def test_token_of_somebody_else(owner, clients, key):
    token = grant(owner, key, "Encrypt")["GrantToken"]
    with refused("AccessDeniedException"):
        clients["third"].encrypt(KeyId=key, Plaintext=b"p", GrantTokens=[token])


@pytest.mark.parametrize("token", ["no token", "bm8gdG9rZW4=", "AA==", "\u00e9", "x" * 8192])
def test_tokens_that_are_none(owner, key, token):
    with refused("InvalidGrantTokenException"):
        owner.encrypt(KeyId=key, Plaintext=b"p", GrantTokens=[token])
    with refused("InvalidGrantTokenException"):
        owner.retire_grant(GrantToken=token)


def test_too_many_or_too_long_tokens(owner, key):
    token = grant(owner, key, "Encrypt")["GrantToken"]
    owner.encrypt(KeyId=key, Plaintext=b"p", GrantTokens=[token] * 10)
    for tokens in ([token] * 11, ["x" * 8193], [""]):
        with refused("ValidationException"):
            owner.encrypt(KeyId=key, Plaintext=b"p", GrantTokens=tokens)


def test_grant_outlives_a_pause(owner, stranger, key):
    grant(owner, key, "Encrypt")
    owner.disable_key(KeyId=key)
    with refused("DisabledException", f"{key} is disabled."):
        stranger.encrypt(KeyId=key, Plaintext=b"p")
    owner.enable_key(KeyId=key)
    stranger.encrypt(KeyId=key, Plaintext=b"p")


def test_deny_in_the_key_policy_wins(owner, stranger, key):
    grant(owner, key, "Encrypt")
    owner.put_key_policy(
        KeyId=key,
        Policy='{"Version":"2012-10-17","Statement":['
        '{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"kms:*","Resource":"*"},'
        f'{{"Effect":"Deny","Principal":{{"AWS":"{STRANGER_ROOT}"}},"Action":"kms:Encrypt","Resource":"*"}}]}}',
    )
    with refused("AccessDeniedException"):
        stranger.encrypt(KeyId=key, Plaintext=b"p")


# --- passing on -----------------------------------------------------------------------------------


def test_grantee_passes_on_no_more_than_it_has(owner, clients, stranger, key):
    constraints = {"EncryptionContextSubset": {"a": "1"}}
    grant(owner, key, "CreateGrant", "Decrypt", "DescribeKey", Constraints=constraints)
    stricter = {"EncryptionContextEquals": {"a": "1", "b": "2"}}
    more = {"EncryptionContextSubset": {"a": "1", "b": "2"}}
    for allowed in (constraints, stricter, more):
        grant(stranger, key, "Decrypt", to=THIRD_ROOT, Constraints=allowed)
    grant(stranger, key, "Decrypt", "CreateGrant", to=THIRD_ROOT, Constraints=constraints)
    refusals = [
        (["Decrypt"], {}),
        (["Decrypt"], {"Constraints": {"EncryptionContextSubset": {}}}),
        (["Decrypt"], {"Constraints": {"EncryptionContextSubset": {"b": "2"}}}),
        (["Decrypt"], {"Constraints": {"EncryptionContextEquals": {"a": "2"}}}),
        (["Encrypt"], {"Constraints": constraints}),
        (["Decrypt", "Encrypt"], {"Constraints": constraints}),
        (["Decrypt", "RetireGrant"], {"Constraints": constraints}),
    ]
    for operations, members in refusals:
        with refused("AccessDeniedException"):
            grant(stranger, key, *operations, to=THIRD_ROOT, **members)
    found = [one for one in grants(owner, key) if one["IssuingAccount"] == STRANGER_ROOT]
    assert len(found) == 4
    # Down the chain as well: the third holds CreateGrant by one of them, within its constraints.
    third = clients["third"]
    grant(third, key, "Decrypt", to=ROLE, Constraints=stricter)
    with refused("AccessDeniedException"):
        grant(third, key, "Decrypt", to=ROLE)
    with refused("AccessDeniedException"):
        grant(third, key, "DescribeKey", to=ROLE, Constraints=constraints)


def test_grantee_without_create_grant_passes_on_nothing(owner, stranger, key):
    token = grant(owner, key, "Decrypt")["GrantToken"]
    with refused("AccessDeniedException"):
        grant(stranger, key, "Decrypt", to=THIRD_ROOT, GrantTokens=[token])


def test_child_outlives_its_parent(owner, stranger, clients, key):
    parent = grant(owner, key, "CreateGrant", "Encrypt")
    grant(stranger, key, "Encrypt", to=THIRD_ROOT)
    owner.revoke_grant(KeyId=key, GrantId=parent["GrantId"])
    assert clients["third"].encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]


# --- the end of a grant ---------------------------------------------------------------------------


def gone(owner, key):
    return grants(owner, key) == []


def test_revoke(owner, stranger, clients, key):
    made = grant(owner, key, "Decrypt", "RetireGrant", RetiringPrincipal=THIRD_ROOT)
    named = {"KeyId": key, "GrantId": made["GrantId"]}
    for other in (stranger, clients["third"]):
        with refused("AccessDeniedException"):
            other.revoke_grant(**named)
    owner.revoke_grant(**named)
    assert gone(owner, key)
    with refused("NotFoundException"):
        owner.revoke_grant(**named)
    with refused("NotFoundException"):
        owner.retire_grant(GrantToken=made["GrantToken"])
    for wrong in ("0" * 63, "x" * 64, "A" * 64, "0" * 128):
        with refused("InvalidGrantIdException"):
            owner.revoke_grant(KeyId=key, GrantId=wrong)
    for length in (0, 129):
        with refused("ValidationException"):
            owner.revoke_grant(KeyId=key, GrantId="0" * length)


def test_grant_of_another_key(owner, key):
    other = owner.create_key()["KeyMetadata"]["Arn"]
    made = grant(owner, key, "Decrypt")
    for call in (owner.revoke_grant, owner.retire_grant):
        with refused("NotFoundException"):
            call(KeyId=other, GrantId=made["GrantId"])
    assert not gone(owner, key)


@pytest.mark.parametrize("how", ["token", "id"])
@pytest.mark.parametrize(
    ("members", "who", "may"),
    [
        ({}, "owner", True),
        ({}, "stranger", False),
        ({}, "third", False),
        ({"Operations": ["Decrypt", "RetireGrant"]}, "stranger", True),
        ({"RetiringPrincipal": THIRD_ROOT}, "third", True),
        ({"RetiringPrincipal": THIRD_ROOT}, "stranger", False),
        ({"RetiringPrincipal": STRANGER_ROOT}, "stranger", True),
        ({"RetiringPrincipal": THIRD_ROOT}, "owner", True),
        ({"RetiringPrincipal": ROLE}, "stranger", False),
    ],
)
def test_who_may_retire(owner, clients, key, how, members, who, may):
    given = {"Operations": ["Decrypt"], **members}
    made = owner.create_grant(KeyId=key, GranteePrincipal=STRANGER_ROOT, **given)
    named = {"GrantToken": made["GrantToken"]}
    if how == "id":
        named = {"KeyId": key, "GrantId": made["GrantId"]}
    if may:
        clients[who].retire_grant(**named)
        assert gone(owner, key)
        with refused("NotFoundException"):
            owner.retire_grant(**named)
    else:
        with refused("AccessDeniedException"):
            clients[who].retire_grant(**named)
        assert not gone(owner, key)


def test_issuing_account_may_retire_what_it_passed_on(owner, stranger, clients, key):
    grant(owner, key, "CreateGrant", "Encrypt")
    made = grant(stranger, key, "Encrypt", to=THIRD_ROOT)
    with refused("AccessDeniedException"):
        clients["third"].retire_grant(GrantToken=made["GrantToken"])
    stranger.retire_grant(GrantToken=made["GrantToken"])
    with refused("AccessDeniedException"):
        clients["third"].encrypt(KeyId=key, Plaintext=b"p")


def test_retire_needs_to_know_which(owner, key):
    made = grant(owner, key, "Decrypt")
    for given in ({}, {"KeyId": key}, {"GrantId": made["GrantId"]}):
        with refused("ValidationException"):
            owner.retire_grant(**given)


def test_token_of_another_region(dev, owner, key):
    made = grant(owner, key, "Decrypt")
    abroad = dev.client(region="eu-west-1")
    with refused("NotFoundException"):
        abroad.retire_grant(GrantToken=made["GrantToken"])
    abroad.close()
    assert not gone(owner, key)


def test_aliases_are_refused(owner, key):
    name = f"alias/grants/{uuid.uuid4()}"
    owner.create_alias(AliasName=name, TargetKeyId=key)
    text = "Key Aliases are not supported for this operation."
    with refused("InvalidArnException", text):
        grant(owner, name, "Decrypt")
    with refused("InvalidArnException", text):
        owner.list_grants(KeyId=name)
    with refused("InvalidArnException", text):
        owner.revoke_grant(KeyId=name, GrantId="0" * 64)


def test_no_wildcards(owner, key):
    for principal in (f"arn:aws:iam::{STRANGER}:user/*", "*"):
        with refused("ValidationException"):
            grant(owner, key, "Decrypt", to=principal)


@pytest.mark.parametrize("name", ["bad name", "n" * 257, "ümlaut", ""])
def test_names_that_are_none(owner, key, name):
    with refused("ValidationException"):
        grant(owner, key, "Decrypt", Name=name)


# --- lists ----------------------------------------------------------------------------------------


def test_filters(owner, stranger, key):
    one = grant(owner, key, "Decrypt")["GrantId"]
    two = grant(owner, key, "Decrypt", to=ROLE)["GrantId"]
    assert ids(grants(owner, key)) == {one, two}
    assert ids(grants(owner, key, GrantId=one)) == {one}
    assert ids(grants(owner, key, GranteePrincipal=ROLE)) == {two}
    assert ids(grants(owner, key, GranteePrincipal=STRANGER_ROOT)) == {one}
    assert ids(grants(owner, key, GranteePrincipal=THIRD_ROOT)) == set()
    assert ids(grants(owner, key, GrantId=one, GranteePrincipal=ROLE)) == set()
    assert ids(grants(owner, key, GrantId="0" * 64)) == set()
    with refused("InvalidGrantIdException"):
        grants(owner, key, GrantId="x")
    with refused("AccessDeniedException"):
        stranger.list_grants(KeyId=key)


def test_retirable(owner, stranger, clients):
    mine = f"arn:aws:iam::{THIRD}:user/{uuid.uuid4()}"
    keys = [owner.create_key()["KeyMetadata"]["Arn"] for _ in range(3)]
    own = stranger.create_key()["KeyMetadata"]["Arn"]
    made = {grant(owner, key, "Decrypt", RetiringPrincipal=mine)["GrantId"] for key in keys}
    made.add(grant(stranger, own, "Decrypt", RetiringPrincipal=mine)["GrantId"])
    third = clients["third"]
    pages = third.get_paginator("list_retirable_grants").paginate(
        RetiringPrincipal=mine, PaginationConfig={"PageSize": 1}
    )
    found = [one for page in pages for one in page["Grants"]]
    assert ids(found) == made
    assert {one["KeyId"] for one in found} == {*keys, own}
    for given in ({}, {"RetiringPrincipal": mine, "RetiringServicePrincipal": "a.amazonaws.com"}):
        with refused("ValidationException"):
            third.list_retirable_grants(**given)


def test_limits_and_markers(owner, key):
    for _ in range(3):
        grant(owner, key, "Decrypt")
    for limit in (0, 101, 1000, 1001):
        with refused("ValidationException"):
            owner.list_grants(KeyId=key, Limit=limit)
        with refused("ValidationException"):
            owner.list_retirable_grants(RetiringPrincipal=ROLE, Limit=limit)
    first = owner.list_grants(KeyId=key, Limit=2)
    assert (len(first["Grants"]), first["Truncated"]) == (2, True)
    last = owner.list_grants(KeyId=key, Marker=first["NextMarker"])
    assert (len(last["Grants"]), last["Truncated"]) == (1, False)
    assert "NextMarker" not in last
    other = owner.create_key()["KeyMetadata"]["Arn"]
    for given in (
        {"KeyId": other, "Marker": first["NextMarker"]},
        {"KeyId": key, "Marker": first["NextMarker"], "GranteePrincipal": ROLE},
        {"KeyId": key, "Marker": "x"},
        {"KeyId": key, "Marker": first["NextMarker"][:-4]},
    ):
        with refused("InvalidMarkerException"):
            owner.list_grants(**given)


def made_at_once(dev, key, numbers):
    """Make grants from four clients at once; return their ids."""
    found, lock, numbers = set(), threading.Lock(), iter(numbers)

    def work():
        client = dev.client()
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            grantee = f"arn:aws:iam::{STRANGER}:role/r{number % 3}"
            made = client.create_grant(
                KeyId=key,
                GranteePrincipal=grantee,
                RetiringPrincipal=grantee,
                Operations=["Decrypt"],
            )
            with lock:
                found.add(made["GrantId"])
        client.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@contextlib.contextmanager
def writing(dev, key):
    """Make and revoke other grants of the key meanwhile; yield the set of those it made."""
    made, stop = set(), threading.Event()

    def write():
        client = dev.client()
        while not stop.is_set():
            new = client.create_grant(KeyId=key, GranteePrincipal=ROLE, Operations=["Decrypt"])
            made.add(new["GrantId"])
            client.revoke_grant(KeyId=key, GrantId=new["GrantId"])
        client.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join()


def test_2000_grants_in_pages_while_others_are_written(dev, owner, key):
    wanted = made_at_once(dev, key, range(2000))
    assert len(wanted) == 2000
    with writing(dev, key) as others:
        for size in (100, 37):
            pages = owner.get_paginator("list_grants").paginate(
                KeyId=key, PaginationConfig={"PageSize": size}
            )
            found = [one["GrantId"] for page in pages for one in page["Grants"]]
            assert len(found) == len(set(found))
            assert wanted <= set(found) <= wanted | others
        grantee = f"arn:aws:iam::{STRANGER}:role/r1"
        by_grantee = [one["GrantId"] for one in grants(owner, key, GranteePrincipal=grantee)]
        pages = owner.get_paginator("list_retirable_grants").paginate(RetiringPrincipal=grantee)
        retirable = [one["GrantId"] for page in pages for one in page["Grants"]]
    assert len(by_grantee) == len(set(by_grantee)) == 667
    assert len(retirable) == len(set(retirable)) == 667
    assert set(by_grantee) == set(retirable) < wanted
    assert others


# --- the limit ------------------------------------------------------------------------------------


SIZES_ANEW = """
INSERT OR REPLACE INTO group_sizes (name, held_by, members)
SELECT 'grants/by_key', account_id || '/' || region || '/' || key_id, count(*)
FROM grants GROUP BY account_id, region, key_id
"""


def test_50000_grants_and_no_more():
    """All but one are put into the store while nobody serves it."""
    with serving.temporary_folder() as folder:
        data = folder / "data"
        made = serving.init(data)
        with serving.served(data=data) as server:
            kms = server.client()
            key = kms.create_key()["KeyMetadata"]["Arn"]
            ours = key.split(":")[4]
            kms.close()
        with contextlib.closing(sqlite3.connect(data / "kagimori.db")) as store:
            statements = Statements(GRANTS)
            store.executemany(statements.insert, (statements.row(one) for one in stored(made, key)))
            store.execute(SIZES_ANEW)  # as the commits that make grants keep them
            store.commit()
        with serving.served(data=data) as server:
            kms = server.client()
            last = grant(kms, key, "Decrypt", to=ours, Name="last")
            with refused("LimitExceededException"):
                grant(kms, key, "Decrypt", to=ours)
            with refused("LimitExceededException"):
                grant(kms, key, "Decrypt", to=ours, DryRun=True)
            assert grant(kms, key, "Decrypt", to=ours, Name="last")["GrantId"] == last["GrantId"]
            began = time.monotonic()
            assert kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
            assert time.monotonic() - began < 5
            kms.revoke_grant(KeyId=key, GrantId=last["GrantId"])
            grant(kms, key, "Decrypt", to=ours)
            kms.close()


def stored(made, key):
    for number in range(49_999):
        yield StoredGrant(
            account_id=made["account_id"],
            region=made["region"],
            key_id=key.rpartition("/")[2],
            grant_id=f"{number:064x}",
            created_at=1.0,
            grantee=ROLE,
            grantee_shown=ROLE,
            issuing_account=made["account_id"],
            operations=("Decrypt",),
        )
