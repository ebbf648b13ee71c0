"""CloudHSM key stores: tokens of SoftHSM, real processes, and boto3 as everybody uses it.

Source: KMS API Reference, CreateCustomKeyStore and others; KMS Developer Guide, "AWS CloudHSM key
stores" and "Troubleshooting a custom key store".
"""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

import serving
from dev_clock import DAY, advance
from kit.certificates import self_signed
from kit.softhsm import PIN, needs_softhsm, soft_tokens

pytestmark = needs_softhsm

ONE, TWO = "cluster-aaaaaaaaaaa", "cluster-bbbbbbbbbbb"
ABSENT = "cluster-ccccccccccc"  # its token is not there
LABELS = {ONE: "one", TWO: "two", ABSENT: "absent"}
CONTEXT = {"purpose": "test"}
AWAY = "KMS cannot communicate with your CloudHSM cluster"


@contextmanager
def refused(code, text=""):
    with pytest.raises(ClientError) as problem:
        yield
    error = problem.value.response["Error"]
    assert error["Code"] == code, error
    assert text in error["Message"]
    assert PIN not in error["Message"]


@pytest.fixture(scope="module")
def soft(tmp_path_factory):
    return soft_tokens(tmp_path_factory.mktemp("softhsm") / "soft", "one", "two")


@pytest.fixture(scope="module")
def anchors(soft):
    return write_anchors(soft)


def write_anchors(soft):
    """Write a certificate for each cluster; return them by cluster id."""
    found = {}
    for cluster_id, label in LABELS.items():
        found[cluster_id] = self_signed(label)
        (soft.folder / f"{label}.pem").write_text(found[cluster_id])
    return found


def configured(soft):
    """Write a file of settings with three clusters, one of which is not there."""
    soft.pin_file("absent", PIN)
    lines = []
    for cluster_id, label in LABELS.items():
        options = soft.options(label)
        lines += [
            f"[tokens.{label}]",
            f'module = "{options.module}"',
            f'label = "{label}"',
            f'pin_file = "{options.pin_file}"',
            f'paths = ["{soft.folder}"]',
            f'cluster_id = "{cluster_id}"',
            f'trust_anchor = "{soft.folder}/{label}.pem"',
            f"[tokens.{label}.environment]",
            *(f'{name} = "{value}"' for name, value in soft.environment.items()),
        ]
    config = soft.folder / "kagimori.toml"
    config.write_text("\n".join(lines) + "\n")
    return config


@pytest.fixture(scope="module")
def world(soft, anchors):
    """A deployment with two workers."""
    with serving.served("--config", configured(soft), "--workers", "2") as server:
        server.soft = soft
        yield server


@pytest.fixture(scope="module")
def kms(world):
    client = world.client()
    yield client
    client.close()


def made(kms, anchors, name, cluster_id=ONE, **members):
    members = {"KeyStorePassword": PIN, "TrustAnchorCertificate": anchors[cluster_id], **members}
    return kms.create_custom_key_store(
        CustomKeyStoreName=name, CloudHsmClusterId=cluster_id, **members
    )["CustomKeyStoreId"]


def described(kms, store):
    (entry,) = kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"]
    return entry


def connected(kms, store):
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    serving.eventually(lambda: described(kms, store)["ConnectionState"] != "CONNECTING", 30.0)
    return described(kms, store)


def disconnected(kms, store):
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    serving.eventually(lambda: described(kms, store)["ConnectionState"] == "DISCONNECTED", 30.0)


@pytest.fixture(scope="module")
def stores(kms, anchors):
    found = [made(kms, anchors, "one"), made(kms, anchors, "two", TWO)]
    for store in found:
        # The process of a token may still be starting.
        serving.eventually(lambda store=store: _connects(kms, store), 30.0)
    return found


def _connects(kms, store):
    if connected(kms, store)["ConnectionState"] == "CONNECTED":
        return True
    disconnected(kms, store)
    return False


def new_key(kms, store):
    return kms.create_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)["KeyMetadata"]


@pytest.fixture(scope="module")
def key(kms, stores):
    return new_key(kms, stores[0])["Arn"]


def records_of(data, name):
    """Return the records of an event, the newest first."""
    done = serving.run("audit", "search", "--data", data, "--output", "json")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    return [record for record in records if record["eventName"] == name]


