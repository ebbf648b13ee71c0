"""The values of `kms:` condition keys: from the key, the request's members and the grant.

Source: KMS Developer Guide, "Condition keys for AWS KMS".
"""

import re
from collections.abc import Callable
from typing import Final

from kagimori.entities.tables import ALIASES, KEY_USAGES
from kagimori.gate.conditions.values_of_request import ValuesOfRequest, text_of
from kagimori.gate.recipient import attested_recipient
from kagimori.rules.identity.service import via_service
from kagimori.rules.keys.grant import GrantTerms
from kagimori.rules.policy.values import Given
from kagimori.rules.refusal import ValidationException

ALIASES_COUNTED_MAX: Final = 50
_REGISTER: Final = re.compile(r"(nitrotpm)?pcr(0|[1-9][0-9]?)")


def _of_key(field: str) -> Callable[[ValuesOfRequest], Given]:
    """A property of the key the operation is on; for CreateKey, of the key that is asked for."""

    def value(values: ValuesOfRequest) -> Given:
        key = values.key if values.key is not None else values.need.planned
        return str(getattr(key, field)) if key is not None else None

    return value


def _member(name: str) -> Callable[[ValuesOfRequest], Given]:
    def value(values: ValuesOfRequest) -> Given:
        found = values.member(name)
        return None if found is None else text_of(found)

    return value


def _caller_account(values: ValuesOfRequest) -> Given:
    operation = values.asked.call.operation
    of_account = operation == "CreateKey" or "CustomKeyStore" in operation
    on_key = values.key is not None or of_account
    return (values.asked.caller.account_id or None) if on_key else None


def _context_keys(values: ValuesOfRequest) -> Given:
    return list(values.need.encryption_context or ())


def _context_value(values: ValuesOfRequest, name: str) -> Given:
    context = values.need.encryption_context or {}
    return values.of_family("encryption context", name, context.items)


def _encryption_algorithm(values: ValuesOfRequest) -> Given:
    if values.need.encryption_context is None:
        return None
    names = {
        "kms:ReEncryptFrom": "SourceEncryptionAlgorithm",
        "kms:ReEncryptTo": "DestinationEncryptionAlgorithm",
    }
    member = names.get(values.need.action, "EncryptionAlgorithm")
    return str(values.member(member) or "SYMMETRIC_DEFAULT")


def _multi_region(values: ValuesOfRequest) -> Given:
    key = values.key or values.need.planned
    return None if key is None else text_of(key.is_multi_region)


def _resource_aliases(values: ValuesOfRequest) -> Given:
    key = values.key
    if key is None:
        return None
    group = (key.account_id, key.region, key.key_id)
    aliases = values.asked.view.whole.group(ALIASES, "by_key", group)
    if len(aliases) > ALIASES_COUNTED_MAX:
        raise ValueError("more aliases than conditions may look at")
    return [alias.alias_name for alias in aliases]


def _same_key(values: ValuesOfRequest) -> Given:
    if values.asked.call.operation != "ReEncrypt":
        return None
    return text_of(values.need.re_encrypts_on_same_key)


def _message_type(values: ValuesOfRequest) -> Given:
    if values.asked.call.operation not in ("Sign", "Verify"):
        return None
    return str(values.member("MessageType") or "RAW")


def _window_days(values: ValuesOfRequest) -> Given:
    if values.asked.call.operation != "ScheduleKeyDeletion":
        return None
    return str(values.member("PendingWindowInDays") or 30)


def _rotation_days(values: ValuesOfRequest) -> Given:
    if values.asked.call.operation != "EnableKeyRotation":
        return None
    return str(values.member("RotationPeriodInDays") or 365)


def _grant_is_for_service(values: ValuesOfRequest) -> Given:
    """Return `true` when a service makes the request, for a caller or for itself."""
    if values.asked.call.operation not in ("CreateGrant", "ListGrants", "RevokeGrant"):
        return None
    caller = values.asked.caller
    return text_of(caller.via is not None or caller.service is not None)


def _via_service(values: ValuesOfRequest) -> Given:
    asked = values.asked
    on_key = values.key is not None or asked.call.operation == "CreateKey"
    via = asked.caller.via
    return via_service(via, asked.call.region) if via is not None and on_key else None


def _of_new_grant(name: str) -> Callable[[ValuesOfRequest], Given]:
    """A member of CreateGrant; operations that list or end grants have members of that name too."""

    def value(values: ValuesOfRequest) -> Given:
        found = values.member(name) if values.asked.call.operation == "CreateGrant" else None
        return None if found is None else text_of(found)

    return value


def _terms(values: ValuesOfRequest) -> GrantTerms | None:
    if values.need.retires is not None:
        return values.need.retires.terms
    return values.need.proposed


def _grant_constraint_type(values: ValuesOfRequest) -> Given:
    terms = _terms(values)
    if terms is None:
        return None
    if terms.encryption_context_equals is not None:
        return "EncryptionContextEquals"
    return None if terms.encryption_context_subset is None else "EncryptionContextSubset"


def _grant_source_arn(values: ValuesOfRequest) -> Given:
    terms = values.need.proposed
    return None if terms is None else terms.source_arn


def _multi_region_key_type(values: ValuesOfRequest) -> Given:
    key = values.key or values.need.planned
    if key is None or not key.is_multi_region:
        return None
    return "REPLICA" if key.is_replica else "PRIMARY"


def _days_without_use(values: ValuesOfRequest) -> Given:
    """Whole days since the key was last used, as far as that is tracked."""
    key, asked = values.key, values.asked
    if key is None or asked.call.operation not in ("DisableKey", "ScheduleKeyDeletion"):
        return None
    name = (key.account_id, key.region, key.key_id)
    written = asked.view.whole.page(KEY_USAGES, name, None, 1)
    usage = asked.usages.newest(name, written[0] if written else None)
    since = max(key.created_at, asked.settings.tracking_started_at) if usage is None else usage.at
    return str(int((asked.now - since) // 86_400))


def _attested(values: ValuesOfRequest, name: str) -> Given:
    """A measurement of the attested recipient, in lower-case hex.

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


def _policy_name(values: ValuesOfRequest) -> Given:
    if values.asked.call.operation not in ("GetKeyPolicy", "PutKeyPolicy"):
        return None
    return str(values.member("PolicyName") or "default")


KMS_KEYS: Final[dict[str, Callable[[ValuesOfRequest], Given]]] = {
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

KMS_FAMILIES: Final[dict[str, Callable[[ValuesOfRequest, str], Given]]] = {
    "kms:encryptioncontext:": _context_value,
    "kms:recipientattestation:": _attested,
}
