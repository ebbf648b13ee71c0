"""AWS's rules for temporary credentials (kinds and durations), enforced by the HSM itself.

A worker says what it wants and proves on whose behalf; what a worker claims beyond that is not
believed. What cannot be known here is whether a role trusts who asks, and that is all that a worker
which was taken over can lie about (docs/understand/security.md).

Source: STS API Reference, AssumeRole, AssumeRoleWithWebIdentity, GetSessionToken,
GetFederationToken: DurationSeconds; IAM User Guide, "Compare AWS STS credentials".
"""

from datetime import UTC, datetime
from typing import Final, NamedTuple

from kagimori_boundary.commands import CreateSecretOnBehalf, CreateSession, SignIn
from kagimori_boundary.commands.identity import (
    FEDERATED,
    NO_ACCOUNT,
    ROLE,
    ROOT,
    ROOT_HOLDER,
    SERVICE_HOLDER,
    UNKNOWN_HOLDER,
    USER,
)
from kagimori_hsm.refused import Reason, Refused

MINUTE, HOUR, DAY = 60, 3600, 86_400
SESSION_SECONDS_MIN: Final = 15 * MINUTE
ROLE_SECONDS_MAX: Final = 12 * HOUR
CHAINED_SECONDS_MAX: Final = HOUR
USER_SECONDS_MAX: Final = 36 * HOUR
ROOT_SECONDS_MAX: Final = HOUR
SIGNED_IN_SECONDS_MAX: Final = 12 * HOUR  # the root user's as well, as in AWS's console
# How far a signature's time may be from ours, and a minute for the way to here.
CLOCK_SECONDS: Final = 6 * MINUTE
# A presigned request may be used for seven days; Query services alone take one.
PRESIGNED_DAYS: Final = 7
PRESIGNED_SERVICES: Final = frozenset({"iam", "sts"})


class Asker(NamedTuple):
    """On whose behalf a worker asks, as the HSM found in what it opened.

    `holder` is the principal that the access key or session is of; `session_kind` is empty for a
    long-term access key.
    """

    account_id: str
    access_key_id: str
    holder: str
    session_kind: str = ""

    @property
    def is_root(self) -> bool:
        return self.holder in (ROOT_HOLDER, UNKNOWN_HOLDER)

    def may_be(self, principal_id: str) -> bool:
        """Return whether this is that principal, as far as the access key shows."""
        return self.holder in (principal_id, UNKNOWN_HOLDER)


def check_session(command: CreateSession, asker: Asker | None, now: float | None) -> None:
    """Check that such a session may be made. Without `now` no clock is asked (for `dev`).

    Raises:
        Refused: FORBIDDEN.
    """
    if now is not None and abs(command.issued_at - now) > CLOCK_SECONDS:
        raise Refused(Reason.FORBIDDEN)
    longest = _longest_seconds(command, asker)
    if not SESSION_SECONDS_MIN <= command.expires_at - command.issued_at <= longest:
        raise Refused(Reason.FORBIDDEN)


def check_sign_in(command: SignIn, now: float | None) -> None:
    """Check the times of the session of a sign-in. Without `now` no clock is asked (for `dev`).

    Raises:
        Refused: FORBIDDEN.
    """
    if now is not None and abs(command.issued_at - now) > CLOCK_SECONDS:
        raise Refused(Reason.FORBIDDEN)
    seconds = command.expires_at - command.issued_at
    if not SESSION_SECONDS_MIN <= seconds <= SIGNED_IN_SECONDS_MAX:
        raise Refused(Reason.FORBIDDEN)


def check_own(asker: Asker, account_id: str, principal_id: str) -> None:
    """Check that who asks is this principal.

    Raises:
        Refused: FORBIDDEN.
    """
    if asker.account_id != account_id or not asker.may_be(principal_id):
        raise Refused(Reason.FORBIDDEN)


def check_password_setter(asker: Asker, account_id: str, user_id: str) -> None:
    """Check that who asks may set this password, as far as is known here.

    Raises:
        Refused: FORBIDDEN: another account's, or the root user's for somebody else.
    """
    of_root = user_id == ROOT_HOLDER
    if asker.account_id != account_id or (of_root and not asker.is_root):
        raise Refused(Reason.FORBIDDEN)


def check_operator(asker: Asker, operator_account_id: str) -> None:
    """Check that who asks is of the operators' account; no other account may ask for such things.

    Raises:
        Refused: FORBIDDEN.
    """
    if not operator_account_id or asker.account_id != operator_account_id:
        raise Refused(Reason.FORBIDDEN)


def is_for_service(command: CreateSecretOnBehalf) -> bool:
    """Return whether a service is to have this secret; operators alone may have it made."""
    return command.account_id == NO_ACCOUNT and command.holder.startswith(SERVICE_HOLDER)


def check_secret(command: CreateSecretOnBehalf, asker: Asker) -> None:
    """Check that such a secret access key may be made within the account of who asks.

    Raises:
        Refused: FORBIDDEN: another account's, a service's, or the root user's for somebody else.
    """
    of_root = command.holder == ROOT_HOLDER
    if (
        command.account_id != asker.account_id
        or command.holder == UNKNOWN_HOLDER
        or command.holder.startswith(SERVICE_HOLDER)
        or (of_root and not asker.is_root)
    ):
        raise Refused(Reason.FORBIDDEN)


def check_scope_date(date: str, service: str, now: float) -> None:
    """Check that a signing key of this day (YYYYMMDD) is of use now.

    Raises:
        Refused: FORBIDDEN: a day to come, or one that is over.
    """
    days_back = PRESIGNED_DAYS if service in PRESIGNED_SERVICES else 0
    first = _day(now - CLOCK_SECONDS - days_back * DAY)
    if len(date) != len(first) or not first <= date <= _day(now + CLOCK_SECONDS):
        raise Refused(Reason.FORBIDDEN)


def _longest_seconds(command: CreateSession, asker: Asker | None) -> int:
    """Return how long the session may last; for one that may not be at all, nothing."""
    if command.kind == ROLE:
        if asker is None:  # of web identity
            return ROLE_SECONDS_MAX
        if asker.session_kind == FEDERATED:
            return 0
        return CHAINED_SECONDS_MAX if asker.session_kind == ROLE else ROLE_SECONDS_MAX
    if asker is None or asker.session_kind or command.account_id != asker.account_id:
        return 0
    if not asker.may_be(command.principal_id):
        return 0
    of_root = command.principal_id == ROOT_HOLDER
    if command.kind not in (FEDERATED, ROOT if of_root else USER):
        return 0
    return ROOT_SECONDS_MAX if of_root else USER_SECONDS_MAX


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%d")
