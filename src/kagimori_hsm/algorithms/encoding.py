"""The little of ASN.1 that the library does not do: write DER, read a sequence, turn BER into DER.

It carries no cryptography. The parsers of keys are the library's; this only puts in front of them
what they refuse to look at (BER) or do not show (whether a curve was named).

Source: ITU-T X.690 sections 8 (BER), 10 (DER).
"""

from typing import Final

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OID: Final = 0x06
SEQUENCE: Final = 0x30
SET: Final = 0x31

# The content of the object identifiers by which keys name their algorithm.
RSA_ENCRYPTION: Final = bytes.fromhex("2a864886f70d010101")  # RFC 8017, appendix A.1
EC_PUBLIC_KEY: Final = bytes.fromhex("2a8648ce3d0201")  # RFC 5480, section 2.1.1
ED25519: Final = bytes.fromhex("2b6570")  # RFC 8410, section 3

_CONSTRUCTED: Final = 0x20
_LONG_FORM: Final = 0x80
_MULTIBYTE_TAG: Final = 0x1F
_LENGTH_BYTES_MAX: Final = 3  # 16 MiB, far above any message
_DEPTH_MAX: Final = 16


def tlv(tag: int, *contents: bytes) -> bytes:
    """Return one DER element: tag, shortest length, contents joined."""
    content = b"".join(contents)
    if len(content) < _LONG_FORM:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM | len(length))) + length + content


def members(sequence: bytes) -> list[tuple[int, bytes]]:
    """Return tag and content of each member of a DER SEQUENCE that fills `sequence`.

    Raises:
        ValueError: not such a sequence.
    """
    tag, start, end = _header(sequence, 0)
    if tag != SEQUENCE or end != len(sequence):
        raise ValueError("not a DER sequence")
    found: list[tuple[int, bytes]] = []
    while start < end:
        tag, inner, after = _header(sequence, start)
        if after is None or after > end:
            raise ValueError("an element leaves its sequence")
        found.append((tag, sequence[inner:after]))
        start = after
    return found


def algorithm_of(key: bytes, *, outer: int) -> list[tuple[int, bytes]]:
    """Return the members of a key's AlgorithmIdentifier: the OID, perhaps parameters.

    `outer` is its place in the key: 0 in a SubjectPublicKeyInfo, 1 in PKCS#8.

    Raises:
        ValueError: it has none.
    """
    outer_members = members(key)
    if len(outer_members) <= outer or outer_members[outer][0] != SEQUENCE:
        raise ValueError("no algorithm identifier")
    return members(tlv(SEQUENCE, outer_members[outer][1]))


def is_algorithm(key: bytes, oid: bytes, *, outer: int) -> bool:
    """Return whether a key says that it is of this algorithm (the content of an OID).

    Asked before the library parses a key of others: of the algorithms it knows, some have parsers
    that answer false bytes with an internal error.

    Raises:
        ValueError: it has no AlgorithmIdentifier.
    """
    return algorithm_of(key, outer=outer)[:1] == [(OID, oid)]


def has_named_parameters(key: bytes, *, outer: int) -> bool:
    """Return whether a key's parameters are one OID (a named curve), not spelt out.

    Raises:
        ValueError: it has no AlgorithmIdentifier.
    """
    return [tag for tag, _ in algorithm_of(key, outer=outer)] == [OID, OID]


def to_der(data: bytes) -> bytes:
    """Return the one BER element that fills `data` as DER: definite lengths, strings in one piece.

    Raises:
        ValueError: not BER, more than one element, or a form that no key has (constructed bit
            strings, tags of several bytes, lengths over 16 MiB, nesting over 16).
    """
    element, end = _element(data, 0, _DEPTH_MAX)
    if end != len(data):
        raise ValueError("bytes after the element")
    return element


def _header(data: bytes, at: int) -> tuple[int, int, int | None]:
    """Return the tag, where the content starts and where it ends (None: indefinite)."""
    if at + 2 > len(data):
        raise ValueError("cut short")
    tag, first = data[at], data[at + 1]
    at += 2
    if tag & _MULTIBYTE_TAG == _MULTIBYTE_TAG:
        raise ValueError("a tag of several bytes")
    if first == _LONG_FORM:
        return tag, at, None
    length = first
    if first > _LONG_FORM:
        size = first & ~_LONG_FORM
        if size > _LENGTH_BYTES_MAX or at + size > len(data):
            raise ValueError("a length too long")
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    if at + length > len(data):
        raise ValueError("cut short")
    return tag, at, at + length


def _element(data: bytes, at: int, depth: int) -> tuple[bytes, int]:
    """Return the element at `at` as DER, and where it ends in `data`."""
    if depth == 0:
        raise ValueError("nested too deep")
    tag, start, end = _header(data, at)
    if not tag & _CONSTRUCTED:
        if end is None:
            raise ValueError("a primitive of indefinite length")
        return tlv(tag, data[start:end]), end
    parts, after = _parts(data, start, end, depth - 1)
    if tag == OCTET_STRING | _CONSTRUCTED:
        return _joined(parts), after
    if tag == BIT_STRING | _CONSTRUCTED:
        raise ValueError("a bit string in pieces")
    return tlv(tag, *parts), after


def _parts(data: bytes, start: int, end: int | None, depth: int) -> tuple[list[bytes], int]:
    parts: list[bytes] = []
    while end is None or start < end:
        if end is None and data[start : start + 2] == b"\0\0":
            return parts, start + 2
        part, start = _element(data, start, depth)
        parts.append(part)
    if start != end:
        raise ValueError("an element leaves its container")
    return parts, start


def _joined(parts: list[bytes]) -> bytes:
    pieces: list[bytes] = []
    for part in parts:
        tag, start, end = _header(part, 0)
        if tag != OCTET_STRING:
            raise ValueError("an octet string made of something else")
        pieces.append(part[start:end])
    return tlv(OCTET_STRING, *pieces)
