"""The front door on real sockets: loopback, uvloop, whatever port is free."""

import asyncio
import socket
import ssl
import stat
import struct
from contextlib import asynccontextmanager

import pytest
import uvloop
from cryptography import x509

from kagimori.deployment.certificates import make_certificate_authority
from kagimori.http.front import Front
from kagimori.http.tls import server_context
from kagimori.rules.request import RawAnswer
from kagimori.settings import FrontLimits

GET = b"GET /a HTTP/1.1\r\nHost: kms\r\n\r\n"
PATIENCE = 5.0


class Served:
    """A front that listens, and what its handler saw."""

    def __init__(self, limits, hold):
        self.requests = []
        self.held = []
        self.refused = []
        self.hold = hold
        self.port = 0
        self.front = Front(
            self.handle,
            limits,
            new_request_id=lambda: "id",
            http_date=lambda: b"Tue, 02 Jan 2024 03:04:05 GMT",
            on_refused=self.refused.append,
        )

    def handle(self, request, respond):
        self.requests.append(request)
        if self.hold:
            self.held.append(respond)
        else:
            respond(RawAnswer(200, request.target + request.body))

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.001)


@asynccontextmanager
async def served(limits=None, *, hold=False, tls=None):
    place = Served(limits or FrontLimits(), hold)
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    place.port = sock.getsockname()[1]
    await place.front.listen(sock=sock, ssl=tls)
    try:
        yield place
    finally:
        await place.front.drain(0.05)


def on_uvloop(coroutine):
    """Run to the end on uvloop; nothing in here may take long."""

    async def bounded():
        async with asyncio.timeout(2 * PATIENCE):
            return await coroutine

    return uvloop.run(bounded())


async def connect(place, **options):
    return await asyncio.open_connection("127.0.0.1", place.port, **options)


async def answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    return int(head[9:12]), await reader.readexactly(length), head


def test_a_request_and_another_on_the_same_connection():
    async def run():
        async with served() as place:
            reader, writer = await connect(place)
            for _ in range(2):
                writer.write(GET)
                assert (await answer(reader))[:2] == (200, b"/a")
            assert place.requests[0].source_ip == "127.0.0.1"
            assert place.requests[0].tls is None
            assert place.front.connections_open == 1
            writer.close()
            await place.until(lambda: place.front.connections_open == 0)

    on_uvloop(run())


def test_thousands_of_pipelined_requests_come_back_in_order():
    async def run():
        async with served() as place:
            reader, writer = await connect(place)
            count = 5000
            writer.write(
                b"".join(b"GET /%d HTTP/1.1\r\nHost: k\r\n\r\n" % number for number in range(count))
            )
            for number in range(count):
                assert (await answer(reader))[:2] == (200, b"/%d" % number)
            writer.close()

    on_uvloop(run())


def test_a_peer_that_never_reads_is_not_served_without_end():
    async def run():
        async with served(FrontLimits(idle_seconds=0.1)) as place:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", place.port))
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            message = b"POST / HTTP/1.1\r\nHost: k\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60000
            with pytest.raises(OSError):
                while True:
                    await loop.sock_sendall(sock, message)
            assert len(place.requests) < 1000
            await place.until(lambda: place.front.connections_open == 0)
            sock.close()

    on_uvloop(run())


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: k", id="slow head"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: k\r\nContent-Length: 5\r\n\r\nabc", id="slow body"),
    ],
)
def test_a_slow_loris_is_answered_408(sent):
    async def run():
        limits = FrontLimits(header_seconds=0.05, body_seconds=0.05)
        async with served(limits) as place:
            reader, writer = await connect(place)
            writer.write(sent)
            assert (await answer(reader))[0] == 408
            assert await reader.read() == b""
            assert place.refused == [408]
            writer.close()

    on_uvloop(run())


def test_an_idle_connection_is_closed_without_a_word():
    async def run():
        async with served(FrontLimits(idle_seconds=0.05)) as place:
            reader, writer = await connect(place)
            writer.write(GET)
            await answer(reader)
            assert await reader.read() == b""
            assert place.refused == []
            writer.close()

    on_uvloop(run())


def test_the_100_comes_before_the_body_is_sent():
    async def run():
        async with served() as place:
            reader, writer = await connect(place)
            writer.write(
                b"POST / HTTP/1.1\r\nHost: k\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
            )
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"ok")
            assert (await answer(reader))[:2] == (200, b"/ok")
            writer.close()

    on_uvloop(run())


def test_a_refused_upload_still_sees_why():
    async def run():
        async with served(FrontLimits(body_bytes=10)) as place:
            reader, writer = await connect(place)
            writer.write(b"POST / HTTP/1.1\r\nHost: k\r\nContent-Length: 900000\r\n\r\n")
            writer.write(b"x" * 900_000)
            assert (await answer(reader))[0] == 413
            assert await reader.read() == b""
            writer.close()

    on_uvloop(run())


def test_half_close_is_answered():
    async def run():
        async with served(hold=True) as place:
            reader, writer = await connect(place)
            writer.write(GET)
            writer.write_eof()
            await place.until(lambda: place.held)
            await asyncio.sleep(0.01)
            place.held[0](RawAnswer(200, b"late"))
            status, body, head = await answer(reader)
            assert (status, body) == (200, b"late")
            assert b"Connection: close" in head
            assert await reader.read() == b""
            writer.close()

    on_uvloop(run())


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_a_peer_that_leaves_harms_nothing(reset):
    async def run():
        async with served(hold=True) as place:
            sock = socket.create_connection(("127.0.0.1", place.port))
            sock.sendall(GET)
            await place.until(lambda: place.held)
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            if reset:
                await place.until(lambda: place.front.connections_open == 0)
            # A close looks like a half-close until the answer is written.
            place.held[0](RawAnswer(200, b"nobody"))
            assert place.front.requests_in_flight == 0
            await place.until(lambda: place.front.connections_open == 0)

    on_uvloop(run())


