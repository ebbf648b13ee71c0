"""A request as it was received: what it says of itself, parsed once, and not believed yet."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from kagimori.front.models import OperationModel, ServiceModel
from kagimori.rules.records.progress import Progress
from kagimori.rules.request import RawRequest
from kagimori.rules.sigv4.claim import Claim

FORM: Final = b"application/x-www-form-urlencoded"


class Target(Struct, frozen=True, gc=False):
    """An action that the service model knows, and the request's form if it came as one."""

    model: ServiceModel
    operation: OperationModel
    fields: Mapping[str, str] | None = None


class Received(Struct, frozen=True, gc=False):
    """The request, with everything that was read from it.

    `headers` has one value for each name. `service` is the one that is asked, as far as the request
    shows. `form` says that it speaks the Query protocol, so that its refusals are XML. `claim` says
    who signed it, and is proved by nothing yet. Without `target` it asks for nothing that we know;
    `problem` says why.
    """

    raw: RawRequest
    headers: Mapping[bytes, bytes]
    service: str
    form: bool
    claim: Claim | None = None
    target: Target | None = None
    problem: Exception | None = None

    def progress(self) -> Progress:
        """Return the facts that the request's record can hold so far."""
        claim, service = self.claim, self.service
        name = self.target.operation.name if self.target is not None else "Unknown"
        if claim is None:
            return Progress(self.raw, self.headers, service, name, "", "")
        scope = claim.scope
        region = scope.call_region if service == scope.service else scope.region
        return Progress(self.raw, self.headers, service, name, region, scope.access_key_id)
