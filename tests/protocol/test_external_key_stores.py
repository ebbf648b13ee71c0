"""External key stores: a proxy of our own, real processes, and boto3 as everybody uses it.

Source: KMS API Reference, CreateCustomKeyStore and others; KMS Developer Guide, "External key
stores"; the AWS KMS External Key Store Proxy API specification.
"""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

import serving
import xks
from protocol.test_aws_cli import Cli

CONTEXT = {"purpose": "test"}


@contextmanager
def refused(code, text=""):
    """Expect a refusal with a code and a part of its text."""
    with pytest.raises(ClientError) as problem:
        yield
    error = problem.value.response["Error"]
    assert error["Code"] == code, error
    assert text in error["Message"]
    assert "SECRET" not in error["Message"]


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    made = xks.Proxy(tmp_path_factory.mktemp("xks") / "tls")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def world(proxy):
    """A deployment with two workers that reaches the proxy, and nothing else on this machine."""
    options = (
        *("--workers", "2"),
        *("--set", f"key_stores.reached_at={xks.HOST}={proxy.place}"),
        *("--set", f"key_stores.authorities={proxy.authority}"),
        *("--set", "key_stores.proxy_milliseconds=5000"),
    )
    with serving.served(*options) as server:
        yield server


@pytest.fixture(scope="module")
def kms(world):
    client = world.client()
    yield client
    client.close()


@pytest.fixture(autouse=True)
def sound(proxy):
    """Each test begins with a proxy that works."""
    proxy.fault = None
    proxy.secrets = {xks.ACCESS_KEY_ID: xks.SECRET}
    yield
    proxy.released.set()
    proxy.released.clear()


def asked_for(name, **members):
    return {
        "CustomKeyStoreName": name,
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyUriEndpoint": xks.ENDPOINT,
        "XksProxyUriPath": xks.PATH,
        "XksProxyAuthenticationCredential": xks.CREDENTIAL,
        **members,
    }


def described(kms, store):
    (entry,) = kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"]
    return entry


def connected(kms, store):
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    serving.eventually(
        lambda: described(kms, store)["ConnectionState"] != "CONNECTING", seconds=30.0
    )
    return described(kms, store)


@pytest.fixture(scope="module")
def store(kms, proxy):
    made = kms.create_custom_key_store(**asked_for("alice-keys"))["CustomKeyStoreId"]
    assert connected(kms, made)["ConnectionState"] == "CONNECTED"
    return made


def new_key(kms, proxy, store, name, **facts):
    proxy.keys[name] = xks.Key(**facts)
    return kms.create_key(Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId=name)[
        "KeyMetadata"
    ]


@pytest.fixture(scope="module")
def key(kms, proxy, store):
    return new_key(kms, proxy, store, "shared-key")["Arn"]


def test_a_store_is_shown_without_its_secret(kms, store):
    entry = described(kms, store)
    assert entry["CustomKeyStoreName"] == "alice-keys"
    assert entry["CustomKeyStoreType"] == "EXTERNAL_KEY_STORE"
    assert entry["XksProxyConfiguration"] == {
        "Connectivity": "PUBLIC_ENDPOINT",
        "AccessKeyId": xks.ACCESS_KEY_ID,
        "UriEndpoint": xks.ENDPOINT,
        "UriPath": xks.PATH,
    }
    assert xks.SECRET not in str(entry)


def test_a_key_is_made_encrypts_and_decrypts(kms, proxy, store):
    proxy.asked.clear()
    metadata = new_key(kms, proxy, store, "first")
    assert metadata["Origin"] == "EXTERNAL_KEY_STORE"
    assert metadata["CustomKeyStoreId"] == store
    assert metadata["XksKeyConfiguration"] == {"Id": "first"}
    assert metadata["KeyState"] == "Enabled"
    assert "CurrentKeyMaterialId" not in metadata
    sealed = kms.encrypt(KeyId=metadata["Arn"], Plaintext=b"hello", EncryptionContext=CONTEXT)
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == b"hello"
    assert opened["KeyId"] == metadata["Arn"]
    assert "KeyMaterialId" not in opened
    paths = [path for path, _ in proxy.asked]
    assert paths == ["/keys/first/metadata", "/keys/first/encrypt", "/keys/first/decrypt"]
    shown = proxy.asked[1][1]["requestMetadata"]
    assert shown["kmsOperation"] == "Encrypt"
    assert shown["kmsKeyArn"] == metadata["Arn"]
    assert shown["awsPrincipalArn"].endswith(":root")
    assert shown["kmsRequestId"] == sealed["ResponseMetadata"]["RequestId"]
    assert "hello" not in str(proxy.asked)
    assert "purpose" not in str(proxy.asked)


