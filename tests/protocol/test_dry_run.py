"""DryRun on every operation that has it: all checks, and then nothing. Reference: 19.4, 5.3."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import serving
from serving import refused

WOULD_WORK = "The request would have succeeded, but the DryRun option is set."
CAST = {
    "symmetric": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
    "signer": ("ECC_NIST_P256", "SIGN_VERIFY"),
    "mac": ("HMAC_256", "GENERATE_VERIFY_MAC"),
    "agreement": ("ECC_NIST_P256", "KEY_AGREEMENT"),
    "kem": ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
}
SIGNING = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
MAC = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
KEM = {"EncapsulationAlgorithm": "ML_KEM"}
PEER = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
)
# Operation: whose key it is for, and the members beside KeyId.
OPERATIONS = {
    "encrypt": ("symmetric", {"Plaintext": b"p"}),
    "decrypt": ("symmetric", {"CiphertextBlob": ...}),
    "re_encrypt": ("symmetric", {"CiphertextBlob": ...}),
    "generate_data_key": ("symmetric", {"KeySpec": "AES_256"}),
    "generate_data_key_without_plaintext": ("symmetric", {"KeySpec": "AES_256"}),
    "generate_data_key_pair": ("symmetric", {"KeyPairSpec": "ECC_NIST_P256"}),
    "generate_data_key_pair_without_plaintext": ("symmetric", {"KeyPairSpec": "ECC_NIST_P256"}),
    "sign": ("signer", SIGNING),
    "verify": ("signer", {**SIGNING, "Signature": ...}),
    "generate_mac": ("mac", MAC),
    "verify_mac": ("mac", {**MAC, "Mac": ...}),
    "derive_shared_secret": ("agreement", {"KeyAgreementAlgorithm": "ECDH", "PublicKey": PEER}),
    "encapsulate": ("kem", KEM),
    "decapsulate": ("kem", {**KEM, "SharedSecretCiphertextBlob": ...}),
}
EVERY = pytest.mark.parametrize("name", OPERATIONS)
DECRYPTIONS = pytest.mark.parametrize("name", ["decrypt", "re_encrypt"])
STRANGER = "111122223333"


def new_key(kms, who):
    spec, usage = CAST[who]
    return kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def cast(kms):
    return {who: new_key(kms, who) for who in CAST}


@pytest.fixture(scope="module")
def dev_kms(dev):
    """The owner's client and a stranger's, of one `dev` server."""
    clients = dev.client(), dev.client(access_key=STRANGER)
    yield clients
    for client in clients:
        client.close()


def members(kms, name, key):
    """What makes the operation succeed with this key."""
    _, given = OPERATIONS[name]
    given = dict(given)
    if name in ("decrypt", "re_encrypt"):
        given["CiphertextBlob"] = kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    if name == "re_encrypt":
        return {**given, "SourceKeyId": key, "DestinationKeyId": key}
    if name == "verify":
        given["Signature"] = kms.sign(KeyId=key, **SIGNING)["Signature"]
    if name == "verify_mac":
        given["Mac"] = kms.generate_mac(KeyId=key, **MAC)["Mac"]
    if name == "decapsulate":
        made = kms.encapsulate(KeyId=key, **KEM)
        given["SharedSecretCiphertextBlob"] = made["SharedSecretCiphertextBlob"]
    return {**given, "KeyId": key}


@EVERY
def test_what_would_work(kms, cast, name):
    given = members(kms, name, cast[OPERATIONS[name][0]])
    with refused("DryRunOperationException", WOULD_WORK):
        getattr(kms, name)(DryRun=True, **given)
    assert getattr(kms, name)(DryRun=False, **given)["ResponseMetadata"]["HTTPStatusCode"] == 200


@EVERY
def test_usage_comes_first(kms, cast, name):
    own = OPERATIONS[name][0]
    given = members(kms, name, cast[own])
    wrong = cast["mac" if own != "mac" else "signer"]
    given = {member: wrong if value == cast[own] else value for member, value in given.items()}
    # A ciphertext of another key is told before the usage of the one named (reference, 5.3).
    expected = "IncorrectKeyException" if "CiphertextBlob" in given else "InvalidKeyUsageException"
    with refused(expected):
        getattr(kms, name)(DryRun=True, **given)


@EVERY
def test_states_come_first(kms, name):
    key = new_key(kms, OPERATIONS[name][0])
    given = members(kms, name, key)
    kms.disable_key(KeyId=key)
    with refused("DisabledException", f"{key} is disabled."):
        getattr(kms, name)(DryRun=True, **given)
    kms.schedule_key_deletion(KeyId=key)
    with refused("KMSInvalidStateException", f"{key} is pending deletion."):
        getattr(kms, name)(DryRun=True, **given)


@EVERY
def test_permissions_come_first(dev_kms, name):
    owner, stranger = dev_kms
    key = new_key(owner, OPERATIONS[name][0])
    given = members(owner, name, key)
    with refused("AccessDeniedException"):
        getattr(stranger, name)(DryRun=True, **given)
    owner.disable_key(KeyId=key)
    with refused("AccessDeniedException"):
        getattr(stranger, name)(DryRun=True, **given)


@pytest.mark.parametrize(
    ("name", "spoilt", "code"),
    [
        ("generate_data_key", {"NumberOfBytes": 16}, "ValidationException"),
        ("encrypt", {"Plaintext": bytes(4097)}, "ValidationException"),
        ("encrypt", {"EncryptionContext": {"k": "v" * 9000}}, "ValidationException"),
        ("encrypt", {"EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}, "InvalidKeyUsageException"),
        ("generate_data_key_pair", {"KeyPairSpec": "SM2"}, "UnsupportedOperationException"),
        ("sign", {"MessageType": "DIGEST"}, "ValidationException"),
        ("sign", {"SigningAlgorithm": "ECDSA_SHA_512"}, "InvalidKeyUsageException"),
        ("verify", {"MessageType": "EXTERNAL_MU"}, "ValidationException"),
        ("generate_mac", {"MacAlgorithm": "HMAC_SHA_512"}, "InvalidKeyUsageException"),
        ("decrypt", {"CiphertextBlob": b"x"}, "InvalidCiphertextException"),
        ("decrypt", {"GrantTokens": ["no token"]}, "InvalidGrantTokenException"),
    ],
)
def test_parameters_come_first(kms, cast, name, spoilt, code):
    given = members(kms, name, cast[OPERATIONS[name][0]])
    with refused(code):
        getattr(kms, name)(DryRun=True, **{**given, **spoilt})


# --- grants ---------------------------------------------------------------------------------------

GRANTEE = "arn:aws:iam::111122223333:root"


def grants_of(kms, key):
    return [grant["GrantId"] for grant in kms.list_grants(KeyId=key)["Grants"]]


def test_dry_run_makes_and_ends_no_grant(kms, key):
    owner = kms.describe_key(KeyId=key)["KeyMetadata"]["AWSAccountId"]
    given = {"KeyId": key, "GranteePrincipal": owner, "Operations": ["Decrypt"]}
    with refused("DryRunOperationException", WOULD_WORK):
        kms.create_grant(DryRun=True, **given)
    assert grants_of(kms, key) == []
    made = kms.create_grant(**given)
    named = {"KeyId": key, "GrantId": made["GrantId"]}
    for call, how in (
        (kms.retire_grant, {"GrantToken": made["GrantToken"]}),
        (kms.retire_grant, named),
        (kms.revoke_grant, named),
    ):
        with refused("DryRunOperationException", WOULD_WORK):
            call(DryRun=True, **how)
        assert grants_of(kms, key) == [made["GrantId"]]
    kms.revoke_grant(**named)
    with refused("NotFoundException"):
        kms.revoke_grant(DryRun=True, **named)
    with refused("ValidationException"):
        kms.create_grant(DryRun=True, **{**given, "Operations": ["Sign"]})
    kms.disable_key(KeyId=key)
    with refused("DisabledException", f"{key} is disabled."):
        kms.create_grant(DryRun=True, **given)


def test_dry_runs_of_grants_ask_for_permission(dev_kms):
    owner, stranger = dev_kms
    key = new_key(owner, "symmetric")
    given = {"KeyId": key, "GranteePrincipal": GRANTEE, "Operations": ["Decrypt"]}
    made = owner.create_grant(**given)
    for call, how in (
        (stranger.create_grant, given),
        (stranger.revoke_grant, {"KeyId": key, "GrantId": made["GrantId"]}),
        (stranger.retire_grant, {"GrantToken": made["GrantToken"]}),
        (stranger.retire_grant, {"KeyId": key, "GrantId": made["GrantId"]}),
    ):
        with refused("AccessDeniedException"):
            call(DryRun=True, **how)


# --- modifiers ------------------------------------------------------------------------------------

IGNORING = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}


@DECRYPTIONS
def test_ciphertext_may_be_left_out(kms, cast, name):
    given = members(kms, name, cast["symmetric"])
    with refused("DryRunOperationException", WOULD_WORK):
        getattr(kms, name)(**given, **IGNORING)
    blob = given.pop("CiphertextBlob")
    with refused("DryRunOperationException", WOULD_WORK):
        getattr(kms, name)(**given, **IGNORING)
    with refused("ValidationException"):
        getattr(kms, name)(DryRun=True, **given)
    with refused("ValidationException"):
        getattr(kms, name)(**given)
    with refused("ValidationException"):
        getattr(kms, name)(**given, CiphertextBlob=blob, DryRunModifiers=["IGNORE_CIPHERTEXT"])
    # The ciphertext of another key is not looked at.
    other = kms.encrypt(KeyId=new_key(kms, "symmetric"), Plaintext=b"p")["CiphertextBlob"]
    with refused("DryRunOperationException", WOULD_WORK):
        getattr(kms, name)(**given, CiphertextBlob=other, **IGNORING)


@DECRYPTIONS
def test_key_must_be_named_without_its_ciphertext(kms, cast, name):
    given = members(kms, name, cast["symmetric"])
    del given["KeyId" if name == "decrypt" else "SourceKeyId"]
    with refused("ValidationException"):
        getattr(kms, name)(**given, **IGNORING)


@DECRYPTIONS
def test_permission_is_asked_without_a_ciphertext(dev_kms, name):
    owner, stranger = dev_kms
    key = new_key(owner, "symmetric")
    given = members(owner, name, key)
    del given["CiphertextBlob"]
    with refused("AccessDeniedException"):
        getattr(stranger, name)(**given, **IGNORING)


def test_dry_run_is_no_use(kms):
    key = new_key(kms, "symmetric")
    with refused("DryRunOperationException"):
        kms.encrypt(KeyId=key, Plaintext=b"p", DryRun=True)
    assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"] == {}


def test_nothing_of_the_answer_is_there(server, kms, cast):
    body = {"KeyId": cast["symmetric"], "KeySpec": "AES_256", "DryRun": True}
    answer = server.send(serving.Signed(server, "GenerateDataKey", body))
    assert answer.status == 400
    assert answer.json == {"__type": "DryRunOperationException", "message": WOULD_WORK}
