"""An RSA key that is being checked keeps nobody else waiting, and is always checked."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import outside
import serving
from serving import refused

FOREVER = "KEY_MATERIAL_DOES_NOT_EXPIRE"
ALGORITHM = "RSA_AES_KEY_WRAP_SHA_256"


def checker_of(server):
    """The process id of the HSM's only child."""
    hsm = server.pids["hsm"]
    (child,) = Path(f"/proc/{hsm}/task/{hsm}/children").read_text().split()
    return int(child)


@pytest.fixture
def server():
    with serving.served() as running:
        yield running


@pytest.fixture
def kms(server):
    client = server.client()
    yield client
    client.close()


def imports(kms, material):
    """Return a call that imports the material into a new RSA_2048 key, and the key."""
    made = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY", Origin="EXTERNAL")
    key = made["KeyMetadata"]["KeyId"]
    given = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm=ALGORITHM, WrappingKeySpec="RSA_2048"
    )
    encrypted = outside.wrapped(given["PublicKey"], ALGORITHM, material)
    return key, lambda: kms.import_key_material(
        KeyId=key,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=encrypted,
        ExpirationModel=FOREVER,
    )


def test_others_are_served_while_a_key_is_checked(server, kms):
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    key, put = imports(kms, outside.new_private_key("RSA_2048"))
    checker = checker_of(server)
    os.kill(checker, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(1) as beside:
            importing = beside.submit(put)
            for _ in range(20):
                kms.encrypt(KeyId=other, Plaintext=b"meanwhile")
            assert not importing.done()
            os.kill(checker, signal.SIGCONT)
            importing.result(30)
    finally:
        os.kill(checker, signal.SIGCONT)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


def test_numbers_that_are_no_pair_are_refused_with_and_without_the_checker(server, kms):
    material = bytearray(outside.new_private_key("RSA_2048"))
    material[-20] ^= 1  # within the coefficient, the last number of the pair
    _, put = imports(kms, bytes(material))
    with refused("IncorrectKeyMaterialException"):
        put()
    os.kill(checker_of(server), signal.SIGKILL)
    _, put = imports(kms, bytes(material))
    with refused("IncorrectKeyMaterialException"):
        put()
    key, put = imports(kms, outside.new_private_key("RSA_2048"))
    put()
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