def test_data_keys_and_re_encryption(kms, proxy, key):
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=CONTEXT)
    blob = made["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT, KeyId=key)
    assert opened["Plaintext"] == made["Plaintext"]
    other = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=64)
    assert len(kms.decrypt(CiphertextBlob=other["CiphertextBlob"])["Plaintext"]) == 64
    own = kms.create_key()["KeyMetadata"]["Arn"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob, SourceEncryptionContext=CONTEXT, DestinationKeyId=own
    )
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
    back = kms.re_encrypt(
        CiphertextBlob=moved["CiphertextBlob"],
        DestinationKeyId=key,
        DestinationEncryptionContext=CONTEXT,
    )
    again = kms.decrypt(CiphertextBlob=back["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert again["Plaintext"] == made["Plaintext"]
    assert again["KeyId"] == key
    assert "SourceKeyMaterialId" in back
    assert "DestinationKeyMaterialId" not in back


def test_the_largest_plaintext_fits(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=bytes(4096))["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == bytes(4096)


@pytest.mark.parametrize("at", [0, 33, 40, 70, -1])
def test_an_altered_ciphertext_is_refused(kms, key, at):
    blob = bytearray(kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"])
    blob[at] ^= 1
    with pytest.raises(ClientError) as problem:
        kms.decrypt(CiphertextBlob=bytes(blob), KeyId=key)
    assert problem.value.response["Error"]["Code"] in (
        "InvalidCiphertextException",
        "KMSInvalidStateException",
    )


def test_another_context_is_refused_by_the_proxy(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    with refused("KMSInvalidStateException", "the specified ciphertext or encryption context"):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"purpose": "else"})


def test_the_inner_ciphertext_alone_is_worth_nothing(kms, proxy, key):
    proxy.asked.clear()
    kms.encrypt(KeyId=key, Plaintext=b"x")
    inner = proxy.asked[0][1]["plaintext"]
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=base64.b64decode(inner), KeyId=key)


def test_a_proxy_that_answers_another_plaintext_is_refused(kms, proxy, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    proxy.fault = lambda path, answer: {"plaintext": xks.b64(bytes(78))}
    with refused("KMSInvalidStateException", "submitted for decryption"):
        kms.decrypt(CiphertextBlob=blob)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("ValidationException", "cannot interpret"),
        ("InvalidStateException", "not enabled in the external key manager"),
        ("InvalidKeyUsageException", "does not support the requested operation"),
        ("AuthenticationFailedException", "could not authenticate"),
        ("AccessDeniedException", "denied access"),
        ("KeyNotFoundException", "was not found in its external key manager"),
        ("InvalidUriPathException", "invalid URI path"),
        ("ThrottlingException", "very high request rate"),
        ("UnsupportedOperationException", "does not support the requested operation"),
        ("DependencyTimeoutException", "in the time allotted"),
        ("InternalException", "cannot communicate with the external key manager"),
        (b"{", "cannot interpret"),
        (b'{"ciphertext": "AAAA"}', "cannot interpret"),
        (lambda path, answer: {**answer, "ciphertext": xks.b64(b"short")}, "cannot interpret"),
        (
            lambda path, answer: {**answer, "authenticationTag": xks.b64(bytes(16))},
            "cannot interpret",
        ),
        (lambda path, answer: {**answer, "initializationVector": "%%%"}, "cannot interpret"),
        (lambda path, answer: [answer], "cannot interpret"),
    ],
)
def test_each_fault_of_a_proxy_has_its_words(kms, proxy, key, fault, text):
    proxy.fault = fault
    with refused("KMSInvalidStateException", text):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    proxy.fault = None
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]


