"""Which requests that a browser sends for a web page `kagimori dev` answers."""

import json

import pytest

from kagimori.dev.other_sites import OtherSites
from kagimori.rules.request import RawRequest

LOCAL = {"host": "127.0.0.1:8567"}


def refused(headers, hosts=()):
    """Return what a request with these headers is told; None if it is handed on."""
    answers, others = [], []
    pairs = tuple((name.encode(), value.encode("latin-1")) for name, value in headers.items())
    raw = RawRequest("id", b"POST", b"/", pairs, b"{}", "127.0.0.1")
    OtherSites(lambda raw, respond: others.append(raw), hosts).handle(raw, answers.append)
    assert len(answers) + len(others) == 1
    if others:
        return None
    assert answers[0].status == 403
    found = json.loads(answers[0].body)
    assert found["__type"] == "AccessDeniedException"
    return found["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "localhost"},
        {"host": "LOCALHOST:80"},
        {"host": "localhost.:80"},
        {"host": "kms.localhost:1"},
        {"host": "127.8.9.10"},
        {"host": "[::1]:8567"},
        {**LOCAL, "origin": "http://localhost:3000"},
        {**LOCAL, "origin": "https://127.0.0.1", "sec-fetch-site": "cross-site"},
        {**LOCAL, "sec-fetch-site": "same-origin", "referer": "http://127.0.0.1:8567/"},
        {**LOCAL, "sec-fetch-site": "none"},
        {**LOCAL, "referer": "http://localhost/page"},
    ],
)
def test_what_comes_from_this_machine_is_answered(headers):
    assert refused(headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "attacker.example:8567"},
        {"host": ""},
        {"host": "localhost.attacker.example"},
        {"host": "127.0.0.1.attacker.example"},
        {"host": "notlocalhost"},
        {"host": "localhost@attacker.example"},
        {"host": "[::2]"},
        {"host": "[::1"},
        {"host": "2130706433"},
        {"host": "0.0.0.0:8567"},
        {"host": "192.168.0.1"},
        {"host": "loc\xe4lhost"},
        {**LOCAL, "origin": "https://attacker.example"},
        {**LOCAL, "origin": "null"},
        {**LOCAL, "origin": ""},
        {**LOCAL, "origin": "http://localhost.attacker.example"},
        {**LOCAL, "origin": "http://localhost@attacker.example"},
        {**LOCAL, "origin": "localhost"},
        {**LOCAL, "sec-fetch-site": "cross-site"},
        {**LOCAL, "sec-fetch-site": "Same-Site"},
        {**LOCAL, "referer": "https://attacker.example/?http://localhost/"},
    ],
)
def test_what_comes_by_a_page_of_another_site_is_not(headers):
    assert "dev.hosts" in refused(headers)


def test_further_names_may_be_allowed():
    hosts = ("kms.test", "[fd00::1]")
    assert refused({"host": "kms.test:8567", "origin": "https://KMS.test"}, hosts) is None
    assert refused({"host": "[fd00::1]:1"}, hosts) is None
    assert refused({"host": "a.kms.test"}, hosts) is not None
