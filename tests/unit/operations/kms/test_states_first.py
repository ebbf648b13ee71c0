"""States x operations: what each operation of KMS answers in each state, and what comes first.

The table is that of the KMS Developer Guide, "Key states of AWS KMS keys", written down once more:
`-` works, `D` DisabledException, `S` KMSInvalidStateException, `U` UnsupportedOperationException.
"""

import pytest
from msgspec.structs import replace

from kagimori.entities.tables import KMS_KEYS
from kagimori.rules.keys.states import KeyState
from kagimori.rules.refusal import (
    DisabledException,
    DryRunOperationException,
    InvalidKeyUsageException,
    KMSInvalidStateException,
    Refusal,
    UnsupportedOperationException,
    ValidationException,
)
from kit.hsm import ciphertext_of, reply_to
from kit.kms_story import kms_story
from kit.trial import REGION, Trial, allow

OAEP = "RSAES_OAEP_SHA_256"
WRAPPED = {"WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256"}
STATES = (
    KeyState.ENABLED,
    KeyState.DISABLED,
    KeyState.PENDING_DELETION,
    KeyState.PENDING_REPLICA_DELETION,
    KeyState.PENDING_IMPORT,
    KeyState.CREATING,
    KeyState.UPDATING,
)
LETTERS = {
    DisabledException: "D",
    KMSInvalidStateException: "S",
    UnsupportedOperationException: "U",
}
ANY, USE, EDIT, SWITCH, ROTATION = "-------", "-DSSSS-", "--SS---", "--SSSSS", "-DSSUS-"
# In the order of STATES.
TABLE = {
    "CancelKeyDeletion": "SS--SSS",
    "ScheduleKeyDeletion": "--SS--S",
    "GetPublicKey": "--SS-S-",
    "EnableKey": SWITCH,
    "DisableKey": SWITCH,
    "EnableKeyRotation": ROTATION,
    "DisableKeyRotation": ROTATION,
    "RotateKeyOnDemand": USE,
    "GetParametersForImport": "--SS-SS",
    "ImportKeyMaterial": "--SS-S-",
    "DeleteImportedKeyMaterial": "-----SS",
    "ReplicateKey": "-DSSSSS",
    "UpdatePrimaryRegion": USE,
    **dict.fromkeys(
        (
            "Encrypt",
            "Decrypt",
            "ReEncrypt",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext",
            "Sign",
            "Verify",
            "GenerateMac",
            "VerifyMac",
            "DeriveSharedSecret",
            "Encapsulate",
            "Decapsulate",
            "CreateGrant",
        ),
        USE,
    ),
    **dict.fromkeys(
        (
            "CreateAlias",
            "UpdateAlias",
            "TagResource",
            "UntagResource",
            "UpdateKeyDescription",
        ),
        EDIT,
    ),
    **dict.fromkeys(
        (
            "DeleteAlias",
            "DescribeKey",
            "GetKeyPolicy",
            "PutKeyPolicy",
            "ListKeyPolicies",
            "ListAliases",
            "ListGrants",
            "ListResourceTags",
            "RetireGrant",
            "RevokeGrant",
            "GetKeyRotationStatus",
            "ListKeyRotations",
            "GetKeyLastUsage",
            # They name no key.
            "CreateKey",
            "ListKeys",
            "ListRetirableGrants",
            "GenerateRandom",
        ),
        ANY,
    ),
}


def in_state(trial, state):
    """Return a trial in which every key is in this state."""
    other = trial.copy()
    other.view.put(KMS_KEYS, *(replace(key, state=state) for key in other.view.all(KMS_KEYS)))
    return other


def answer(trial, name, **given):
    """Return the letter of what an operation answers, or the class of another refusal."""
    try:
        trial.call(name, reply_to, **given)
    except Refusal as refusal:
        return LETTERS.get(type(refusal), type(refusal))
    return "-"


def test_each_operation_answers_each_state_as_the_table_says():
    trial, found = Trial(), {}
    trial.user("alice", allow("*"))

    def call(name, **given):
        row = [answer(in_state(trial, state), name, **given) for state in STATES]
        found.setdefault(name, row)
        return trial.call(name, reply_to, **given).answer

    kms_story(call)
    assert {name: "".join(map(str, row)) for name, row in found.items()} == TABLE


