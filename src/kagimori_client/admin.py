"""The admin service's client: an operation by name, members in, members out.

The operations and their members are in the service's own model; see `docs/look-up/admin-api.md`.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from kagimori_client.acting import ForwardedRequest
from kagimori_client.connection import SECONDS_MAX, Endpoint, Unreachable
from kagimori_client.credentials import Credentials
from kagimori_client.signing import Request, sign

SERVICE: Final = "kagimori"
TARGET_PREFIX: Final = "Kagimori_20261101"
CONTENT_TYPE: Final = "application/x-amz-json-1.1"
_OK: Final = 200
_REQUEST_IDS_MAX: Final = 1000


class ServiceError(Exception):
    """The service refused: AWS's kind of code, and a message for a person."""

    def __init__(self, code: str, message: str, status: int, request_id: str) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code, self.message = code, message
        self.status, self.request_id = status, request_id


class AdminClient:
    """Speaks to the admin service of one deployment, as one caller.

    `request_ids` are those of its newest requests, by which their events can be recognized.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials,
        region: str,
        *,
        seconds: float = SECONDS_MAX,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.endpoint_url, self.ca_bundle, self.region = endpoint.url, endpoint.ca_bundle, region
        self.credentials, self._endpoint = credentials, endpoint
        self._seconds, self._now = seconds, now
        self.request_ids: deque[str] = deque(maxlen=_REQUEST_IDS_MAX)

    def call(
        self, operation: str, *, forwarded: ForwardedRequest | None = None, **members: Any
    ) -> dict[str, Any]:
        """Return the members of an answer; members that are None are left out of the request.

        Raises:
            ServiceError: it was refused.
            Unreachable: there was no answer.
        """
        given = {name: value for name, value in members.items() if value is not None}
        headers = {
            "content-type": CONTENT_TYPE,
            "x-amz-target": f"{TARGET_PREFIX}.{operation}",
            "user-agent": "kagimori-client",
            **({} if forwarded is None else forwarded.header()),
        }
        body = json.dumps(given).encode()
        request = Request("POST", self._endpoint.host, "/", headers, body)
        signed = sign(
            request, self.credentials, region=self.region, service=SERVICE, now=self._now()
        )
        status, answered, content = self._endpoint.send(
            "POST", "/", signed.headers, body, seconds=self._seconds
        )
        found = self._decoded(content)
        request_id = answered.get("x-amzn-requestid", "")
        self.request_ids.append(request_id)
        if status == _OK:
            return found
        code = str(found.get("__type", status)).rpartition("#")[2]
        message = found.get("message") or found.get("Message") or ""
        raise ServiceError(code, str(message), status, request_id)

    def pages(self, operation: str, **members: Any) -> Iterator[dict[str, Any]]:
        """Yield all pages of a paged operation, one after the other.

        Raises:
            ServiceError, Unreachable: as `call`.
        """
        token: str | None = None
        while True:
            page = self.call(operation, **{**members, "NextToken": token})
            yield page
            token = page.get("NextToken")
            if token is None:
                return

    def _decoded(self, content: bytes) -> dict[str, Any]:
        try:
            found = json.loads(content or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Unreachable(f"{self._endpoint.url} does not answer as Kagimori does")
        return found
