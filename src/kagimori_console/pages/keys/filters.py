"""The filter and the order of a list of keys, as they stand in the page's address."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

STATES: Final = (
    "Enabled",
    "Disabled",
    "PendingDeletion",
    "PendingImport",
    "PendingReplicaDeletion",
    "Unavailable",
)
REGION_KINDS: Final = ("REGIONAL", "PRIMARY", "REPLICA")
ORIGINS: Final = ("AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")
_TEXT_MAX: Final = 256
# parameter of the address: member of SearchKeys
_MEMBERS: Final = {
    "alias": "Alias",
    "id": "KeyId",
    "state": "KeyState",
    "spec": "KeySpec",
    "usage": "KeyUsage",
    "origin": "Origin",
    "kind": "RegionKind",
    "store": "CustomKeyStoreId",
}
_ORDERS: Final[Mapping[str, Callable[[dict[str, Any]], Any]]] = {
    "alias": lambda key: (not key["Aliases"], (key["Aliases"] or [""])[0].casefold()),
    "state": lambda key: key["KeyState"],
    "spec": lambda key: key["KeySpec"],
    "usage": lambda key: key["KeyUsage"],
    "created": lambda key: key["CreationDate"],
}
_BACKWARDS: Final = "-"


@dataclass(frozen=True)
class ListView:
    """A view of a list: `given` are the filters, `order` a column ("" by id, "-" backwards).

    `after` is the service's token of the page before, `number` the page of a sorted list.
    """

    given: Mapping[str, str]
    order: str = ""
    after: str = ""
    number: int = 1

    def value(self, name: str) -> str:
        """Return one filter, "" if it is not set."""
        return self.given.get(name, "")

    @property
    def members(self) -> dict[str, str]:
        """The members of SearchKeys that ask for this."""
        found = {_MEMBERS[name]: text for name, text in self.given.items() if name in _MEMBERS}
        name, equals, value = self.value("tag").partition("=")
        if name:
            found["TagKey"] = name
        if equals:
            found["TagValue"] = value
        return found

    @property
    def has_more(self) -> bool:
        """True if one of the less usual filters is set."""
        return any(name in self.given for name in ("spec", "usage", "origin", "kind", "tag"))

    @property
    def query(self) -> str:
        """The query of this view's address."""
        found = {**self.given, "order": self.order, "after": self.after}
        if self.number > 1:
            found["page"] = str(self.number)
        text = urlencode({name: value for name, value in found.items() if value})
        return f"?{text}" if text else ""

    def sorted_by(self, column: str) -> "ListView":
        """Return the first page in the order of a column; the other way round if it is already."""
        order = _BACKWARDS + column if self.order == column else column
        return replace(self, order=order, after="", number=1)

    def direction(self, column: str) -> str:
        """Return the order of a column as screen readers are given it."""
        if self.order.removeprefix(_BACKWARDS) != column:
            return "none"
        return "descending" if self.order.startswith(_BACKWARDS) else "ascending"

    def going_on(self, after: str) -> "ListView":
        """Return the page after this one, in the order of ids."""
        return replace(self, after=after)

    def at(self, number: int) -> "ListView":
        """Return another page of the sorted list."""
        return replace(self, number=number)

    def in_order(self, keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return keys in the order of this view."""
        column = self.order.removeprefix(_BACKWARDS)
        return sorted(keys, key=_ORDERS[column], reverse=self.order.startswith(_BACKWARDS))


def view_of(given: Callable[[str], str]) -> ListView:
    """Return the view that an address asks for; what no list has is left out."""
    filters = {name: given(name).strip()[:_TEXT_MAX] for name in (*_MEMBERS, "tag")}
    order = given("order")
    number = given("page")
    return ListView(
        {name: value for name, value in filters.items() if value},
        order if order.removeprefix(_BACKWARDS) in _ORDERS else "",
        given("after"),
        max(1, int(number)) if number.isdecimal() and len(number) < 6 else 1,  # noqa: PLR2004
    )
