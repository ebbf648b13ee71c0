"""IAM users, as stored."""

from typing import ClassVar

from kagimori.rules.identity.bearer import Bearer


class User(Bearer, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """A user; access keys and group memberships are stored separately."""

    noun: ClassVar[str] = "user"
