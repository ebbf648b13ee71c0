"""Domain keys as operators see them: rotated over the wire and by the command, and all goes on."""

import json

import pytest
from botocore.exceptions import ClientError

import serving
from serving import eventually, run

DAY = 86_400


@pytest.fixture(scope="module")
def server():
    with serving.served() as made:
        yield made


@pytest.fixture(scope="module")
def admin(server):
    return server.client("kagimori")


def current(answer):
    return {
        one["DomainName"]: [key["DomainKeyId"] for key in one["Keys"] if key["State"] == "CURRENT"]
        for one in answer["Domains"]
    }


def is_rewrapped(admin):
    return admin.get_domain_status()["Rewrapping"]["State"] == "done"


def test_an_operator_rotates_all_domains_and_everything_goes_on(server, admin):
    kms, iam = server.client(), server.client("iam")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    iam.create_user(UserName="alice")
    made = iam.create_access_key(UserName="alice")["AccessKey"]
    before = admin.get_domain_status()
    answer = admin.rotate_domain_key()
    assert set(current(answer)) == {"identity", server.region}
    assert not set(map(str, current(answer).values())) & set(map(str, current(before).values()))
    eventually(lambda: is_rewrapped(admin), 30)
    assert admin.get_domain_status()["Rewrapping"]["Rewrapped"] >= 4
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    alice = server.client("sts", access_key=made["AccessKeyId"], secret=made["SecretAccessKey"])
    assert alice.get_caller_identity()["Arn"].endswith("user/alice")
    kms.create_key()


def test_one_domain_is_rotated_alone(server, admin):
    before = current(admin.get_domain_status())
    after = current(admin.rotate_domain_key(DomainName=server.region))
    assert before["identity"] == after["identity"]
    assert before[server.region] != after[server.region]
    with pytest.raises(ClientError) as refused:
        admin.rotate_domain_key(DomainName="nowhere-1")
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_sessions_of_before_go_on_after_a_rotation(server, admin):
    made = server.client("sts").get_session_token()["Credentials"]
    admin.rotate_domain_key(DomainName="identity")
    eventually(lambda: is_rewrapped(admin), 30)
    import boto3

    session = boto3.session.Session(
        made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"], server.region
    )
    kms = session.client("kms", endpoint_url=server.url)
    kms.list_keys()


def test_the_command_asks_the_running_server(server):
    done = run("domain", "status", "--data", server.data, "--output", "json", check=True)
    domains = json.loads(done.stdout)["domains"]
    assert {one["domain_name"] for one in domains} == {"identity", server.region}
    shown = run("domain", "rotate", "--data", server.data, "--domain", "identity", check=True)
    assert "RETIRED" in shown.stdout
    shown = run("domain", "rewrap", "--wait", "30", "--data", server.data, check=True)
    assert "wrapping anew: done" in shown.stdout
    wrong = run("domain", "rotate", "--data", server.data, "--domain", "x")
    assert (wrong.returncode, wrong.stderr) == (1, "kagimori: There is no domain x.\n")


def test_each_step_is_recorded(server, admin):
    server.client().create_key()  # so that there is a token to wrap anew
    admin.rotate_domain_key(DomainName=server.region)
    found = admin.search_events(EventName="RotateDomainKey", Order="NEWEST_FIRST")["Events"]
    record = json.loads(found[0]["CloudTrailEvent"])
    assert record["requestParameters"] == {"domainName": server.region}
    assert record["eventSource"] == "kagimori.amazonaws.com"
    assert "sealed" not in found[0]["CloudTrailEvent"].lower()
    eventually(lambda: is_rewrapped(admin), 30)
    eventually(lambda: admin.search_events(EventName="RewrapTokens")["Events"], 30)


def test_status_and_metrics_tell_of_domain_keys(server, admin):
    eventually(lambda: is_rewrapped(admin), 30)
    status = admin.get_status()
    assert status["Rewrapping"]["State"] == "done"
    assert status["DomainKeys"]["current"] == 2
    shown = run("status", "--data", server.data, "--output", "json", check=True)
    assert json.loads(shown.stdout)["domain_keys"]["current"] == 2
    _, _, page = serving.get(server.running["admin_url"] + "/metrics")
    assert b'kagimori_domain_keys{state="current"} 2.0' in page
    assert b"kagimori_rewrapped_entities_total" in page


def test_digests_are_signed_after_the_audit_key_was_wrapped_anew():
    with serving.served("--digest-minutes", "0.01") as server:
        admin = server.client("kagimori")
        admin.rotate_domain_key()
        eventually(lambda: is_rewrapped(admin), 30)
        signed = admin.get_audit_status()["Digests"]
        eventually(lambda: admin.get_audit_status()["Digests"] > signed + 1, 30)
        server.stop()
        done = run("audit", "verify", "--data", server.data)
        assert done.returncode == 0, done.stdout


def test_without_a_server_they_are_listed_and_not_changed():
    with serving.temporary_folder() as folder:
        data = folder / "data"
        serving.init(data)
        shown = run("domain", "status", "--data", data, check=True)
        assert shown.stdout.count("CURRENT") == 2
        for verb in ("rotate", "rewrap"):
            refused = run("domain", verb, "--data", data)
            assert (refused.returncode, refused.stderr) == (
                1,
                f"kagimori: {data} is not being served\n",
            )
