r"""Translates the Java patterns of service models for Python's `re`.

AWS matches the whole value. What differs between the two dialects and occurs in the models:
`\w`, `\d` and `\s` are ASCII in Java; `.` stops at five line ends; `\p{L}`, `\p{N}` and `\p{Z}`
do not exist in Python; characters beyond U+FFFF are written as surrogate pairs or as `\u10000`.
"""

import re
from typing import Final

# Everything of Unicode's category Z, "separator". The unit test compares it with unicodedata.
SEPARATORS: Final = r" \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
ANY_BUT_LINE_ENDS: Final = r"[^\n\r\u0085\u2028\u2029]"

_PAIR = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_BEYOND_BMP = re.compile(r"\\u(10[0-9a-fA-F]{4}|[1-9a-fA-F]0000)")
# An escape, a character class, or a dot standing free: the scanner's three words.
_WORD = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\.", re.DOTALL)


def python_pattern(pattern: str) -> str:
    r"""Return a Python pattern that finds exactly the values that match `pattern` as a whole.

    Raises:
        ValueError: the pattern uses a Unicode class in a way that this reading cannot express.
    """
    dotall = pattern.startswith("(?s)")
    body = pattern.removeprefix("(?s)")
    body = _PAIR.sub(_joined, body)
    # Java reads `\u10000` as U+1000 and a zero; the models mean the sixteen upper planes.
    body = _BEYOND_BMP.sub(lambda found: rf"\U{found[1]:0>8}", body)
    if not dotall:
        body = _WORD.sub(lambda found: ANY_BUT_LINE_ENDS if found[0] == "." else found[0], body)
    flags = "s" if dotall else ""
    if r"\p" in body:
        return rf"\A(?{flags}:{_without_unicode_classes(body)})\Z"
    return rf"\A(?a{flags}:{body})\Z"


def _joined(pair: re.Match[str]) -> str:
    high, low = int(pair[1], 16), int(pair[2], 16)
    return rf"\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


def _without_unicode_classes(body: str) -> str:
    # In Python `\w` is letters, numbers and the underscore: \p{L}\p{N}_ in one word. Where the
    # three stand together nothing is gained or lost; elsewhere this reading would be wrong.
    together = r"\p{L}\p{Z}\p{N}_"
    body = body.replace(together, rf"\w{SEPARATORS}")
    if r"\p" in body:
        raise ValueError(f"a pattern of the model cannot be read: {body!r}")
    return body
