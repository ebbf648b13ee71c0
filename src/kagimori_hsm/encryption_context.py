"""The canonical form of an encryption context: the bytes that are authenticated.

No two different contexts share a form, and the order in which a caller wrote the pairs does not
matter: pairs sorted by the UTF-8 bytes of their key, each key and value preceded by its length.
"""

from struct import pack


def canonical(encryption_context: dict[str, str]) -> bytes:
    """Return the additional authenticated data for a context; an empty one has a form as well."""
    if not encryption_context:
        return b"\x00\x00\x00\x00"
    if len(encryption_context) == 1:
        # The common case, without the sort.
        ((key, value),) = encryption_context.items()
        name, text = key.encode(), value.encode()
        return pack(">II", 1, len(name)) + name + pack(">I", len(text)) + text
    parts = [pack(">I", len(encryption_context))]
    for name, text in sorted((k.encode(), v.encode()) for k, v in encryption_context.items()):
        parts += (pack(">I", len(name)), name, pack(">I", len(text)), text)
    return b"".join(parts)
