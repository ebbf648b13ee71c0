"""Secrets planted in every place that may carry one are found nowhere on the disk or in the log.

Promise: no-secret-in-sight.
"""

import base64
import os

import pytest
from botocore.exceptions import ClientError

import serving


def forms(secret):
    yield secret
    yield base64.b64encode(secret)
    yield secret.hex().encode()


def identity_secrets(server):
    """Return the secrets of a user: access key, passwords (a refused one, too), MFA seed."""
    iam = server.client("iam")
    iam.create_user(UserName="alice")
    access_key = iam.create_access_key(UserName="alice")["AccessKey"]
    passwords = [f"correct-Horse-{word}" for word in ("battery", "staple", "saddle")]
    iam.create_login_profile(UserName="alice", Password=passwords[0])
    iam.update_login_profile(UserName="alice", Password=passwords[1])
    alice = server.client(
        "iam", access_key=access_key["AccessKeyId"], secret=access_key["SecretAccessKey"]
    )
    for client, given in ((alice, passwords[1:]), (iam, passwords[:2])):
        with pytest.raises(ClientError):
            client.change_password(OldPassword=given[0], NewPassword=given[1])
    with pytest.raises(ClientError):
        iam.create_login_profile(UserName="alice", Password="\u0416" + passwords[2])
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    seed = device["Base32StringSeed"]
    iam.close()
    alice.close()
    texts = [access_key["SecretAccessKey"], *passwords]
    return [*(text.encode() for text in texts), seed, base64.b32decode(seed)]


def test_no_secret_is_in_store_journal_or_log():
    with serving.temporary_folder() as folder:
        data = folder / "data"
        made = serving.init(data)
        server = serving.Server(
            ["serve", "--data", data, "--listen", "127.0.0.1:0"], data=data, made=made
        ).wait_ready()
        client = server.client()
        secrets = [os.urandom(24) for _ in range(6)]
        key = client.create_key()["KeyMetadata"]["KeyId"]
        mac = client.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        mac_key = mac["KeyMetadata"]["KeyId"]
        pair = client.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        blob = client.encrypt(KeyId=key, Plaintext=secrets[0])["CiphertextBlob"]
        client.decrypt(CiphertextBlob=blob)
        client.generate_mac(KeyId=mac_key, Message=secrets[1], MacAlgorithm="HMAC_SHA_256")
        client.sign(
            KeyId=pair["KeyMetadata"]["KeyId"],
            Message=secrets[2],
            SigningAlgorithm="ECDSA_SHA_256",
        )
        secrets.append(client.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"])
        secrets.append(client.generate_random(NumberOfBytes=32)["Plaintext"])
        secrets.append(made["secret_access_key"].encode())
        secrets += identity_secrets(server)
        for wrong in (
            b'{"KeyId":"x","Plaintext":"' + base64.b64encode(secrets[3]) + b'"',
            b'{"KeyId":1,"Plaintext":"' + base64.b64encode(secrets[4]) + b'"}',
            b'{"KeyId":"alias/none","Plaintext":"' + base64.b64encode(secrets[5]) + b'"}',
        ):
            serving.get(server.url, data=wrong)
        client.close()
        assert server.stop() == 0
        places = {
            str(path.relative_to(data)): path.read_bytes()
            for path in data.glob("**/*")
            if path.is_file() and path.name != "root-access-key.json"
        }
        places["the log"] = "".join(server.stderr).encode()
    for secret in secrets:
        for form in forms(secret):
            assert not [place for place, content in places.items() if form in content]
