"""A record put together from pieces that were kept is the one that would be made from nothing."""

from itertools import product

import msgspec
import pytest

from kagimori.rules.chain.minted import given_out
from kagimori.rules.identity.account import AccessKey
from kagimori.rules.identity.caller import root_caller, service_caller
from kagimori.rules.records import record
from kagimori.rules.records.copies import shared_event_id
from kagimori.rules.records.parameters import request_parameters
from kagimori.rules.records.progress import Progress
from kagimori.rules.records.record import DENIED, record_of
from kagimori.rules.records.times import iso_time
from kagimori.rules.records.user_identity import unknown_identity, user_identity
from kagimori.rules.refusal import AccessDeniedException, DisabledException
from kagimori.rules.request import Call, RawRequest, TlsDetails
from kagimori_boundary.replies import Failed, Failure, NewSession

EVENT_ID = "00000000-0000-4000-8000-{:012d}"
OWN, OTHER, NOW = "111122223333", "444455556666", 1_800_000_000.25
KEYS = [(owner, f"arn:aws:kms:us-east-1:{owner}:key/1") for owner in (OWN, OTHER)]
ROLE = (OWN, f"arn:aws:iam::{OWN}:role/reader")
ACCESS_KEY = AccessKey(
    access_key_id="AKIAONE", account_id=OWN, sealed_secret=b"", created_at=0.0, holder="root"
)
CALLERS = [
    None,
    root_caller(ACCESS_KEY, "aws"),
    root_caller(ACCESS_KEY, "aws"),  # another object
    service_caller(ACCESS_KEY, "s3"),
    msgspec.structs.replace(root_caller(ACCESS_KEY, "aws"), via="s3"),
]
RESOURCES = [(), (KEYS[0],), (KEYS[1],), tuple(KEYS), (KEYS[1], KEYS[0]), (ROLE,)]
HEADERS = [{}, {b"user-agent": b'sdk \xe9"\\', b"host": b"kms"}, {b"user-agent": b"a" * 3000}]


class Given(msgspec.Struct):
    KeyId: str = "alias/\u00e9\n"
    EncryptionContext: dict[str, str] | None = None
    EncryptionAlgorithm: str | None = None
    DryRun: bool | None = None


class Success(msgspec.Struct):
    response_elements: object = None
    additional: object = None
    made: tuple = ()


ENDINGS = [
    Success(),
    Success({"KeyId": "1", "Left": None}, {"keyMaterialId": "m"}, (KEYS[0],)),
    AccessDeniedException("User: é is not\nauthorized"),
    DisabledException(),
]


def by_hand(progress, ending, event_id, now):
    """The record, member by member."""
    raw, caller = progress.raw, progress.caller
    most = 256 if caller is None else 1024
    service = None if caller is None else caller.via or caller.service
    through = None if service is None else f"{service}.amazonaws.com"
    refused = not isinstance(ending, Success)
    account = "" if caller is None else caller.principal.account_id
    agent = progress.headers.get(b"user-agent", b"")[:most].decode("latin-1")
    made = {
        "eventVersion": "1.11",
        "userIdentity": (
            unknown_identity(progress.access_key_id[:most])
            if caller is None
            else user_identity(caller)
        ),
        "eventTime": iso_time(now),
        "eventSource": f"{progress.service[:most]}.amazonaws.com",
        "eventName": progress.name,
        "awsRegion": progress.region[:most],
        "sourceIPAddress": through or raw.source_ip,
        "userAgent": through or agent,
    }
    resources = list(progress.resources)
    code = None
    if refused:
        code = DENIED if isinstance(ending, AccessDeniedException) else ending.code
        made["errorCode"] = code
        if ending.message is not None:
            made["errorMessage"] = ending.message[:most]
        if account and code == DENIED:
            resources = [one for one in resources if one[0] == account]
    else:
        resources += ending.made
    call = progress.call
    made["requestParameters"] = None if call is None else request_parameters(call)
    elements = None if refused else ending.response_elements
    made["responseElements"] = None if elements is None else record.shown(elements)
    if not refused and ending.additional is not None:
        made["additionalEventData"] = ending.additional
    made |= {
        "requestID": raw.request_id,
        "eventID": event_id,
        "readOnly": progress.read_only,
        "resources": [
            {
                "accountId": owner,
                "type": "AWS::KMS::Key" if ":kms:" in arn else "AWS::IAM::Role",
                "ARN": arn,
            }
            for owner, arn in resources
        ],
        "eventType": "AwsApiCall",
        "managementEvent": True,
    }
    if caller is not None:
        recipient = account or (resources[0][0] if resources else "")
        made["recipientAccountId"] = recipient
        if code != DENIED and any(owner != recipient for owner, _ in resources):
            made["sharedEventID"] = shared_event_id(event_id)
    made["eventCategory"] = "Management"
    if raw.tls is not None:
        made["tlsDetails"] = {
            "tlsVersion": raw.tls.tls_version,
            "cipherSuite": raw.tls.cipher_suite,
            "clientProvidedHostHeader": progress.headers.get(b"host", b"").decode("latin-1"),
        }
    return msgspec.json.encode(made)


@pytest.mark.parametrize("kept_max", [1000, 2], ids=["all pieces are kept", "hardly any are"])
@pytest.mark.parametrize("tls", [None, TlsDetails("TLSv1.3", "TLS_AES_128_GCM_SHA256")])
def test_a_record_is_what_its_members_make(monkeypatch, kept_max, tls):
    monkeypatch.setattr(record, "_KEPT_MAX", kept_max)
    calls = [None, Call("kms", "Encrypt", "us-east-1", Given(EncryptionContext={"a": "ü"}))]
    everything = product(CALLERS, RESOURCES, HEADERS, ENDINGS, calls, (True, False), range(2))
    for number, given in enumerate(everything):
        caller, resources, headers, ending, call, read_only, _ = given
        raw = RawRequest(f"request-{number}", b"POST", b"/", (), b"", "192.0.2.1", tls)
        progress = Progress(
            raw, headers, "kms", "Encrypt", "us-east-1", "AKIA" * 99, read_only, caller, call
        )
        progress.resources = resources
        at = NOW + number
        made = record_of(progress, ending, EVENT_ID.format(number), at)
        assert made == by_hand(progress, ending, EVENT_ID.format(number), at)


def test_a_refusal_names_what_the_hsm_made_and_nobody_was_given():
    command = msgspec.defstruct("Asked", [("access_key_id", str)])("ASIAONE")
    progress = Progress(
        raw=RawRequest("request-1", b"POST", b"/", (), b"", "192.0.2.1"),
        headers={},
        service="sts",
        name="GetSessionToken",
        region="us-east-1",
        access_key_id="AKIAONE",
        caller=CALLERS[1],
    )
    for reply, withheld in (
        (NewSession("s", b"t"), "ASIAONE"),
        (Failed(Failure.NOT_OPERATIONAL), None),
    ):
        progress.done = (command, reply)
        line = record_of(progress, AccessDeniedException("no"), EVENT_ID.format(1), NOW)
        assert given_out(b'{"record":%b}' % line) == withheld
    progress.done = (command, NewSession("s", b"t"))
    line = record_of(progress, Success(), EVENT_ID.format(1), NOW)
    assert given_out(b'{"record":%b}' % line) is None, "a success says what it gives out"
