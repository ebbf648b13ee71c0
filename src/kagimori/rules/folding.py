r"""Letter case and character classes of text from outside, in one place.

Python's `lower`, `strip` and `isdigit`, and `\w`, `\d` and `\s` of its regular expressions, know
the letters, digits and blanks of every script. Names here are compared by ASCII alone: the Kelvin
sign is not a `k` and the long s is not an `s`, or they could spell the name of another tag, user or
condition key.
"""

import string
from typing import Final

_FOLD: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

# What `\p{L}\p{Z}\p{N}_.:/=+\-@` of the service models takes, as Python writes it: letters and
# numbers of every script, and separators, which are neither tabs nor line ends.
TAG_CHARACTERS: Final = r"[\w.:/=+\-@ \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*"


def fold(text: str) -> str:
    """Return a name in the form in which names compare ignoring case: A to Z as a to z."""
    return text.lower() if text.isascii() else text.translate(_FOLD)