def test_a_key_in_a_token_is_used_like_any_other(kms, stores, key):
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert metadata["Origin"] == "AWS_CLOUDHSM"
    assert metadata["CustomKeyStoreId"] == stores[0]
    assert metadata["CloudHsmClusterId"] == ONE
    blob = kms.encrypt(KeyId=key, Plaintext=b"noon", EncryptionContext=CONTEXT)["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"noon", key)
    assert "KeyMaterialId" not in opened
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=CONTEXT)
    assert (
        kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"], EncryptionContext=CONTEXT)[
            "Plaintext"
        ]
        == data_key["Plaintext"]
    )
    without = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=16)
    assert len(kms.decrypt(CiphertextBlob=without["CiphertextBlob"])["Plaintext"]) == 16
    random = kms.generate_random(NumberOfBytes=24, CustomKeyStoreId=stores[0])["Plaintext"]
    assert len(random) == 24


def test_another_context_or_key_opens_nothing(kms, stores, key):
    other = new_key(kms, stores[0])["Arn"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"noon", EncryptionContext=CONTEXT)["CiphertextBlob"]
    for context in ({}, {"purpose": "other"}):
        with refused("InvalidCiphertextException"):
            kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    with refused("IncorrectKeyException"):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT, KeyId=other)
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=blob[:-1] + bytes([blob[-1] ^ 1]), EncryptionContext=CONTEXT)


def test_re_encryption_between_tokens_and_our_own_hsm(kms, stores, key):
    ours = kms.create_key()["KeyMetadata"]["Arn"]
    elsewhere = new_key(kms, stores[1])["Arn"]
    blob = kms.encrypt(KeyId=ours, Plaintext=b"noon", EncryptionContext=CONTEXT)["CiphertextBlob"]
    for destination in (key, elsewhere, ours):
        answer = kms.re_encrypt(
            CiphertextBlob=blob,
            SourceEncryptionContext=CONTEXT,
            DestinationKeyId=destination,
            DestinationEncryptionContext=CONTEXT,
        )
        blob = answer["CiphertextBlob"]
        opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)
        assert (opened["Plaintext"], opened["KeyId"]) == (b"noon", destination)


def test_what_a_key_in_a_token_cannot_do(kms, stores, key):
    with refused("UnsupportedOperationException"):
        kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    with refused("UnsupportedOperationException"):
        kms.enable_key_rotation(KeyId=key)
    with refused("UnsupportedOperationException"):
        kms.create_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId=stores[0], MultiRegion=True)


def test_a_store_is_made_for_a_cluster_of_the_settings_with_its_certificate(kms, stores, anchors):
    with refused("CloudHsmClusterNotFoundException"):
        kms.create_custom_key_store(
            CustomKeyStoreName="none",
            CloudHsmClusterId="cluster-ddddddddddd",
            KeyStorePassword=PIN,
            TrustAnchorCertificate=anchors[ONE],
        )
    with refused("IncorrectTrustAnchorException"):
        made(kms, anchors, "wrong", ABSENT, TrustAnchorCertificate=anchors[TWO])
    with refused("CloudHsmClusterNotActiveException"):
        made(kms, anchors, "absent", ABSENT)
    with refused("CloudHsmClusterInUseException"):
        made(kms, anchors, "again", ONE)


def test_a_wrong_password_shows_when_the_store_is_connected(kms, stores):
    store = stores[1]
    disconnected(kms, store)
    kms.update_custom_key_store(CustomKeyStoreId=store, KeyStorePassword="another password")
    entry = connected(kms, store)
    assert entry["ConnectionState"] == "FAILED"
    assert entry["ConnectionErrorCode"] == "INVALID_CREDENTIALS"
    with refused("CustomKeyStoreInvalidStateException"):
        new_key(kms, store)
    disconnected(kms, store)
    kms.update_custom_key_store(CustomKeyStoreId=store, KeyStorePassword=PIN)
    assert connected(kms, store)["ConnectionState"] == "CONNECTED"


def test_a_token_that_goes_away_and_comes_back(kms, soft, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"noon")["CiphertextBlob"]
    ours = kms.create_key()["KeyMetadata"]["Arn"]
    soft.take_away()
    try:
        with refused("KMSInvalidStateException", AWAY):
            kms.encrypt(KeyId=key, Plaintext=b"noon")
        assert kms.encrypt(KeyId=ours, Plaintext=b"noon")["CiphertextBlob"]
        assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    finally:
        soft.bring_back()
    serving.eventually(lambda: _opens(kms, blob), 30.0)


def _opens(kms, blob):
    try:
        return kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"noon"
    except ClientError as problem:
        assert problem.response["Error"]["Code"] == "KMSInvalidStateException"
        return False


