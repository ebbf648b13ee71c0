"""Three nodes on one PostgreSQL: one deployment, whichever of them is asked, and whatever one does.

Servers are dear: the tests share them, and each leaves three nodes that serve.
"""

import os
import signal

import pytest
from botocore.exceptions import ClientError

import serving
from kit.nodes import nodes
from serving import eventually

LEASE = ("--set", "nodes.lease_seconds=3")


@pytest.fixture(scope="module")
def cluster():
    with nodes(3, *LEASE) as made:
        yield made


def admin(node):
    return node.client("kagimori")


def test_each_answers_for_what_another_made(cluster):
    one, other, third = (node.client() for node in cluster)
    key = one.create_key()["KeyMetadata"]["KeyId"]
    blob = one.encrypt(KeyId=key, Plaintext=b"meet me at noon")["CiphertextBlob"]
    for kms in (other, third):
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"meet me at noon"


def test_what_one_changes_all_others_know_within_moments(cluster):
    one, others = cluster[0].client(), [node.client() for node in cluster[1:]]
    key = one.create_key()["KeyMetadata"]["KeyId"]
    for kms in others:
        kms.encrypt(KeyId=key, Plaintext=b"x")
    one.disable_key(KeyId=key)
    for kms in others:
        eventually(lambda kms=kms: refuses(kms, key), seconds=30)


def refuses(kms, key):
    try:
        kms.encrypt(KeyId=key, Plaintext=b"x")
    except kms.exceptions.DisabledException:
        return True
    return False


def test_session_tokens_of_one_are_good_at_all(cluster):
    session = cluster[0].client("sts").get_session_token()["Credentials"]
    for node in cluster:
        there = node.client(
            "sts",
            access_key=session["AccessKeyId"],
            secret=session["SecretAccessKey"],
            token=session["SessionToken"],
        )
        assert there.get_caller_identity()["Account"] == cluster.made["account_id"]


def test_every_node_has_the_whole_trail(cluster):
    made = [node.client().create_key()["ResponseMetadata"]["RequestId"] for node in cluster]
    for node in cluster:
        trail = node.client("cloudtrail")
        for request_id in made:
            eventually(lambda trail=trail, name=request_id: finds(trail, name), seconds=20)
        verified = serving.run("audit", "verify", "--data", node.data)
        assert verified.returncode == 0, verified.stdout
        for other in cluster:
            assert f"{other.id}-w0" in verified.stdout


def finds(trail, request_id):
    pages = trail.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateKey"}]
    )
    found = [event["CloudTrailEvent"] for page in pages for event in page["Events"]]
    return any(request_id in text for text in found)


def test_one_node_does_what_time_asks_for_and_another_when_it_dies(cluster):
    eventually(lambda: cluster.holder() is not None, seconds=20)
    holder = cluster.holder()
    cluster[holder].kill()
    eventually(lambda: cluster.holder() not in (None, holder), seconds=30)
    cluster.start(holder)
    states = {one["State"] for one in admin(cluster[holder]).list_nodes()["Nodes"]}
    assert states - {"REMOVED"} == {"LIVE"}  # another test removes one


def test_one_that_is_paused_and_goes_on_does_not_do_it_as_well(cluster):
    holder = cluster.holder()
    pids = list(cluster[holder].pids.values())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    others = [node for number, node in enumerate(cluster) if number != holder]
    eventually(lambda: holds(others[0]) not in (None, cluster[holder].id), seconds=30)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    successor = holds(others[0])
    eventually(lambda: serving.get(cluster[holder].url + "/readyz")[0] == 200, seconds=60)
    eventually(lambda: holds(cluster[holder]) == successor, seconds=30)


def holds(node):
    return next(
        (one["NodeId"] for one in admin(node).list_nodes()["Nodes"] if one["HoldsLease"]), None
    )


def test_one_that_stops_gives_the_lease_back_at_once(cluster):
    holder = cluster.holder()
    cluster[holder].stop()
    eventually(lambda: cluster.holder() not in (None, holder), seconds=20)
    cluster.start(holder)


def test_a_removed_node_stops_and_cannot_be_served_again(cluster):
    added = cluster.add()
    admin(cluster[0]).remove_node(NodeId=added.id)
    eventually(lambda: added.server.process.poll() is not None, seconds=60)
    again = serving.run("serve", "--data", added.data, "--listen", "127.0.0.1:0")
    assert again.returncode != 0
    assert "was removed" in again.stderr
    with pytest.raises(ClientError) as refused:
        admin(cluster[0]).remove_node(NodeId=added.id)
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    cluster.nodes.pop()


def test_what_cannot_join_leaves_nothing_behind(cluster, tmp_path):
    wrong = tmp_path / "wrong.key"
    wrong.write_text("00" * 32)
    for arguments in (
        ("--store", cluster.url, "--root", wrong),
        ("--store", cluster.database.new_database()),
        ("--store", "mysql://localhost/kagimori"),
    ):
        joined = serving.run("join", "--data", tmp_path / "joined", *arguments)
        assert joined.returncode == 1, joined.stdout
        assert len(joined.stderr.splitlines()) == 1, joined.stderr
        assert not (tmp_path / "joined").exists()


def test_a_deployment_is_not_made_over_another(cluster, tmp_path):
    made = serving.run("init", "--data", tmp_path / "second", "--store", cluster.url)
    assert made.returncode == 1
    assert "kagimori join" in made.stderr
