"""The source of condition values: one needed permission of one request."""

from collections.abc import Callable, Iterable
from typing import Any

from kagimori.gate.asked import Asked, Need
from kagimori.rules.folding import fold
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.policy.values import Values


class ValuesOfRequest(Values):
    """The need, and what is asked with it."""

    __slots__ = ("_folded", "asked", "need")

    def __init__(self, asked: Asked, need: Need) -> None:
        # As Values does, which has providers: here `_given` answers.
        self.steps = asked.steps
        self._known = {}
        self._folded: dict[str, dict[str, list[str]]] = {}
        self.asked = asked
        self.need = need

    @property
    def key(self) -> KmsKey | None:
        return self.need.kms_key

    def of_family(
        self, family: str, name: str, pairs: Callable[[], Iterable[tuple[str, str]]]
    ) -> list[str]:
        """Return the values of what has this (folded) name among the pairs of a family.

        The names are folded once for each request, however many conditions ask for one.
        """
        folded = self._folded.get(family)
        if folded is None:
            folded = self._folded[family] = {}
            for written, value in pairs():
                folded.setdefault(fold(written), []).append(value)
        return folded.get(name, [])

    def member(self, name: str) -> Any:
        return getattr(self.asked.call.input, name, None)


def text_of(value: Any) -> str | list[str]:
    """Return a member as policies compare it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
