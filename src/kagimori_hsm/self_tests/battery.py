"""All self-tests, in order: the known answers, the random generators, the program's own files.

Source: NIST FIPS 140-3 (ISO/IEC 19790), 7.10; Implementation Guidance 10.3.A.
"""

from collections.abc import Callable
from typing import Final

from kagimori_hsm.self_tests.failed import Passed, SelfTestFailed
from kagimori_hsm.self_tests.integrity import check_integrity
from kagimori_hsm.self_tests.known_answers import ANSWERS, check_answers
from kagimori_hsm.self_tests.random_source import check_random_sources

Battery = Callable[[], list[Passed]]


def check_algorithms() -> list[Passed]:
    """Repeat the known answers and test the generators, without a look at files.

    Raises:
        SelfTestFailed: by the first that fails.
    """
    return [*check_answers(ANSWERS), *check_random_sources()]


def check_all() -> list[Passed]:
    """Run every self-test.

    Raises:
        SelfTestFailed: by the first that fails.
    """
    return [*check_integrity(), *check_algorithms()]


__all__: Final = ["Battery", "Passed", "SelfTestFailed", "check_algorithms", "check_all"]