def test_a_proxy_that_is_gone_is_refused_and_comes_back(kms, proxy, key):
    proxy.stop()
    with refused("KMSInvalidStateException", "cannot communicate with the external key store"):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    proxy.released.clear()
    proxy.start()
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]


def test_a_proxy_that_does_not_answer_holds_up_nobody_else(world, kms, proxy, key):
    own = kms.create_key()["KeyMetadata"]["Arn"]
    proxy.asked.clear()
    proxy.fault = "hang"
    with ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(world.client().encrypt, KeyId=key, Plaintext=b"x") for _ in range(4)]
        serving.eventually(lambda: len(proxy.asked) == 4)
        for _ in range(20):
            assert kms.encrypt(KeyId=own, Plaintext=b"x")["CiphertextBlob"]
        assert not any(one.done() for one in slow)
        proxy.released.set()
        for one in slow:
            with refused("KMSInvalidStateException"):
                one.result()


def test_connections_are_used_again(kms, proxy, key):
    kms.encrypt(KeyId=key, Plaintext=b"x")
    before = proxy.connections
    for _ in range(5):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    assert proxy.connections - before <= 1, "another worker may have had none yet"


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"keySpec": "RSA_2048"}, "XksKeyInvalidConfigurationException"),
        ({"keyUsage": ["ENCRYPT"]}, "XksKeyInvalidConfigurationException"),
        ({"keyStatus": "DISABLED"}, "XksKeyInvalidConfigurationException"),
        ({"keyStatus": 7}, "CustomKeyStoreInvalidStateException"),
    ],
)
def test_an_external_key_must_fit(kms, proxy, store, facts, code):
    with refused(code):
        new_key(kms, proxy, store, "misfit", **facts)


def test_an_external_key_must_exist_and_be_free(kms, proxy, store, key):
    with refused("XksKeyNotFoundException"):
        kms.create_key(
            Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId="nobody-knows-it"
        )
    with refused("XksKeyAlreadyInUseException"):
        new_key(kms, proxy, store, "shared-key")


def test_what_such_keys_cannot_do(kms, key):
    text = "origin is EXTERNAL_KEY_STORE which is not valid for this operation"
    for call in (
        lambda: kms.enable_key_rotation(KeyId=key),
        lambda: kms.get_key_rotation_status(KeyId=key),
        lambda: kms.rotate_key_on_demand(KeyId=key),
        lambda: kms.list_key_rotations(KeyId=key),
        lambda: kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256"),
        lambda: kms.get_parameters_for_import(
            KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
        ),
    ):
        with refused("UnsupportedOperationException", text):
            call()
    with refused("UnsupportedOperationException"):
        kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1")


