"""Key sets that the server fetches from their issuer, over HTTPS. RFC 8414, RFC 7517."""

import http.server
import json
import ssl
import threading
from contextlib import contextmanager

import pytest

import serving
from kagimori.deployment.certificates import make_certificate_authority
from protocol.test_web_identity import CLIENT, Issuer, assume
from serving import refused


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        page = self.server.pages.get(self.path)
        if isinstance(page, str):
            self.send_response(302)
            self.send_header("location", page)
            self.end_headers()
            return
        self.send_response(404 if page is None else 200)
        self.end_headers()
        self.wfile.write(json.dumps(page).encode())

    def log_message(self, *_):
        pass


@contextmanager
def pages_served(folder):
    """Serve pages over HTTPS; yields the server and the file of its authority."""
    folder.mkdir()
    made = make_certificate_authority(folder, ["localhost"])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.pages, server.asked = {}, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server, made.authority
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server that fetches, an issuer of its own, and a role that trusts it."""
    issuer = Issuer()
    folder = tmp_path_factory.mktemp("issuer") / "tls"
    with (
        pages_served(folder) as (pages, authority),
        serving.dev_served("--fetch-web-identity-keys", SSL_CERT_FILE=str(authority)) as server,
    ):
        url = f"https://localhost:{pages.server_port}"
        iam = server.client("iam")
        for path in ("", "/redirects", "/has-no-keys"):
            made = iam.create_open_id_connect_provider(Url=url + path, ClientIDList=[CLIENT])
            statement = {
                "Effect": "Allow",
                "Principal": {"Federated": made["OpenIDConnectProviderArn"]},
                "Action": "sts:AssumeRoleWithWebIdentity",
            }
            trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            name = f"trusts{path.replace('/', '-')}"
            arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
            server.made[path] = arn
        well_known = "/.well-known/openid-configuration"
        pages.pages |= {
            well_known: {"issuer": url, "jwks_uri": f"{url}/keys"},
            "/keys": issuer.key_set(),
            f"/redirects{well_known}": f"{url}{well_known}",
            f"/has-no-keys{well_known}": {"jwks_uri": f"{url}/nothing"},
        }
        yield server, issuer, url, pages


def test_keys_are_fetched_once(world):
    server, issuer, url, pages = world
    for _ in range(3):
        answer = assume(server, server.made[""], issuer.token(iss=url))
        assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    assert pages.asked.count("/keys") == 1


def test_a_redirect_is_not_followed(world):
    server, issuer, url, _pages = world
    with refused("InvalidIdentityToken"):
        assume(server, server.made["/redirects"], issuer.token(iss=f"{url}/redirects"))


def test_an_issuer_that_has_no_keys(world):
    server, issuer, url, _pages = world
    with refused("InvalidIdentityToken"):
        assume(server, server.made["/has-no-keys"], issuer.token(iss=f"{url}/has-no-keys"))


def test_who_is_not_registered_is_not_asked(world):
    server, issuer, url, pages = world
    before = len(pages.asked)
    with refused("InvalidIdentityToken"):
        assume(server, server.made[""], issuer.token(iss=f"{url}/unknown"))
    assert len(pages.asked) == before
