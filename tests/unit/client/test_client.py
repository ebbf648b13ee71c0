"""The client finds its credentials and endpoint, and says in a line what went wrong."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from kagimori_client.admin import AdminClient, ServiceError
from kagimori_client.connection import Endpoint, Unreachable, endpoint_in
from kagimori_client.credentials import Credentials, NoCredentials, find_credentials, find_region

ALICE = Credentials("AKIAALICEALICEALICEA", "secret")


class Answers(BaseHTTPRequestHandler):
    """Gives one answer after the other; keeps what it was asked."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((dict(self.headers), json.loads(body)))
        status, content = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("x-amzn-RequestId", "r-1")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Answers) as made:
        made.asked, made.answers = [], []
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def client(server):
    return AdminClient(Endpoint(f"http://127.0.0.1:{server.server_port}"), ALICE, "us-east-1")


def test_members_go_out_and_come_back(server, client):
    server.answers = [(200, b'{"Accounts": []}')]
    assert client.call("ListAccounts", MaxResults=5, NextToken=None) == {"Accounts": []}
    headers, body = server.asked[0]
    assert body == {"MaxResults": 5}
    assert headers["x-amz-target"] == "Kagimori_20261101.ListAccounts"
    assert "/us-east-1/kagimori/aws4_request" in headers["authorization"]


def test_pages_go_on_until_there_is_no_token(server, client):
    server.answers = [(200, b'{"Events": [1], "NextToken": "a"}'), (200, b'{"Events": [2]}')]
    assert [page["Events"] for page in client.pages("SearchEvents")] == [[1], [2]]
    assert [body for _, body in server.asked] == [{}, {"NextToken": "a"}]


@pytest.mark.parametrize("member", ["message", "Message"])
def test_a_refusal_has_its_code_and_message(server, client, member):
    body = {"__type": "kagimori#AccessDeniedException", member: "not you"}
    server.answers = [(400, json.dumps(body).encode())]
    with pytest.raises(ServiceError, match="AccessDeniedException: not you") as refused:
        client.call("ListAccounts")
    assert (refused.value.code, refused.value.request_id) == ("AccessDeniedException", "r-1")


@pytest.mark.parametrize("answer", [b"<html>", b"[1]", b"\xff"])
def test_what_is_no_kagimori_is_told(server, client, answer):
    server.answers = [(200, answer)]
    with pytest.raises(Unreachable, match="does not answer as Kagimori does"):
        client.call("ListAccounts")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://localhost", "http or https"),
        ("localhost:8567", "http or https"),
        ("http://localhost:port", "is no URL"),
        ("http://127.0.0.1:1", "cannot be reached"),
    ],
)
def test_an_endpoint_that_is_none_is_told_in_a_line(url, why):
    with pytest.raises(Unreachable, match=why) as told:
        AdminClient(Endpoint(url), ALICE, "us-east-1").call("ListAccounts")
    assert "\n" not in str(told.value)


def test_a_ca_bundle_that_cannot_be_read_is_told(tmp_path):
    endpoint = Endpoint("https://127.0.0.1:1", str(tmp_path / "missing.pem"))
    with pytest.raises(Unreachable, match=r"missing\.pem cannot be read"):
        AdminClient(endpoint, ALICE, "us-east-1").call("ListAccounts")


def test_the_environment_names_endpoint_region_and_credentials():
    environment = {
        "AWS_ENDPOINT_URL": "https://a:1",
        "AWS_CA_BUNDLE": "/ca.pem",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKIA1",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_SESSION_TOKEN": "t",
    }
    assert endpoint_in(environment) == Endpoint("https://a:1", "/ca.pem")
    assert endpoint_in({}) is None
    assert find_region(environment) == "eu-central-1"
    assert find_credentials(environment) == Credentials("AKIA1", "s", "t")


def test_a_profile_is_read_from_awss_configuration(tmp_path, monkeypatch):
    (tmp_path / "config").write_text("[profile carol]\nregion = eu-west-1\n")
    (tmp_path / "credentials").write_text(
        "[carol]\naws_access_key_id = AKIACAROL\naws_secret_access_key = s3cret\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "carol")
    assert find_credentials() == Credentials("AKIACAROL", "s3cret", None)
    assert find_region() == "eu-west-1"
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(NoCredentials, match="nobody"):
        find_credentials()


def test_without_credentials_a_line_says_what_to_set(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(NoCredentials, match="AWS_ACCESS_KEY_ID"):
        find_credentials({})
    with pytest.raises(NoCredentials, match="AWS_REGION"):
        find_region({})
