"""Detects many denials of one account in a short time, and reports them once.

Time is that of the records, so that reading on after a pause finds the same storms.
"""

from collections import Counter, deque
from typing import Any, Final

from kagimori.rules.records.entry import Entry
from kagimori.rules.records.notice import DENIAL_STORM, OWN_SOURCE, Notice, notice_id
from kagimori.rules.records.times import epoch_of

WINDOW_SECONDS: Final = 60
QUIET_SECONDS: Final = 300  # after a storm was announced, before another is
ACCOUNTS_MAX: Final = 1000
NAMED_MAX: Final = 5
# Refused for what the caller may not do, or could not prove to be.
DENIALS: Final = frozenset(
    (
        "AccessDenied",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    )
)

_Denial = tuple[int, str, str, str]  # when, who, what, from where


class DenialStorms:
    """Counts denials; memory is bounded. The account is "" where nobody could be identified."""

    def __init__(self, threshold: int) -> None:
        """Report `threshold` denials within a minute; 0 turns this off."""
        self._threshold = threshold
        self._recent: dict[str, deque[_Denial]] = {}
        self._announced_at: dict[str, int] = {}

    def add(self, entry: Entry) -> Notice | None:
        """Count a record; return a notice if it completes a storm of denials."""
        if not self._threshold or entry.error_code not in DENIALS:
            return None
        account, at = entry.recipient_account_id, epoch_of(entry.event_time)
        if len(self._recent) >= ACCOUNTS_MAX and account not in self._recent:
            self._recent.clear()
        recent = self._recent.setdefault(account, deque(maxlen=self._threshold))
        identity = entry.user_identity
        who = identity.arn or identity.access_key_id or "unknown"
        recent.append((at, who, entry.event_name, entry.source_ip_address))
        oldest = min(denial[0] for denial in (recent[0], recent[-1]))
        if len(recent) < self._threshold or at - oldest > WINDOW_SECONDS:
            return None
        if at - self._announced_at.get(account, at - QUIET_SECONDS) < QUIET_SECONDS:
            return None
        if len(self._announced_at) >= ACCOUNTS_MAX:
            self._announced_at.clear()
        self._announced_at[account] = at
        notice = _storm(entry, at - oldest, recent)
        recent.clear()
        return notice


def _storm(entry: Entry, seconds: int, recent: deque[_Denial]) -> Notice:
    detail: dict[str, Any] = {
        "denials": len(recent),
        "seconds": seconds,
        "callers": _most([denial[1] for denial in recent]),
        "event-names": _most([denial[2] for denial in recent]),
        "source-ip-addresses": _most([denial[3] for denial in recent]),
    }
    return Notice(
        id=notice_id(entry.event_id, DENIAL_STORM),
        detail_type=DENIAL_STORM,
        source=OWN_SOURCE,
        account=entry.recipient_account_id,
        time=entry.event_time,
        region=entry.aws_region,
        resources=(),
        detail=detail,
    )


def _most(names: list[str]) -> dict[str, int]:
    return dict(Counter(names).most_common(NAMED_MAX))
