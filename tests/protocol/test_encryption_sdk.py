"""The AWS Encryption SDK for Python: a large file, two wrapping keys, and what must not pass."""

import hashlib

import aws_encryption_sdk
import boto3
import botocore.session
import pytest
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError, DecryptKeyError
from aws_encryption_sdk.identifiers import CommitmentPolicy
from botocore.config import Config
from cryptography.exceptions import InvalidSignature, InvalidTag

MIB = 1024 * 1024
SIZE = 100 * 1000 * 1000
CONTEXT = {"purpose": "test", "größe": "100 MB"}


@pytest.fixture(scope="module")
def sdk():
    return aws_encryption_sdk.EncryptionSDKClient(
        commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
    )


@pytest.fixture
def provider_of(server, monkeypatch):
    """Makes master key providers that ask our server; the SDK makes its KMS clients itself."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.made["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.made["secret_access_key"])
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    made = []

    def provider(*arns):
        found = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(
            key_ids=arns, botocore_session=botocore.session.Session()
        )
        made.append(found)
        return found

    yield provider
    for found in made:
        for client in found._regional_clients.values():
            client.close()


@pytest.fixture
def second_key(kms):
    return kms.create_key(Description="second")["KeyMetadata"]["Arn"]


def write_file(path, size):
    """Write `size` bytes that no compression helps with; return their digest."""
    block, digest = hashlib.shake_256(b"seed").digest(MIB), hashlib.sha256()
    with path.open("wb") as file:
        while size > 0:
            part = block[:size]
            file.write(part)
            digest.update(part)
            size -= len(part)
    return digest.hexdigest()


def digest_of(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy(stream, path):
    with path.open("wb") as out:
        for chunk in iter(lambda: stream.read(MIB), b""):
            out.write(chunk)


def test_a_file_of_100_mb(sdk, provider_of, key, second_key, tmp_path):
    plain, sealed, opened = (tmp_path / name for name in ("plain", "sealed", "opened"))
    digest = write_file(plain, SIZE)
    provider = provider_of(key, second_key)
    with (
        plain.open("rb") as source,
        sdk.stream(
            mode="e",
            source=source,
            key_provider=provider,
            encryption_context=CONTEXT,
            frame_length=MIB,
        ) as stream,
    ):
        copy(stream, sealed)
    assert sealed.stat().st_size > SIZE
    for arn in (key, second_key):
        with (
            sealed.open("rb") as source,
            sdk.stream(mode="d", source=source, key_provider=provider_of(arn)) as stream,
        ):
            assert CONTEXT.items() <= stream.header.encryption_context.items()
            copy(stream, opened)
        assert digest_of(opened) == digest


@pytest.fixture
def message(sdk, provider_of, key, second_key):
    """A small message under two keys, and its header."""
    return sdk.encrypt(
        source=b"a message " * 1000,
        key_provider=provider_of(key, second_key),
        encryption_context=CONTEXT,
        frame_length=1024,
    )


def test_either_key_opens(sdk, provider_of, key, second_key, message):
    sealed, header = message
    assert len(header.encrypted_data_keys) == 2
    named = {k.key_provider.key_info.decode() for k in header.encrypted_data_keys}
    assert named == {key, second_key}
    for arn in (key, second_key):
        plaintext, found = sdk.decrypt(source=sealed, key_provider=provider_of(arn))
        assert plaintext == b"a message " * 1000
        assert CONTEXT.items() <= found.encryption_context.items()


def test_the_other_key_opens_when_one_is_disabled(sdk, provider_of, kms, key, second_key, message):
    kms.disable_key(KeyId=key)
    both = provider_of(key, second_key)
    assert sdk.decrypt(source=message[0], key_provider=both)[0] == b"a message " * 1000
    kms.disable_key(KeyId=second_key)
    with pytest.raises(DecryptKeyError):
        sdk.decrypt(source=message[0], key_provider=provider_of(key, second_key))


def test_a_key_that_did_not_wrap_does_not_open(sdk, provider_of, shared_key, message):
    with pytest.raises(AWSEncryptionSDKClientError):
        sdk.decrypt(source=message[0], key_provider=provider_of(shared_key))


def test_another_context_is_detected(kms, sdk, provider_of, key, message):
    """The context is in the header for all to read; changed there, the data key does not open."""
    sealed, header = message
    changed = sealed.replace(b"test", b"fest", 1)
    assert changed != sealed
    with pytest.raises(DecryptKeyError):
        sdk.decrypt(source=changed, key_provider=provider_of(key))
    wrapped = next(
        k.encrypted_data_key
        for k in header.encrypted_data_keys
        if k.key_provider.key_info.decode() == key
    )
    whole = header.encryption_context
    assert kms.decrypt(CiphertextBlob=wrapped, EncryptionContext=whole)["KeyId"] == key
    with pytest.raises(kms.exceptions.InvalidCiphertextException):
        kms.decrypt(CiphertextBlob=wrapped, EncryptionContext={**whole, "purpose": "fest"})


@pytest.mark.parametrize("place", [0.2, 0.5, 0.999])
def test_a_changed_file_is_detected(sdk, provider_of, key, message, place):
    changed = bytearray(message[0])
    changed[int(len(changed) * place)] ^= 1
    with pytest.raises((AWSEncryptionSDKClientError, InvalidSignature, InvalidTag)):
        sdk.decrypt(source=bytes(changed), key_provider=provider_of(key))


def test_a_cut_file_is_detected(sdk, provider_of, key, message):
    with pytest.raises(AWSEncryptionSDKClientError):
        sdk.decrypt(source=message[0][:-20], key_provider=provider_of(key))


def test_discovery_finds_the_key_by_itself(sdk, server, message):
    """Nobody names a key: the message does."""
    session = boto3.session.Session(
        server.made["access_key_id"], server.made["secret_access_key"], region_name=server.region
    )
    provider = aws_encryption_sdk.DiscoveryAwsKmsMasterKeyProvider()
    kms = session.client(
        "kms", endpoint_url=server.url, config=Config(retries={"mode": "standard"})
    )
    provider._regional_clients[server.region] = kms
    plaintext, _ = sdk.decrypt(source=message[0], key_provider=provider)
    assert plaintext == b"a message " * 1000
    kms.close()
