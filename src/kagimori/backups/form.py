"""The form of a backup: a readable head, and an archive that is encrypted in chunks.

    "kagimori backup", line feed | version (1) | length of header (4, big-endian) | header | chunks

The header is MessagePack. It holds the sealed domains, so that a root opens a backup on an empty
machine, and the key of the chunks as the HSM wrapped it. Each chunk is encrypted with AES-256-GCM
under that key; its nonce is its number (11 bytes) and a 1 in the last one alone, and all that comes
before the chunks is authenticated with each: nothing can be altered, moved, cut off or added.

Source: Hoang, Reyhanitabar, Rogaway, Vizar, "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance", 2015 (STREAM).
"""

from hashlib import sha256
from typing import Final, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

MAGIC: Final = b"kagimori backup\n"
VERSION: Final = 1
CHUNK_BYTES: Final = 1024 * 1024
HEADER_BYTES_MAX: Final = 4 * 1024 * 1024
TAG_BYTES: Final = 16
_LENGTH_BYTES: Final = 4
_COUNTER_BYTES: Final = 11


class Readable(Protocol):
    """The source of a backup: gives so many bytes at once, fewer only at its end."""

    def read(self, size: int, /) -> bytes: ...


class Writable(Protocol):
    """The target of a backup, which takes its bytes in order."""

    def write(self, data: bytes, /) -> object: ...


class BackupRefused(Exception):
    """A reason why a file is not read as a backup, as one line for people."""


class Header(Struct, frozen=True, kw_only=True):
    """The facts about a backup that everybody can read. `made_at` is in seconds since the epoch.

    `schema` numbers the store's schema; `made_by` is the version of Kagimori.
    """

    backup_id: str
    made_at: float
    made_by: str
    schema: int
    sealed_domains: bytes
    wrapped_key: bytes


class ReadHeader(Struct, frozen=True):
    """A header as it stands in a file; `bound` is what its chunks are authenticated with."""

    header: Header
    bound: bytes


def write_header(out: Writable, header: Header) -> bytes:
    """Write the head of a backup; return what its chunks are authenticated with."""
    content = msgspec.msgpack.encode(header)
    head = MAGIC + bytes((VERSION,)) + len(content).to_bytes(_LENGTH_BYTES, "big") + content
    out.write(head)
    return sha256(head).digest()


def read_header(source: Readable) -> ReadHeader:
    """Return the head of a backup; nothing of it is believed before a chunk was decrypted.

    Raises:
        BackupRefused: it is no backup, damaged, or of a newer version.
    """
    start = source.read(len(MAGIC) + 1 + _LENGTH_BYTES)
    if not start.startswith(MAGIC) or len(start) < len(MAGIC) + 1 + _LENGTH_BYTES:
        raise BackupRefused("is no backup")
    version = start[len(MAGIC)]
    if version > VERSION:
        raise BackupRefused(f"was made by a newer version of Kagimori (form {version})")
    length = int.from_bytes(start[-_LENGTH_BYTES:], "big")
    content = source.read(length) if length <= HEADER_BYTES_MAX else b""
    if version < VERSION or len(content) < length or not content:
        raise BackupRefused("is damaged: its header cannot be read")
    try:
        header = msgspec.msgpack.decode(content, type=Header)
    except (ValueError, RecursionError):  # msgspec's refusals are ValueErrors
        raise BackupRefused("is damaged: its header cannot be read") from None
    return ReadHeader(header, sha256(start + content).digest())


class Encrypting:
    """Takes bytes as a file does, and writes them encrypted. Nothing is whole before `finish`."""

    def __init__(self, out: Writable, key: bytes, bound: bytes) -> None:
        self._out, self._cipher, self._bound = out, AESGCM(key), bound
        self._buffer = bytearray()
        self._number = 0

    def write(self, data: bytes) -> int:
        """Take bytes; write the chunks that are full and cannot be the last."""
        self._buffer += data
        while len(self._buffer) > CHUNK_BYTES:
            self._chunk(bytes(self._buffer[:CHUNK_BYTES]), is_last=False)
            del self._buffer[:CHUNK_BYTES]
        return len(data)

    def finish(self) -> None:
        """Write the last chunk."""
        self._chunk(bytes(self._buffer), is_last=True)
        self._buffer.clear()

    def _chunk(self, plain: bytes, *, is_last: bool) -> None:
        nonce = nonce_of(self._number, is_last=is_last)
        self._out.write(self._cipher.encrypt(nonce, plain, self._bound))
        self._number += 1


class Decrypting:
    """Reads the bytes that `Encrypting` took, as a file does; each chunk is authenticated first.

    Raises:
        BackupRefused: from `read`; another key, or the chunk was altered, moved or cut off.
    """

    def __init__(self, source: Readable, key: bytes, bound: bytes) -> None:
        self._source, self._cipher, self._bound = source, AESGCM(key), bound
        self._next = source.read(CHUNK_BYTES + TAG_BYTES)
        self._plain = memoryview(b"")
        self._number = 0
        self.is_at_end = False

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, fewer only at the end."""
        parts: list[memoryview] = []
        while size:
            if not self._plain:
                if self.is_at_end:
                    break
                self._plain = memoryview(self._chunk())
                continue
            part, self._plain = self._plain[:size], self._plain[size:]
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _chunk(self) -> bytes:
        chunk, self._next = self._next, self._source.read(CHUNK_BYTES + TAG_BYTES)
        self.is_at_end = not self._next
        plain = self._opened(chunk, is_last=self.is_at_end)
        if plain is None:
            is_cut = self.is_at_end and self._opened(chunk, is_last=False) is not None
            raise BackupRefused("is cut short" if is_cut or not chunk else "was altered")
        self._number += 1
        return plain

    def _opened(self, chunk: bytes, *, is_last: bool) -> bytes | None:
        nonce = nonce_of(self._number, is_last=is_last)
        try:
            return self._cipher.decrypt(nonce, chunk, self._bound)
        except (InvalidTag, ValueError):
            return None


def nonce_of(number: int, *, is_last: bool) -> bytes:
    """Return the nonce of a chunk."""
    return number.to_bytes(_COUNTER_BYTES, "big") + bytes((is_last,))
