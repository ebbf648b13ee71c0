"""The values of `aws:` condition keys: caller, network, time and tags.

Source: IAM User Guide, "AWS global condition context keys".
"""

from collections.abc import Callable, Iterable
from time import gmtime, strftime
from typing import Final

from kagimori.gate.conditions.values_of_request import ValuesOfRequest, text_of
from kagimori.rules.identity.service import service_principal
from kagimori.rules.policy.principal import PrincipalKind
from kagimori.rules.policy.values import Given


def _resource_tag(values: ValuesOfRequest, name: str) -> Given:
    tags = values.key.tags if values.key is not None else values.need.resource_tags or {}
    return values.of_family("resource tags", name, tags.items)


def _request_tags(values: ValuesOfRequest) -> Iterable[tuple[str, str]]:
    """The tags in the request; KMS and IAM name their members differently."""
    for tag in values.member("Tags") or ():
        if hasattr(tag, "TagKey"):
            yield tag.TagKey, tag.TagValue
        else:
            yield tag.Key, tag.Value


def _request_tag(values: ValuesOfRequest, name: str) -> Given:
    return values.of_family("request tags", name, lambda: _request_tags(values))


def _tag_keys(values: ValuesOfRequest) -> Given:
    return [key for key, _ in _request_tags(values)] + list(values.member("TagKeys") or ())


def _called_via(values: ValuesOfRequest) -> Given:
    via = values.asked.caller.via
    return None if via is None else service_principal(via)


def _service_name(values: ValuesOfRequest) -> Given:
    service = values.asked.caller.service
    return None if service is None else service_principal(service)


_PRINCIPAL_TYPES: Final = {
    PrincipalKind.ROOT: "Account",
    PrincipalKind.USER: "User",
    PrincipalKind.USER_SESSION: "User",
    PrincipalKind.ROLE_SESSION: "AssumedRole",
    PrincipalKind.FEDERATED_USER: "FederatedUser",
}


def _header(name: bytes) -> Callable[[ValuesOfRequest], Given]:
    def value(values: ValuesOfRequest) -> Given:
        found = dict(values.asked.raw.headers).get(name)
        return None if found is None else found.decode("latin-1")

    return value


def _listed(value: Given) -> Given:
    return None if value is None else [str(value)]


def _current_time(values: ValuesOfRequest) -> Given:
    return _instant(values.asked.now)


def _instant(moment: float) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(moment))


def _principal_tag(values: ValuesOfRequest, name: str) -> Given:
    return next(
        iter(values.of_family("principal tags", name, values.asked.caller.tags.items)), None
    )


def _of_session(field: str) -> Callable[[ValuesOfRequest], Given]:
    """Return a provider for a property that only temporary credentials have."""

    def value(values: ValuesOfRequest) -> Given:
        session = values.asked.caller.session
        return None if session is None else getattr(session, field)

    return value


def _token_issue_time(values: ValuesOfRequest) -> Given:
    session = values.asked.caller.session
    return None if session is None else _instant(session.issued_at)


def _mfa_present(values: ValuesOfRequest) -> Given:
    """Absent with long-term credentials, as `BoolIfExists` in policies counts on."""
    session = values.asked.caller.session
    return None if session is None else text_of(session.mfa_at is not None)


def _mfa_age(values: ValuesOfRequest) -> Given:
    session = values.asked.caller.session
    if session is None or session.mfa_at is None:
        return None
    return str(max(0, int(values.asked.now - session.mfa_at)))


AWS_KEYS: Final[dict[str, Callable[[ValuesOfRequest], Given]]] = {
    "aws:calledvia": lambda values: _listed(_called_via(values)),
    "aws:calledviafirst": _called_via,
    "aws:calledvialast": _called_via,
    "aws:currenttime": _current_time,
    "aws:epochtime": lambda values: str(int(values.asked.now)),
    "aws:multifactorauthage": _mfa_age,
    "aws:multifactorauthpresent": _mfa_present,
    "aws:principalaccount": lambda values: values.asked.caller.account_id or None,
    "aws:principalarn": lambda values: values.asked.caller.principal.principal_arn or None,
    "aws:principalisawsservice": lambda values: text_of(values.asked.caller.service is not None),
    "aws:principalservicename": _service_name,
    "aws:principalservicenameslist": lambda values: _listed(_service_name(values)),
    "aws:principaltype": lambda values: _PRINCIPAL_TYPES.get(values.asked.caller.principal.kind),
    "aws:referer": _header(b"referer"),
    "aws:requestedregion": lambda values: values.asked.call.region,
    "aws:resourceaccount": lambda values: values.key.account_id if values.key else None,
    "aws:securetransport": lambda values: text_of(values.asked.raw.tls is not None),
    "aws:sourceaccount": lambda values: values.asked.caller.source_account,
    "aws:sourcearn": lambda values: values.asked.caller.source_arn,
    "aws:sourceidentity": _of_session("source_identity"),
    "aws:sourceip": lambda values: values.asked.raw.source_ip,
    "aws:tagkeys": _tag_keys,
    "aws:tokenissuetime": _token_issue_time,
    "aws:useragent": _header(b"user-agent"),
    "aws:userid": lambda values: values.asked.caller.user_id,
    "aws:username": lambda values: values.asked.caller.user_name,
    "aws:viaawsservice": lambda values: text_of(values.asked.caller.via is not None),
}

AWS_FAMILIES: Final[dict[str, Callable[[ValuesOfRequest, str], Given]]] = {
    "aws:resourcetag/": _resource_tag,
    "aws:requesttag/": _request_tag,
    "aws:principaltag/": _principal_tag,
}
