"""The condition values of a recorded request: those that its record shows.

A key whose value is not in the record counts as one that cannot be had, and is noted.
"""

from collections.abc import Mapping
from typing import Any, Final

from kagimori.gate.account_view import AccountView
from kagimori.gate.asked import Asked, Need, Settings
from kagimori.gate.conditions.request_values import RequestValues
from kagimori.ports import View
from kagimori.rules.identity.caller import Caller
from kagimori.rules.policy.steps import UNLIMITED, Steps
from kagimori.rules.policy.values import Given, ValueUnavailable
from kagimori.rules.records.recorded_call import Members
from kagimori.rules.records.recorded_session import Recorded
from kagimori.rules.records.times import epoch_of
from kagimori.rules.request import Call, RawRequest, TlsDetails

PRINCIPAL_TAGS: Final = "aws:principaltag/"
# Not in records at all, or not as they were then.
_NEVER_RECORDED: Final = frozenset(
    {"aws:referer", "kms:trailingdayswithoutkeyusage", "kms:validto"}
)
_NEVER_RECORDED_FAMILIES: Final = ("kms:recipientattestation:",)


class RecordedValues(RequestValues):
    """Notes in `touched` which unknown keys were asked about; `unrecorded_keys` are all."""

    __slots__ = ("_unknown", "_unknown_families", "touched", "unrecorded_keys")

    def __init__(
        self, asked: Asked, need: Need, unknown: frozenset[str], families: tuple[str, ...]
    ) -> None:
        super().__init__(asked, need)
        self._unknown = unknown
        self._unknown_families = families
        self.unrecorded_keys = unknown.union(families)
        self.touched: set[str] = set()

    def is_unknown(self, key: str) -> bool:
        """Return whether the record lacks the value of a folded key."""
        return key in self._unknown or key.startswith(self._unknown_families)

    def _given(self, key: str) -> Given:
        if self.is_unknown(key):
            self.touched.add(key)
            raise ValueUnavailable(key)
        return super()._given(key)


def recorded_asked(
    record: Mapping[str, Any], caller: Caller, view: View, settings: Settings
) -> Asked:
    """Return a recorded KMS request as operations see one."""
    tls = record.get("tlsDetails")
    raw = RawRequest(
        record.get("requestID", ""),
        b"POST",
        b"/",
        ((b"user-agent", record.get("userAgent", "").encode("latin-1", "replace")),),
        b"",
        record.get("sourceIPAddress", ""),
        None if tls is None else TlsDetails(tls.get("tlsVersion", ""), tls.get("cipherSuite", "")),
    )
    members = Members(record.get("requestParameters") or {})
    call = Call("kms", record["eventName"], record.get("awsRegion", ""), members)
    at = float(epoch_of(record["eventTime"]))
    return Asked(
        call,
        caller,
        raw,
        at,
        settings,
        AccountView(view, caller.account_id),
        lambda: "",
        steps=Steps(UNLIMITED),
    )


def values_of(asked: Asked, need: Need, credentials: Recorded | None) -> RecordedValues:
    """Return the values for one need; without `credentials` a service asked for itself."""
    caller = asked.caller
    unknown, families = set(_NEVER_RECORDED), list(_NEVER_RECORDED_FAMILIES)
    if caller.via is not None or caller.service is not None:
        unknown |= {"aws:sourceip", "aws:useragent"}
    if caller.service is not None:
        unknown |= {"aws:sourcearn", "aws:sourceaccount"}
    if caller.session is not None and caller.session.mfa_at is not None:
        unknown.add("aws:multifactorauthage")
    made = None if credentials is None else credentials.made
    if credentials is not None and (made is None or not made.tags_known):
        families.append(PRINCIPAL_TAGS)
    return RecordedValues(asked, need, frozenset(unknown), tuple(families))
