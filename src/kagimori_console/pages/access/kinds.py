"""The kinds of identities: users, groups and roles, whose operations of IAM are alike."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from kagimori_console.api.api import Api
from kagimori_console.api.failures import ApiFailure
from kagimori_console.web.page import Handler, Page


@dataclass(frozen=True)
class Kind:
    """A kind of identity: IAM's noun for it, and its folder in addresses."""

    noun: str
    folder: str

    def named(self, name: str) -> dict[str, str]:
        """Return the member that names one of this kind."""
        return {f"{self.noun}Name": name}

    def address(self, name: str) -> str:
        """Return the address of the page of one of this kind."""
        return f"/access/{self.folder}/{quote(name, safe='')}"


USERS: Final = Kind("User", "users")
GROUPS: Final = Kind("Group", "groups")
ROLES: Final = Kind("Role", "roles")
KINDS: Final = (USERS, GROUPS, ROLES)


@dataclass(frozen=True)
class Part:
    """A list on a page, or the failure that is shown in its place."""

    items: list[Any]
    failure: ApiFailure | None = None


async def part(api: Api, operation: str, member: str, **members: Any) -> Part:
    """Return a list of IAM's, all pages together."""
    try:
        return Part(await api.all("iam", operation, member, **members))
    except ApiFailure as failure:
        return Part([], failure)


def of(kind: Kind, handler: Callable[[Kind, Page], Awaitable[Response]]) -> Handler:
    """Return the handler of a page for one kind."""
    return partial(handler, kind)
