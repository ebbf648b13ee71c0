"""Real servers for tests: the command as its users run it, and clients to speak to it.

Everything waits with a bound, and everything that was started is ended.
"""

import datetime as dt
import http.client
import json
import os
import queue
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path

import boto3
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

# Where botocore finds the model of the admin service.
os.environ["AWS_DATA_PATH"] = str(resources.files("kagimori") / "front" / "service_models")
KAGIMORI = str(Path(sys.executable).with_name("kagimori"))
START_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 60.0
READY = "kagimori ready at "
TARGET = "TrentService."
JSON_TYPE = "application/x-amz-json-1.1"
FORM_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
# What of the tester's own environment must not reach a client or a server.
_OWN_ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith("AWS_")
}


def environment(**variables):
    """Return an environment without any AWS setting but those given."""
    elsewhere = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return {**_OWN_ENVIRONMENT, **elsewhere, **variables}


def run(*arguments, seconds=60.0, check=False, **variables):
    """Run `kagimori` to its end; return code, standard output and standard error."""
    done = subprocess.run(
        [KAGIMORI, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=seconds,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def init(data, *options):
    """Make a deployment; return what `init --output json` printed."""
    return json.loads(run("init", "--data", data, *options, "--output", "json", check=True).stdout)


def stream(data, writer="w0"):
    """Return the audit folder of one of a node's writers: a worker, or `admin`."""
    node = (data / "node-id").read_text().strip()
    return data / "audit" / f"{node}-{writer}"


@contextmanager
def temporary_folder():
    """Yield a short-named folder (a Unix socket's path is bounded), gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="kt-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """A running `kagimori serve` or `kagimori dev`."""

    def __init__(self, arguments, *, data=None, made=None, **variables):
        self.data = data
        self.made = made or {}
        self.stdout, self.stderr = [], []
        self._lines = queue.Queue()
        self.process = subprocess.Popen(
            [KAGIMORI, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**variables),
        )
        self._threads = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.stdout, True)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.stderr, False)),
        ]
        for thread in self._threads:
            thread.start()
        self.url = ""

    def _read(self, stream, lines, announce):
        with stream:
            for line in stream:
                lines.append(line)
                if announce:
                    self._lines.put(line)
        if announce:
            self._lines.put(None)

    def wait_ready(self):
        """Return once the ready line is there, which must be the first."""
        try:
            line = self._lines.get(timeout=START_SECONDS_MAX)
        except queue.Empty:
            line = None
        if line is None or not line.startswith(READY):
            code = self.stop()
            raise AssertionError(f"did not start ({code}): {self.stdout} {''.join(self.stderr)}")
        self.url = line.removeprefix(READY).strip()
        return self

    def stop(self, number=signal.SIGTERM):
        """End it in order; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        for thread in self._threads:
            thread.join(STOP_SECONDS_MAX)
        return code

    def kill(self):
        """End all of its processes at once, as a power cut would."""
        pids = [self.process.pid, *self.pids.values()] if self.data else [self.process.pid]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS_MAX)
        for thread in self._threads:
            thread.join(STOP_SECONDS_MAX)

    # --- what it says of itself -------------------------------------------------------------------

    @property
    def running(self):
        """The facts in run/server.json."""
        return json.loads((self.data / "run" / "server.json").read_text())

    @property
    def pids(self):
        """Process ids: `hsm`, and each worker by name."""
        try:
            return self.running["processes"]
        except (OSError, ValueError):
            return {}

    @property
    def account(self):
        return self.made["account_id"]

    @property
    def region(self):
        return self.made["region"]

    @property
    def credentials(self):
        return Credentials(self.made["access_key_id"], self.made["secret_access_key"])

    # --- clients ----------------------------------------------------------------------------------

    def client(
        self,
        service="kms",
        *,
        region=None,
        access_key=None,
        secret=None,
        token=None,
        **settings,
    ):
        """Return a boto3 client of this server that tries once."""
        session = boto3.session.Session(
            aws_access_key_id=access_key or self.made["access_key_id"],
            aws_secret_access_key=secret or self.made["secret_access_key"],
            aws_session_token=token,
            region_name=region or self.region,
        )
        return session.client(
            service,
            endpoint_url=self.url,
            config=Config(
                retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=60, **settings
            ),
        )

    def environment(self):
        """Return what `kagimori env` sets, for a program to be started with."""
        lines = run("env", "--data", self.data, check=True).stdout.splitlines()
        pairs = (line.removeprefix("export ").split("=", 1) for line in lines)
        return environment(**{name: value.strip("'") for name, value in pairs})

    def send(self, request):
        """Send a `Signed` request as it is; return its `Answer`."""
        return request.send(self.url)


@contextmanager
def served(*options, init_options=(), data=None):
    """Yield a new deployment, served; `data` serves one that exists."""
    with temporary_folder() as folder:
        made = None
        if data is None:
            data = folder / "data"
            made = init(data, *init_options)
        else:
            made = json.loads((data / "root-access-key.json").read_text())
        server = Server(
            ["serve", "--data", data, "--listen", "127.0.0.1:0", *options], data=data, made=made
        ).wait_ready()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def dev_served(*options, **variables):
    """Yield a running `kagimori dev`."""
    made = {"account_id": "000000000000", "region": "us-east-1"}
    made |= {"access_key_id": "test", "secret_access_key": "test"}
    arguments = ["dev", "--listen", "127.0.0.1:0", *options]
    server = Server(arguments, made=made, **variables).wait_ready()
    try:
        yield server
    finally:
        server.stop()


def get(url, *, data=None, context=None):
    """Return status, headers and body of a plain request."""
    request = urllib.request.Request(url, data=data)
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers, refused.read()


# --- requests signed by hand ---------------------------------------------------------------------


class Answer:
    """An HTTP answer, whole."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


class _Clocked(botocore.auth.SigV4Auth):
    """AWS's own signer at a chosen time, with a chosen list of signed headers and scope."""

    def __init__(self, credentials, service, region, when, unsigned, terminator):
        super().__init__(credentials, service, region)
        self._when = when
        self._unsigned = {name.lower() for name in unsigned}
        self._terminator = terminator

    def headers_to_sign(self, request):
        headers = super().headers_to_sign(request)
        for name in self._unsigned:
            del headers[name]
        return headers

    def credential_scope(self, request):
        return self._ended(super().credential_scope(request))

    def scope(self, request):
        return self._ended(super().scope(request))

    def _ended(self, scope):
        return scope.rpartition("/")[0] + "/" + self._terminator if self._terminator else scope

    def signed_at(self, request):
        """Sign with `when` as the time."""
        request.context["timestamp"] = self._when.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)
        canonical = self.canonical_request(request)
        signature = self.signature(self.string_to_sign(request, canonical), request)
        self._inject_signature_to_request(request, signature)


