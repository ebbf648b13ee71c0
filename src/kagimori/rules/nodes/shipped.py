"""Lines of a journal as they are kept beside backups: encrypted, and bound to their name.

    "kagimori journal", line feed | nonce (12) | a block of lines, compressed, in AES-256-GCM

The name of an object says which lines it has: `journals/KEY/STREAM/FIRST-LAST`, with the first half
of the SHA-256 of the key. It is authenticated with them, so that no object passes for another.
"""

import re
from hashlib import sha256
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from kagimori.rules.chain.stream_names import is_stream_name
from kagimori.rules.nodes.shared_trail import SEQUENCE_DIGITS, TrailBlock, key_of
from kagimori.rules.numbers import whole

MAGIC: Final = b"kagimori journal\n"
NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32
FOLDER: Final = "journals"
_NAME: Final = re.compile(r"([A-Za-z0-9-]{1,80})/([0-9]{20})-([0-9]{20})")


class BadShipment(ValueError):
    """An object that was altered, or is no shipped part of a journal."""


class ShippedPart(Struct, frozen=True, order=True):
    """The lines in an object, by its name."""

    stream: str
    first: int
    last: int
    name: str


def folder_of(key: bytes) -> str:
    """Return the beginning of the names of all objects that are encrypted with a key."""
    return f"{FOLDER}/{sha256(key).hexdigest()[:32]}/"


def name_of(key: bytes, block: TrailBlock) -> str:
    """Return the name of the object for a block of lines."""
    return f"{folder_of(key)}{block.stream}/{block.first}-{key_of(block.last_sequence)}"


def part_of(name: str, key: bytes) -> ShippedPart | None:
    """Return the lines that an object's name says it has; None if it is not the name of one."""
    found = _NAME.fullmatch(name.removeprefix(folder_of(key)))
    if found is None or not is_stream_name(found[1]):
        return None
    first, last = (whole(text, digits_max=SEQUENCE_DIGITS) for text in found.groups()[1:])
    return None if first is None or last is None else ShippedPart(found[1], first, last, name)


def sealed(key: bytes, block: TrailBlock, nonce: bytes) -> bytes:
    """Return the content of the object for a block of lines; `nonce` is of this one alone."""
    plain, name = msgspec.msgpack.encode(block), name_of(key, block)
    return MAGIC + nonce + AESGCM(key).encrypt(nonce, plain, name.encode())


def unsealed(key: bytes, name: str, content: bytes) -> TrailBlock:
    """Return the block of lines in an object.

    Raises:
        BadShipment: it was altered, cut short, or is another one's.
    """
    start = len(MAGIC) + NONCE_BYTES
    try:
        plain = AESGCM(key).decrypt(content[len(MAGIC) : start], content[start:], name.encode())
        block = msgspec.msgpack.decode(plain, type=TrailBlock)
    except (InvalidTag, ValueError):  # msgspec's refusals are ValueErrors
        raise BadShipment("was altered, or is no part of a journal") from None
    if not content.startswith(MAGIC) or name_of(key, block) != name:
        raise BadShipment("was altered, or is no part of a journal")
    return block
