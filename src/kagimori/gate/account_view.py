"""The store as one account may see it: what belongs to other accounts is not there.

Every operation reads through this, so that none can answer with what is another account's, or act
on it, by naming it. The few look-ups that reach further are in `across.py`: they note the entity
that they hand out, and `may_they.py` lets nobody on without a need that names that entity.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field

from kagimori.entities.identity_tables import ACCESS_KEY_USES, ACCESS_KEYS, ACCOUNTS, ROLES
from kagimori.ports import Key, LargeGroup, Table, View
from kagimori.rules.identity.bearer import Bearer
from kagimori.rules.keys.kms_key import KmsKey

_OWNER: Final = "account_id"


class AccountView(Struct, eq=False):
    """A `View` of one account's things, and of KMS keys that were handed out.

    `whole` is the store as it is, for the gate alone. `handed_out` are the entities of other
    accounts that the request has named so far: keys (account, Region, id) and roles (ARN,), each
    with how the caller named it.
    """

    whole: View
    account_id: str
    handed_out: dict[Key, str] = field(default_factory=dict)

    @property
    def principals(self) -> "PrincipalNames":
        """The names of users and roles everywhere, for the policies and grants that name them."""
        return PrincipalNames(self.whole)

    def hand_out(self, name: Key, named_as: str) -> None:
        """Note that the request has been given an entity of another account."""
        self.handed_out.setdefault(name, named_as)

    def named_as(self, kms_key: KmsKey) -> str | None:
        """Return how the caller named a key of another account; None for a key of its own."""
        if not self.handed_out:
            return None
        return self.handed_out.get((kms_key.account_id, kms_key.region, kms_key.key_id))

    def one(self, table: Table, key: Key) -> Any:
        """Return the entity with this key, or None if the account has none."""
        found = self.whole.one(table, key)
        return found if found is None or self._is_open(found) else None

    def group(self, table: Table, group: str, values: Key) -> Sequence[Any]:
        """Return the account's entities of a group, in key order."""
        fields = table.groups[group]
        if fields[0] == _OWNER:
            is_open = values[0] == self.account_id or values[:3] in self.handed_out
            found = self.whole.group(table, group, values) if is_open else ()
            # Operations hold what they find while they wait: a copy, which stays as it is.
            return list(found) if isinstance(found, LargeGroup) else found
        return [one for one in self.whole.group(table, group, values) if self._is_open(one)]

    def page(
        self, table: Table, prefix: Key, after: Key | None, limit: int, group: str | None = None
    ) -> Sequence[Any]:
        """Return up to `limit` of the account's entities in key order, after the key `after`."""
        fields = table.groups[group] if group else table.key
        if fields[0] == _OWNER:
            is_open = prefix[0] == self.account_id or prefix[:3] in self.handed_out
            return self.whole.page(table, prefix, after, limit, group) if is_open else ()
        if table is ACCESS_KEY_USES and not self._is_used_by_own(prefix):
            return ()
        found = self.whole.page(table, prefix, after, limit, group)
        return [one for one in found if table is ACCESS_KEY_USES or self._is_open(one)]

    def count(self, table: Table, group: str, values: Key) -> int:
        """Return how many entities a group of the account has."""
        is_own = table.groups[group][0] == _OWNER and values[0] == self.account_id
        if is_own or values[:3] in self.handed_out:
            return self.whole.count(table, group, values)
        return 0

    def _is_used_by_own(self, prefix: Key) -> bool:
        """Return whether the account has this access key, or the role with this unique id."""
        is_key = self.one(ACCESS_KEYS, prefix) is not None
        return is_key or bool(self.group(ROLES, "by_id", prefix))

    def _is_open(self, entity: Any) -> bool:
        """Return whether an entity is the account's, or stands on a key that was handed out."""
        if entity.account_id == self.account_id:
            return True
        handed_out: Mapping[Key, str] = self.handed_out
        if not handed_out:
            return False
        key_id = getattr(entity, "key_id", None)
        return key_id is not None and (entity.account_id, entity.region, key_id) in handed_out


class PrincipalName(Struct, frozen=True):
    """The unique id of another account's user or role, the only thing that may be known of it."""

    account_id: str
    name: str
    unique_id: str
    arn: str


class PrincipalNames:
    """Users and roles of all accounts, of which nothing is shown but their names.

    Whoever writes a policy or makes a grant learns whether a principal exists, as on AWS.
    """

    __slots__ = ("_whole",)

    def __init__(self, whole: View) -> None:
        self._whole = whole

    def one(self, table: Table, key: Key) -> PrincipalName | None:
        """Return the names of the user, role or account with this key, or None."""
        found: Any = self._whole.one(table, key)
        if found is None:
            return None
        if table is ACCOUNTS:
            return PrincipalName(found.account_id, "", "", "")
        return _names_of(found)

    def group(self, table: Table, group: str, values: Key) -> Sequence[PrincipalName]:
        """Return the names of the users or roles of a group."""
        return [_names_of(one) for one in self._whole.group(table, group, values)]


def _names_of(bearer: Bearer) -> PrincipalName:
    return PrincipalName(bearer.account_id, bearer.name, bearer.unique_id, bearer.arn)
