"""The condition operators: for each, how its operands are read and how one value is compared.

A matcher says whether one value of the request fits any of the operands; what a negated operator,
`…IfExists` and the set operators make of that is the business of `condition.py`.

Source: IAM User Guide, reference_policies_elements_condition_operators and "IAM JSON policy
elements: Condition operators".
"""

import base64
import ipaddress
import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from kagimori.rules.folding import fold

from .match import Test, arn_condition, arn_cost, cost_of, glob
from .steps import NOTHING, Cost, total
from .template import Filled, Wild

# The same callers come again, and to read an address takes longer than all the rest.
_ADDRESSES_REMEMBERED: Final = 4096


class IllTyped(ValueError):
    """A text that is not of the type the operator compares."""


Parse = Callable[[str], Any]
Compare = Callable[[Any, Any], bool]


class Operator(Struct, frozen=True):
    """One operator; `compare` is None for the families that work on text or ARN patterns."""

    family: str
    negated: bool = False
    wildcards: bool = False
    compare: Compare | None = None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,400}(\.[0-9]{1,400})?", re.ASCII)
_DATE: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,15}))?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_CIDR: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?")
# Python's own decoder takes more padding than there should be.
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_HOUR: Final = 3600
# What it costs to fold the case of a character that is not ASCII.
_FOLDING: Final = Cost(1, 8)
_BOOLEANS: Final = frozenset({"true", "false"})


def number(text: str) -> Decimal:
    """Return an integer or decimal exactly; no exponent, no infinity."""
    if _NUMBER.fullmatch(text) is None:
        raise IllTyped(text)
    return Decimal(text)


