"""CloudHSM key stores: a token of SoftHSM as the cluster, real processes, and boto3.

Source: KMS API Reference, CreateCustomKeyStore and others; KMS Developer Guide, "AWS CloudHSM key
stores".
"""

import json
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

import serving
from kagimori.deployment.certificates import make_certificate_authority
from kit.softhsm import PIN, needs_softhsm, soft_tokens

pytestmark = needs_softhsm
CLUSTER = "cluster-3a23b4cdefg"
OTHER_CLUSTER = "cluster-4a23b4cdefg"


@contextmanager
def refused(code):
    with pytest.raises(ClientError) as problem:
        yield
    assert problem.value.response["Error"]["Code"] == code, problem.value


@pytest.fixture(scope="module")
def soft(tmp_path_factory):
    return soft_tokens(tmp_path_factory.mktemp("soft") / "soft", "one", "two")


def _token(soft, label, cluster, anchor):
    options = soft.options(label)
    lines = [
        f"[tokens.{label}]",
        f'module = "{options.module}"',
        f'label = "{label}"',
        f'pin_file = "{options.pin_file}"',
        f'cluster_id = "{cluster}"',
        f'trust_anchor = "{anchor}"',
        f'paths = ["{soft.folder}"]',
        f"[tokens.{label}.environment]",
        *(f'{name} = "{value}"' for name, value in soft.environment.items()),
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def anchors(tmp_path_factory):
    """The certificates of two clusters."""
    folder = tmp_path_factory.mktemp("anchors")
    made = {}
    for label in ("one", "two"):
        (folder / label).mkdir()
        made[label] = make_certificate_authority(folder / label, [label]).authority
    return made


@pytest.fixture(scope="module")
def world(soft, anchors, tmp_path_factory):
    config = tmp_path_factory.mktemp("config") / "kagimori.toml"
    config.write_text(
        _token(soft, "one", CLUSTER, anchors["one"])
        + _token(soft, "two", OTHER_CLUSTER, anchors["two"])
    )
    with serving.served("--config", config, "--workers", "2") as server:
        yield server


@pytest.fixture(scope="module")
def kms(world):
    client = world.client()
    yield client
    client.close()


def state(kms, store):
    (entry,) = kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"]
    return entry["ConnectionState"], entry.get("ConnectionErrorCode")


def connected(kms, store):
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    serving.eventually(lambda: state(kms, store)[0] != "CONNECTING", seconds=30.0)
    return state(kms, store)


def disconnected(kms, store):
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    serving.eventually(lambda: state(kms, store)[0] == "DISCONNECTED", seconds=30.0)


@pytest.fixture(scope="module")
def store(kms, anchors):
    made = kms.create_custom_key_store(
        CustomKeyStoreName="hardware",
        CloudHsmClusterId=CLUSTER,
        KeyStorePassword=PIN,
        TrustAnchorCertificate=anchors["one"].read_text(),
    )["CustomKeyStoreId"]
    assert state(kms, made) == ("DISCONNECTED", None)
    assert connected(kms, made) == ("CONNECTED", None)
    return made


@pytest.fixture(scope="module")
def key(kms, store):
    made = kms.create_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)["KeyMetadata"]
    assert made["CloudHsmClusterId"] == CLUSTER
    assert made["Origin"] == "AWS_CLOUDHSM"
    assert "CurrentKeyMaterialId" not in made
    return made["Arn"]


def test_what_a_store_must_name(kms, anchors):
    members = {
        "CustomKeyStoreName": "other",
        "CloudHsmClusterId": OTHER_CLUSTER,
        "KeyStorePassword": PIN,
        "TrustAnchorCertificate": anchors["two"].read_text(),
    }
    with refused("CloudHsmClusterNotFoundException"):
        kms.create_custom_key_store(**{**members, "CloudHsmClusterId": "cluster-7a23b4cdefg"})
    with refused("IncorrectTrustAnchorException"):
        kms.create_custom_key_store(
            **{**members, "TrustAnchorCertificate": anchors["one"].read_text()}
        )


def test_a_key_is_used_in_the_token(kms, key):
    context = {"purpose": "test"}
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x", key)
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"purpose": "else"})
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
    own = kms.create_key()["KeyMetadata"]["Arn"]
    moved = kms.re_encrypt(CiphertextBlob=made["CiphertextBlob"], DestinationKeyId=own)
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
    back = kms.re_encrypt(CiphertextBlob=moved["CiphertextBlob"], DestinationKeyId=key)
    assert kms.decrypt(CiphertextBlob=back["CiphertextBlob"])["Plaintext"] == made["Plaintext"]


def test_random_bytes_come_from_the_token(kms, store):
    drawn = kms.generate_random(NumberOfBytes=32, CustomKeyStoreId=store)["Plaintext"]
    assert len(drawn) == 32


def test_a_disconnected_store_makes_its_keys_unavailable(kms, store, key):
    disconnected(kms, store)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Unavailable"
    with refused("KMSInvalidStateException"):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    with refused("CloudHsmClusterNotRelatedException"):
        kms.update_custom_key_store(CustomKeyStoreId=store, CloudHsmClusterId=OTHER_CLUSTER)
    kms.update_custom_key_store(CustomKeyStoreId=store, KeyStorePassword="another word")
    assert connected(kms, store) == ("FAILED", "INVALID_CREDENTIALS")
    disconnected(kms, store)
    kms.update_custom_key_store(CustomKeyStoreId=store, KeyStorePassword=PIN)
    assert connected(kms, store) == ("CONNECTED", None)
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]


def test_records_name_the_backing_key_and_no_password(world, kms, store, key):
    kms.encrypt(KeyId=key, Plaintext=b"x")
    done = serving.run("audit", "search", "--data", world.data, "--output", "json")
    newest = {}
    for record in map(json.loads, done.stdout.splitlines()):
        if "errorCode" not in record:
            newest.setdefault(record["eventName"], record)
    used = newest["Encrypt"]["additionalEventData"]
    assert used["customKeyStoreId"] == store
    assert len(used["backingKeyId"]) == 64
    made = newest["CreateCustomKeyStore"]
    assert made["requestParameters"] == {"customKeyStoreName": "hardware", "clusterId": CLUSTER}
    assert PIN not in done.stdout + "".join(world.stderr)
