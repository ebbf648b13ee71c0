"""A deployment whose database somebody else writes to: noticed, denied, named and announced."""

import contextlib
import json
import shutil
import sqlite3

import pytest
from botocore.exceptions import ClientError

import serving
from serving import eventually

TRUSTING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}],
    }
)
DENYING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "kms:*", "Resource": "*"}],
    }
)


def altered(data, text, parameters=()):
    """Run a statement as somebody who can write to the database; return its rows."""
    with contextlib.closing(sqlite3.connect(data / "kagimori.db", timeout=30)) as connection:
        found = connection.execute(text, parameters).fetchall()
        connection.commit()
    return found


def copied(source, target):
    with (
        contextlib.closing(sqlite3.connect(source)) as reading,
        contextlib.closing(sqlite3.connect(target, timeout=30)) as writing,
    ):
        reading.backup(writing)


def put_back(data, place):
    """Put a snapshot in the place of the database, of a server that is stopped."""
    for end in ("-wal", "-shm"):
        (data / f"kagimori.db{end}").unlink(missing_ok=True)
    shutil.copyfile(place, data / "kagimori.db")


def refused(client, key_id):
    try:
        client.encrypt(KeyId=key_id, Plaintext=b"x")
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def test_alterations_while_it_serves_are_denied_alarmed_and_named():
    with serving.served() as server:
        kms, iam = server.client("kms"), server.client("iam")
        key_id = kms.create_key()["KeyMetadata"]["KeyId"]
        iam.create_user(UserName="alice")
        made = iam.create_access_key(UserName="alice")["AccessKey"]
        iam.create_group(GroupName="watched")
        iam.put_user_policy(UserName="alice", PolicyName="all", PolicyDocument=TRUSTING)
        iam.put_group_policy(GroupName="watched", PolicyName="none", PolicyDocument=DENYING)
        iam.add_user_to_group(UserName="alice", GroupName="watched")
        alice = server.client("kms", access_key=made["AccessKeyId"], secret=made["SecretAccessKey"])
        assert refused(alice, key_id) == "AccessDeniedException"
        # The group that denies is left behind the service's back.
        altered(server.data, "DELETE FROM iam_memberships")
        eventually(lambda: refused(alice, key_id) == "KMSInternalException")
        assert refused(kms, key_id) is None
        eventually(lambda: any("iam_memberships" in one for one in alarms(server)))
        # A policy of another version of the key, or of nobody.
        altered(
            server.data,
            "UPDATE kms_keys SET body = CAST(replace(CAST(body AS TEXT), 'kms:*', 'kms:Get*') "
            "AS BLOB)",
        )
        eventually(lambda: refused(kms, key_id) == "KMSInternalException")
        assert any(key_id in one and "kms_keys" in one for one in alarms(server))
        events = recorded(server, "DetectAlteredStore")
        assert {event["serviceEventDetails"]["table"] for event in events} >= {"kms_keys"}
        assert any(key_id in event["serviceEventDetails"]["key"] for event in events)
        page = serving.get(f"{server.running['admin_url']}/metrics")[2].decode()
        assert "kagimori_store_altered 0.0" not in page


def alarms(server):
    return json.loads(serving.get(f"{server.running['admin_url']}/status")[2])["alarms"]


def recorded(server, name):
    found = []
    for file in (server.data / "audit").glob("*/*.jsonl"):
        for line in file.read_text().splitlines():
            event = json.loads(line)["record"]
            if event.get("eventName") == name:
                found.append(event)
    return found


def changed_and_put_back(data):
    """Make a change between two states of a database; return the first."""
    place = data.parent / "older.db"
    serving.init(data)
    with serving.served(data=data) as server:
        server.client("iam").create_user(UserName="alice")
    copied(data / "kagimori.db", place)
    with serving.served(data=data) as server:
        server.client("iam").delete_user(UserName="alice")
    return place


def test_an_older_store_is_served_only_if_that_is_accepted():
    with serving.temporary_folder() as folder:
        data = folder / "data"
        place = changed_and_put_back(data)
        put_back(data, place)
        done = serving.run("serve", "--data", data, "--listen", "127.0.0.1:0")
        assert done.returncode != 0
        assert "older" in done.stderr
        assert "when-the-store-was-altered.md" in done.stderr
        with serving.served("--accept-rollback", data=data) as server:
            assert server.client("iam").get_user(UserName="alice")["User"]
            (event,) = recorded(server, "AcceptStoreRollback")
            assert "older" in event["serviceEventDetails"]["reason"]
        with serving.served(data=data) as server:
            assert server.client("iam").get_user(UserName="alice")["User"]


def test_an_older_store_is_noticed_while_it_serves():
    with serving.temporary_folder() as folder:
        data = folder / "data"
        place = changed_and_put_back(data)
        with serving.served(data=data) as server:
            iam = server.client("iam")
            iam.list_users()
            copied(place, data / "kagimori.db")
            eventually(lambda: any("older" in one for one in alarms(server)))
            with pytest.raises(ClientError, match=r"ServiceFailure|InternalFailure"):
                iam.get_user(UserName="alice")


def test_a_witness_that_is_gone_is_missed():
    with serving.temporary_folder() as folder:
        data = folder / "data"
        serving.init(data)
        with serving.served(data=data) as server:
            server.client("kms").create_key()
        (data / "witness").unlink()
        done = serving.run("serve", "--data", data, "--listen", "127.0.0.1:0")
        assert done.returncode != 0
        assert "witness" in done.stderr
        with serving.served("--accept-rollback", data=data):
            pass
        with serving.served(data=data):
            pass
