"""Secrets planted in every place that may carry one are found nowhere on the disk or in the log.

Promise: no-secret-in-sight.
"""

import base64
import os

import serving


def forms(secret):
    yield secret
    yield base64.b64encode(secret)
    yield secret.hex().encode()


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
