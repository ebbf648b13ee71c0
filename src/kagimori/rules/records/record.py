"""Builds the audit record of one request in CloudTrail's form.

Source: CloudTrail User Guide, "CloudTrail record contents" and "record contents"; KMS Developer
Guide, "Logging AWS KMS API calls with AWS CloudTrail".
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from kagimori.rules.identity.caller import Caller
from kagimori.rules.identity.service import service_principal
from kagimori.rules.records.copies import shared_event_id
from kagimori.rules.records.parameters import request_parameters
from kagimori.rules.records.progress import Ending, Progress
from kagimori.rules.records.times import element_date, iso_time
from kagimori.rules.records.user_identity import unknown_identity, user_identity
from kagimori.rules.refusal import AccessDeniedException, Refusal

EVENT_VERSION: Final = "1.11"
TEXT_BYTES_MAX: Final = 1024
STRANGER_BYTES_MAX: Final = 256  # of each text that somebody who was not identified has sent
DENIED: Final = "AccessDenied"
_DATES: Final = ("Date", "Expiration")  # how the names of members end that are points in time
_KEY, _ROLE = "AWS::KMS::Key", "AWS::IAM::Role"
_encode = msgspec.json.Encoder().encode


def record_of(progress: Progress, ending: Ending, event_id: str, now: float) -> bytes:
    """Return the record of one request, as one line of JSON without its newline.

    INVARIANT(no-secret-in-sight): members are taken from a list of what may be shown.
    """
    raw, headers, caller, call = progress.raw, progress.headers, progress.caller, progress.call
    resources: Sequence[tuple[str, str]] = progress.resources
    text_max = STRANGER_BYTES_MAX if caller is None else TEXT_BYTES_MAX
    service_name = None if caller is None else caller.via or caller.service
    through = None if service_name is None else service_principal(service_name)
    record: dict[str, Any] = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": (
            unknown_identity(progress.access_key_id[:text_max])
            if caller is None
            else _identity(caller)
        ),
        "eventTime": iso_time(now),
        "eventSource": f"{progress.service[:text_max]}.amazonaws.com",
        "eventName": progress.name,
        "awsRegion": progress.region[:text_max],
        "sourceIPAddress": through or raw.source_ip,
        "userAgent": through or headers.get(b"user-agent", b"")[:text_max].decode("latin-1"),
    }
    refusal, elements = None, None
    if isinstance(ending, Refusal):
        refusal = ending
        record["errorCode"] = error_code(refusal)
        if refusal.message is not None:
            record["errorMessage"] = refusal.message[:text_max]
    else:
        elements = ending.response_elements
        resources = (*resources, *ending.made)
    record["requestParameters"] = None if call is None else request_parameters(call)
    record["responseElements"] = None if elements is None else shown(elements)
    if not isinstance(ending, Refusal) and ending.additional is not None:
        record["additionalEventData"] = ending.additional
    account_id = "" if caller is None else caller.principal.account_id
    if refusal is not None and account_id and error_code(refusal) == DENIED:
        # A denial shows nothing that is another account's, not even in the caller's record.
        resources = [named for named in resources if named[0] == account_id]
    record["requestID"] = raw.request_id
    record["eventID"] = event_id
    record["readOnly"] = progress.read_only
    record["resources"] = [
        {
            "accountId": account_id,
            "type": _KEY if arn.split(":", 3)[2:3] == ["kms"] else _ROLE,
            "ARN": arn,
        }
        for account_id, arn in resources
    ]
    record["eventType"] = "AwsApiCall"
    record["managementEvent"] = True
    if caller is not None:
        recipient = account_id or _owner(resources)
        record["recipientAccountId"] = recipient
        if is_shared(resources, recipient, refusal):
            record["sharedEventID"] = shared_event_id(event_id)
    record["eventCategory"] = "Management"
    if raw.tls is not None:
        record["tlsDetails"] = {
            "tlsVersion": raw.tls.tls_version,
            "cipherSuite": raw.tls.cipher_suite,
            "clientProvidedHostHeader": headers.get(b"host", b"")[:text_max].decode("latin-1"),
        }
    return _encode(record)


def _owner(resources: Sequence[tuple[str, str]]) -> str:
    """Return the account of the resources that a service, which has no account, acted upon."""
    return resources[0][0] if resources else ""


def is_shared(
    resources: Sequence[tuple[str, str]], account_id: str, refusal: Refusal | None
) -> bool:
    """Return whether the key's owner has a copy of the event; denials have none."""
    for owner, _ in resources:
        if owner != account_id:
            return refusal is None or error_code(refusal) != DENIED
    return False


def _identity(caller: Caller) -> msgspec.Raw:
    """Return `userIdentity` of a caller as JSON; cached, since callers come again."""
    known = _IDENTITIES.get(id(caller))
    if known is None or known[0] is not caller:
        if len(_IDENTITIES) >= _IDENTITIES_MAX:
            _IDENTITIES.clear()
        known = _IDENTITIES[id(caller)] = (caller, msgspec.Raw(_encode(user_identity(caller))))
    return known[1]


_IDENTITIES: Final[dict[int, tuple[Caller, msgspec.Raw]]] = {}
_IDENTITIES_MAX: Final = 1000


def error_code(refusal: Refusal) -> str:
    """Return the error code in a record: `AccessDenied` for refused authorization."""
    return DENIED if isinstance(refusal, AccessDeniedException) else refusal.code


def shown(value: Any, *, is_map: bool = False) -> Any:
    """Return a value as records show it: members in lower camel case, dates as text."""
    if isinstance(value, dict):
        return {
            (name if is_map else name[:1].lower() + name[1:]): (
                element_date(inner)
                if name.endswith(_DATES) and isinstance(inner, int | float)
                else shown(inner)
            )
            for name, inner in value.items()
            if inner is not None
        }
    if isinstance(value, list | tuple):
        return [shown(inner) for inner in value]
    return value
