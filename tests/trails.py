"""Audit trails made in memory, with digests signed by a key of our own, to be tampered with."""

import hashlib
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from kagimori.rules.chain.chain import START, join
from kagimori.rules.chain.digest_chain import hold_digests
from kagimori.rules.chain.public_key import AuditPublicKey
from kagimori.rules.chain.verifier import StreamVerifier
from kagimori.trail.files import SUFFIX

GENESIS = "0" * 64
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
PUBLIC_KEY = AuditPublicKey(PEM)


def record(number, event="Encrypt"):
    return json.dumps({"eventName": event, "eventID": f"e{number}", "n": number}).encode()


def file_name(first):
    return f"{first:020d}{SUFFIX}"


def journal(records, per_file=8, link=START):
    """Return files (name to content) of a journal, and the link at its end."""
    files, lines = {}, []
    first = link.sequence + 1
    for content in records:
        line, link = join(link, content)
        lines.append(line)
        if len(lines) == per_file:
            files[file_name(first)] = b"".join(lines)
            first, lines = link.sequence + 1, []
    if lines:
        files[file_name(first)] = b"".join(lines)
    return files, link


def digest(number, ends, before=None, key=KEY, fingerprint=PUBLIC_KEY.fingerprint, **other):
    """Return the file of a digest, made without any of the project's code; `ends` by stream."""
    name = f"digests/{number:020d}.json"
    previous = before.split(b"\n") if before else None
    signature_before = json.loads(previous[1])["signature"] if previous else None
    body = {
        "digestStartTime": "2026-01-01T00:00:00Z",
        "digestEndTime": f"2026-01-01T{number:02d}:00:00Z",
        "digestS3Bucket": "audit",
        "digestS3Object": name,
        "digestPublicKeyFingerprint": fingerprint,
        "newestEventTime": None,
        "oldestEventTime": None,
        "previousDigestS3Bucket": "audit" if previous else None,
        "previousDigestS3Object": f"digests/{number - 1:020d}.json" if previous else None,
        "previousDigestHashValue": hashlib.sha256(previous[0]).hexdigest() if previous else None,
        "previousDigestHashAlgorithm": "SHA-256" if previous else None,
        "previousDigestSignature": signature_before,
        "logFiles": [],
        "digestSignatureAlgorithm": "SHA256withRSA",
        "number": number,
        "streams": [
            {
                "stream": stream,
                "newestSequence": link.sequence,
                "newestHash": link.line_hash,
                "records": 0,
                "firstSequence": 1,
                "firstPrevious": GENESIS,
            }
            for stream, link in ends.items()
        ],
        "counts": {},
        **other,
    }
    content = json.dumps(body, separators=(",", ":")).encode()
    text = "\n".join(
        (
            body["digestEndTime"],
            f"audit/{name}",
            hashlib.sha256(content).hexdigest(),
            signature_before or "null",
        )
    )
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()).hex()
    sealed = json.dumps(
        {"signature": signature, "signatureAlgorithm": "SHA256withRSA"}, separators=(",", ":")
    )
    return content + b"\n" + sealed.encode() + b"\n"


class Trail:
    """Streams (name to files), digests and checkpoints (name to content)."""

    def __init__(self, streams, digests, checkpoints=None):
        self.streams, self.digests, self.checkpoints = streams, digests, checkpoints or {}

    def copy(self):
        streams = {stream: dict(files) for stream, files in self.streams.items()}
        return Trail(streams, dict(self.digests), dict(self.checkpoints))

    def write(self, audit):
        """Write it as a folder."""
        (audit / "digests").mkdir(parents=True)
        (audit / "public-key.pem").write_bytes(PEM)
        for name, content in self.digests.items():
            (audit / "digests" / name).write_bytes(content)
        for stream, files in self.streams.items():
            (audit / stream).mkdir()
            for name, content in files.items():
                (audit / stream / name).write_bytes(content)

    def verify(self):
        """Return all findings, without touching a disk."""
        demands = hold_digests(
            sorted(self.digests.items()), sorted(self.checkpoints.items()), PUBLIC_KEY
        )
        found = list(demands.findings)
        for stream in sorted({*self.streams, *demands.expectations}):
            verifier = StreamVerifier(
                stream, demands.expectations.get(stream, ()), demands.beginnings.get(stream)
            )
            for name, content in sorted(self.streams.get(stream, {}).items()):
                digits = name.removesuffix(SUFFIX)
                verifier.file(name, int(digits) if digits.isdigit() else None)
                end = content.rfind(b"\n") + 1
                for piece in (content[:end], content[end:]):
                    if piece:
                        verifier.piece(piece)
            report = verifier.end()
            found += report.findings
        return found


def trail(records=24, per_file=8):
    """Return an intact trail: two streams, three digests, the newest of which covers all."""
    half = records // 2
    files, middle = journal(map(record, range(half)), per_file)
    rest, end = journal(map(record, range(half, records)), per_file, middle)
    other, other_end = journal(map(record, range(5)), per_file)
    one = digest(1, {})
    two = digest(2, {"w0": middle}, one)
    three = digest(3, {"w0": end, "w1": other_end}, two)
    digests = {f"{number:020d}.json": file for number, file in enumerate((one, two, three), 1)}
    return Trail({"w0": files | rest, "w1": other}, digests, {"checkpoint-3.json": three})
