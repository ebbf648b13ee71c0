"""A bucket for tests, as S3 answers: signatures are checked with AWS's own code, faults on demand.

It speaks what backups and the shipped trail need: objects, ranges, lists, and uploads in parts.
"""

import base64
import hashlib
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS_KEY, SECRET, REGION = (
    "AKIAIOSFODNN7EXAMPLE",
    "a secret of the bucket's tests",
    "eu-central-1",
)
PAGE = 3  # names in one answer, so that lists have several


class Bucket:
    """What is in the bucket, and how it answers.

    `faults` maps a method to answers that are given instead of its next ones: a status, "close"
    (the connection ends without an answer), "half" (half of an object), or "late error".
    """

    def __init__(self):
        self.objects, self.uploads, self.asked = {}, {}, []
        self.faults = {}
        self.url = ""
        self.lock = threading.Lock()

    @property
    def environment(self):
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
        }

    def fault(self, method, path):
        with self.lock:
            self.asked.append((method, path))
            waiting = self.faults.get(method, [])
            return waiting.pop(0) if waiting else None


def error(code):
    return f'<?xml version="1.0"?>\n<Error><Code>{code}</Code></Error>'.encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self, method):
        bucket = self.server.bucket
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = bucket.fault(method, self.path)
        if fault == "close":
            self.close_connection = True
            return
        if isinstance(fault, int):
            self.answer(fault, error("AccessDenied" if fault == 403 else "InternalError"))
            return
        if not self.is_signed(method, body):
            self.answer(403, error("SignatureDoesNotMatch"))
            return
        checksum = self.headers.get("x-amz-checksum-sha256")
        if checksum and base64.b64encode(hashlib.sha256(body).digest()).decode() != checksum:
            self.answer(400, error("BadDigest"))
            return
        parts = urlsplit(self.path)
        _, _, name = parts.path.removeprefix("/").partition("/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        with bucket.lock:
            getattr(self, f"on_{method.lower()}")(bucket, name, query, body, fault)

    def is_signed(self, method, body):
        authorization = self.headers.get("authorization", "")
        names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        request = AWSRequest(method, f"http://{self.headers['host']}{self.path}", data=body)
        for name in names:
            if name != "host":
                request.headers[name] = self.headers[name]
        auth = S3SigV4Auth(Credentials(ACCESS_KEY, SECRET), "s3", REGION)
        request.context["timestamp"] = self.headers["x-amz-date"]
        text = auth.string_to_sign(request, auth.canonical_request(request))
        return authorization.endswith(f"Signature={auth.signature(text, request)}")

    def on_put(self, bucket, name, query, body, _):
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        if "uploadId" not in query:
            bucket.objects[name] = body
        elif query["uploadId"] not in bucket.uploads:
            self.answer(404, error("NoSuchUpload"))
            return
        else:
            bucket.uploads[query["uploadId"]][int(query["partNumber"])] = (etag, body)
        self.answer(200, b"", ETag=etag)

    def on_post(self, bucket, name, query, body, fault):
        if "uploads" in query:
            upload_id = f"upload.{len(bucket.asked)}~/+="  # what must be encoded in a query
            bucket.uploads[upload_id] = {}
            self.answer(200, f"<X><UploadId>{upload_id}</UploadId></X>".encode())
            return
        if fault == "late error":
            self.answer(200, error("InternalError"))
            return
        parts = bucket.uploads.pop(query["uploadId"], None)
        if parts is None:
            self.answer(404, error("NoSuchUpload"))
            return
        told = re.findall(r"<PartNumber>(\d+)</PartNumber><ETag>([^<]+)</ETag>", body.decode())
        assert [(int(n), e.replace("&quot;", '"')) for n, e in told] == [
            (number, etag) for number, (etag, _) in sorted(parts.items())
        ]
        bucket.objects[name] = b"".join(content for _, (_, content) in sorted(parts.items()))
        if fault == "lost answer":
            self.close_connection = True
            return
        self.answer(200, b"<CompleteMultipartUploadResult/>")

    def on_delete(self, bucket, name, query, body, _):
        del name, body
        bucket.uploads.pop(query["uploadId"], None)
        self.answer(204, b"")

    def on_head(self, bucket, name, query, body, _):
        del query, body
        found = bucket.objects.get(name)
        self.answer(404 if found is None else 200, b"", length=len(found or b""))

    def on_get(self, bucket, name, query, body, fault):
        del body
        if not name:
            self.answer(200, listed(bucket.objects, query))
            return
        found = bucket.objects.get(name)
        if found is None:
            self.answer(404, error("NoSuchKey"))
            return
        etag, start = f'"{hashlib.md5(found).hexdigest()}"', 0
        if self.headers.get("if-match") not in (None, etag):
            self.answer(412, error("PreconditionFailed"))
            return
        more = {"ETag": etag}
        if wanted := self.headers.get("range"):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            more["Content-Range"] = f"bytes {start}-{len(found) - 1}/{len(found)}"
        rest = found[start:]
        sent = rest[: len(rest) // 2] if fault == "half" else rest
        self.answer(206 if wanted else 200, sent, length=len(rest), **more)
        if fault == "half":
            self.close_connection = True

    def answer(self, status, body, length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("Content_", "Content-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.handle_one("GET")

    def do_HEAD(self):
        self.handle_one("HEAD")

    def do_PUT(self):
        self.handle_one("PUT")

    def do_POST(self):
        self.handle_one("POST")

    def do_DELETE(self):
        self.handle_one("DELETE")

    def log_message(self, *_):
        pass


def listed(objects, query):
    names = [
        name
        for name in sorted(objects)
        if name.startswith(query["prefix"]) and name > query.get("start-after", "")
    ]
    keys = "".join(f"<Contents><Key>{name}</Key></Contents>" for name in names[:PAGE])
    more = "true" if len(names) > PAGE else "false"
    return f"<ListBucketResult>{keys}<IsTruncated>{more}</IsTruncated></ListBucketResult>".encode()


@contextmanager
def served():
    """Yield a `Bucket` that listens on loopback."""
    bucket = Bucket()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.bucket = bucket
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    bucket.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield bucket
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
