"""Key policies, read and compiled once for all keys that have the same text.

Most keys of an account have its default policy: without this each would be compiled when it is made
and again when it is loaded, and each would take its own place in memory. Long texts are not shared,
so that what is kept here stays small whatever callers write.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from .document import parse_policy
from .evaluate import CompiledPolicy, compile_policy
from .grammar import Document, Kind

_SHARED_MAX: Final = 1024
_SHARED_CHARACTERS_MAX: Final = 2048

Pins = tuple[tuple[str, str], ...]


def key_policy_document(text: str, *, partition: str | None) -> Document:
    """Return the document of a key policy; a stored one, which is not checked, has no partition.

    Raises:
        MalformedPolicyDocumentException, InvalidArnException, LimitExceededException: refused.
    """
    read = _shared_document if len(text) <= _SHARED_CHARACTERS_MAX else _document
    return read(text, partition)


def compiled_key_policy(
    text: str, pins: Mapping[str, str], *, partition: str | None = None
) -> CompiledPolicy:
    """Return a key policy compiled; `pins` are the unique ids of principals that it names.

    Raises:
        MalformedPolicyDocumentException, InvalidArnException, LimitExceededException: refused.
    """
    compiled = _shared_compiled if len(text) <= _SHARED_CHARACTERS_MAX else _compiled
    return compiled(text, tuple(pins.items()), partition)


def _document(text: str, partition: str | None) -> Document:
    if partition is None:
        return parse_policy(text, Kind.KEY, stored=True)
    return parse_policy(text, Kind.KEY, partition=partition)


def _compiled(text: str, pins: Pins, partition: str | None) -> CompiledPolicy:
    return compile_policy(key_policy_document(text, partition=partition), pins=dict(pins))


_shared_document = lru_cache(maxsize=_SHARED_MAX)(_document)
_shared_compiled = lru_cache(maxsize=_SHARED_MAX)(_compiled)
