"""The condition values of a simulated request: those given with it, and what is known anyway.

DIFFERS(aws): who asks, when, and the properties of a KMS key that is ours need not be given.

Source: IAM API Reference, ContextEntry.
"""

from collections.abc import Iterable
from typing import Any, Final

from kagimori.gate.conditions.request_values import RequestValues
from kagimori.rules.folding import fold
from kagimori.rules.identity.refusals import InvalidInput
from kagimori.rules.keys.grant import GrantTerms
from kagimori.rules.policy.operators import OPERATORS, IllTyped, typed_matcher
from kagimori.rules.policy.values import Given, Values

CONTEXT_PREFIX: Final = "kms:encryptioncontext:"
_KNOWN: Final = frozenset(
    {
        "aws:currenttime",
        "aws:epochtime",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalisawsservice",
        "aws:principaltype",
        "aws:resourceaccount",
        "aws:userid",
        "aws:username",
        "aws:viaawsservice",
        "kms:calleraccount",
        "kms:customermasterkeyspec",
        "kms:customermasterkeyusage",
        "kms:keyorigin",
        "kms:keyspec",
        "kms:keyusage",
        "kms:multiregion",
        "kms:multiregionkeytype",
        "kms:resourcealiases",
    }
)
_KNOWN_FAMILIES: Final = ("aws:principaltag/", "aws:resourcetag/")
# A type of ContextEntry, and an operator that takes operands of that type.
_OPERATORS: Final = {
    "numeric": "NumericEquals",
    "boolean": "Bool",
    "ip": "IpAddress",
    "binary": "BinaryEquals",
    "date": "DateEquals",
}
_LIST: Final = "List"


class Entries(dict[str, tuple[str, ...]]):
    """Context entries by folded key; `names` are the keys as they were written."""

    def __init__(self, entries: Iterable[Any] | None) -> None:
        """Read the ContextEntries of a request.

        Raises:
            InvalidInput: a value of another type than it is said to have.
        """
        super().__init__()
        self.names: dict[str, str] = {}
        self._context: dict[str, str] | None = None
        for entry in entries or ():
            name, values = entry.ContextKeyName, tuple(entry.ContextKeyValues or ())
            if name is None or ":" not in name:
                raise InvalidInput(f"Invalid context key name: {name}")
            _check_type(name, values, entry.ContextKeyType or "string")
            self[fold(name)] = values
            self.names[fold(name)] = name

    def encryption_context(self) -> dict[str, str]:
        """Return the encryption context that `kms:EncryptionContext:…` entries make up."""
        if self._context is None:  # every question of a simulation asks for it
            self._context = {
                self.names[key][len(CONTEXT_PREFIX) :]: values[0]
                for key, values in self.items()
                if key.startswith(CONTEXT_PREFIX) and values
            }
        return self._context

    def one(self, key: str) -> str | None:
        values = self.get(key)
        return values[0] if values else None

    def proposed(self) -> GrantTerms | None:
        """Return the terms of the grant that a simulated CreateGrant would make."""
        operations = self.get("kms:grantoperations")
        if not operations:
            return None
        kind, context = self.one("kms:grantconstrainttype"), self.encryption_context()
        return GrantTerms(
            frozenset(operations),
            context if kind == "EncryptionContextEquals" else None,
            context if kind == "EncryptionContextSubset" else None,
            self.one("kms:grantconstraintsourcearn"),
        )


def _check_type(name: str, values: tuple[str, ...], written: str) -> None:
    kind = written.removesuffix(_LIST)
    if not written.endswith(_LIST) and len(values) > 1:
        raise InvalidInput(f"Context key {name} of type {written} has more than one value.")
    operator = _OPERATORS.get(kind)
    if operator is None:
        return
    try:
        typed_matcher(OPERATORS[operator], values)
    except IllTyped:
        raise InvalidInput(f"Context key {name} has a value that is not {kind}.") from None


class SimulatedValues(Values):
    """Condition values: those given, else those known of caller, key and time."""

    __slots__ = ("_entries", "_real")

    def __init__(self, entries: Entries, real: RequestValues) -> None:
        super().__init__({}, steps=real.steps)
        self._entries = entries
        self._real = real

    def _given(self, key: str) -> Given:
        if key in self._entries:
            return self._entries[key]
        if key in _KNOWN or key.startswith(_KNOWN_FAMILIES):
            found = self._real.lookup(key)
            # Of a caller without a name nothing is known.
            return None if found in ((), ("",)) else found
        if key == "kms:encryptioncontextkeys":
            return list(self._entries.encryption_context())
        return None
