"""One endpoint: where it is, whom its certificate must lead to, and a request sent there."""

import http.client
import os
import ssl
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SECONDS_MAX: Final = 60.0
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024


class Unreachable(Exception):
    """The endpoint cannot be spoken to; one line for a person."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint's URL; `ca_bundle` is a file (PEM) of authorities to trust in its place."""

    url: str
    ca_bundle: str | None = None

    @property
    def host(self) -> str:
        """The Host header: without the port where it is the scheme's own.

        Raises:
            Unreachable: this is no URL of an endpoint.
        """
        scheme, name, port = self._place()
        name = f"[{name}]" if ":" in name else name
        own = {"http": 80, "https": 443}[scheme]
        return name if port in (None, own) else f"{name}:{port}"

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        seconds: float = SECONDS_MAX,
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers (names in lower case) and body of the answer.

        Raises:
            Unreachable: no connection, no trust in the certificate, or no answer in time.
        """
        connection = self._connection(seconds)
        try:
            connection.request(method, target, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read(ANSWER_BYTES_MAX + 1)
            found = {name.lower(): value for name, value in answer.getheaders()}
        except (OSError, http.client.HTTPException) as problem:
            raise Unreachable(
                f"{self.url} cannot be reached: {str(problem) or 'no answer'}"
            ) from None
        finally:
            connection.close()
        if len(content) > ANSWER_BYTES_MAX:
            raise Unreachable(f"{self.url} answered more than {ANSWER_BYTES_MAX} bytes")
        return answer.status, found, content

    def _place(self) -> tuple[str, str, int | None]:
        """Return scheme, host and port."""
        try:
            parts = urllib.parse.urlsplit(self.url)
            port = parts.port
        except ValueError:
            raise Unreachable(f"{self.url!r} is no URL of an endpoint") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unreachable(f"an endpoint is an http or https URL, not {self.url!r}")
        return parts.scheme, parts.hostname, port

    def _connection(self, seconds: float) -> http.client.HTTPConnection:
        scheme, host, port = self._place()
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=seconds)
        try:
            context = ssl.create_default_context(cafile=self.ca_bundle)
        except OSError as problem:
            raise Unreachable(f"{self.ca_bundle} cannot be read: {problem}") from None
        return http.client.HTTPSConnection(host, port, timeout=seconds, context=context)


def endpoint_in(environment: Mapping[str, str] = os.environ) -> Endpoint | None:
    """Return the endpoint that the environment names as it does for the AWS CLI, if any."""
    url = environment.get("AWS_ENDPOINT_URL_KAGIMORI") or environment.get("AWS_ENDPOINT_URL")
    return Endpoint(url, environment.get("AWS_CA_BUNDLE") or None) if url else None