def instant(text: str) -> Decimal:
    """Return seconds since the epoch, from ISO 8601 (UTC unless it says otherwise) or a number."""
    found = _DATE.fullmatch(text)
    if found is None:
        return number(text)
    year, month, day, hour, minute, second = (int(part or "0") for part in found.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as problem:
        raise IllTyped(text) from problem
    whole = Decimal((moment - _EPOCH) // timedelta(seconds=1))
    return whole + Decimal(f"0.{found[7] or 0}") - _offset_seconds(found[8] or "Z")


def _offset_seconds(zone: str) -> int:
    if zone == "Z":
        return 0
    seconds = int(zone[1:3]) * _HOUR + int(zone[-2:]) * 60
    return seconds if zone[0] == "+" else -seconds


def boolean(text: str) -> str:
    """Return `true` or `false`."""
    folded = fold(text)
    if folded not in _BOOLEANS:
        raise IllTyped(text)
    return folded


def binary(text: str) -> bytes:
    """Return the bytes that a base64 text stands for."""
    if _BASE64.fullmatch(text) is None:
        raise IllTyped(text)
    return base64.b64decode(text)


def _one_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if _CIDR.fullmatch(text) is None or "/" in text:
        raise IllTyped(text)
    try:
        address = ipaddress.ip_address(text)
    except ValueError as problem:
        raise IllTyped(text) from problem
    # A dual-stack listener shows IPv4 callers in this form; they are IPv4 callers.
    return getattr(address, "ipv4_mapped", None) or address


def network(text: str) -> tuple[int, int, int]:
    """Return version, first and last address of a CIDR range; a bare address is a range of one."""
    if _CIDR.fullmatch(text) is None:
        raise IllTyped(text)
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError as problem:
        raise IllTyped(text) from problem
    return found.version, int(found.network_address), int(found.broadcast_address)


@lru_cache(maxsize=_ADDRESSES_REMEMBERED)
def address(text: str) -> tuple[int, int, int]:
    """Return the address of a caller in the form of a range of one."""
    found = _one_address(text)
    return found.version, int(found), int(found)


def _within(one: tuple[int, int, int], many: tuple[int, int, int]) -> bool:
    return one[0] == many[0] and many[1] <= one[1] <= many[2]


def fold_text(text: str) -> str:
    """Return the text as StringEqualsIgnoreCase compares it: each character up, then down.

    Character for character as Java's `equalsIgnoreCase` does, which AWS is taken to use; characters
    whose case needs more than one character stay as they are.
    """
    if text.isascii():
        return text.lower()
    return "".join(_fold_character(character) for character in text)


def _fold_character(character: str) -> str:
    upper = character.upper()
    lower = (upper if len(upper) == 1 else character).lower()
    return lower if len(lower) == 1 else character


# How request values and policy operands of a typed family are read.
TYPES: Final[dict[str, tuple[Parse, Parse]]] = {
    "Numeric": (number, number),
    "Date": (instant, instant),
    "Bool": (boolean, boolean),
    "Binary": (binary, binary),
    "Ip": (address, network),
}


def _ordered(family: str) -> dict[str, Operator]:
    return {
        f"{family}Equals": Operator(family, compare=operator.eq),
        f"{family}NotEquals": Operator(family, negated=True, compare=operator.eq),
        f"{family}LessThan": Operator(family, compare=operator.lt),
        f"{family}LessThanEquals": Operator(family, compare=operator.le),
        f"{family}GreaterThan": Operator(family, compare=operator.gt),
        f"{family}GreaterThanEquals": Operator(family, compare=operator.ge),
    }


OPERATORS: Final[dict[str, Operator]] = {
    "StringEquals": Operator("String"),
    "StringNotEquals": Operator("String", negated=True),
    "StringEqualsIgnoreCase": Operator("StringIgnoreCase"),
    "StringNotEqualsIgnoreCase": Operator("StringIgnoreCase", negated=True),
    "StringLike": Operator("String", wildcards=True),
    "StringNotLike": Operator("String", negated=True, wildcards=True),
    **_ordered("Numeric"),
    **_ordered("Date"),
    "Bool": Operator("Bool", compare=operator.eq),
    "BinaryEquals": Operator("Binary", compare=operator.eq),
    "IpAddress": Operator("Ip", compare=_within),
    "NotIpAddress": Operator("Ip", negated=True, compare=_within),
    "ArnEquals": Operator("Arn", wildcards=True),
    "ArnLike": Operator("Arn", wildcards=True),
    "ArnNotEquals": Operator("Arn", negated=True, wildcards=True),
    "ArnNotLike": Operator("Arn", negated=True, wildcards=True),
    "Null": Operator("Null", compare=operator.eq),
}


def typed_matcher(found: Operator, operands: tuple[str, ...]) -> Test:
    """Return the matcher of a typed operator.

    Raises:
        IllTyped: an operand is not of the type; later, from the matcher, a value is not.
    """
    read_value, read_operand = TYPES[found.family]
    parsed = [read_operand(text) for text in operands]
    if found.family == "Bool":
        wanted = frozenset(parsed)
        return lambda text: (text if text in _BOOLEANS else boolean(text)) in wanted
    compare = found.compare or operator.eq

    def fits(text: str) -> bool:
        value = read_value(text)
        return any(compare(value, operand) for operand in parsed)

    return fits


def typed_cost(found: Operator, operands: tuple[str, ...]) -> Cost:
    """Return the most that the matcher of a typed operator costs for one value."""
    return NOTHING if found.family == "Bool" else Cost(len(operands), 1)


def text_matcher(found: Operator, operands: list[list[Filled]]) -> Test:
    """Return the matcher of a text or ARN operator; an operand is a list of ARN parts, or one."""
    if found.family == "Arn":
        return _any_of([arn_condition(parts) for parts in operands])
    wholes = [parts[0] for parts in operands]
    if any(isinstance(piece, Wild) for pieces in wholes for piece in pieces):
        return _any_of([glob(pieces) for pieces in wholes])
    texts = ["".join(piece for piece in pieces if isinstance(piece, str)) for pieces in wholes]
    if found.family == "StringIgnoreCase":
        folded = frozenset(fold_text(text) for text in texts)
        return lambda text: fold_text(text) in folded
    return frozenset(texts).__contains__


def text_cost(found: Operator, operands: list[list[Filled]]) -> Cost:
    """Return the most that the matcher of a text or ARN operator costs for one value."""
    if found.family == "Arn":
        return total(map(arn_cost, operands))
    if found.wildcards:
        return total(cost_of(parts[0]) for parts in operands)
    return _FOLDING if found.family == "StringIgnoreCase" else NOTHING


def _any_of(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda text: any(test(text) for test in tests)
