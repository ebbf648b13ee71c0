"""Policy JSON, read without losing anything: member order and numbers as they were written.

A member given twice is refused: two readers could each take the other one.

Source: RFC 8259, section 4; KMS Developer Guide, "Key policies in AWS KMS".
"""

import json
import re
from typing import Any, Final, NoReturn

_POLICY_CHARACTERS: Final = re.compile(r"[\t\n\r\x20-\xff]*")


class NotJson(ValueError):
    """The text is not JSON, or has a member twice, or is nested too deeply."""


class Number(str):
    """A JSON number, as written."""

    __slots__ = ()


def read_json(text: str) -> Any:
    """Return the value of a JSON text; objects are dicts in the order written.

    Raises:
        NotJson: it is none, whatever is wrong with it; half a surrogate pair is no text.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_members,
            parse_int=Number,
            parse_float=Number,
            parse_constant=_no_constant,
        )
        if "\\u" in text:  # only an escape can be half a pair, which nobody could print again
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as problem:
        raise NotJson("the text is not JSON") from problem
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJson("a member is given twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is not JSON")


def has_only_policy_characters(text: str) -> bool:
    """Return whether every character is tab, LF, CR or in U+0020 to U+00FF."""
    return _POLICY_CHARACTERS.fullmatch(text) is not None


def print_json(value: Any) -> str:
    """Return the value in the style of Jackson's default pretty printer.

    Two blanks for each level of object, ` : ` between name and value, lists on one line.
    """
    parts: list[str] = []
    _print(value, 0, parts)
    return "".join(parts)


def _print(value: Any, level: int, parts: list[str]) -> None:
    if isinstance(value, dict):
        _print_object(value, level, parts)
    elif isinstance(value, list):
        parts.append("[")
        for number, item in enumerate(value):
            parts.append(", " if number else " ")
            _print(item, level, parts)
        parts.append(" ]")
    elif isinstance(value, Number):
        parts.append(value)
    else:
        parts.append(json.dumps(value, ensure_ascii=False))


def _print_object(value: dict[str, Any], level: int, parts: list[str]) -> None:
    if not value:
        parts.append("{ }")
        return
    inner = "\n" + "  " * (level + 1)
    for number, (name, member) in enumerate(value.items()):
        parts.append(("," if number else "{") + inner + json.dumps(name, ensure_ascii=False))
        parts.append(" : ")
        _print(member, level + 1, parts)
    parts.append("\n" + "  " * level + "}")
