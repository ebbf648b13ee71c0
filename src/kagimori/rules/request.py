"""One request in its stages: as received, as a call, as an answer.

Frozen values; each stage is made by one part of the path and read by the next.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class TlsDetails(Struct, frozen=True):
    """The version and cipher of a TLS connection, for the audit record."""

    tls_version: str
    cipher_suite: str


class RawRequest(Struct, frozen=True, gc=False):
    """A whole HTTP request, as received.

    `target` is the request target (path and query) byte for byte. Header names are lower-case;
    values are as received without surrounding white space; order and repetition are kept. `values`
    are the same by name; None if a name is repeated, or nobody has put them so.
    """

    request_id: str
    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    source_ip: str
    tls: TlsDetails | None = None
    values: Mapping[bytes, bytes] | None = None


class RawAnswer(Struct, frozen=True, gc=False):
    """Status, content type and body; the front adds the request id and the other headers.

    `headers` are further header lines, each with its line end.
    """

    status: int
    body: bytes
    content_type: bytes = b"application/x-amz-json-1.1"
    headers: bytes = b""


class Call(Struct, frozen=True, gc=False):
    """A call: an action of a service in a region, with its validated members.

    `input` is a struct made from the service model's input shape: one attribute for each member,
    under AWS's names, `None` when absent; blobs are bytes, timestamps float seconds since the
    epoch, structures again structs, maps dicts, lists lists.
    """

    service: str
    operation: str
    region: str
    input: Any
