"""Matches text against patterns: wildcards, ARNs and resources, in time linear in the text.

No regular expression and no backtracking: a pattern of stars and letters is found piece by piece,
and a pattern with marks or stars that stop at colons runs as a bit-parallel automaton, one step
for each character. No pattern that is longer than the text, its stars left out, is tried at all.
What a pattern costs is known before it is tried (`cost_of`).

Source: IAM User Guide, reference_policies_elements_resource and …_condition_operators and "IAM JSON
policy elements: Condition operators".
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Final

from kagimori.rules.folding import fold

from .steps import Cost, total
from .template import Filled, Pieces, Wild, parse_template, split_parts

Test = Callable[[str], bool]

ARN_PARTS: Final = 6
_RESOURCE_PART: Final = 5
_SERVICE_PART: Final = 2
# How many units of an automaton cost one more step for each character.
_UNITS_OF_STEP: Final = 32
_AUTOMATON_STEPS: Final = 8
_NARROW: Final = {Wild.STAR: Wild.STAR_IN_PART, Wild.MARK: Wild.MARK_IN_PART}


def never(_text: str) -> bool:
    """Match nothing."""
    return False


def always(_text: str) -> bool:
    """Match everything."""
    return True


def glob(pieces: Filled) -> Test:
    """Return the test for a pattern: literals match themselves, wildcards as they are named."""
    if not any(isinstance(piece, Wild) for piece in pieces):
        literal = "".join(piece for piece in pieces if isinstance(piece, str))
        return literal.__eq__
    if all(piece is Wild.STAR for piece in pieces):
        return always
    if all(isinstance(piece, str) or piece is Wild.STAR for piece in pieces):
        return _stars(pieces)
    return _automaton(pieces)


def _stars(pieces: Filled) -> Test:
    """Return the test for literals with stars between: each is taken where it is found first."""
    literals = [piece for piece in pieces if isinstance(piece, str)]
    head = literals.pop(0) if isinstance(pieces[0], str) else ""
    tail = literals.pop() if literals and isinstance(pieces[-1], str) else ""
    shortest = len(head) + len(tail)

    def fits(text: str) -> bool:
        if len(text) < shortest or not text.startswith(head) or not text.endswith(tail):
            return False
        at, end = len(head), len(text) - len(tail)
        for literal in literals:
            at = text.find(literal, at, end)
            if at < 0:
                return False
            at += len(literal)
        return True

    return fits


def _automaton(pieces: Filled) -> Test:
    """Return the test as a set of states in one integer: bit i says that i units have matched."""
    units, star_at, narrow_star_at = 0, 0, 0
    characters: dict[str, list[int]] = {}
    marks: list[int] = []
    narrow_marks: list[int] = []
    for piece in pieces:
        if piece is Wild.STAR:
            star_at |= 1 << units
        elif piece is Wild.STAR_IN_PART:
            narrow_star_at |= 1 << units
        elif isinstance(piece, str):
            for offset, character in enumerate(piece):
                characters.setdefault(character, []).append(units + offset)
            units += len(piece)
        else:
            (marks if piece is Wild.MARK else narrow_marks).append(units)
            units += 1
    any_mark = _bits(marks, units)
    not_colon = any_mark | _bits(narrow_marks, units)
    steps = {c: _bits(at, units) | not_colon for c, at in characters.items()}
    steps[":"] = _bits(characters.get(":", []), units) | any_mark
    stays_not_colon = star_at | narrow_star_at
    accepted = 1 << units
    head = pieces[0] if isinstance(pieces[0], str) else ""

    def fits(text: str) -> bool:
        if len(text) < units or not text.startswith(head):
            return False
        states = 1
        for character in text:
            stays = star_at if character == ":" else stays_not_colon
            states = ((states & steps.get(character, not_colon)) << 1) | (states & stays)
            if not states:
                return False
        return bool(states & accepted)

    return fits


def _bits(positions: list[int], size: int) -> int:
    """Return the integer with these bits set; built as text, which is linear."""
    if not positions:
        return 0
    digits = bytearray(b"0" * size)
    for position in positions:
        digits[size - 1 - position] = 49
    return int(digits, 2)


def cost_of(pieces: Filled) -> Cost:
    """Return the most that it costs to hold a text against a pattern."""
    literals = [piece for piece in pieces if isinstance(piece, str)]
    stars = sum(piece is Wild.STAR for piece in pieces)
    if len(literals) + stars < len(pieces):
        units = sum(map(len, literals)) + len(pieces) - len(literals)
        return Cost(1, _AUTOMATON_STEPS + units // _UNITS_OF_STEP)
    if stars < 2:  # noqa: PLR2004 - nothing stands between two stars
        return Cost(1, 0)
    return Cost(1 + stars, 1 + max(map(len, literals), default=0) // _UNITS_OF_STEP)


def text_glob(pattern: str) -> Test:
    """Return the test for a pattern without variables."""
    return glob(parse_template(pattern, variables=False, wildcards=True))  # type: ignore[arg-type]


def action_pieces(pattern: str) -> Filled:
    """Return the pattern of an Action entry, for folded action names (`kms:encrypt`)."""
    folded = fold(pattern)
    return parse_template(folded, variables=False, wildcards=True)  # type: ignore[return-value]


def is_arn_pattern(pieces: Pieces) -> bool:
    """Return whether a condition operand can name an ARN: six parts, or a lone `*` or variable."""
    if len(split_parts(pieces, ARN_PARTS)) == ARN_PARTS:
        return True
    return len(pieces) == 1 and not isinstance(pieces[0], str) and pieces[0] is not Wild.MARK


def arn_condition(parts: list[Filled]) -> Test:
    """Return the test of the ARN operators: part against part, no wildcard crosses a colon."""
    if len(parts) == 1:  # a lone `*`, or the text of a lone variable
        whole = glob(parts[0])
        return lambda text: text.count(":") >= ARN_PARTS - 1 and whole(text)
    tests = [glob(part) for part in parts]

    def fits(text: str) -> bool:
        found = text.split(":", ARN_PARTS - 1)
        return len(found) == len(tests) and all(t(f) for t, f in zip(tests, found, strict=True))

    return fits


def arn_cost(parts: list[Filled]) -> Cost:
    """Return the most that `arn_condition` of these parts costs."""
    return total(map(cost_of, parts))


def resource_pieces(pieces: Pieces) -> Pieces | None:
    """Return the pattern of a Resource entry with each wildcard in its kind; None matches nothing.

    A star that ends a part may swallow the colons after it; the others stay in their part, unless
    that is the last one, the resource itself.
    """
    parts = split_parts(pieces, ARN_PARTS)
    if parts == [(Wild.STAR,)]:
        return (Wild.STAR,)
    if len(parts) <= _SERVICE_PART or any(not isinstance(p, str) for p in parts[_SERVICE_PART]):
        # A pattern that ends with the service, or has a wildcard in it, names nothing.
        return None
    result: list[object] = []
    for number, part in enumerate(parts):
        if number:
            result.append(":")
        if number == _RESOURCE_PART:
            result += part
            continue
        for piece, following in pairwise((*part, None)):
            wide = piece is Wild.STAR and following is None
            narrow = _NARROW.get(piece) if isinstance(piece, Wild) and not wide else None
            result.append(narrow or piece)
    return tuple(result)  # type: ignore[arg-type]