def test_the_connection_limit():
    async def run():
        async with served(FrontLimits(connections=1)) as place:
            first_reader, first = await connect(place)
            first.write(GET)
            await answer(first_reader)
            reader, writer = await connect(place)
            assert await first_reader.read() == b"", "who asks nothing gives way"
            writer.write(GET)
            assert (await answer(reader))[0] == 200
            first.close()
            writer.close()

    on_uvloop(run())


def test_drain_delivers_what_is_in_flight_and_closes_the_idle():
    async def run():
        async with served(hold=True) as place:
            idle_reader, idle = await connect(place)
            reader, writer = await connect(place)
            writer.write(GET * 2)
            await place.until(lambda: len(place.held) == 2)
            draining = asyncio.create_task(place.front.drain(PATIENCE))
            assert await idle_reader.read() == b""
            with pytest.raises(OSError):
                await connect(place)
            place.held[1](RawAnswer(200, b"second"))
            place.held[0](RawAnswer(200, b"first"))
            first = await answer(reader)
            second = await answer(reader)
            assert (first[1], second[1]) == (b"first", b"second")
            assert b"Connection" not in first[2]
            assert b"Connection: close" in second[2]
            assert await reader.read() == b""
            await draining
            idle.close()
            writer.close()

    on_uvloop(run())


def test_drain_cuts_what_takes_too_long():
    async def run():
        async with served(hold=True) as place:
            reader, writer = await connect(place)
            writer.write(GET)
            await place.until(lambda: place.held)
            await place.front.drain(0.02)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
            await place.until(lambda: place.front.connections_open == 0)
            writer.close()

    on_uvloop(run())


# --- TLS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return make_certificate_authority(tmp_path_factory.mktemp("tls"), ["kms.test", "10.1.2.3"])


def client(files, version):
    context = ssl.create_default_context(cafile=str(files.authority))
    # The oldest versions need the oldest rules, on the client's side.
    if version < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def pin(context, version):
    context.minimum_version = context.maximum_version = version
    return context


@pytest.mark.parametrize(
    ("version", "name"),
    [
        pytest.param(ssl.TLSVersion.TLSv1_2, "TLSv1.2", id="1.2"),
        pytest.param(ssl.TLSVersion.TLSv1_3, "TLSv1.3", id="1.3"),
    ],
)
def test_tls_details_reach_the_request(files, version, name):
    async def run():
        context = pin(client(files, version), version)
        async with served(tls=server_context(files.certificate, files.key)) as place:
            reader, writer = await connect(place, ssl=context, server_hostname="localhost")
            writer.write(GET * 2)
            assert (await answer(reader))[:2] == (200, b"/a")
            assert (await answer(reader))[:2] == (200, b"/a")
            details = place.requests[0].tls
            assert details.tls_version == name
            assert details.cipher_suite == writer.get_extra_info("cipher")[0]
            assert details is place.requests[1].tls
            secure = writer.get_extra_info("ssl_object")
            assert secure.selected_alpn_protocol() == "http/1.1"
            writer.close()
            await place.until(lambda: place.front.connections_open == 0)

    on_uvloop(run())


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_tls_1_1_is_refused(files):
    async def run():
        context = pin(client(files, ssl.TLSVersion.TLSv1_1), ssl.TLSVersion.TLSv1_1)
        async with served(tls=server_context(files.certificate, files.key)) as place:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await connect(place, ssl=context, server_hostname="localhost")
            assert place.requests == []

    on_uvloop(run())


def test_a_suite_without_forward_secrecy_is_refused(files):
    async def run():
        context = pin(client(files, ssl.TLSVersion.TLSv1_2), ssl.TLSVersion.TLSv1_2)
        context.set_ciphers("ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256:AES256-SHA")
        async with served(tls=server_context(files.certificate, files.key)) as place:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await connect(place, ssl=context, server_hostname="localhost")

    on_uvloop(run())


def test_peers_that_never_shake_hands_keep_nobody_out(files):
    """They are counted from the first moment, or they would take every open file."""

    async def run():
        context = client(files, ssl.TLSVersion.TLSv1_3)
        tls = server_context(files.certificate, files.key)
        async with served(FrontLimits(connections=8), tls=tls) as place:
            silent = [await asyncio.open_connection("127.0.0.1", place.port) for _ in range(40)]
            reader, writer = await connect(place, ssl=context, server_hostname="localhost")
            writer.write(GET)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            assert place.front.connections_open <= 8
            for _, one in (*silent, (reader, writer)):
                one.close()
            await place.until(lambda: place.front.connections_open == 0)

    on_uvloop(run())


def test_a_refusal_and_a_close_over_tls(files):
    async def run():
        context = client(files, ssl.TLSVersion.TLSv1_3)
        async with served(tls=server_context(files.certificate, files.key)) as place:
            reader, writer = await connect(place, ssl=context, server_hostname="127.0.0.1")
            writer.write(GET + b"nonsense\r\n\r\n")
            assert (await answer(reader))[0] == 200
            assert (await answer(reader))[0] == 400
            assert await reader.read() == b""
            writer.close()

    on_uvloop(run())


def test_the_certificates_are_what_they_should_be(files):
    authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    certificate.verify_directly_issued_by(authority)
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kms.test", "localhost"]
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    assert addresses == ["10.1.2.3", "127.0.0.1", "::1"]
    valid = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert valid.days == 825
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
