"""Kinds of requests, as metering counts them, and which of them AWS bills at which price.

AWS bills requests to KMS: those to IAM, STS, CloudTrail and Service Quotas are free. The account
of the caller pays, whoever owns the key. A request that was refused is a request all the same;
what AWS throttled, failed to do by its own fault, or could not ascribe to an account is not billed.

DIFFERS(aws): AWS does not publish whether refused requests are billed. Those that were denied, or
found a key that cannot be used, are counted as billed here, so that no bill is too small.

Source: AWS Key Management Service pricing, "Key usage" and "Free tier"; KMS Developer Guide,
"Testing your permissions" (dry runs count).
"""

from typing import Final, NamedTuple

from kagimori.rules.records.entry import Entry, Identity
from kagimori.rules.records.times import epoch_of

HOUR_SECONDS: Final = 3600
KMS: Final = "kms"
_TEXT_MAX: Final = 512
_HOUR_CHARACTERS: Final = len("2026-01-31T12:")
_SOURCE_SUFFIX: Final = ".amazonaws.com"
_SERVICE_EVENT: Final = "AwsServiceEvent"
_KEYS: Final = ":key/"

THROTTLED: Final = ("ThrottlingException", "Throttling", "TooManyRequestsException")
UNBILLED: Final = (*THROTTLED, "KMSInternalException", "InternalFailure", "ServiceUnavailable")

# Classes of requests that a price list may know.
STANDARD: Final = "standard"
RSA_2048: Final = "rsa_2048"
ASYMMETRIC: Final = "asymmetric"
PAIRS_ECC: Final = "data_key_pairs_ecc"
PAIRS_RSA: Final = "data_key_pairs_rsa"
CLASSES: Final = (STANDARD, RSA_2048, ASYMMETRIC, PAIRS_ECC, PAIRS_RSA)

_PAIRS: Final = frozenset({"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"})
# With an asymmetric key these have a price of their own.
_KEY_USES: Final = frozenset(
    {
        "Decapsulate", "Decrypt", "DeriveSharedSecret", "Encapsulate", "Encrypt", "GetPublicKey",
        "ReEncrypt", "Sign", "Verify",
    }
)  # fmt: skip
_ASYMMETRIC: Final = ("RSA_", "ECC_", "SM2", "ML_DSA_", "ML_KEM_")


class RequestKind(NamedTuple):
    """The requests of one hour that differ in nothing that is counted.

    `hour` is hours since the epoch. `account_id` is empty where no caller was identified; nothing
    that such a request says of itself is kept.
    """

    hour: int
    account_id: str = ""
    region: str = ""
    service: str = ""
    operation: str = ""
    key_arn: str = ""
    other_key_arn: str = ""
    principal: str = ""
    error_code: str = ""
    pair_spec: str = ""


UNREADABLE: Final = RequestKind(0, error_code="unreadable")


def alike(entry: Entry) -> tuple[object, ...]:
    """Return a value that is the same for requests of one kind: cheaper than the kind itself."""
    identity, parameters = entry.user_identity, entry.request_parameters
    resources = entry.resources or ()
    return (
        entry.event_time[:_HOUR_CHARACTERS],
        len(entry.event_time),
        entry.event_name,
        entry.event_source,
        entry.event_type,
        entry.aws_region,
        entry.recipient_account_id,
        entry.error_code,
        identity.arn,
        identity.invoked_by,
        identity.principal_id,
        identity.session_context,
        resources[0].arn if len(resources) == 1 else tuple([one.arn for one in resources]),
        None if parameters is None else parameters.key_pair_spec,
    )


def kind_of(entry: Entry | None) -> RequestKind | None:
    """Return the kind of a request by its record; None if the record is of no request."""
    if entry is None:
        return UNREADABLE
    if entry.event_type == _SERVICE_EVENT:
        return None
    try:
        hour = epoch_of(entry.event_time) // HOUR_SECONDS
    except ValueError:
        return UNREADABLE
    error_code = (entry.error_code or "")[:_TEXT_MAX]
    if not entry.recipient_account_id:
        return RequestKind(hour, error_code=error_code)
    arns = [one.arn for one in entry.resources or () if _KEYS in one.arn]
    parameters = entry.request_parameters
    return RequestKind(
        hour,
        entry.recipient_account_id,
        entry.aws_region[:_TEXT_MAX],
        entry.event_source.removesuffix(_SOURCE_SUFFIX)[:_TEXT_MAX],
        entry.event_name[:_TEXT_MAX],
        arns[0] if arns else "",
        arns[1] if len(arns) > 1 and arns[1] != arns[0] else "",
        _principal(entry.user_identity)[:_TEXT_MAX],
        error_code,
        parameters.key_pair_spec if parameters is not None else "",
    )


def is_billed(service: str, account_id: str, error_code: str) -> bool:
    """Return whether AWS bills a request."""
    return service == KMS and bool(account_id) and error_code not in UNBILLED


def class_of(operation: str, key_specs: tuple[str, ...], pair_spec: str) -> str:
    """Return the class of a billed request by the specs of its keys, and of a data key pair."""
    if operation in _PAIRS:
        return PAIRS_RSA if pair_spec.startswith("RSA") else PAIRS_ECC
    specs = {spec for spec in key_specs if spec.startswith(_ASYMMETRIC)}
    if operation not in _KEY_USES or not specs:
        return STANDARD
    return RSA_2048 if specs == {"RSA_2048"} else ASYMMETRIC


def _principal(identity: Identity) -> str:
    """Return the ARN of the user, root user or role, whatever a session is called; or a service."""
    session = identity.session_context
    issuer = None if session is None else session.session_issuer
    if issuer is not None and issuer.arn:
        return issuer.arn
    return identity.arn or identity.invoked_by or identity.principal_id
