"""What condition keys are worked out from: one need of one request."""

from typing import Any

from kagimori.gate.asked import Asked, Need
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.policy.values import Values


class ValuesOfRequest(Values):
    """The need, and what is asked with it."""

    __slots__ = ("asked", "need")

    def __init__(self, asked: Asked, need: Need) -> None:
        super().__init__({})
        self.asked = asked
        self.need = need

    @property
    def key(self) -> KmsKey | None:
        return self.need.kms_key

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
