"""What each KMS operation leaves in the trail, in CloudTrail's shape (reference, 14.1 to 14.4)."""

import base64
import json
import re
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

import serving
from kagimori.operations.registry import OPERATIONS

ALWAYS = {
    *("eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion"),
    *("sourceIPAddress", "userAgent", "requestParameters", "responseElements", "requestID"),
    *("eventID", "readOnly", "resources", "eventType", "managementEvent", "recipientAccountId"),
    "eventCategory",
}
MATERIAL = re.compile(r"[0-9a-f]{64}")
ELEMENT_DATE = re.compile(r"[A-Z][a-z]{2} \d{1,2}, \d{4}, \d{1,2}:\d\d:\d\d [AP]M")
CONTEXT = {"shop": "7"}
PSS, SHA_256_MAC = "RSASSA_PSS_SHA_256", "HMAC_SHA_256"


class Story:
    """Calls by label, and the records they left."""

    def __init__(self, server):
        self.server = server
        self.kms = server.client(parameter_validation=False)
        self.calls = {}
        self.records = {}

    def call(self, operation, label=None, **parameters):
        """Make a call; a refusal is an answer too."""
        try:
            answer = self.kms._make_api_call(operation, parameters)
        except serving.ClientError as refused:
            answer = refused.response
        self.calls[label or operation] = answer["ResponseMetadata"]["RequestId"]
        return answer

    def key(self, label, **parameters):
        return self.call("CreateKey", label, **parameters)["KeyMetadata"]["Arn"]

    def read(self):
        done = serving.run("audit", "search", "--data", self.server.data, "--output", "json")
        events = map(json.loads, done.stdout.splitlines())
        by_request = {event["requestID"]: event for event in events if "requestID" in event}
        self.records = {label: by_request[number] for label, number in self.calls.items()}