def test_create_key_names_what_goes_together(kms, store):
    external = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "k"}
    for members, code in (
        ({**external, "Origin": "AWS_KMS"}, "ValidationException"),
        ({**external, "XksKeyId": None}, "ValidationException"),
        ({**external, "CustomKeyStoreId": None}, "ValidationException"),
        ({**external, "KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}, "ValidationException"),
        ({**external, "MultiRegion": True}, "UnsupportedOperationException"),
        ({**external, "CustomKeyStoreId": "cks-0"}, "CustomKeyStoreNotFoundException"),
        (
            {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store},
            "UnsupportedOperationException",
        ),
    ):
        with refused(code):
            kms.create_key(**{name: value for name, value in members.items() if value is not None})
    with refused("UnsupportedOperationException"):
        kms.generate_random(NumberOfBytes=8, CustomKeyStoreId=store)
    with refused("CustomKeyStoreNotFoundException"):
        kms.generate_random(NumberOfBytes=8, CustomKeyStoreId="cks-0")


def test_keys_are_unavailable_while_their_store_is_disconnected(kms, proxy, store, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert described(kms, store)["ConnectionState"] == "DISCONNECTED"
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Enabled"]) == ("Unavailable", False)
    text = "custom key store that is not connected"
    for call in (
        lambda: kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda: kms.decrypt(CiphertextBlob=blob),
        lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
        lambda: kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key),
    ):
        with refused("KMSInvalidStateException", text):
            call()
    with refused("UnsupportedOperationException"):
        kms.enable_key_rotation(KeyId=key)
    with refused("CustomKeyStoreInvalidStateException"):
        new_key(kms, proxy, store, "too-early")
    with refused("CustomKeyStoreInvalidStateException"):
        kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    kms.disable_key(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Unavailable"
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
    with refused("CustomKeyStoreHasCMKsException"):
        kms.delete_custom_key_store(CustomKeyStoreId=store)
    assert connected(kms, store)["ConnectionState"] == "CONNECTED"
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


@pytest.mark.parametrize(
    ("fault", "code", "error_code"),
    [
        (
            "AuthenticationFailedException",
            "XksProxyIncorrectAuthenticationCredentialException",
            "INVALID_CREDENTIALS",
        ),
        (
            "InvalidUriPathException",
            "XksProxyInvalidConfigurationException",
            "XKS_PROXY_INVALID_CONFIGURATION",
        ),
        ("InternalException", "XksProxyInvalidResponseException", "XKS_PROXY_INVALID_RESPONSE"),
        ("ThrottlingException", "XksProxyUriUnreachableException", "XKS_PROXY_NOT_REACHABLE"),
        (b"no JSON", "XksProxyInvalidResponseException", "XKS_PROXY_INVALID_RESPONSE"),
        (
            lambda path, answer: {
                **answer,
                "ekmFleetDetails": [{"id": "1", "model": "m", "healthStatus": "UNAVAILABLE"}],
            },
            "XksProxyUriUnreachableException",
            "XKS_PROXY_NOT_REACHABLE",
        ),
        (
            lambda path, answer: {**answer, "ekmFleetDetails": []},
            "XksProxyInvalidResponseException",
            "XKS_PROXY_INVALID_RESPONSE",
        ),
    ],
)
def test_a_store_is_made_updated_and_connected_only_with_a_proxy_that_is_well(
    kms, proxy, store, fault, code, error_code
):
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    proxy.fault = fault
    try:
        with refused(code):
            kms.create_custom_key_store(**asked_for("bobs", XksProxyUriPath=xks.OTHER_PATH))
        with refused(code):
            kms.update_custom_key_store(CustomKeyStoreId=store, XksProxyUriPath=xks.PATH)
        entry = connected(kms, store)
        assert entry["ConnectionState"] == "FAILED"
        assert entry["ConnectionErrorCode"] == error_code
        with refused("CustomKeyStoreInvalidStateException"):
            kms.connect_custom_key_store(CustomKeyStoreId=store)
        kms.disconnect_custom_key_store(CustomKeyStoreId=store)
        assert "ConnectionErrorCode" not in described(kms, store)
    finally:
        proxy.fault = None
        assert connected(kms, store)["ConnectionState"] == "CONNECTED"


def test_a_credential_is_changed_while_connected_and_each_worker_uses_it(kms, proxy, store, key):
    secret = "n" * 43
    other = {"AccessKeyId": "A" * 20, "RawSecretAccessKey": secret}
    with refused("XksProxyIncorrectAuthenticationCredentialException"):
        kms.update_custom_key_store(CustomKeyStoreId=store, XksProxyAuthenticationCredential=other)
    proxy.secrets = {"A" * 20: secret}
    with refused("KMSInvalidStateException", "could not authenticate"):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    kms.update_custom_key_store(CustomKeyStoreId=store, XksProxyAuthenticationCredential=other)
    for _ in range(8):
        assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    proxy.secrets[xks.ACCESS_KEY_ID] = xks.SECRET
    kms.update_custom_key_store(
        CustomKeyStoreId=store, XksProxyAuthenticationCredential=xks.CREDENTIAL
    )


def test_records_show_the_store_and_no_secret(world, kms, store, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    own = kms.create_key()["KeyMetadata"]["Arn"]
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=own)
    done = serving.run("audit", "search", "--data", world.data, "--output", "json")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    newest = {  # the last of a name counts; other tests of this file make stores and keys, too
        record["eventName"]: record
        for record in records
        if "errorCode" not in record and (key in str(record) or store in str(record))
    }
    assert newest["Encrypt"]["additionalEventData"] == {
        "customKeyStoreId": store,
        "xksKeyId": "shared-key",
    }
    moved = newest["ReEncrypt"]["additionalEventData"]
    assert moved["sourceCustomKeyStoreId"] == store
    assert moved["sourceXksKeyId"] == "shared-key"
    assert "destinationKeyMaterialId" in moved
    made = newest["CreateCustomKeyStore"]
    assert made["responseElements"] == {"customKeyStoreId": store}
    assert made["requestParameters"] == {
        "customKeyStoreName": "alice-keys",
        "customKeyStoreType": "EXTERNAL_KEY_STORE",
        "xksProxyConnectivity": "PUBLIC_ENDPOINT",
        "xksProxyUriEndpoint": xks.ENDPOINT,
        "xksProxyUriPath": xks.PATH,
    }
    assert made["resources"] == []
    connects = newest["ConnectCustomKeyStore"]
    assert connects["requestParameters"] == {"customKeyStoreId": store}
    assert connects["responseElements"] is None
    assert connects["additionalEventData"] == {"customKeyStoreName": "alice-keys"}
    ended = newest["ConnectCustomKeyStoreResult"]
    assert ended["eventType"] == "AwsServiceEvent"
    assert ended["serviceEventDetails"] == {
        "customKeyStoreId": store,
        "connectionState": "CONNECTED",
    }
    text = done.stdout + "".join(world.stderr)
    assert xks.SECRET not in text
    assert "SECRET TEXT" not in text


def test_a_proxy_on_this_machine_is_not_reached_by_other_names(kms):
    for host in ("localhost", "127.0.0.1", "169.254.169.254", "10.0.0.1"):
        with refused("XksProxyUriUnreachableException"):
            kms.create_custom_key_store(**asked_for("probe", XksProxyUriEndpoint=f"https://{host}"))


def test_the_aws_cli_makes_a_store_and_uses_its_key(world, proxy, tmp_path):
    config = tmp_path / "config"  # else version 1 of the CLI fetches what looks like an address
    config.write_text("[default]\ncli_follow_urlparam = false\n")
    aws = Cli({**world.environment(), "AWS_CONFIG_FILE": str(config)})
    credential = tmp_path / "credential.json"
    credential.write_text(json.dumps(xks.CREDENTIAL))
    made = aws.json(
        *("kms", "create-custom-key-store", "--custom-key-store-name", "from-the-cli"),
        *("--custom-key-store-type", "EXTERNAL_KEY_STORE"),
        *("--xks-proxy-connectivity", "PUBLIC_ENDPOINT"),
        *("--xks-proxy-uri-endpoint", xks.ENDPOINT, "--xks-proxy-uri-path", xks.THIRD_PATH),
        *("--xks-proxy-authentication-credential", f"file://{credential}"),
    )
    store = ("--custom-key-store-id", made["CustomKeyStoreId"])

    def state():
        (entry,) = aws.json("kms", "describe-custom-key-stores", *store)["CustomKeyStores"]
        return entry["ConnectionState"]

    assert aws("kms", "connect-custom-key-store", *store).returncode == 0
    serving.eventually(lambda: state() == "CONNECTED", seconds=30.0)
    proxy.keys["cli"] = xks.Key()
    origin = ("--origin", "EXTERNAL_KEY_STORE", "--xks-key-id", "cli")
    key = aws.json("kms", "create-key", *store, *origin)["KeyMetadata"]["KeyId"]
    plaintext = tmp_path / "plaintext"
    plaintext.write_bytes(b"hello")
    sealed = aws.json("kms", "encrypt", "--key-id", key, "--plaintext", f"fileb://{plaintext}")
    blob = tmp_path / "blob"
    blob.write_bytes(base64.b64decode(sealed["CiphertextBlob"]))
    opened = aws.json("kms", "decrypt", "--ciphertext-blob", f"fileb://{blob}")
    assert base64.b64decode(opened["Plaintext"]) == b"hello"
    assert aws("kms", "disconnect-custom-key-store", *store).returncode == 0
    new_name = ("--new-custom-key-store-name", "renamed")
    assert aws("kms", "update-custom-key-store", *store, *new_name).returncode == 0
    done = aws("kms", "delete-custom-key-store", *store)
    assert "CustomKeyStoreHasCMKsException" in done.stderr
