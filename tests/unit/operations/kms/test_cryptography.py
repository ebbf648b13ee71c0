"""What uses a key, step by step: the HSM command that follows, and the answer to its reply."""

import pytest

from kagimori.rules.refusal import (
    AccessDeniedException,
    DisabledException,
    DryRunOperationException,
    IncorrectKeyException,
    InvalidCiphertextException,
    InvalidKeyUsageException,
    ValidationException,
)
from kagimori_boundary import commands
from kagimori_boundary.ciphertext_form import CIPHERTEXT_VERSION, HEADER_BYTES, TAG_BYTES
from kagimori_boundary.replies import Bytes, NewDataKey, NewKey
from kit.trial import OTHER, Trial

MATERIAL = bytes(range(32))
CONTEXT = {"tenant": "acme"}


@pytest.fixture
def trial():
    return Trial()


def made(trial, material=MATERIAL, **members):
    reply = NewKey(material, b"token", b"public")
    return trial.call("CreateKey", reply, **members).answer["KeyMetadata"]["KeyId"]


@pytest.fixture
def key_id(trial):
    return made(trial)


def ciphertext(material=MATERIAL):
    """Return a blob that names its material: what operations look into, and no more."""
    return bytes([CIPHERTEXT_VERSION]) + material + bytes(HEADER_BYTES + TAG_BYTES)


