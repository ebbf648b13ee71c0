"""The one way a self-test fails: `SelfTestFailed`, whose text is safe to log and to show."""

from typing import NamedTuple


class SelfTestFailed(Exception):
    """A self-test failed; `str` names it."""


class Passed(NamedTuple):
    """A self-test that passed: its name, and the source of what it was held against."""

    name: str
    source: str
