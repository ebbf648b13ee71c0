"""IAM groups and who is in them, as stored."""

from typing import ClassVar

from msgspec import Struct

from kagimori.rules.identity.bearer import Bearer


class Group(Bearer, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """A group: its policies count for each of its users."""

    noun: ClassVar[str] = "group"


class Membership(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One user in one group; both by folded name."""

    account_id: str
    in_group: str
    member: str
    version: int = 1