class Signed:
    """A request of a JSON or a Query service, signed, and open to being spoilt before it goes."""

    def __init__(
        self,
        server,
        operation,
        body,
        *,
        service="kms",
        protocol="json",
        region=None,
        target="/",
        headers=None,
        access_key=None,
        secret=None,
        token=None,
        when=None,
        skew_seconds=0,
        unsigned=(),
        terminator=None,
    ):
        self.method, self.target = "POST", target
        self.body = _body(operation, body, protocol)
        credentials = Credentials(
            access_key or server.made["access_key_id"],
            secret or server.made["secret_access_key"],
            token,
        )
        sent = {"Content-Type": JSON_TYPE if protocol == "json" else FORM_TYPE}
        if protocol == "json":
            sent["X-Amz-Target"] = TARGET + operation
        request = AWSRequest("POST", server.url + target, {**sent, **(headers or {})}, self.body)
        when = when or dt.datetime.now(dt.UTC)
        when += dt.timedelta(seconds=skew_seconds)
        region = region or server.region
        signer = _Clocked(credentials, service, region, when, unsigned, terminator)
        signer.signed_at(request)
        self.headers = list(request.headers.items())

    def header(self, name):
        return next(value for key, value in self.headers if key.lower() == name.lower())

    def replace(self, name, value):
        """Put another value in a header's place, or (None) take the header away."""
        self.headers = [(k, v) for k, v in self.headers if k.lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))
        return self

    def change(self, name, before, after):
        """Put `after` for `before` in a header's value, where it must be."""
        value = self.header(name)
        assert before in value
        return self.replace(name, value.replace(before, after))

    def send(self, url):
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        try:
            connection.putrequest(
                self.method, self.target, skip_host=self._has("host"), skip_accept_encoding=True
            )
            for name, value in self.headers:
                connection.putheader(name, value)
            if not self._has("content-length"):
                connection.putheader("Content-Length", str(len(self.body)))
            connection.endheaders(self.body)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def _has(self, name):
        return any(key.lower() == name for key, _ in self.headers)


def _body(operation, body, protocol):
    if isinstance(body, bytes):
        return body
    if protocol == "json":
        return json.dumps(body).encode()
    fields = {"Action": operation, "Version": "2011-06-15", **body}
    return urllib.parse.urlencode(fields).encode()


# --- what tests say about answers ----------------------------------------------------------------


@contextmanager
def refused(code, message=None, status=400):
    """Expect an error answer with this code and (if given) exactly this message."""
    try:
        yield
    except ClientError as problem:
        error = problem.response["Error"]
        found = (error["Code"], problem.response["ResponseMetadata"]["HTTPStatusCode"])
        assert found == (code, status), error
        if message is not None:
            assert error["Message"] == message
    else:
        raise AssertionError(f"was not refused with {code}")


def trust(ca_file):
    """Return a TLS context that trusts one authority."""
    return ssl.create_default_context(cafile=str(ca_file))


def eventually(condition, seconds=10.0):
    """Return once `condition()` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