SIGNING = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
RSA = {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}
MAC = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
IMPORT = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
SIGNED = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
TAGGED = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
GRANTED = {"GranteePrincipal": "111122223333", "Operations": ["Sign"]}
USAGE, VALIDATION = InvalidKeyUsageException, ValidationException
# The key, the request, and the answers while it is enabled, disabled and pending deletion: where a
# request is wrong in two ways, its state is named before kind, usage, algorithm, size and dry run,
# but for what a kind of key can never do (automatic rotation, import).
WRONG_TWICE = [
    ("Encrypt", MAC, {"Plaintext": b"p"}, (USAGE, "D", "S")),
    ("Encrypt", {}, {"Plaintext": b"p", "EncryptionAlgorithm": OAEP}, (USAGE, "D", "S")),
    (
        "Encrypt",
        RSA,
        {"Plaintext": b"p" * 300, "EncryptionAlgorithm": OAEP},
        (VALIDATION, "D", "S"),
    ),
    ("Encrypt", {}, {"Plaintext": b"p", "DryRun": True}, (DryRunOperationException, "D", "S")),
    ("GenerateDataKey", RSA, {"KeySpec": "AES_256"}, (USAGE, "D", "S")),
    ("GenerateDataKeyPair", MAC, {"KeyPairSpec": "RSA_2048"}, (USAGE, "D", "S")),
    ("Sign", {}, SIGNED, (USAGE, "D", "S")),
    ("Sign", SIGNING, {**SIGNED, "MessageType": "DIGEST"}, (VALIDATION, "D", "S")),
    ("Verify", MAC, {**SIGNED, "Signature": b"s"}, (USAGE, "D", "S")),
    ("GenerateMac", SIGNING, TAGGED, (USAGE, "D", "S")),
    ("VerifyMac", {}, {**TAGGED, "Mac": b"m"}, (USAGE, "D", "S")),
    (
        "DeriveSharedSecret",
        {},
        {"KeyAgreementAlgorithm": "ECDH", "PublicKey": b"p"},
        (USAGE, "D", "S"),
    ),
    ("Encapsulate", {}, {"EncapsulationAlgorithm": "ML_KEM"}, (USAGE, "D", "S")),
    ("GetPublicKey", {}, {}, ("U", "U", "S")),
    ("CreateGrant", {}, GRANTED, (VALIDATION, "D", "S")),
    ("RotateKeyOnDemand", SIGNING, {}, ("U", "D", "S")),
    ("RotateKeyOnDemand", MAC, {}, ("U", "D", "S")),
    ("ReplicateKey", {}, {"ReplicaRegion": "eu-west-1"}, ("U", "D", "S")),
    ("ReplicateKey", {"MultiRegion": True}, {"ReplicaRegion": REGION}, (VALIDATION, "D", "S")),
    ("UpdatePrimaryRegion", {}, {"PrimaryRegion": "eu-west-1"}, ("U", "D", "S")),
    ("EnableKeyRotation", SIGNING, {}, ("U", "U", "U")),
    ("EnableKeyRotation", {"Origin": "EXTERNAL"}, {}, ("U", "U", "U")),
    ("DisableKeyRotation", MAC, {}, ("U", "U", "U")),
    ("GetParametersForImport", {}, IMPORT, ("U", "U", "U")),
    ("ImportKeyMaterial", {}, {"ImportToken": b"t", "EncryptedKeyMaterial": b"m"}, ("U", "U", "U")),
    ("DeleteImportedKeyMaterial", {}, {}, ("U", "U", "U")),
    (
        "GetParametersForImport",
        {"Origin": "EXTERNAL"},
        {**IMPORT, **WRAPPED},
        (VALIDATION, VALIDATION, "S"),
    ),
    ("ListKeyRotations", SIGNING, {}, ("U", "U", "U")),
]


@pytest.mark.parametrize(("name", "key", "given", "expected"), WRONG_TWICE)
def test_what_comes_first(name, key, given, expected):
    trial = Trial()
    key_id = trial.call("CreateKey", reply_to, **key).answer["KeyMetadata"]["KeyId"]
    states = (KeyState.ENABLED, KeyState.DISABLED, KeyState.PENDING_DELETION)
    assert expected == tuple(
        answer(in_state(trial, state), name, KeyId=key_id, **given) for state in states
    )


def test_the_state_of_both_keys_of_a_re_encryption_comes_before_the_usage_of_the_second():
    trial = Trial()
    source = trial.call("CreateKey", reply_to).answer["KeyMetadata"]
    mac = trial.call("CreateKey", reply_to, **MAC).answer["KeyMetadata"]["KeyId"]
    blob = ciphertext_of(source["CurrentKeyMaterialId"])
    given = {"CiphertextBlob": blob, "DestinationKeyId": mac}
    assert answer(trial, "ReEncrypt", **given) is USAGE
    assert answer(in_state(trial, KeyState.DISABLED), "ReEncrypt", **given) == "D"