@pytest.mark.parametrize(
    ("spec", "usage", "name", "members", "reply", "command", "answered"),
    [
        (
            "SYMMETRIC_DEFAULT",
            "ENCRYPT_DECRYPT",
            "Encrypt",
            {"Plaintext": b"p", "EncryptionContext": CONTEXT},
            Bytes(b"c"),
            commands.Encrypt,
            {"CiphertextBlob": b"c"},
        ),
        (
            "SYMMETRIC_DEFAULT",
            "ENCRYPT_DECRYPT",
            "GenerateDataKey",
            {"KeySpec": "AES_256", "EncryptionContext": CONTEXT},
            NewDataKey(b"plain", b"c"),
            commands.GenerateDataKey,
            {"CiphertextBlob": b"c", "Plaintext": b"plain"},
        ),
        (
            "SYMMETRIC_DEFAULT",
            "ENCRYPT_DECRYPT",
            "GenerateDataKeyWithoutPlaintext",
            {"NumberOfBytes": 16},
            NewDataKey(b"", b"c"),
            commands.GenerateDataKey,
            {"CiphertextBlob": b"c"},
        ),
        (
            "RSA_2048",
            "ENCRYPT_DECRYPT",
            "Decrypt",
            {"CiphertextBlob": bytes(256), "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
            Bytes(b"p"),
            commands.Decrypt,
            {"Plaintext": b"p", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
        ),
        (
            "ECC_NIST_P256",
            "SIGN_VERIFY",
            "Sign",
            {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"},
            Bytes(b"s"),
            commands.Sign,
            {"Signature": b"s", "SigningAlgorithm": "ECDSA_SHA_256"},
        ),
        (
            "ECC_NIST_P256",
            "SIGN_VERIFY",
            "Verify",
            {"Message": b"m", "Signature": b"s", "SigningAlgorithm": "ECDSA_SHA_256"},
            Bytes(b""),
            commands.Verify,
            {"SignatureValid": True},
        ),
        (
            "HMAC_256",
            "GENERATE_VERIFY_MAC",
            "GenerateMac",
            {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"},
            Bytes(b"mac"),
            commands.GenerateMac,
            {"Mac": b"mac"},
        ),
        (
            "HMAC_256",
            "GENERATE_VERIFY_MAC",
            "VerifyMac",
            {"Message": b"m", "Mac": b"mac", "MacAlgorithm": "HMAC_SHA_256"},
            Bytes(b""),
            commands.VerifyMac,
            {"MacValid": True},
        ),
    ],
)
def test_each_use_asks_the_hsm_once_and_answers_its_reply(
    trial, spec, usage, name, members, reply, command, answered
):
    key_id = made(trial, KeySpec=spec, KeyUsage=usage)
    tried = trial.call(name, reply, KeyId=key_id, **members)
    assert type(tried.command) is command
    assert tried.needs == [f"kms:{name}"]
    assert tried.outcome.writes == ()
    assert {member: tried.answer[member] for member in answered} == answered
    assert tried.answer["KeyId"].endswith(key_id)


@pytest.mark.parametrize("name", ["Encrypt", "GenerateDataKey"])
def test_a_dry_run_ends_before_the_hsm(trial, key_id, name):
    members = {"Plaintext": b"p"} if name == "Encrypt" else {"KeySpec": "AES_256"}
    with pytest.raises(DryRunOperationException):
        trial.call(name, KeyId=key_id, DryRun=True, **members)


def test_state_comes_before_usage_and_both_before_the_dry_run(trial):
    key_id = made(trial, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    with pytest.raises(InvalidKeyUsageException):
        trial.call("Encrypt", KeyId=key_id, Plaintext=b"p", DryRun=True)
    trial.call("DisableKey", KeyId=key_id)
    with pytest.raises(DisabledException):
        trial.call("Encrypt", KeyId=key_id, Plaintext=b"p", DryRun=True)


def test_an_encryption_context_has_a_bound(trial, key_id):
    with pytest.raises(ValidationException):
        trial.call("Encrypt", KeyId=key_id, Plaintext=b"p", EncryptionContext={"k": "v" * 8192})


def test_a_data_key_has_one_size(trial, key_id):
    for members in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 16}):
        with pytest.raises(ValidationException):
            trial.call("GenerateDataKey", KeyId=key_id, **members)


def test_random_bytes_need_no_key(trial):
    tried = trial.call("GenerateRandom", Bytes(b"r" * 16), NumberOfBytes=16)
    assert tried.command == commands.GenerateRandom(16, b"")
    assert tried.answer == {"Plaintext": b"r" * 16}


def test_an_asymmetric_algorithm_is_of_the_keys_spec(trial, key_id):
    with pytest.raises(InvalidKeyUsageException):
        trial.call(
            "Encrypt", KeyId=key_id, Plaintext=b"p", EncryptionAlgorithm="RSAES_OAEP_SHA_256"
        )


def test_a_ciphertext_names_its_key_and_the_named_key_must_be_that(trial, key_id):
    other = made(trial, material=bytes(32))
    tried = trial.call("Decrypt", Bytes(b"p"), CiphertextBlob=ciphertext())
    assert tried.answer["KeyId"].endswith(key_id)
    assert (tried.answer["Plaintext"], tried.answer["KeyMaterialId"]) == (b"p", MATERIAL.hex())
    with pytest.raises(IncorrectKeyException):
        trial.call("Decrypt", CiphertextBlob=ciphertext(), KeyId=other)
    with pytest.raises(InvalidCiphertextException):
        trial.call("Decrypt", CiphertextBlob=b"nothing of ours")


def test_a_ciphertext_of_another_account_tells_nothing_of_its_key(trial, key_id):
    answers = set()
    for blob in (ciphertext(), ciphertext(bytes(31) + b"x")):
        with pytest.raises(AccessDeniedException) as refused:
            trial.call("Decrypt", by=trial.root(OTHER), CiphertextBlob=blob)
        answers.add(refused.value.message)
    assert len(answers) == 1


def test_re_encryption_needs_both_keys(trial, key_id):
    other = made(trial, material=bytes(32))
    tried = trial.call(
        "ReEncrypt", Bytes(b"c"), CiphertextBlob=ciphertext(), DestinationKeyId=other
    )
    assert tried.needs == ["kms:ReEncryptFrom", "kms:ReEncryptTo"]
    assert type(tried.command) is commands.ReEncrypt
    assert tried.answer["SourceKeyId"].endswith(key_id)
    assert tried.answer["KeyId"].endswith(other)
