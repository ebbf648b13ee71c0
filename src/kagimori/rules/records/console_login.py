"""Records of sign-ins: CloudTrail's `ConsoleLogin`, and `CheckMfa` where a code is asked for.

Source: CloudTrail User Guide, "AWS Management Console sign-in events".
"""

from typing import Any, Final

import msgspec

from kagimori.rules.records.claimed import Claimed
from kagimori.rules.records.progress import Ending, Progress
from kagimori.rules.records.times import iso_time
from kagimori.rules.refusal import Refusal

HIDDEN: Final = "HIDDEN_DUE_TO_SECURITY_REASONS"
FAILED: Final = "SignInFailedException"
CODE_ASKED_FOR: Final = "MfaRequiredException"
_FAILED_TEXT: Final = "Failed authentication"
_TEXT_MAX: Final = 256
_encode = msgspec.json.Encoder().encode


def console_login(
    progress: Progress, claimed: Claimed, ending: Ending, event_id: str, now: float
) -> bytes:
    """Return the record of a sign-in, as one line of JSON without its newline.

    INVARIANT(no-secret-in-sight): of what was typed it shows the name of a user that exists.
    """
    raw, headers = progress.raw, progress.headers
    host = headers.get(b"host", b"")[:_TEXT_MAX].decode("latin-1")
    record: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": _identity(claimed, is_proven=not isinstance(ending, Refusal)),
        "eventTime": iso_time(now),
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "awsRegion": progress.region,
        "sourceIPAddress": raw.source_ip,
        "userAgent": headers.get(b"user-agent", b"")[:_TEXT_MAX].decode("latin-1"),
        "requestParameters": None,
        "responseElements": {"ConsoleLogin": "Success"},
        "additionalEventData": {
            "LoginTo": f"{'http' if raw.tls is None else 'https'}://{host}/",
            "MobileVersion": "No",
            "MFAUsed": "Yes" if claimed.has_code else "No",
        },
    }
    if not isinstance(ending, Refusal):
        record["additionalEventData"] |= ending.additional or {}
    elif ending.code == CODE_ASKED_FOR:
        record["eventName"] = "CheckMfa"
        record["responseElements"] = {"CheckMfa": "Success"}
        record["additionalEventData"] = {"MfaType": "Virtual MFA device"}
    else:
        record["responseElements"] = {"ConsoleLogin": "Failure"}
        record |= _failure(ending)
        if progress.withheld:
            record["additionalEventData"]["withheldAccessKeyId"] = progress.withheld
    record |= {
        "requestID": raw.request_id,
        "eventID": event_id,
        "readOnly": False,
        "eventType": "AwsConsoleSignIn",
        "managementEvent": True,
    }
    if claimed.account_id:
        record["recipientAccountId"] = claimed.account_id
    record["eventCategory"] = "Management"
    if raw.tls is not None:
        record["tlsDetails"] = {
            "tlsVersion": raw.tls.tls_version,
            "cipherSuite": raw.tls.cipher_suite,
            "clientProvidedHostHeader": host,
        }
    return _encode(record)


def _failure(refusal: Refusal) -> dict[str, str]:
    if refusal.code == FAILED:
        return {"errorMessage": _FAILED_TEXT}
    return {"errorCode": refusal.code, "errorMessage": (refusal.message or "")[:_TEXT_MAX]}


def _identity(claimed: Claimed, *, is_proven: bool) -> dict[str, Any]:
    """Return the `userIdentity`: proved, or claimed."""
    is_root = claimed.user_name is None
    identity: dict[str, Any] = {"type": "Root" if is_root else "IAMUser"}
    if claimed.principal_id:
        identity["principalId"] = claimed.principal_id
        if is_proven or is_root:
            identity["arn"] = claimed.arn
    if claimed.account_id:
        identity["accountId"] = claimed.account_id
    identity["accessKeyId"] = claimed.access_key_id if is_proven else ""
    if not claimed.principal_id:
        identity["userName"] = HIDDEN
    elif not is_root:
        identity["userName"] = claimed.user_name
    return identity
