"""Time-based one-time passwords: six digits, 30 seconds, HMAC-SHA-1.

Source: RFC 4226, section 5.3; RFC 6238, section 4.
"""

import hmac
from typing import Final

STEP_SECONDS: Final = 30
DIGITS: Final = 6


def step_at(now: float) -> int:
    """Return the number of the step that a moment (seconds since the epoch) is in."""
    return int(now) // STEP_SECONDS


def code_at(seed: bytes, step: int) -> str:
    """Return the code (six digits) of one step."""
    digest = hmac.digest(seed, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def is_code(seed: bytes, step: int, code: str) -> bool:
    return hmac.compare_digest(code_at(seed, step).encode(), code.encode())
