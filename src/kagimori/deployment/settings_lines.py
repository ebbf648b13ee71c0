"""The lines of a TOML text in which settings stand, which Python's parser does not report."""

import tomllib
from typing import Any, Final

_STATEMENT_LINES_MAX: Final = 200


def line_of(text: str, path: tuple[str, ...]) -> int:
    """Return the number of the line where a path's statement begins; 1 if it is unknown.

    Only the parser knows what a line means. So a line that names the path's end is taken if the
    text before it lacks the path, and has it together with that statement.
    """
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if path[-1] not in line or _has("".join(lines[:number]), path) is not False:
            continue
        for end in range(number + 1, min(len(lines), number + _STATEMENT_LINES_MAX) + 1):
            found = _has("".join(lines[:end]), path)
            if found:
                return number + 1
            if found is False:
                break
    return 1


def _has(text: str, path: tuple[str, ...]) -> bool | None:
    """Return whether a text has the path; None if it is not whole."""
    try:
        found: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    for name in path:
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return True
