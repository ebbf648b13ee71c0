"""The KMS key that a page is about: its metadata and aliases, and the frame of all its pages.

A part that the person may not read is a refusal in its place; the other parts are shown.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import Response

from kagimori_console.api.failures import ApiFailure, ApiRefused
from kagimori_console.web.page import Page

PENDING: Final = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
_DAY_SECONDS: Final = 86_400


class _KeyReference(Convertor[str]):
    """A key id or a key's ARN in a path."""

    regex = r"arn:[^/]+/[^/]+|[^/]+"

    def convert(self, value: str) -> str:
        """Return the reference as it stands."""
        return value

    def to_string(self, value: str) -> str:
        """Return the reference as it stands."""
        return value


register_url_convertor("key", _KeyReference())


class Facts(dict[str, Any]):
    """Members of an answer; those that are absent are None, so that templates may ask for any."""

    def __missing__(self, name: str) -> None:
        return None


@dataclass(frozen=True)
class Subject:
    """One KMS key. `reference` names it in calls; `key` is None if it may not be described."""

    reference: str
    key: dict[str, Any] | None
    failure: ApiFailure | None
    aliases: tuple[dict[str, Any], ...]
    aliases_failure: ApiFailure | None
    now: float

    @property
    def names(self) -> list[str]:
        """The names of its aliases."""
        return [alias["AliasName"] for alias in self.aliases]

    @property
    def title(self) -> str:
        """The first alias, or the key's id."""
        return self.names[0] if self.names else self.key_id

    @property
    def key_id(self) -> str:
        """The key's id."""
        return str(self.key["KeyId"]) if self.key else self.reference.rpartition("/")[2]

    @property
    def state(self) -> str:
        """The key state, or "" if it is not known."""
        return str(self.key["KeyState"]) if self.key else ""

    @property
    def pending(self) -> bool:
        """True while its deletion is scheduled."""
        return self.state in PENDING

    @property
    def days_left(self) -> int | None:
        """Whole days until it is deleted; None if no date is set."""
        date = (self.key or {}).get("DeletionDate")
        return None if date is None else max(0, int(date.timestamp() - self.now) // _DAY_SECONDS)

    @property
    def customer_managed(self) -> bool:
        """True unless AWS's own services manage it, as far as that is known."""
        return self.key is None or self.key.get("KeyManager") != "AWS"

    @property
    def origin(self) -> str:
        """The origin of its material, or "" if it is not known."""
        return str((self.key or {}).get("Origin", ""))

    def path(self, tab: str = "") -> str:
        """Return the address of one of its pages."""
        path = "/keys/" + quote(self.reference, safe=":/")
        return f"{path}/{tab}" if tab else path

    def confirmed_by(self, typed: str) -> bool:
        """Return whether somebody typed one of its aliases, or its id."""
        return typed in {*self.names, self.key_id}


async def load(page: Page) -> Subject:
    """Return the key that the path names.

    Raises:
        ApiRefused: there is no such key, or its name is malformed.
        ApiAway: the service does not answer.
    """
    reference = page.path("key_id")
    described, aliased = await asyncio.gather(
        page.api.tried("kms", "DescribeKey", KeyId=reference),
        listed(page, "ListAliases", "Aliases", KeyId=reference),
    )
    if isinstance(described, ApiFailure) and not (
        isinstance(described, ApiRefused) and described.denied
    ):
        raise described
    aliases = () if isinstance(aliased, ApiFailure) else tuple(aliased)
    return Subject(
        reference=reference,
        key=None if isinstance(described, ApiFailure) else Facts(described["KeyMetadata"]),
        failure=described if isinstance(described, ApiFailure) else None,
        aliases=tuple(sorted(aliases, key=lambda one: str(one["AliasName"]))),
        aliases_failure=aliased if isinstance(aliased, ApiFailure) else None,
        now=page.now,
    )


async def listed(
    page: Page, operation: str, member: str, **members: Any
) -> list[dict[str, Any]] | ApiFailure:
    """Return a whole list of KMS, or the failure."""
    try:
        return await page.api.all("kms", operation, member, **members)
    except ApiFailure as failure:
        return failure


def split(found: Any) -> tuple[Any, ApiFailure | None]:
    """Return an answer and None, or None and the failure: for templates."""
    if isinstance(found, ApiFailure):
        return None, found
    return (Facts(found) if isinstance(found, dict) else found), None


def show(
    page: Page,
    subject: Subject,
    tab: str,
    *,
    failure: ApiFailure | None = None,
    problem: str = "",
    **values: Any,
) -> Response:
    """Return a tab of the key; `failure` or `problem` says why a form was refused."""
    return page.render(
        f"key/{tab}.html",
        status=400 if failure or problem else 200,
        subject=subject,
        tab=tab,
        failure=failure,
        problem=problem,
        **values,
    )
