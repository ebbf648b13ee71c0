"""Whether a regular expression takes time linear in the text, judged by its own parse.

A sufficient condition, deliberately narrow. No repetition without bound stands inside another,
unless every way through the inner one begins with a character that it cannot go on with. And where
two repetitions follow one another, something between them, or the start of the second, is not in
the first or not in the second, so that the place where one ends and the other begins is certain.
"""

import re
from re import _constants as c
from re import _parser as parser

BOUND = 600  # a repetition that ends sooner than this costs a constant
EVERYTHING = frozenset(range(0x500))  # what is told apart; beyond it all is one


def characters(op, argument, flags):
    """The characters that one element of a pattern can take, as far as they are told apart."""
    if op is c.LITERAL:
        found = {argument}
    elif op is c.NOT_LITERAL:
        return EVERYTHING - {argument}
    elif op is c.ANY:
        return EVERYTHING if flags & re.DOTALL else EVERYTHING - {10}
    elif op is c.IN:
        negated = argument[0][0] is c.NEGATE
        found = set()
        for kind, value in argument[negated:]:
            if kind is c.LITERAL:
                found.add(value)
            elif kind is c.RANGE:
                found.update(range(value[0], min(value[1], max(EVERYTHING)) + 1))
            else:
                found |= category(value, flags)
        if negated:
            return EVERYTHING - found
    else:
        raise AssertionError(op)
    if flags & re.IGNORECASE:
        found |= {
            ord(x) for n in set(found) for x in (chr(n).lower(), chr(n).upper()) if len(x) == 1
        }
    return frozenset(found) & EVERYTHING


def category(value, flags):
    source = {
        c.CATEGORY_DIGIT: r"\d",
        c.CATEGORY_NOT_DIGIT: r"\D",
        c.CATEGORY_SPACE: r"\s",
        c.CATEGORY_NOT_SPACE: r"\S",
        c.CATEGORY_WORD: r"\w",
        c.CATEGORY_NOT_WORD: r"\W",
    }[value]
    one = re.compile(source, re.ASCII if flags & re.ASCII else 0)
    return {n for n in EVERYTHING if one.fullmatch(chr(n))}


class Quadratic(Exception):
    pass


def first(items, flags):
    """The characters that a sequence can begin with, and whether it can be empty."""
    found = frozenset()
    for op, argument in items:
        begins, empty = first_of(op, argument, flags)
        found |= begins
        if not empty:
            return found, False
    return found, True


def first_of(op, argument, flags):
    if op in (c.AT, c.ASSERT, c.ASSERT_NOT):
        return frozenset(), True
    if op is c.SUBPATTERN:
        return first(argument[3], flags | argument[1])
    if op is c.BRANCH:
        each = [first(branch, flags) for branch in argument[1]]
        return frozenset().union(*(one for one, _ in each)), any(empty for _, empty in each)
    if op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
        low, _high, body = argument
        begins, empty = first(body, flags)
        return begins, empty or low == 0
    return characters(op, argument, flags), False


def everything_in(items, flags):
    """All characters that a sequence can take anywhere."""
    found = frozenset()
    for op, argument in items:
        if op in (c.AT, c.ASSERT, c.ASSERT_NOT):
            continue
        if op is c.SUBPATTERN:
            found |= everything_in(argument[3], flags | argument[1])
        elif op is c.BRANCH:
            found = found.union(*(everything_in(branch, flags) for branch in argument[1]))
        elif op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
            found |= everything_in(argument[2], flags)
        else:
            found |= characters(op, argument, flags)
    return found


def flattened(items, flags):
    """The elements of a sequence, groups opened; each with its flags."""
    for op, argument in items:
        if op is c.SUBPATTERN:
            yield from flattened(argument[3], flags | argument[1])
        else:
            yield op, argument, flags


def is_long(argument):
    return argument[1] is c.MAXREPEAT or argument[1] > BOUND


