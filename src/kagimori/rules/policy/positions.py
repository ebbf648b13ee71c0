"""Finds the positions of a policy's statements in its text, for IAM's simulator.

Lines and columns count from one; a start is the opening brace, an end the column after the
closing one, as AWS's answers have it.
"""

import json
import re
from typing import Final

from msgspec import Struct

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]', re.DOTALL)
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_INSIDE_DOCUMENT: Final = 1


class Position(Struct, frozen=True):
    """A place in a text."""

    line: int
    column: int


class Span(Struct, frozen=True):
    """The first and last position of one statement."""

    start: Position
    end: Position


def statement_spans(text: str) -> tuple[Span, ...]:
    """Return where each statement of a policy stands; `text` is a policy that was read before."""
    spans: list[Span] = []
    depth, start, level = 0, 0, _INSIDE_DOCUMENT
    name, in_statement = "", False
    places = _Places(text)
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in {"}", "]"}:
            depth -= 1
            if mark == "}" and in_statement and depth == level:
                spans.append(Span(places.at(start), places.at(token.end())))
        elif mark in {"{", "["}:
            if mark == "{" and in_statement and depth == level:
                start = token.start()
            elif mark == "[" and in_statement and depth == _INSIDE_DOCUMENT:
                level = depth + 1
            depth += 1
        elif depth == _INSIDE_DOCUMENT and mark == ":":
            in_statement = name == "Statement"
        elif depth == _INSIDE_DOCUMENT and mark == ",":
            in_statement = False
        elif depth == _INSIDE_DOCUMENT:
            name = json.loads(mark, strict=False)
    return tuple(spans)


class _Places:
    """Lines and columns of a text, asked for from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line, self._begins, self._seen = 1, 0, 0

    def at(self, offset: int) -> Position:
        for end in _LINE_END.finditer(self._text, self._seen, offset):
            self._line, self._begins = self._line + 1, end.end()
        self._seen = offset
        return Position(self._line, offset - self._begins + 1)
