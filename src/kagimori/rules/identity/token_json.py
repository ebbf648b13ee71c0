"""JSON that others sign or publish: one value for each name, and only numbers that there are.

Where a member is there twice, two readers could each take the other one; and Python reads NaN and
infinity, which compare with nothing.

Source: RFC 8259, section 4; RFC 7519, section 4.
"""

import json
from typing import Any, NoReturn


def read_object(content: bytes) -> dict[str, Any]:
    """Return the object of a JSON text.

    Raises:
        ValueError: no JSON, no object, a member twice, NaN, nested too deeply, or half a character.
    """
    try:
        found = json.loads(
            content.decode(), object_pairs_hook=_members, parse_constant=_no_constant
        )
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("no object")  # noqa: TRY004 - a text that is none, not a wrong argument
    return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
