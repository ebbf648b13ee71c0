"""A request as it was received: what it says of itself, parsed once, and not believed yet."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from kagimori.front.models import ServiceModel
from kagimori.rules.partitions import region_of_call
from kagimori.rules.records.progress import Progress
from kagimori.rules.request import RawRequest
from kagimori.rules.sigv4.claim import Claim

FORM: Final = b"application/x-www-form-urlencoded"


class Target(Struct, frozen=True, gc=False):
    """An action that the service model knows, and the request's form if it came as one."""

    model: ServiceModel
    operation: str
    fields: Mapping[str, str] | None = None


class Received(Struct, frozen=True, gc=False):
    """The request, with everything that was read from it.

    `headers` has one value for each name. `form` says that it speaks the Query protocol, so that
    its refusals are XML. `claim` says who signed it, and is proved by nothing yet. Without `target`
    it asks for nothing that we know; `problem` says why.
    """

    raw: RawRequest
    headers: Mapping[bytes, bytes]
    form: bool
    claim: Claim | None = None
    target: Target | None = None
    problem: Exception | None = None

    @property
    def service(self) -> str:
        """The service that is asked, as far as the request shows."""
        if self.target is not None:
            return self.target.model.service
        if self.claim is not None:
            return self.claim.scope.service
        return "sts" if self.raw.method == b"GET" else "kms"

    def progress(self) -> Progress:
        """Return the facts that the request's record can hold so far."""
        claim, service = self.claim, self.service
        name = self.target.operation if self.target is not None else "Unknown"
        if claim is None:
            return Progress(self.raw, self.headers, service, name, "", "")
        region = region_of_call(service, claim.scope.region)
        return Progress(self.raw, self.headers, service, name, region, claim.scope.access_key_id)
