"""Builds the audit record of one request in CloudTrail's form.

Source: CloudTrail User Guide, "CloudTrail record contents" and "record contents"; KMS Developer
Guide, "Logging AWS KMS API calls with AWS CloudTrail".
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from kagimori.rules.identity.caller import Caller
from kagimori.rules.identity.service import service_principal
from kagimori.rules.records.console_login import console_login
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

    It is put together from pieces: those that many requests of a caller share are kept.

    INVARIANT(no-secret-in-sight): members are taken from a list of what may be shown.
    """
    if progress.claimed is not None:
        return console_login(progress, progress.claimed, ending, event_id, now)
    raw, call = progress.raw, progress.call
    resources: Sequence[tuple[str, str]] = progress.resources
    failure, elements, additional = b"", b"null", b""
    if isinstance(ending, Refusal):
        failure, resources = _failure(progress, ending)
        if progress.withheld:
            withheld = {"withheldAccessKeyId": progress.withheld}
            additional = b',"additionalEventData":' + _encode(withheld)
    else:
        if ending.response_elements is not None:
            elements = _encode(shown(ending.response_elements))
        if ending.additional is not None:
            additional = b',"additionalEventData":' + _encode(ending.additional)
        if ending.made:
            resources = (*resources, *ending.made)
    return b"".join(
        (
            _identity(progress),
            iso_time(now).encode(),
            _what(progress),
            failure,
            b',"requestParameters":',
            b"null" if call is None else _encode(request_parameters(call)),
            b',"responseElements":',
            elements,
            additional,
            b',"requestID":',
            _encode(raw.request_id),
            b',"eventID":',
            _encode(event_id),
            _resources(progress, tuple(resources), event_id, ending),
        )
    )


def _failure(progress: Progress, refusal: Refusal) -> tuple[bytes, Sequence[tuple[str, str]]]:
    """Return the members that describe a refusal, and the resources that may be shown with it."""
    code = error_code(refusal)
    members = {"errorCode": code}
    if refusal.message is not None:
        members["errorMessage"] = refusal.message[: _text_max(progress)]
    resources: Sequence[tuple[str, str]] = progress.resources
    account_id = _account_id(progress)
    if account_id and code == DENIED:
        # A denial shows nothing that is another account's, not even in the caller's record.
        resources = [named for named in resources if named[0] == account_id]
    return b"," + _encode(members)[1:-1], resources


def _identity(progress: Progress) -> bytes:
    """Return the record's beginning, up to its time; kept, since callers come again."""
    caller = progress.caller
    if caller is None:
        stranger = unknown_identity(progress.access_key_id[: _text_max(progress)])
        return _IDENTITY % (_encode(EVENT_VERSION), _encode(stranger))
    known = _IDENTITIES.get(id(caller))
    if known is None or known[0] is not caller:
        if len(_IDENTITIES) >= _KEPT_MAX:
            _IDENTITIES.clear()
        beginning = _IDENTITY % (_encode(EVENT_VERSION), _encode(user_identity(caller)))
        known = _IDENTITIES[id(caller)] = (caller, beginning)
    return known[1]


_IDENTITY: Final = b'{"eventVersion":%b,"userIdentity":%b,"eventTime":"'
_IDENTITIES: Final[dict[int, tuple[Caller, bytes]]] = {}


def _what(progress: Progress) -> bytes:
    """Return the members from the time's end on that say what was called, and from where."""
    caller, source_ip = progress.caller, progress.raw.source_ip
    agent = progress.headers.get(b"user-agent", b"")
    if caller is None:
        return _called(progress, source_ip, agent)
    service = caller.via or caller.service
    kind = (progress.service, progress.name, progress.region, source_ip, agent, service)
    known = _CALLED.get(kind)
    if known is None:
        if service is None:
            known = _called(progress, source_ip, agent)
        else:
            through = service_principal(service)
            known = _called(progress, through, through.encode("latin-1"))
        if len(_CALLED) >= _KEPT_MAX:
            _CALLED.clear()
        if len(agent) <= TEXT_BYTES_MAX:
            _CALLED[kind] = known
    return known


def _called(progress: Progress, source_ip: str, agent: bytes) -> bytes:
    text_max = _text_max(progress)
    members = {
        "eventSource": f"{progress.service[:text_max]}.amazonaws.com",
        "eventName": progress.name,
        "awsRegion": progress.region[:text_max],
        "sourceIPAddress": source_ip,
        "userAgent": agent[:text_max].decode("latin-1"),
    }
    return b'",' + _encode(members)[1:-1]


_CALLED: Final[dict[tuple[str, str, str, str, bytes, str | None], bytes]] = {}


def _resources(
    progress: Progress, resources: tuple[tuple[str, str], ...], event_id: str, ending: Ending
) -> bytes:
    """Return the record's end, from `readOnly` on."""
    caller, tls = progress.caller, progress.raw.tls
    if caller is not None and tls is None:
        account_id, read_only = caller.principal.account_id, progress.read_only
        known = _ENDS.get((resources, account_id, read_only))
        if known is not None:
            return known
    end: dict[str, Any] = {
        "readOnly": progress.read_only,
        "resources": [
            {
                "accountId": account_id,
                "type": _KEY if arn.split(":", 3)[2:3] == ["kms"] else _ROLE,
                "ARN": arn,
            }
            for account_id, arn in resources
        ],
        "eventType": "AwsApiCall",
        "managementEvent": True,
    }
    is_kept = False
    if caller is not None:
        recipient = caller.principal.account_id or _owner(resources)
        end["recipientAccountId"] = recipient
        refusal = ending if isinstance(ending, Refusal) else None
        if is_shared(resources, recipient, refusal):
            end["sharedEventID"] = shared_event_id(event_id)
        is_kept = tls is None and all(owner == recipient for owner, _ in resources)
    end["eventCategory"] = "Management"
    if tls is not None:
        host = progress.headers.get(b"host", b"")[: _text_max(progress)]
        end["tlsDetails"] = {
            "tlsVersion": tls.tls_version,
            "cipherSuite": tls.cipher_suite,
            "clientProvidedHostHeader": host.decode("latin-1"),
        }
    encoded = b"," + _encode(end)[1:]
    if is_kept:  # nothing in it depends on the request alone
        if len(_ENDS) >= _KEPT_MAX:
            _ENDS.clear()
        _ENDS[resources, account_id, read_only] = encoded
    return encoded


_ENDS: Final[dict[tuple[tuple[tuple[str, str], ...], str, bool], bytes]] = {}
_KEPT_MAX: Final = 1000


def _text_max(progress: Progress) -> int:
    return STRANGER_BYTES_MAX if progress.caller is None else TEXT_BYTES_MAX


def _account_id(progress: Progress) -> str:
    return "" if progress.caller is None else progress.caller.principal.account_id


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
