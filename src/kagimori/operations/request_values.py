"""The condition values of one request: what `aws:` and `kms:` keys mean here.

Values are worked out only for the keys that a policy asks about. Source: reference, sections 9.5
and 9.6. A key that is not in the tables is absent.
"""

import re
from collections.abc import Callable, Iterable
from time import gmtime, strftime
from typing import Any, Final

from kagimori.operations.operation import Asked, Need
from kagimori.operations.recipient import attested_recipient
from kagimori.rules.identity.service import service_principal, via_service
from kagimori.rules.keys.grant import GrantTerms
from kagimori.rules.keys.kms_key import KmsKey
from kagimori.rules.policy.principal import PrincipalKind
from kagimori.rules.policy.values import Given, Values
from kagimori.rules.refusal import ValidationException
from kagimori.tables import ALIASES, KEY_USAGES

ALIASES_COUNTED_MAX: Final = 50
_REGISTER: Final = re.compile(r"(nitrotpm)?pcr(0|[1-9][0-9]?)")


class RequestValues(Values):
    """The values for one need of one request."""

    __slots__ = ("asked", "need")

    def __init__(self, asked: Asked, need: Need) -> None:
        super().__init__({})
        self.asked = asked
        self.need = need

    def _given(self, key: str) -> Given:
        special = self.need.values.get(key)
        if special is not None:
            return special
        provider = KEYS.get(key)
        if provider is not None:
            return provider(self)
        for prefix, family in FAMILIES.items():
            if key.startswith(prefix):
                return family(self, key[len(prefix) :])
        return None

    @property
    def key(self) -> KmsKey | None:
        return self.need.kms_key

    def member(self, name: str) -> Any:
        return getattr(self.asked.call.input, name, None)


def _of_key(field: str) -> Callable[[RequestValues], Given]:
    """A property of the key the operation is on; for CreateKey, of the key that is asked for."""

    def value(values: RequestValues) -> Given:
        key = values.key if values.key is not None else values.need.planned
        return str(getattr(key, field)) if key is not None else None

    return value


def _member(name: str) -> Callable[[RequestValues], Given]:
    def value(values: RequestValues) -> Given:
        found = values.member(name)
        return None if found is None else _text(found)

    return value


