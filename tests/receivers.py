"""Receivers for tests: a web server on loopback that checks signatures, and remembers."""

import hashlib
import hmac
import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = b"a secret of the tests, long enough"


class Received:
    """What came, in order; `refusing` makes the receiver answer 503."""

    def __init__(self):
        self.refusing = False
        self.refused = 0
        self.bodies, self.bad = [], []
        self.objects = {}
        self.puts = []
        self.url = ""

    @property
    def events(self):
        return [json.loads(body) for _, body in self.bodies]

    def of(self, detail_type):
        return [event for event in self.events if event["detail-type"] == detail_type]

    def take(self, headers, body):
        timestamp = headers["X-Kagimori-Timestamp"]
        signed = timestamp.encode() + b"." + body
        expected = "v1=" + hmac.new(SECRET, signed, hashlib.sha256).hexdigest()
        if headers["X-Kagimori-Signature"] != expected or abs(time.time() - int(timestamp)) > 60:
            self.bad.append(body)
        if self.refusing:
            self.refused += 1
            return 503
        self.bodies.append((headers["X-Kagimori-Event"], body))
        return 204


@contextmanager
def receiver(context=None):
    """Yield a `Received`, filled by a receiver that listens on loopback."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(received.take(self.headers, body))
            self.end_headers()

        def do_PUT(self):
            """As an S3-compatible bucket: the request is kept as it came."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = 503 if received.refusing else 200
            if status == 200:
                received.puts.append((self.path, dict(self.headers), body))
                received.objects[self.path] = body
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    scheme = "http" if context is None else "https"
    received.url = f"{scheme}://127.0.0.1:{server.server_address[1]}/events"
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