def holds_long(items):
    for op, argument in items:
        if op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
            if is_long(argument) or holds_long(argument[2]):
                return True
        elif (op is c.SUBPATTERN and holds_long(argument[3])) or (
            op is c.BRANCH and any(holds_long(branch) for branch in argument[1])
        ):
            return True
    return False


def check(items, flags, follow=frozenset()):
    """Raise Quadratic unless the sequence is certain in all places; `follow` comes after it."""
    listed = list(flattened(items, flags))
    for at, (op, argument, here) in enumerate(listed):
        rest = [(o, a) for o, a, _ in listed[at + 1 :]]
        after, can_end = first(rest, here)
        after |= follow if can_end else frozenset()
        if op is c.BRANCH:
            for branch in argument[1]:
                check(branch, here, after)
        elif op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
            body = list(argument[2])
            if not is_long(argument):
                check(body, here, after | first(body, here)[0])
                continue
            begins, empty = first(body, here)
            if empty:
                raise Quadratic("a repetition of what may be empty")
            check_body(body, here, begins)
            check_border(everything_in(body, here), body, rest, here)


def check_body(body, flags, begins):
    """What is repeated must not be ambiguous with itself: alternatives begin differently."""
    listed = list(flattened(body, flags))
    for op, argument, here in listed:
        if op is c.BRANCH:
            seen, empties = frozenset(), 0
            for branch in argument[1]:
                one, empty = first(branch, here)
                empties += empty
                if one & seen or empties > 1:
                    raise Quadratic("alternatives in a repetition that begin alike")
                seen |= one
    if holds_long(body):
        # (A* s)* and (s A*)* are certain if s is not in A.
        if not (marked(listed[0], listed[1:], flags) or marked(listed[-1], listed[:-1], flags)):
            raise Quadratic("a repetition in a repetition")
        check(body, flags, begins)


def marked(mark, others, flags):
    """Whether one character marks each round of a repetition, since it is nowhere else in it."""
    if mark[0] not in SINGLE or not others:
        return False
    own = characters(*mark)
    return not own & everything_in([(op, argument) for op, argument, _ in others], flags)


SINGLE = (c.LITERAL, c.NOT_LITERAL, c.ANY, c.IN)


def check_border(mine, body, rest, flags):
    """Where a repetition ends and a later one begins must be certain."""
    between = None  # characters of the first thing that must come between
    for op, argument in rest:
        if op in (c.AT, c.ASSERT, c.ASSERT_NOT):
            continue
        if op in SINGLE:
            one = characters(op, argument, flags)
            if not one & mine:
                return  # the repetition ends here and nowhere else
            between = one if between is None else between
            continue
        if op in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT) and is_long(argument):
            theirs = everything_in(argument[2], flags)
            if not first(argument[2], flags)[0] & mine:
                if argument[0]:
                    return
                continue
            if between is None or between & theirs:
                raise Quadratic("two repetitions of the same characters, one after the other")
            return
        if op is c.BRANCH and holds_long([(op, argument)]):
            for branch in argument[1]:
                check_border(mine, body, list(branch), flags)
        begins, empty = first([(op, argument)], flags)
        if not empty:
            if not begins & mine:
                return
            between = begins if between is None else between


def is_linear(pattern, flags=0):
    """Say whether a pattern, anchored at the beginning, certainly takes linear time."""
    if isinstance(pattern, bytes):
        pattern = pattern.decode("latin-1")
    parsed = parser.parse(pattern, flags & ~re.UNICODE)
    try:
        check(list(parsed), flags | parsed.state.flags)
    except Quadratic:
        return False
    return True


def is_short(pattern, flags=0):
    """Say whether nothing in a pattern is repeated without bound."""
    if isinstance(pattern, bytes):
        pattern = pattern.decode("latin-1")
    return not holds_long(list(parser.parse(pattern, flags & ~re.UNICODE)))
