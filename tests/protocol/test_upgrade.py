"""A deployment that the code of an older commit made and served is carried over: all is there.

Promises: old-ciphertext-lives, acknowledged-is-durable.
"""

import base64
import json
import tarfile
from pathlib import Path

import serving

MADE = Path(__file__).parents[1] / "vectors" / "old_deployment" / "deployment.tar.xz"


def verified(data):
    done = serving.run("audit", "verify", "--data", data, "--output", "json")
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)


def journals(data):
    return {file: file.read_bytes() for file in sorted((data / "audit").glob("w*/*.jsonl"))}


def test_keys_policies_records_digests_and_the_chain_are_carried_over():
    with serving.temporary_folder() as folder:
        with tarfile.open(MADE) as archive:
            archive.extractall(folder, filter="data")
        data = folder / "data"
        (data / "seal.key").chmod(0o600)
        made = json.loads((data / "made.json").read_text())
        before, lines = verified(data), journals(data)
        with serving.served("--workers", "2", data=data) as server:
            carried_over(server, made)
        after = verified(data)
        assert after["digests"] > before["digests"]
        signed = {stream["stream"]: stream["signed_to"] for stream in after["streams"]}
        assert {"admin", "w0", "w1"} <= set(signed)
        for stream in before["streams"]:
            assert signed[stream["stream"]] >= stream["newest_sequence"]
        for file, content in lines.items():
            assert file.read_bytes().startswith(content), "no old line was touched"


def carried_over(server, made):
    why = serving.run("why", made["denied"], "--data", server.data)
    assert "kms:ListKeys" in why.stdout, why.stderr
    kms = server.client()
    first, second = (base64.b64decode(blob) for blob in made["blobs"])
    assert kms.decrypt(CiphertextBlob=first, EncryptionContext={"a": "b"})["Plaintext"] == b"kept"
    assert kms.decrypt(CiphertextBlob=second)["Plaintext"] == b"kept too"
    key = kms.describe_key(KeyId="alias/before")["KeyMetadata"]
    assert (key["Arn"], key["Description"]) == (made["arn"], "made before")
    assert kms.get_key_policy(KeyId=key["KeyId"])["Policy"] == made["policy"]
    tags = kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]
    assert tags == [{"TagKey": "team", "TagValue": "blue"}]
    (grant,) = kms.list_grants(KeyId=key["KeyId"])["Grants"]
    assert grant["GrantId"] == made["grant_id"]
    alice = dict(zip(("access_key", "secret"), made["alice"], strict=True))
    hers = server.client(**alice)
    assert hers.describe_key(KeyId=made["arn"])["KeyMetadata"]["KeyId"] == made["key_id"]
    assert hers.decrypt(CiphertextBlob=second)["Plaintext"] == b"kept too"
    with serving.refused("AccessDeniedException"):
        hers.list_keys()
    trail = server.client("cloudtrail")
    wanted = [{"AttributeKey": "EventName", "AttributeValue": "CreateKey"}]
    serving.eventually(lambda: trail.lookup_events(LookupAttributes=wanted)["Events"], 30)
