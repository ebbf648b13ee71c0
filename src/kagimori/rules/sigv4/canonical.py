"""Builds the canonical request, whose hash is signed.

Source: IAM User Guide, "Create a signed AWS API request", step 1. Everything is taken from the
request exactly as received; nothing the front may have understood of it is used.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from msgspec import Struct

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


class _Layout(Struct, frozen=True):
    """The parts of a canonical request that depend only on the names of its headers.

    `tail` is the end of the canonical request, from the headers on: a template that takes the
    values of `names`, the signed headers, in their order, and the hash of the payload.
    """

    names: tuple[bytes, ...]
    tail: bytes


def canonical_request(
    raw: RawRequest, values: Mapping[bytes, bytes], signed_headers: str, payload_hash: str
) -> bytes:
    """Return the six parts joined by newlines.

    Raises:
        InvalidSignatureException: `host` or an `x-amz-*` header is not signed, a signed header is
            absent, or the list is not lower-case and sorted.
    """
    sent = tuple(values)
    layout = _LAYOUTS.get((signed_headers, sent)) or _layout(signed_headers, sent)
    signed = map(values.__getitem__, layout.names)
    path, query = (b"/", b"") if raw.target == b"/" else _path_and_query(raw.target)
    tail = layout.tail % (*signed, payload_hash.encode())
    if b"  " in tail:
        spaced = [_single_spaced(values[name]) for name in layout.names]
        tail = layout.tail % (*spaced, payload_hash.encode())
    return b"\n".join((raw.method, path, query, tail))


def _layout(signed_headers: str, sent: tuple[bytes, ...]) -> _Layout:
    """Return the layout for the names of signed and sent headers; clients use few of them.

    Raises:
        InvalidSignatureException: these are not the ones that must be signed.
    """
    text = signed_headers.encode("latin-1")
    names = text.split(b";")
    if b"host" not in names:
        raise InvalidSignatureException(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
        )
    for name in names:
        if name not in sent:
            raise InvalidSignatureException(
                f"'{name.decode('latin-1')}' is a signed header but is not in the request."
            )
    for name in sent:
        if name.startswith(_MUST_BE_SIGNED_PREFIX) and name not in names:
            raise InvalidSignatureException(
                f"'{name.decode('latin-1')}' must be a 'SignedHeader' in the AWS Authorization."
            )
    if names != sorted(set(names)):
        raise InvalidSignatureException(
            "SignedHeaders must be lower-case, sorted, and name each header once."
        )
    lines = [name.replace(b"%", b"%%") + b":%b" for name in names]
    tail = b"\n".join((*lines, b"", text.replace(b"%", b"%%"), b"%b"))
    layout = _Layout(tuple(names), tail)
    if len(text) + sum(map(len, sent)) <= _LAYOUT_LENGTH_MAX:
        if len(_LAYOUTS) >= _LAYOUTS_MAX:
            _LAYOUTS.clear()
        _LAYOUTS[signed_headers, sent] = layout
    return layout


_LAYOUTS: Final[dict[tuple[str, tuple[bytes, ...]], _Layout]] = {}
_LAYOUTS_MAX: Final = 200
_LAYOUT_LENGTH_MAX: Final = 1000


def _single_spaced(value: bytes) -> bytes:
    return b" ".join(part for part in value.split(b" ") if part)


def _path_and_query(target: bytes) -> tuple[bytes, bytes]:
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
        if name == b"X-Amz-Signature":  # it cannot cover itself
            continue
        pairs.append((_once(name), _once(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs)).encode()


def _once(text: bytes) -> str:
    """Percent-encode text, leaving escapes that it has already."""
    return quote(text, safe="-_.~%")