@pytest.fixture(scope="module")
def story():
    regions = ("--region", "us-east-1", "--region", "eu-central-1")
    with serving.served(init_options=regions) as server:
        it = Story(server)
        it.arns = {
            "K": it.key("CreateKey", Tags=[{"TagKey": "a", "TagValue": "b"}]),
            "R": it.key("CreateKey rsa", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY"),
            "M": it.key("CreateKey mac", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
            "O": it.key("CreateKey other", Origin="EXTERNAL"),
            "X": it.key("CreateKey multi", MultiRegion=True),
            "E": it.key("CreateKey ec", KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT"),
            "P": it.key("CreateKey kem", KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE"),
        }
        it.arns["A"] = it.arns["K"].rpartition(":")[0] + ":alias/one"
        use(it, it.arns["K"], it.arns["R"], it.arns["M"])
        agree(it, it.arns["E"], it.arns["P"])
        look(it, it.arns["K"], it.arns["R"])
        grant(it, it.arns["K"])
        manage(it, it.arns["K"], it.arns["M"])
        bring(it, it.arns["O"], it.arns["X"])
        it.kms.close()
        it.read()
        yield it


def use(it, key, rsa, mac):
    blob = it.call("Encrypt", KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)
    sealed = {"CiphertextBlob": blob["CiphertextBlob"]}
    it.call("Decrypt", **sealed, EncryptionContext=CONTEXT)
    it.call("Decrypt", "Decrypt named", **sealed, EncryptionContext=CONTEXT, KeyId=key)
    it.call("Decrypt", "bad context", **sealed, EncryptionContext={"shop": "9"})
    it.call(
        "ReEncrypt",
        **sealed,
        SourceEncryptionContext=CONTEXT,
        DestinationKeyId=key,
        DestinationEncryptionContext={"shop": "8"},
    )
    it.call("GenerateDataKey", KeyId=key, KeySpec="AES_256")
    it.call("GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes=16)
    it.call("GenerateDataKeyPair", KeyId=key, KeyPairSpec="ECC_NIST_P256")
    it.call("GenerateDataKeyPairWithoutPlaintext", KeyId=key, KeyPairSpec="ECC_NIST_P256")
    it.call("GenerateRandom", NumberOfBytes=8)
    signed = {"KeyId": rsa, "Message": b"m", "SigningAlgorithm": PSS}
    it.call("Verify", **signed, Signature=it.call("Sign", **signed)["Signature"])
    coded = {"KeyId": mac, "Message": b"m", "MacAlgorithm": SHA_256_MAC}
    it.call("VerifyMac", **coded, Mac=it.call("GenerateMac", **coded)["Mac"])


def agree(it, curve, kem):
    theirs = it.call("GetPublicKey", "GetPublicKey of a curve", KeyId=curve)["PublicKey"]
    it.call("DeriveSharedSecret", KeyId=curve, KeyAgreementAlgorithm="ECDH", PublicKey=theirs)
    one = {"KeyId": kem, "EncapsulationAlgorithm": "ML_KEM"}
    blob = it.call("Encapsulate", **one)["SharedSecretCiphertextBlob"]
    it.call("Decapsulate", **one, SharedSecretCiphertextBlob=blob)


def look(it, key, rsa):
    it.call("GetPublicKey", KeyId=rsa)
    it.call("ListKeys", Limit=5)
    for name in ("ListResourceTags", "ListKeyPolicies"):
        it.call(name, KeyId=key, Limit=3)
    it.call("GetKeyLastUsage", KeyId=key)
    it.call("ListRetirableGrants", RetiringPrincipal=f"arn:aws:iam::{it.server.account}:root")
    for name in ("DescribeKey", "ListAliases", "ListGrants", "GetKeyRotationStatus"):
        it.call(name, KeyId=key)
    policy = it.call("GetKeyPolicy", KeyId=key)["Policy"]
    it.call("PutKeyPolicy", KeyId=key, Policy=policy)
    it.call("Encrypt", "not found", KeyId="0" * 8 + "-0000-0000-0000-000000000000", Plaintext=b"x")
    it.call("Encrypt", "bad input", KeyId="", Plaintext=b"x")


def grant(it, key):
    grantee = f"arn:aws:iam::{it.server.account}:root"
    terms = {"KeyId": key, "GranteePrincipal": grantee, "Operations": ["Decrypt"]}
    constraints = {"EncryptionContextSubset": CONTEXT}
    made = it.call("CreateGrant", **terms, Constraints=constraints, Name="n")
    it.call("RevokeGrant", KeyId=key, GrantId=made["GrantId"])
    made = it.call("CreateGrant", "CreateGrant 2", **terms, RetiringPrincipal=grantee)
    it.call("RetireGrant", GrantToken=made["GrantToken"])
    it.retired = made["GrantId"]


def manage(it, key, mac):
    it.call("CreateAlias", AliasName="alias/one", TargetKeyId=key)
    it.call("Encrypt", "Encrypt by alias", KeyId="alias/one", Plaintext=b"x")
    it.call("UpdateAlias", AliasName="alias/one", TargetKeyId=key)
    it.call("DeleteAlias", AliasName="alias/one")
    for name in ("EnableKeyRotation", "RotateKeyOnDemand", "ListKeyRotations"):
        it.call(name, KeyId=key)
    it.call("DisableKeyRotation", KeyId=key)
    it.call("DisableKey", KeyId=key)
    it.call("Encrypt", "Encrypt disabled", KeyId=key, Plaintext=b"x")
    it.call("EnableKey", KeyId=key)
    it.call("TagResource", KeyId=key, Tags=[{"TagKey": "k", "TagValue": "v"}])
    it.call("UntagResource", KeyId=key, TagKeys=["k"])
    it.call("UpdateKeyDescription", KeyId=key, Description="new")
    it.call("ScheduleKeyDeletion", KeyId=mac, PendingWindowInDays=7)
    it.call("CancelKeyDeletion", KeyId=mac)


def bring(it, other, multi):
    wrap = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    given = it.call("GetParametersForImport", KeyId=other, **wrap)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    wrapped = serialization.load_der_public_key(given["PublicKey"]).encrypt(bytes(32), oaep)
    it.call(
        "ImportKeyMaterial",
        KeyId=other,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=wrapped,
        ExpirationModel="KEY_MATERIAL_EXPIRES",
        ValidTo=int(time.time()) + 86_400,
    )
    it.call("DeleteImportedKeyMaterial", KeyId=other)
    it.call("ReplicateKey", KeyId=multi, ReplicaRegion="eu-central-1")
    it.call("UpdatePrimaryRegion", KeyId=multi, PrimaryRegion="eu-central-1")


ON = {letter: {"keyId": letter} for letter in "KRMOXEP"}
SYMMETRIC = {"encryptionAlgorithm": "SYMMETRIC_DEFAULT"}
PAIR = {**ON["K"], "keyPairSpec": "ECC_NIST_P256"}
SIGNED = {**ON["R"], "messageType": "RAW", "signingAlgorithm": PSS}
CODED = {**ON["M"], "macAlgorithm": SHA_256_MAC}
ALIAS = {"aliasName": "alias/one", "targetKeyId": "K"}
# By label: request parameters, response elements, resources, and whether it only reads. Letters
# stand for the ARNs of keys (A: of the alias); ... for anything that is there.
TABLE = {
    "Encrypt": ({**ON["K"], "encryptionContext": CONTEXT, **SYMMETRIC}, None, "K", True),
    "Encrypt by alias": ({"keyId": "alias/one", **SYMMETRIC}, None, "K", True),
    "Decrypt": ({"encryptionContext": CONTEXT, **SYMMETRIC}, None, "K", True),
    "Decrypt named": ({**ON["K"], "encryptionContext": CONTEXT, **SYMMETRIC}, None, "K", True),
    "ReEncrypt": (
        {
            "sourceEncryptionContext": CONTEXT,
            "sourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "destinationKeyId": "K",
            "destinationEncryptionContext": {"shop": "8"},
            "destinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        },
        None,
        "KK",
        True,
    ),
    "GenerateDataKey": ({**ON["K"], "keySpec": "AES_256"}, None, "K", True),
    "GenerateDataKeyWithoutPlaintext": ({**ON["K"], "numberOfBytes": 16}, None, "K", True),
    "GenerateDataKeyPair": (PAIR, None, "K", True),
    "GenerateDataKeyPairWithoutPlaintext": (PAIR, None, "K", True),
    "GenerateRandom": (None, None, "", True),
    "Sign": (SIGNED, None, "R", True),
    "Verify": (SIGNED, None, "R", True),
    "GenerateMac": (CODED, None, "M", True),
    "VerifyMac": (CODED, None, "M", True),
    "DeriveSharedSecret": ({**ON["E"], "keyAgreementAlgorithm": "ECDH"}, None, "E", True),
    "Encapsulate": ({**ON["P"], "encapsulationAlgorithm": "ML_KEM"}, None, "P", True),
    "Decapsulate": ({**ON["P"], "encapsulationAlgorithm": "ML_KEM"}, None, "P", True),
    "GetPublicKey": (ON["R"], None, "R", True),
    "ListResourceTags": ({**ON["K"], "limit": 3}, None, "K", True),
    "ListKeyPolicies": ({**ON["K"], "limit": 3}, None, "K", True),
    "GetKeyLastUsage": (ON["K"], None, "K", True),
    "ListRetirableGrants": ({"retiringPrincipal": ...}, None, "", True),
    "DescribeKey": (ON["K"], None, "K", True),
    "ListKeys": ({"limit": 5}, None, "", True),
    "ListAliases": (ON["K"], None, "", True),
    "ListGrants": (ON["K"], None, "K", True),
    "GetKeyRotationStatus": (ON["K"], None, "K", True),
    "GetKeyPolicy": ({**ON["K"], "policyName": "default"}, None, "K", True),
    "PutKeyPolicy": (
        {
            **ON["K"],
            "policyName": "default",
            "policy": ...,
            "bypassPolicyLockoutSafetyCheck": False,
        },
        None,
        "K",
        False,
    ),
    "CreateAlias": (ALIAS, ON["K"], "KA", False),
    "UpdateAlias": (ALIAS, ON["K"], ..., False),
    "DeleteAlias": ({"aliasName": "alias/one"}, ON["K"], "KA", False),
    "CreateGrant": (
        {
            **ON["K"],
            "granteePrincipal": ...,
            "operations": ["Decrypt"],
            "constraints": {"encryptionContextSubset": CONTEXT},
            "name": "n",
        },
        {"grantId": ..., **ON["K"]},
        "K",
        False,
    ),
    "RevokeGrant": ({**ON["K"], "grantId": ...}, None, "K", False),
    "RetireGrant": (None, None, "K", False),
    "EnableKeyRotation": (ON["K"], ON["K"], "K", False),
    "RotateKeyOnDemand": (ON["K"], ON["K"], "K", False),
    "ListKeyRotations": (ON["K"], None, "K", True),
    "DisableKeyRotation": (ON["K"], None, "K", False),
    "DisableKey": (ON["K"], ON["K"], "K", False),
    "EnableKey": (ON["K"], ON["K"], "K", False),
    "TagResource": (
        {**ON["K"], "tags": [{"tagKey": "k", "tagValue": "v"}]},
        ON["K"],
        "K",
        False,
    ),
    "UntagResource": ({**ON["K"], "tagKeys": ["k"]}, ON["K"], "K", False),
    "UpdateKeyDescription": ({**ON["K"], "description": "new"}, None, "K", False),
    "ScheduleKeyDeletion": (
        {**ON["M"], "pendingWindowInDays": 7},
        {
            **ON["M"],
            "keyState": "PendingDeletion",
            "deletionDate": ELEMENT_DATE,
            "pendingWindowInDays": 7,
        },
        "M",
        False,
    ),
    "CancelKeyDeletion": (ON["M"], ON["M"], "M", False),
    "GetParametersForImport": (
        {
            **ON["O"],
            "wrappingAlgorithm": "RSAES_OAEP_SHA_256",
            "wrappingKeySpec": "RSA_2048",
        },
        None,
        "O",
        True,
    ),
    "ImportKeyMaterial": (
        {**ON["O"], "validTo": ELEMENT_DATE, "expirationModel": "KEY_MATERIAL_EXPIRES"},
        {**ON["O"], "keyMaterialId": MATERIAL},
        "O",
        False,
    ),
    "DeleteImportedKeyMaterial": (ON["O"], ..., "O", False),
    "ReplicateKey": (
        {**ON["X"], "replicaRegion": "eu-central-1", "bypassPolicyLockoutSafetyCheck": False},
        {"replicaKeyMetadata": ..., "replicaPolicy": ...},
        ...,
        False,
    ),
    "UpdatePrimaryRegion": ({**ON["X"], "primaryRegion": "eu-central-1"}, ON["X"], ..., False),
}


def assert_like(found, expected, arns):
    if expected is ...:
        return
    if not isinstance(expected, dict):
        assert found == expected
        return
    assert set(found or ()) == set(expected), found
    for name, value in expected.items():
        if isinstance(value, re.Pattern):
            assert value.fullmatch(found[name]), found[name]
        elif value is not ...:
            assert found[name] == (arns.get(value, value) if isinstance(value, str) else value)


def test_every_operation_of_kms_has_a_golden_record():
    labels = {label.split(" ")[0] for label in TABLE} | {"CreateKey"}
    # Those of custom key stores are in test_external_key_stores.py, where there is a proxy.
    expected = {name for service, name in OPERATIONS if service == "kms"}
    assert labels == {name for name in expected if "CustomKeyStore" not in name}


@pytest.mark.parametrize("label", TABLE)
def test_the_record_of(story, label):
    parameters, elements, resources, read_only = TABLE[label]
    record = story.records[label]
    assert "errorCode" not in record, record
    assert set(record) - {"additionalEventData"} == ALWAYS
    assert record["eventName"] == label.split(" ")[0]
    assert record["readOnly"] is read_only
    assert (record["eventType"], record["eventCategory"]) == ("AwsApiCall", "Management")
    assert record["eventVersion"] == "1.11"
    assert_like(record["requestParameters"], parameters, story.arns)
    assert_like(record["responseElements"], elements, story.arns)
    if resources is not ...:
        found = record["resources"]
        assert [one["ARN"] for one in found] == [story.arns[letter] for letter in resources]
        assert all(one["type"] == "AWS::KMS::Key" for one in found)


@pytest.mark.parametrize(
    ("label", "code", "resources"),
    [
        ("Encrypt disabled", "DisabledException", 1),
        ("not found", "NotFoundException", 0),
        ("bad context", "InvalidCiphertextException", 1),
        ("bad input", "ValidationException", 0),
    ],
    ids=str,
)
def test_the_record_of_a_refusal(story, label, code, resources):
    record = story.records[label]
    assert record["errorCode"] == code
    assert record["responseElements"] is None
    assert len(record["resources"]) == resources
    assert set(record) - {"errorMessage", "additionalEventData"} == ALWAYS | {"errorCode"}


def test_create_key_shows_all_parameters_and_the_metadata(story):
    record = story.records["CreateKey"]
    assert record["requestParameters"] == {
        "description": "",
        "keyUsage": "ENCRYPT_DECRYPT",
        "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "keySpec": "SYMMETRIC_DEFAULT",
        "origin": "AWS_KMS",
        "bypassPolicyLockoutSafetyCheck": False,
        "tags": [{"tagKey": "a", "tagValue": "b"}],
        "multiRegion": False,
    }
    metadata = record["responseElements"]["keyMetadata"]
    assert metadata["aWSAccountId"] == story.server.account
    assert metadata["arn"] == story.arns["K"]
    assert ELEMENT_DATE.fullmatch(metadata["creationDate"])


def test_create_key_of_another_spec_shows_that_spec_twice(story):
    parameters = story.records["CreateKey rsa"]["requestParameters"]
    assert (parameters["keySpec"], parameters["customerMasterKeySpec"]) == ("RSA_2048", "RSA_2048")


@pytest.mark.parametrize("label", ["Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyPair"])
def test_key_material_is_named(story, label):
    assert MATERIAL.fullmatch(story.records[label]["additionalEventData"]["keyMaterialId"])


def test_re_encrypt_names_both_materials(story):
    found = story.records["ReEncrypt"]["additionalEventData"]
    assert len(found) == 2
    assert all(MATERIAL.fullmatch(material) for material in found.values())


def test_retire_grant_names_the_grant(story):
    assert story.records["RetireGrant"]["additionalEventData"] == {"grantId": story.retired}


def test_nothing_secret_is_there(story):
    whole = "".join(path.read_text() for path in (story.server.data / "audit").glob("*-w*/*.jsonl"))
    assert base64.b64encode(b"secret").decode() not in whole
    for word in ("plaintext", "ciphertextBlob", "grantToken", "importToken", '"signature"'):
        assert word not in whole
