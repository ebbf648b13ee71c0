"""What `kagimori env` prints makes every kind of client trust a deployment's own authority."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest

import serving

JAVA = """
import java.net.URI;
import java.net.http.*;

class Look {
    public static void main(String[] urls) throws Exception {
        for (String url : urls) {
            var request = HttpRequest.newBuilder(URI.create(url)).build();
            var answer = HttpClient.newHttpClient()
                .send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode());
        }
    }
}
"""
NODE = """
require("https").get(process.argv[1], answer => { console.log(answer.statusCode); answer.resume(); });
"""
PYTHON = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1]).status)
"""


@pytest.fixture(scope="module")
def server():
    with serving.served(init_options=("--tls",)) as server:
        yield server


def exports(server, **variables):
    """Return what `kagimori env` prints, as a shell would take it."""
    text = serving.run("env", "--data", server.data, check=True, **variables).stdout
    words = [shlex.split(line) for line in text.splitlines()]
    assert all(word[0] == "export" for word in words)
    return dict(word[1].split("=", 1) for word in words)


def answered(server, *command, names):
    """Return what a program prints with these of the variables, and without them."""
    found = exports(server)
    plain = {name: value for name, value in os.environ.items() if name not in found}
    given = {**plain, **{name: found[name] for name in names}}
    done = [
        subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        for env in (given, plain)
    ]
    return done[0].stdout.strip(), done[1].returncode


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_node(server):
    page = f"{server.url}/healthz"
    said, without = answered(server, "node", "-e", NODE, page, names=("NODE_EXTRA_CA_CERTS",))
    assert (said, without != 0) == ("200", True)


def test_what_uses_openssls_roots(server):
    page = f"{server.url}/healthz"
    command = (sys.executable, "-c", PYTHON, page)
    said, without = answered(server, *command, names=("SSL_CERT_FILE",))
    assert (said, without != 0) == ("200", True)


@pytest.mark.skipif(shutil.which("java") is None, reason="needs java")
def test_java(server, tmp_path):
    (tmp_path / "Look.java").write_text(JAVA)
    page = f"{server.url}/healthz"
    command = ("java", str(tmp_path / "Look.java"), page)
    said, without = answered(server, *command, names=("JAVA_TOOL_OPTIONS",))
    assert (said, without != 0) == ("200", True)


@pytest.mark.skipif(shutil.which("keytool") is None, reason="needs keytool")
def test_the_trust_store_holds_the_systems_roots_too(server):
    store = server.data / "tls" / "truststore.p12"
    command = ["keytool", "-list", "-storetype", "PKCS12", "-storepass", "changeit"]
    command += ["-keystore", store]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    bundle = (server.data / "tls" / "ca-and-system.pem").read_text()
    assert listed.count("trustedCertEntry") > 50
    assert bundle.count("BEGIN CERTIFICATE") >= listed.count("trustedCertEntry")
    assert bundle.startswith((server.data / "tls" / "ca.pem").read_text().rstrip())


def test_options_of_java_that_are_set_already_stay(server):
    ours = exports(server)["JAVA_TOOL_OPTIONS"]
    again = exports(server, JAVA_TOOL_OPTIONS=f"-Xmx64m {ours}")["JAVA_TOOL_OPTIONS"]
    assert again == f"-Xmx64m {ours}"


def test_a_deployment_from_before_there_were_such_files_gets_them(tmp_path):
    data = tmp_path / "data"
    serving.init(data, "--tls")
    for name in ("ca-and-system.pem", "truststore.p12"):
        (data / "tls" / name).unlink()
    printed = serving.run("env", "--data", data, check=True).stdout
    assert "NODE_EXTRA_CA_CERTS" in printed
    assert "SSL_CERT_FILE" not in printed
    with serving.served(data=data) as server:
        assert {"SSL_CERT_FILE", "JAVA_TOOL_OPTIONS"} <= exports(server).keys()


def test_plain_http_needs_none_of_them(server):
    with serving.served() as plain:
        assert not {"AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"} & exports(plain).keys()
