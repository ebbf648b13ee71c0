"""The console as it is started: with TLS, on which addresses, and with a key that is kept."""

import re
import ssl
import urllib.request

import pytest

from kit.console import console_of
from serving import get, init, run, temporary_folder


@pytest.fixture(scope="module")
def certificates():
    """The certificate, the key and the authority of a deployment with TLS."""
    with temporary_folder() as folder:
        init(folder / "data", "--tls")
        yield folder / "data" / "tls"


def test_by_https_cookies_are_bound_to_the_host_and_browsers_stay_with_it(certificates):
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    files = ("--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key")
    with console_of("http://127.0.0.1:9", *files) as url:
        assert url.startswith("https://")
        address = url.replace("127.0.0.1", "localhost") + "/sign-in"
        status, headers, _ = get(address, context=context)
        assert status == 200
        assert headers["strict-transport-security"]
        cookie = headers["set-cookie"]
        assert cookie.startswith("__Host-kagimori-0=")
        assert "secure" in cookie.lower()


def test_without_tls_it_listens_on_loopback_alone():
    done = run("console", "--endpoint", "http://127.0.0.1:9", "--region", "eu-central-1", "--listen", "0.0.0.0:0")  # fmt: skip
    assert done.returncode == 1
    assert "is not loopback" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--listen", "nowhere"),
        ("--listen", "127.0.0.1:99999"),
        ("--tls-cert", "one"),
        ("--data", "here"),
        ("--sign-in-link",),
    ],
)
def test_wrong_options_end_with_one_line(options):
    done = run("console", "--endpoint", "http://127.0.0.1:9", "--region", "eu-central-1", *options)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_kept_key_opens_the_session_after_a_restart():
    with temporary_folder() as folder:
        options = ("--session-key-file", folder / "key")
        with console_of("http://127.0.0.1:9", *options) as url:
            _, headers, content = get(f"{url}/sign-in")
            csrf = re.search(rb'name="csrf" value="([^"]+)"', content)[1]
        assert (folder / "key").stat().st_mode & 0o777 == 0o600
        cookie = headers["set-cookie"].partition(";")[0]
        for kept, same in ((options, True), ((), False)):
            with console_of("http://127.0.0.1:9", *kept) as url:
                request = urllib.request.Request(f"{url}/sign-in", headers={"cookie": cookie})
                with urllib.request.urlopen(request, timeout=30) as answer:
                    shown = answer.read()
            assert (csrf in shown) is same
