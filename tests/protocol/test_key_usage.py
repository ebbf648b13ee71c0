"""GetKeyLastUsage: the newest successful cryptographic use, kept over a restart. Reference: 1.5."""

import json
import time

import pytest

import serving
from dev_clock import advance
from serving import eventually, refused

PAIR = {"KeyPairSpec": "ECC_NIST_P256"}


@pytest.fixture
def abroad(server):
    client = server.client(region="eu-central-1")
    yield client
    client.close()


def used(kms, key):
    return kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]


def test_unused_key(kms, key):
    answer = kms.get_key_last_usage(KeyId=key)
    answer.pop("ResponseMetadata")
    created = kms.describe_key(KeyId=key)["KeyMetadata"]["CreationDate"]
    assert answer.pop("TrackingStartDate") <= created
    assert answer == {
        "KeyId": key.rpartition("/")[2],
        "KeyLastUsage": {},
        "KeyCreationDate": created,
    }


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("Encrypt", lambda kms, key: kms.encrypt(KeyId=key, Plaintext=b"p")),
        ("GenerateDataKey", lambda kms, key: kms.generate_data_key(KeyId=key, KeySpec="AES_256")),
        (
            "GenerateDataKeyWithoutPlaintext",
            lambda kms, key: kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256"),
        ),
        ("GenerateDataKeyPair", lambda kms, key: kms.generate_data_key_pair(KeyId=key, **PAIR)),
        (
            "GenerateDataKeyPairWithoutPlaintext",
            lambda kms, key: kms.generate_data_key_pair_without_plaintext(KeyId=key, **PAIR),
        ),
    ],
)
def test_use_is_seen_at_once(kms, key, operation, call):
    before = time.time()
    request_id = call(kms, key)["ResponseMetadata"]["RequestId"]
    found = used(kms, key)
    assert (found["Operation"], found["KmsRequestId"]) == (operation, request_id)
    assert before - 2 <= found["Timestamp"].timestamp() <= time.time() + 2
    assert len(found["CloudTrailEventId"]) == 36


def test_decrypt_and_re_encrypt_mark_their_keys(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob)
    assert used(kms, key)["Operation"] == "Decrypt"
    other = kms.create_key()["KeyMetadata"]["Arn"]
    answer = kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)
    for name in (key, other):
        found = used(kms, name)
        assert found["Operation"] == "ReEncrypt"
        assert found["KmsRequestId"] == answer["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize(
    ("spec", "usage", "operations"),
    [
        ("ECC_NIST_P256", "SIGN_VERIFY", ("Sign", "Verify")),
        ("HMAC_256", "GENERATE_VERIFY_MAC", ("GenerateMac", "VerifyMac")),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", ("Encapsulate", "Decapsulate")),
    ],
)
def test_other_kinds(kms, spec, usage, operations):
    key = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]
    if usage == "SIGN_VERIFY":
        given = {"KeyId": key, "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
        made = {"Signature": kms.sign(**given)["Signature"]}
        second = kms.verify
    elif usage == "GENERATE_VERIFY_MAC":
        given = {"KeyId": key, "Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
        made = {"Mac": kms.generate_mac(**given)["Mac"]}
        second = kms.verify_mac
    else:
        given = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}
        blob = kms.encapsulate(**given)["SharedSecretCiphertextBlob"]
        made = {"SharedSecretCiphertextBlob": blob}
        second = kms.decapsulate
    assert used(kms, key)["Operation"] == operations[0]
    second(**given, **made)
    assert used(kms, key)["Operation"] == operations[1]


def test_what_is_no_use(kms, key):
    kms.describe_key(KeyId=key)
    kms.list_grants(KeyId=key)
    kms.get_key_policy(KeyId=key)
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
    kms.get_key_last_usage(KeyId=key)
    with refused("DryRunOperationException"):
        kms.encrypt(KeyId=key, Plaintext=b"p", DryRun=True)
    blob = kms.encrypt(KeyId=kms.create_key()["KeyMetadata"]["Arn"], Plaintext=b"p")[
        "CiphertextBlob"
    ]
    with refused("IncorrectKeyException"):
        kms.decrypt(CiphertextBlob=blob, KeyId=key)
    kms.disable_key(KeyId=key)
    with refused("DisabledException"):
        kms.encrypt(KeyId=key, Plaintext=b"p")
    assert used(kms, key) == {}


def test_failure_after_a_use_leaves_the_use(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    first = used(kms, key)
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
    assert used(kms, key) == first


def test_public_key_is_no_use(kms):
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    kms.get_public_key(KeyId=key)
    assert used(kms, key) == {}


def test_members_of_a_set_are_tracked_apart(kms, abroad):
    primary = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    answer = kms.replicate_key(KeyId=primary, ReplicaRegion="eu-central-1")
    replica = answer["ReplicaKeyMetadata"]["Arn"]
    kms.encrypt(KeyId=primary, Plaintext=b"p")
    assert used(kms, primary)["Operation"] == "Encrypt"
    assert used(abroad, replica) == {}
    abroad.generate_data_key(KeyId=replica, KeySpec="AES_256")
    assert used(kms, primary)["Operation"] == "Encrypt"
    assert used(abroad, replica)["Operation"] == "GenerateDataKey"


def test_states_and_names(kms, key):
    kms.encrypt(KeyId=key, Plaintext=b"p")
    kms.schedule_key_deletion(KeyId=key)
    assert used(kms, key)["Operation"] == "Encrypt"
    with refused("InvalidArnException"):
        kms.get_key_last_usage(KeyId="alias/some")
    with refused("NotFoundException"):
        kms.get_key_last_usage(KeyId="00000000-0000-4000-8000-000000000000")


def test_moved_clock(dev):
    kms = dev.client()
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.encrypt(KeyId=key, Plaintext=b"p")
    first = used(kms, key)["Timestamp"]
    advance(dev, seconds=3600)
    kms.encrypt(KeyId=key, Plaintext=b"p")
    assert 3590 < (used(kms, key)["Timestamp"] - first).total_seconds() < 3700
    kms.close()


def test_use_outlives_a_restart():
    with serving.temporary_folder() as folder:
        data = folder / "data"
        serving.init(data)
        with serving.served(data=data) as server:
            kms = server.client()
            key = kms.create_key()["KeyMetadata"]["Arn"]
            kms.encrypt(KeyId=key, Plaintext=b"p")
            expected = used(kms, key)
            tracked = kms.get_key_last_usage(KeyId=key)["TrackingStartDate"]
            kms.close()
        with serving.served(data=data) as server:
            kms = server.client()
            assert used(kms, key) == expected
            assert kms.get_key_last_usage(KeyId=key)["TrackingStartDate"] == tracked
            kms.close()


def test_use_is_told_by_every_worker(tmp_path):
    """One worker's use is known to the others within seconds."""
    with serving.served("--workers", "2") as server:
        clients = [server.client() for _ in range(8)]  # so that some reach each worker
        key = clients[0].create_key()["KeyMetadata"]["Arn"]
        clients[0].encrypt(KeyId=key, Plaintext=b"p")
        eventually(lambda: all(used(client, key) for client in clients), seconds=15)
        found = [used(client, key) for client in clients]
        assert len({json.dumps(one, default=str) for one in found}) == 1
        for client in clients:
            client.close()
