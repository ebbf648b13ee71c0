"""The canonical request: the bytes the signer hashed.

Source: IAM User Guide, "Create a signed AWS API request", step 1. Everything is taken from the
request exactly as received; nothing the front may have understood of it is used.
"""

from collections.abc import Mapping
from urllib.parse import quote

from kagimori.rules.refusal import InvalidSignatureException
from kagimori.rules.request import RawRequest

# Headers whose meaning depends on nobody having changed them must be signed when sent.
_MUST_BE_SIGNED_PREFIX = b"x-amz-"


def header_values(headers: tuple[tuple[bytes, bytes], ...]) -> dict[bytes, bytes]:
    """Return one value for each header name; repeated headers are joined by commas, in order."""
    values = dict(headers)
    if len(values) != len(headers):
        values = {}
        for name, value in headers:
            values[name] = values[name] + b"," + value if name in values else value
    return values


def canonical_request(
    raw: RawRequest, values: Mapping[bytes, bytes], signed_headers: str, payload_hash: str
) -> bytes:
    """Return the six parts joined by newlines.

    Raises:
        InvalidSignatureException: `host` or an `x-amz-*` header is not signed, a signed header is
            absent, or the list is not lower-case and sorted.
    """
    names = signed_headers.encode("latin-1").split(b";")
    _check_signed(names, values)
    lines = [raw.method, *_path_and_query(raw.target)]
    for name in names:
        value = values[name]
        if b"  " in value:
            value = b" ".join(part for part in value.split(b" ") if part)
        lines.append(name + b":" + value)
    lines += (b"", signed_headers.encode("latin-1"), payload_hash.encode())
    return b"\n".join(lines)


def _check_signed(names: list[bytes], values: Mapping[bytes, bytes]) -> None:
    if b"host" not in names:
        raise InvalidSignatureException(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        )
    for name in names:
        if name not in values:
            raise InvalidSignatureException(
                f"'{name.decode('latin-1')}' is a signed header but is not in the request."
            )
    for name in values:
        if name.startswith(_MUST_BE_SIGNED_PREFIX) and name not in names:
            raise InvalidSignatureException(
                f"'{name.decode('latin-1')}' must be a 'SignedHeader' in the AWS Authorization."
            )
    if names != sorted(set(names)):
        raise InvalidSignatureException(
            "SignedHeaders must be lower-case, sorted, and name each header once."
        )


def _path_and_query(target: bytes) -> tuple[bytes, bytes]:
    if target == b"/":
        return b"/", b""
    path, _, query = target.partition(b"?")
    return _canonical_path(path), _canonical_query(query)


def _canonical_path(path: bytes) -> bytes:
    """The path as sent, with dot segments resolved, encoded once more."""
    segments: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            if segments:
                segments.pop()
        elif segment not in (b"", b"."):
            segments.append(segment)
    tail = b"/" if path.endswith(b"/") and segments else b""
    return quote(b"/" + b"/".join(segments) + tail, safe="/-_.~").encode()


def _canonical_query(query: bytes) -> bytes:
    if not query:
        return b""
    pairs = []
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        pairs.append((_once(name), _once(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs)).encode()


def _once(text: bytes) -> str:
    """Percent-encode what is not encoded yet, and leave what is."""
    return quote(text, safe="-_.~%")
