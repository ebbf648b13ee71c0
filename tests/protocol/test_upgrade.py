"""A deployment that the code of an older commit made and served is carried over: all is there.

Promises: old-ciphertext-lives, acknowledged-is-durable.
"""

import base64
import json
import sqlite3
import tarfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

import serving
from kagimori.rules.chain.chain import read_line

CHANGED = "SELECT stream FROM changes"
MADE = Path(__file__).parents[1] / "vectors" / "old_deployment" / "deployment.tar.xz"


@contextmanager
def older():
    """Yield the data folder of the deployment, and what a later version must find in it."""
    with serving.temporary_folder() as folder:
        with tarfile.open(MADE) as archive:
            archive.extractall(folder, filter="data")
        data = folder / "data"
        (data / "seal.key").chmod(0o600)
        yield data, json.loads((data / "made.json").read_text())


def verified(data):
    done = serving.run("audit", "verify", "--data", data, "--output", "json")
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)


def journals(data):
    """The files of the older version's streams, which have no node in their names."""
    return {file: file.read_bytes() for file in sorted((data / "audit").glob("w?/*.jsonl"))}


def stored(data, sql):
    with closing(sqlite3.connect(data / "kagimori.db")) as connection:
        return connection.execute(sql).fetchall()


def searched(data, event):
    found = serving.run(
        *("audit", "search", "--data", data, "--event", event, "--output", "json"), check=True
    )
    return [json.loads(line) for line in found.stdout.splitlines()]


def test_keys_policies_records_digests_and_the_chain_are_carried_over():
    with older() as (data, made):
        before, lines = verified(data), journals(data)
        with serving.served("--workers", "2", data=data) as server:
            carried_over(server, made)
        after = verified(data)
        assert after["digests"] > before["digests"]
        signed = {stream["stream"]: stream["signed_to"] for stream in after["streams"]}
        own = {serving.stream(data, writer).name for writer in ("admin", "w0", "w1")}
        assert set(signed) == own | {"w0", "w1"}
        for stream in before["streams"]:
            assert signed[stream["stream"]] == stream["newest_sequence"]
        assert sum(signed[stream] for stream in own) > len(made)
        assert journals(data) == lines, "the older streams stay as they were"
        (registered,) = searched(data, "RegisterStreams")
        assert registered["serviceEventDetails"]["closed"] == ["w0", "w1"]


def test_all_that_is_written_from_then_on_names_the_node():
    with older() as (data, made):
        with serving.served("--workers", "2", data=data) as server:
            node = serving.stream(data).name.partition("-")[0]
            assert server.running["node"] == node
            known = [made["denied"], *(deny(server, made) for _ in range(3))]
            server.kill()
        assert {stream.partition("-")[0] for (stream,) in stored(data, CHANGED)} <= {node}
        with serving.served("--workers", "2", data=data) as server:
            assert serving.stream(data).name.partition("-")[0] == node, "it is stable"
            known += [deny(server, made) for _ in range(3)]
        denials = dict(stored(data, "SELECT request_id, slot FROM denials"))
        assert set(denials) == set(known), "none took the place of another"
        assert {slot.partition("-")[0] for slot in denials.values()} == {node}
        for request_id in (known[0], known[-1]):
            assert "kms:ListKeys" in serving.run("why", request_id, "--data", data).stdout
        leases = stored(data, "SELECT body FROM leases WHERE name = 'time'")
        assert [json.loads(body)["holder"] for (body,) in leases] == [node]
        verified(data)


def test_what_a_crash_of_the_older_version_left_is_carried_over():
    with older() as (data, _):
        (journal,) = journals(data)
        whole = journal.read_bytes()
        written = read_line(whole.splitlines()[-1])[2]
        lost = json.loads(written) | {"eventID": "lost", "eventName": "LostEvent"}
        rows = [(json.loads(written)["eventID"], "w0", 0, written)]
        rows += [("lost", "w1", 0, json.dumps(lost).encode())]
        with closing(sqlite3.connect(data / "kagimori.db")) as connection:
            connection.executemany("INSERT INTO outbox VALUES (?, ?, ?, ?)", rows)
            connection.commit()
        journal.write_bytes(whole + b'{"sequence":')
        with serving.served(data=data):
            serving.eventually(lambda: searched(data, "LostEvent"))
        assert journal.read_bytes() == whole
        assert len(searched(data, "LostEvent")) == 1
        (cut,) = searched(data, "CutJournalTail")
        assert (cut["serviceEventDetails"]["stream"], cut["serviceEventDetails"]["bytes"]) == (
            "w0",
            12,
        )
        assert stored(data, "SELECT stream FROM outbox") == []
        verified(data)


def deny(server, made):
    """Have a request denied; return its id once the denial is stored."""
    alice = dict(zip(("access_key", "secret"), made["alice"], strict=True))
    with pytest.raises(ClientError) as refused:
        server.client(**alice).list_keys()
    request_id = refused.value.response["ResponseMetadata"]["RequestId"]
    ids = "SELECT request_id FROM denials"
    serving.eventually(lambda: (request_id,) in stored(server.data, ids), 60)
    return request_id


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