def test_its_process_is_killed_under_load(world, kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"noon")["CiphertextBlob"]
    ours = kms.create_key()["KeyMetadata"]["Arn"]

    def use(number):
        if number == 60:
            os.kill(world.pids["token-one"], signal.SIGKILL)
        try:
            return kms.decrypt(CiphertextBlob=blob)["Plaintext"]
        except ClientError as problem:
            return problem.response["Error"]["Code"]

    with ThreadPoolExecutor(8) as threads:
        seen = set(threads.map(use, range(200)))
    assert b"noon" in seen
    assert seen <= {b"noon", "KMSInvalidStateException"}
    assert kms.encrypt(KeyId=ours, Plaintext=b"noon")["CiphertextBlob"]
    serving.eventually(lambda: _opens(kms, blob), 30.0)
    assert world.running["processes"]["token-one"]


def test_a_store_that_is_disconnected_has_unavailable_keys(kms, stores):
    store = stores[1]
    key_id = new_key(kms, store)["Arn"]
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"noon")["CiphertextBlob"]
    disconnected(kms, store)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Unavailable"
    with refused("KMSInvalidStateException"):
        kms.decrypt(CiphertextBlob=blob)
    assert connected(kms, store)["ConnectionState"] == "CONNECTED"
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"noon"


def test_the_records_name_the_store_and_the_backing_key(world, kms, stores, key):
    kms.encrypt(KeyId=key, Plaintext=b"noon", EncryptionContext={"a": "record"})
    context = {"encryptionContext": {"a": "record"}}
    (record,) = (
        one
        for one in records_of(world.data, "Encrypt")
        if context.items() <= one["requestParameters"].items()
    )
    shown = record["additionalEventData"]
    assert shown["customKeyStoreId"] == stores[0]
    names = labels_in(world.soft, "one")
    account_id, key_id = key.split(":")[4], key.split("/")[1]
    assert names[shown["backingKeyId"]] == f"kagimori kms {account_id} {key_id}"
    assert PIN not in "".join(map(json.dumps, records_of(world.data, "CreateCustomKeyStore")))


LABELS_PROGRAM = """
import sys, pkcs11
session = pkcs11.lib(sys.argv[1]).get_token(token_label=sys.argv[2]).open(user_pin=sys.argv[3])
for key in session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY}):
    print(key[pkcs11.Attribute.ID].hex(), key[pkcs11.Attribute.LABEL])
"""


def labels_in(soft, label):
    """Return the labels of the keys in a token by their ids, as another program sees them."""
    done = subprocess.run(
        [sys.executable, "-c", LABELS_PROGRAM, soft.options(label).module, label, PIN],
        env={**os.environ, **soft.environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_a_deleted_key_is_destroyed_in_its_token_and_that_is_recorded(tmp_path):
    soft = soft_tokens(tmp_path / "soft", "one", "two")
    anchors = write_anchors(soft)
    with serving.dev_served("--config", configured(soft)) as dev:
        kms = dev.client()
        store = made(kms, anchors, "one")
        serving.eventually(lambda: _connects(kms, store), 30.0)
        first, second = (new_key(kms, store)["KeyId"] for _ in range(2))
        assert len(labels_in(soft, "one")) == 2
        kms.schedule_key_deletion(KeyId=first, PendingWindowInDays=7)
        advance(dev, seconds=7 * DAY + 1)
        serving.eventually(lambda: _is_gone(kms, first), 30.0)
        (label,) = labels_in(soft, "one").values()
        assert label.endswith(second)
        kms.schedule_key_deletion(KeyId=second, PendingWindowInDays=7)
        soft.take_away()
        advance(dev, seconds=7 * DAY + 1)
        serving.eventually(lambda: _is_gone(kms, second), 30.0)
        soft.bring_back()
        assert len(labels_in(soft, "one")) == 1  # left behind, as the record says
        found = kms_events(dev)
        kms.close()
    assert [json.loads(one["backingKeysDeletionStatus"])[0]["deletionStatus"] for one in found] == [
        "FAILURE",
        "SUCCESS",
    ]
    assert {one["customKeyStoreId"] for one in found} == {store}
    assert {one["clusterId"] for one in found} == {ONE}


def kms_events(dev):
    """Return what the records of deletions show, the newest first."""
    client = dev.client("cloudtrail")
    events = client.lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "DeleteKey"}]
    )["Events"]
    client.close()
    return [json.loads(event["CloudTrailEvent"])["additionalEventData"] for event in events]


def _is_gone(kms, key_id):
    try:
        kms.describe_key(KeyId=key_id)
    except ClientError as problem:
        return problem.response["Error"]["Code"] == "NotFoundException"
    return False
