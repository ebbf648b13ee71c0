"""Which addresses requests to hosts of others may go to, and how their answers are read."""

import asyncio
import socket
import ssl

import pytest

from kagimori.machinery import addresses, https_client
from kagimori.machinery.addresses import Addresses, read_network, read_place
from kagimori.machinery.http_answer import BODY_BYTES_MAX, Answer, BadAnswer, read_answer
from kagimori.machinery.https_client import Address, HttpsClient, TooLate, Unreachable


def found(monkeypatch, ips, host="xks.example.com", **settings):
    """Return the addresses that are open of a host whose name leads to these."""

    async def find():
        loop = asyncio.get_running_loop()

        async def getaddrinfo(name, port, **_):
            return [(0, 0, 0, "", (ip, port)) for ip in ips]

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        reached_at = settings.get("reached_at", {})
        return await Addresses(reached_at, settings.get("networks", ())).find(host)

    return asyncio.run(find())


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
    ],
)
def test_what_is_not_public_is_not_reached(monkeypatch, ip):
    with pytest.raises(Unreachable):
        found(monkeypatch, [ip])


def test_of_several_addresses_the_public_ones_are_left(monkeypatch):
    assert found(monkeypatch, ["127.0.0.1", "8.8.8.8", "2001:4860:4860::8888"]) == [
        Address("8.8.8.8", 443),
        Address("2001:4860:4860::8888", 443),
    ]


def test_a_network_of_the_deployment_is_open(monkeypatch):
    networks = ("10.20.0.0/16", "fd00:1::/32")
    assert found(monkeypatch, ["10.20.1.1"], networks=networks) == [Address("10.20.1.1", 443)]
    assert found(monkeypatch, ["::ffff:10.20.1.1"], networks=networks)
    assert found(monkeypatch, ["fd00:1::1"], networks=networks)
    with pytest.raises(Unreachable):
        found(monkeypatch, ["10.21.1.1"], networks=networks)


def test_a_host_that_is_named_is_reached_at_its_place(monkeypatch):
    reached_at = {"XKS.example.com": "127.0.0.1:8443"}
    assert found(monkeypatch, ["127.0.0.1"], reached_at=reached_at) == [Address("127.0.0.1", 8443)]
    with pytest.raises(Unreachable):
        found(monkeypatch, ["127.0.0.1"], host="other.example.com", reached_at=reached_at)


def test_a_name_that_leads_nowhere_is_unreachable(monkeypatch):
    async def find():
        loop = asyncio.get_running_loop()

        async def getaddrinfo(*_, **__):
            raise socket.gaierror

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        await Addresses({}, ()).find("nobody.example.com")

    with pytest.raises(Unreachable):
        asyncio.run(find())


def test_places_and_networks_are_read_exactly():
    assert read_place("10.0.0.5:8443") == ("10.0.0.5", 8443)
    assert read_place("[fd00::1]:443") == ("fd00::1", 443)
    for text in ("10.0.0.5", ":443", "a:0", "a:65536", "a:+1", "a:１", "a:"):
        with pytest.raises(ValueError, match="HOST:PORT"):
            read_place(text)
    assert str(read_network("10.20.0.0/16")) == "10.20.0.0/16"
    for text in ("10.20.0.1/16", "x", "10.0.0.0/33"):
        with pytest.raises(ValueError):
            read_network(text)
    assert addresses.PORT == 443


def answered(data):
    """Return the answer that these bytes are, of a connection that ends after them."""

    async def read():
        reader = asyncio.StreamReader(limit=16 * 1024)
        reader.feed_data(data)
        reader.feed_eof()
        return await read_answer(reader)

    return asyncio.run(read())


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (HEAD + b"content-length: 2\r\n\r\n{}", Answer(200, b"{}", keeps_connection=True)),
        (HEAD + b"Content-Length:2\r\nConnection: Close\r\n\r\n{}", Answer(200, b"{}")),
        (b"HTTP/1.0 404 No\r\ncontent-length: 0\r\n\r\n", Answer(404, b"")),
        (HEAD + b"\r\n{}", Answer(200, b"{}")),
        (
            HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\nt: x\r\n\r\n",
            Answer(200, b"{}", keeps_connection=True),
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"content-length: 1\r\n\r\nx",
            Answer(200, b"x", keeps_connection=True),
        ),
        (b"HTTP/1.1 204 None\r\n\r\n", Answer(204, b"", keeps_connection=True)),
    ],
)
def test_answers_are_read(data, expected):
    assert answered(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b"content-length : 2\r\n\r\n{}",
        HEAD + b"content-length: +2\r\n\r\n{}",
        HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        HEAD + b"content-length: 999999999\r\n\r\n",
        HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: gzip\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nxyz\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nFFFFFFFF\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
        HEAD + b"\r\n" + bytes(BODY_BYTES_MAX + 1),
        b"HTTP/1.1 100 Continue\r\n\r\n" * 6,
        b"HTTP/1.1 200 O",
        HEAD + b"x: " + b"y" * 20_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_refused(data):
    with pytest.raises(BadAnswer):
        answered(data)


def test_a_connection_that_ends_first_is_no_bad_answer():
    for data in (b"", HEAD + b"content-length: 5\r\n\r\n{}"):
        with pytest.raises(asyncio.IncompleteReadError):
            answered(data)


def test_one_host_has_its_share_of_what_is_on_its_way(monkeypatch):
    monkeypatch.setattr(https_client, "IN_FLIGHT_EACH_MAX", 2)

    async def live():
        looked = []
        found = asyncio.Event()

        async def find(host):
            looked.append(host)
            await found.wait()
            raise Unreachable

        client = HttpsClient(ssl.create_default_context(), find)

        def post(host):
            return client.post(host, "/", {}, b"", seconds=60)

        first = [asyncio.ensure_future(post("slow")) for _ in range(2)]
        while len(looked) < 2:
            await asyncio.sleep(0)
        with pytest.raises(TooLate):
            await post("slow")
        other = asyncio.ensure_future(post("other"))
        while len(looked) < 3:
            await asyncio.sleep(0)
        found.set()
        for one in (*first, other):
            with pytest.raises(Unreachable):
                await one
        assert not client._in_flight

    asyncio.run(live())
