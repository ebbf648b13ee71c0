"""Calls of the service, signed as the person who is signed in."""

import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from kagimori_client.credentials import Credentials
from kagimori_client.signing import Request, sign
from kagimori_console.api import wire
from kagimori_console.api.failures import ApiAway, ApiFailure

SECONDS_MAX: Final = 30.0
USER_AGENT: Final = "kagimori-console"
# The members that hold the place in a list, as each service names them: (asked, answered).
_MARKERS: Final = {
    "kms": ("Marker", "NextMarker"),
    "iam": ("Marker", "Marker"),
    "cloudtrail": ("NextToken", "NextToken"),
    "service-quotas": ("NextToken", "NextToken"),
    wire.ADMIN: ("NextToken", "NextToken"),
}


class Endpoint:
    """The service's endpoint, and the connections that lead there."""

    def __init__(self, url: str, ca_bundle: str | None = None) -> None:
        trust = ssl.create_default_context(cafile=ca_bundle) if url.startswith("https") else True
        self.host = urlsplit(url).netloc
        self._client = httpx.AsyncClient(
            base_url=url,
            verify=trust,
            timeout=SECONDS_MAX,
            trust_env=False,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
        )

    async def send(
        self, headers: dict[str, str], content: bytes, *, seconds: float = SECONDS_MAX
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers (names in lower case) and body of the answer.

        Raises:
            ApiAway: there was none.
        """
        try:
            answer = await self._client.post("/", headers=headers, content=content, timeout=seconds)
        except httpx.HTTPError as problem:
            raise ApiAway(f"the service cannot be reached: {problem}") from None
        found = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status_code, found, answer.content

    async def is_there(self) -> bool:
        """Return whether the endpoint answers at all."""
        try:
            await self._client.get("/", timeout=2.0)
        except httpx.HTTPError:
            return False
        return True

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


@dataclass(frozen=True)
class Api:
    """The services in one region, called with credentials; without any, calls are not signed.

    An answer must come within `seconds`.
    """

    endpoint: Endpoint
    credentials: Credentials | None
    region: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    seconds: float = SECONDS_MAX

    async def call(self, service: str, operation: str, **members: Any) -> dict[str, Any]:
        """Return the members of an answer; members that are None are not sent.

        Raises:
            ApiRefused: the service refused.
            ApiAway: there was no answer.
        """
        call = wire.encode(service, operation, members)
        headers = {**call.headers, "user-agent": USER_AGENT}
        if self.credentials is not None:
            request = Request("POST", self.endpoint.host, "/", headers, call.body)
            headers = sign(
                request,
                self.credentials,
                region=self.region,
                service=call.signed_as,
                now=self.now(),
            ).headers
        answer = await self.endpoint.send(headers, call.body, seconds=self.seconds)
        return wire.decode(call, *answer)

    async def kms(self, operation: str, **members: Any) -> dict[str, Any]:
        """Call KMS; see `call`."""
        return await self.call("kms", operation, **members)

    async def iam(self, operation: str, **members: Any) -> dict[str, Any]:
        """Call IAM; see `call`."""
        return await self.call("iam", operation, **members)

    async def sts(self, operation: str, **members: Any) -> dict[str, Any]:
        """Call STS; see `call`."""
        return await self.call("sts", operation, **members)

    async def admin(self, operation: str, **members: Any) -> dict[str, Any]:
        """Call the admin service; see `call`."""
        return await self.call(wire.ADMIN, operation, **members)

    async def pages(
        self, service: str, operation: str, **members: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the pages of a list, one after the other.

        Raises:
            ApiRefused, ApiAway: as `call`.
        """
        asked, answered = _MARKERS[service]
        while True:
            page = await self.call(service, operation, **members)
            yield page
            marker = page.get(answered)
            if not marker:
                return
            members = {**members, asked: marker}

    async def all(self, service: str, operation: str, member: str, **members: Any) -> list[Any]:
        """Return one member, a list, of all pages together.

        Raises:
            ApiRefused, ApiAway: as `call`.
        """
        found: list[Any] = []
        async for page in self.pages(service, operation, **members):
            found += page.get(member) or []
        return found

    async def tried(
        self, service: str, operation: str, **members: Any
    ) -> dict[str, Any] | ApiFailure:
        """Return an answer, or the failure: for a part of a page that may be missing."""
        try:
            return await self.call(service, operation, **members)
        except ApiFailure as failure:
            return failure
