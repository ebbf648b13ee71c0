"""The members of a record that look-ups, counts and tables need, decoded fast."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct, field

KMS_SOURCE: Final = "kms.amazonaws.com"


class Resource(Struct, frozen=True, gc=False, rename="camel"):
    arn: str = field(name="ARN", default="")
    account_id: str = ""
    type: str = ""


class Issuer(Struct, frozen=True, gc=False):
    """The role, or the user, that a session was given by."""

    arn: str = ""


class Session(Struct, frozen=True, gc=False, rename="camel"):
    session_issuer: Issuer | None = None


class Identity(Struct, frozen=True, gc=False, rename="camel"):
    type: str = ""
    principal_id: str = ""
    arn: str = ""
    account_id: str = ""
    access_key_id: str = ""
    user_name: str = ""
    invoked_by: str = ""
    session_context: Session | None = None

    @property
    def shown_name(self) -> str:
        """The name CloudTrail looks a caller up by."""
        if self.user_name:
            return self.user_name
        if self.type == "Root":
            return "root"
        if self.type in ("AssumedRole", "FederatedUser"):
            return self.principal_id.partition(":")[2] or self.arn.rpartition("/")[2]
        return self.invoked_by


class Parameters(Struct, frozen=True, gc=False, rename="camel"):
    """Parameters of a request: regions beside its own, and the spec of a data key pair."""

    replica_region: str = ""
    primary_region: str = ""
    key_pair_spec: str = ""


class Entry(Struct, frozen=True, gc=False, rename="camel"):
    """The members of a record by which it is looked up."""

    event_id: str = field(name="eventID")
    event_time: str
    event_name: str
    event_source: str
    aws_region: str = ""
    read_only: bool = False
    recipient_account_id: str = ""
    user_identity: Identity = Identity()
    error_code: str | None = None
    source_ip_address: str = field(name="sourceIPAddress", default="")
    resources: Sequence[Resource] | None = None
    request_parameters: Parameters | None = None
    event_type: str = ""
    request_id: str = field(name="requestID", default="")

    @property
    def other_region(self) -> str:
        """The other region in whose trail the event is as well; empty if it is in one alone."""
        named = self.request_parameters
        if named is None or self.error_code is not None or self.event_source != KMS_SOURCE:
            return ""
        if self.event_name == "ReplicateKey":
            return named.replica_region
        if self.event_name == "UpdatePrimaryRegion" and named.primary_region != self.aws_region:
            return named.primary_region
        return ""

    @property
    def owners(self) -> set[str]:
        """Other accounts whose keys were used: they have the event in their trails as well.

        What was refused for lack of permission stays with the caller.
        """
        resources = self.resources
        if self.error_code == "AccessDenied" or not resources:
            return set()
        if len(resources) == 1 and resources[0].account_id == self.recipient_account_id:
            return set()  # as of most events
        others = {resource.account_id for resource in resources}
        return others - {self.recipient_account_id, ""}


decode_entry: Final = msgspec.json.Decoder(Entry).decode