def _text(value: Any) -> str | list[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _caller_account(values: RequestValues) -> Given:
    on_key = values.key is not None or values.asked.call.operation == "CreateKey"
    return (values.asked.caller.account_id or None) if on_key else None


def _context_keys(values: RequestValues) -> Given:
    return list(values.need.encryption_context or ())


def _context_value(values: RequestValues, name: str) -> Given:
    context = values.need.encryption_context or {}
    return [value for key, value in context.items() if key.lower() == name]


def _encryption_algorithm(values: RequestValues) -> Given:
    if values.need.encryption_context is None:
        return None
    names = {
        "kms:ReEncryptFrom": "SourceEncryptionAlgorithm",
        "kms:ReEncryptTo": "DestinationEncryptionAlgorithm",
    }
    member = names.get(values.need.action, "EncryptionAlgorithm")
    return str(values.member(member) or "SYMMETRIC_DEFAULT")


def _multi_region(values: RequestValues) -> Given:
    key = values.key or values.need.planned
    return None if key is None else _text(key.is_multi_region)


def _resource_aliases(values: RequestValues) -> Given:
    key = values.key
    if key is None:
        return None
    group = (key.account_id, key.region, key.key_id)
    aliases = values.asked.view.group(ALIASES, "by_key", group)
    if len(aliases) > ALIASES_COUNTED_MAX:
        raise ValueError("more aliases than conditions may look at")
    return [alias.alias_name for alias in aliases]


def _resource_tag(values: RequestValues, name: str) -> Given:
    tags = values.key.tags if values.key is not None else values.need.resource_tags or {}
    return [value for key, value in tags.items() if key.lower() == name]


def _request_tags(values: RequestValues) -> Iterable[tuple[str, str]]:
    """The tags in the request; KMS and IAM name their members differently."""
    for tag in values.member("Tags") or ():
        if hasattr(tag, "TagKey"):
            yield tag.TagKey, tag.TagValue
        else:
            yield tag.Key, tag.Value


def _request_tag(values: RequestValues, name: str) -> Given:
    return [value for key, value in _request_tags(values) if key.lower() == name]


def _tag_keys(values: RequestValues) -> Given:
    return [key for key, _ in _request_tags(values)] + list(values.member("TagKeys") or ())


def _same_key(values: RequestValues) -> Given:
    if values.asked.call.operation != "ReEncrypt":
        return None
    return _text(values.need.re_encrypts_on_same_key)


def _message_type(values: RequestValues) -> Given:
    if values.asked.call.operation not in ("Sign", "Verify"):
        return None
    return str(values.member("MessageType") or "RAW")


def _window_days(values: RequestValues) -> Given:
    if values.asked.call.operation != "ScheduleKeyDeletion":
        return None
    return str(values.member("PendingWindowInDays") or 30)


def _rotation_days(values: RequestValues) -> Given:
    if values.asked.call.operation != "EnableKeyRotation":
        return None
    return str(values.member("RotationPeriodInDays") or 365)


def _grant_is_for_service(values: RequestValues) -> Given:
    """True only when a service asks, for somebody or for itself."""
    if values.asked.call.operation not in ("CreateGrant", "ListGrants", "RevokeGrant"):
        return None
    caller = values.asked.caller
    return _text(caller.via is not None or caller.service is not None)


def _via_service(values: RequestValues) -> Given:
    asked = values.asked
    on_key = values.key is not None or asked.call.operation == "CreateKey"
    via = asked.caller.via
    return via_service(via, asked.call.region) if via is not None and on_key else None


def _called_via(values: RequestValues) -> Given:
    via = values.asked.caller.via
    return None if via is None else service_principal(via)


def _service_name(values: RequestValues) -> Given:
    service = values.asked.caller.service
    return None if service is None else service_principal(service)


def _of_new_grant(name: str) -> Callable[[RequestValues], Given]:
    """A member of CreateGrant; operations that list or end grants have members of that name too."""

    def value(values: RequestValues) -> Given:
        found = values.member(name) if values.asked.call.operation == "CreateGrant" else None
        return None if found is None else _text(found)

    return value


def _terms(values: RequestValues) -> GrantTerms | None:
    if values.need.retires is not None:
        return values.need.retires.terms
    return values.need.proposed


def _grant_constraint_type(values: RequestValues) -> Given:
    terms = _terms(values)
    if terms is None:
        return None
    if terms.encryption_context_equals is not None:
        return "EncryptionContextEquals"
    return None if terms.encryption_context_subset is None else "EncryptionContextSubset"


def _grant_source_arn(values: RequestValues) -> Given:
    terms = values.need.proposed
    return None if terms is None else terms.source_arn


def _multi_region_key_type(values: RequestValues) -> Given:
    key = values.key or values.need.planned
    if key is None or not key.is_multi_region:
        return None
    return "REPLICA" if key.is_replica else "PRIMARY"


def _days_without_use(values: RequestValues) -> Given:
    """Whole days since the key was last used, as far as that is tracked (reference, 9.5)."""
    key, asked = values.key, values.asked
    if key is None or asked.call.operation not in ("DisableKey", "ScheduleKeyDeletion"):
        return None
    name = (key.account_id, key.region, key.key_id)
    written = asked.view.page(KEY_USAGES, name, None, 1)
    usage = asked.usages.newest(name) or (written[0] if written else None)
    since = max(key.created_at, asked.settings.tracking_started_at) if usage is None else usage.at
    return str(int((asked.now - since) // 86_400))


def _attested(values: RequestValues, name: str) -> Given:
    """A measurement of the attested recipient, in lower-case hex (reference, 9.5 and 19.5).

    Absent without a document, and with one that proves nothing: that the operation refuses.
    """
    try:
        attested = attested_recipient(values.asked, values.member("Recipient"))
    except ValidationException:
        return None
    if attested is None:
        return None
    if name == "imagesha384":  # of the whole image: what register 0 of an enclave holds
        name = "pcr0"
    named = _REGISTER.fullmatch(name)
    if named is None:
        return None
    registers = attested.nitrotpm_pcrs if named[1] else attested.pcrs
    digest = registers.get(int(named[2]))
    return None if digest is None else digest.hex()


def _policy_name(values: RequestValues) -> Given:
    if values.asked.call.operation not in ("GetKeyPolicy", "PutKeyPolicy"):
        return None
    return str(values.member("PolicyName") or "default")


_PRINCIPAL_TYPES: Final = {
    PrincipalKind.ROOT: "Account",
    PrincipalKind.USER: "User",
    PrincipalKind.USER_SESSION: "User",
    PrincipalKind.ROLE_SESSION: "AssumedRole",
    PrincipalKind.FEDERATED_USER: "FederatedUser",
}


def _header(name: bytes) -> Callable[[RequestValues], Given]:
    def value(values: RequestValues) -> Given:
        found = dict(values.asked.raw.headers).get(name)
        return None if found is None else found.decode("latin-1")

    return value


def _listed(value: Given) -> Given:
    return None if value is None else [str(value)]


def _current_time(values: RequestValues) -> Given:
    return _instant(values.asked.now)


def _instant(moment: float) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(moment))


def _principal_tag(values: RequestValues, name: str) -> Given:
    tags = values.asked.caller.tags
    return next((value for key, value in tags.items() if key.lower() == name), None)


def _of_session(field: str) -> Callable[[RequestValues], Given]:
    """What only temporary credentials have."""

    def value(values: RequestValues) -> Given:
        session = values.asked.caller.session
        return None if session is None else getattr(session, field)

    return value


def _token_issue_time(values: RequestValues) -> Given:
    session = values.asked.caller.session
    return None if session is None else _instant(session.issued_at)


def _mfa_present(values: RequestValues) -> Given:
    """Absent with long-term credentials, as `BoolIfExists` in policies counts on."""
    session = values.asked.caller.session
    return None if session is None else _text(session.mfa_at is not None)


def _mfa_age(values: RequestValues) -> Given:
    session = values.asked.caller.session
    if session is None or session.mfa_at is None:
        return None
    return str(max(0, int(values.asked.now - session.mfa_at)))


KEYS: Final[dict[str, Callable[[RequestValues], Given]]] = {
    "aws:calledvia": lambda values: _listed(_called_via(values)),
    "aws:calledviafirst": _called_via,
    "aws:calledvialast": _called_via,
    "aws:currenttime": _current_time,
    "aws:epochtime": lambda values: str(int(values.asked.now)),
    "aws:multifactorauthage": _mfa_age,
    "aws:multifactorauthpresent": _mfa_present,
    "aws:principalaccount": lambda values: values.asked.caller.account_id or None,
    "aws:principalarn": lambda values: values.asked.caller.principal.principal_arn or None,
    "aws:principalisawsservice": lambda values: _text(values.asked.caller.service is not None),
    "aws:principalservicename": _service_name,
    "aws:principalservicenameslist": lambda values: _listed(_service_name(values)),
    "aws:principaltype": lambda values: _PRINCIPAL_TYPES.get(values.asked.caller.principal.kind),
    "aws:referer": _header(b"referer"),
    "aws:requestedregion": lambda values: values.asked.call.region,
    "aws:resourceaccount": lambda values: values.key.account_id if values.key else None,
    "aws:securetransport": lambda values: _text(values.asked.raw.tls is not None),
    "aws:sourceaccount": lambda values: values.asked.caller.source_account,
    "aws:sourcearn": lambda values: values.asked.caller.source_arn,
    "aws:sourceidentity": _of_session("source_identity"),
    "aws:sourceip": lambda values: values.asked.raw.source_ip,
    "aws:tagkeys": _tag_keys,
    "aws:tokenissuetime": _token_issue_time,
    "aws:useragent": _header(b"user-agent"),
    "aws:userid": lambda values: values.asked.caller.user_id,
    "aws:username": lambda values: values.asked.caller.user_name,
    "aws:viaawsservice": lambda values: _text(values.asked.caller.via is not None),
    "kms:bypasspolicylockoutsafetycheck": _member("BypassPolicyLockoutSafetyCheck"),
    "kms:calleraccount": _caller_account,
    "kms:customermasterkeyspec": _of_key("key_spec"),
    "kms:customermasterkeyusage": _of_key("key_usage"),
    "kms:datakeypairspec": _member("KeyPairSpec"),
    "kms:encryptionalgorithm": _encryption_algorithm,
    "kms:encryptioncontextkeys": _context_keys,
    "kms:expirationmodel": _member("ExpirationModel"),
    "kms:grantisforawsresource": _grant_is_for_service,
    "kms:granteeprincipal": _of_new_grant("GranteePrincipal"),
    "kms:granteeserviceprincipal": _of_new_grant("GranteeServicePrincipal"),
    "kms:grantconstraintsourcearn": _grant_source_arn,
    "kms:grantconstrainttype": _grant_constraint_type,
    "kms:grantoperations": _of_new_grant("Operations"),
    "kms:keyagreementalgorithm": _member("KeyAgreementAlgorithm"),
    "kms:keyorigin": _of_key("origin"),
    "kms:keyspec": _of_key("key_spec"),
    "kms:keyusage": _of_key("key_usage"),
    "kms:macalgorithm": _member("MacAlgorithm"),
    "kms:messagetype": _message_type,
    "kms:multiregion": _multi_region,
    "kms:multiregionkeytype": _multi_region_key_type,
    "kms:policyname": _policy_name,
    "kms:primaryregion": _member("PrimaryRegion"),
    "kms:reencryptonsamekey": _same_key,
    "kms:replicaregion": _member("ReplicaRegion"),
    "kms:requestalias": lambda values: values.need.alias_name,
    "kms:resourcealiases": _resource_aliases,
    "kms:retiringprincipal": _of_new_grant("RetiringPrincipal"),
    "kms:retiringserviceprincipal": _of_new_grant("RetiringServicePrincipal"),
    "kms:rotationperiodindays": _rotation_days,
    "kms:schedulekeydeletionpendingwindowindays": _window_days,
    "kms:signingalgorithm": _member("SigningAlgorithm"),
    "kms:trailingdayswithoutkeyusage": _days_without_use,
    "kms:viaservice": _via_service,
    "kms:validto": _member("ValidTo"),
    "kms:wrappingalgorithm": _member("WrappingAlgorithm"),
    "kms:wrappingkeyspec": _member("WrappingKeySpec"),
}

FAMILIES: Final[dict[str, Callable[[RequestValues, str], Given]]] = {
    "kms:encryptioncontext:": _context_value,
    "aws:resourcetag/": _resource_tag,
    "kms:recipientattestation:": _attested,
    "aws:requesttag/": _request_tag,
    "aws:principaltag/": _principal_tag,
}
