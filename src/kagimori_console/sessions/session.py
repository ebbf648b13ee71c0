"""The session of a person at the console. The browser keeps it, sealed; the console keeps nothing.

Signing in again makes a new session with a new CSRF token, so that nothing of before goes on.
"""

import secrets
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from kagimori_client.credentials import Credentials

ROOT_NAME: Final = "root"


class Person(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody with temporary credentials; `expires_at` is in seconds since the epoch."""

    account_id: str
    arn: str
    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: float
    mfa: bool = False

    @property
    def credentials(self) -> Credentials:
        """The credentials that sign this person's calls."""
        return Credentials(self.access_key_id, self.secret_access_key, self.session_token)

    @property
    def name(self) -> str:
        """The last part of the ARN: a user's name, a role's and its session's, or root."""
        resource = self.arn.split(":", 5)[-1]
        return ROOT_NAME if resource == ROOT_NAME else resource.partition("/")[2] or resource


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A password that was right, while an MFA code or a new password is still to come."""

    account_id: str
    user_name: str | None
    password: str
    mfa_code: str | None = None


class Session(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The session of one browser. `role` is the one that the person switched to, if any.

    Times are seconds since the epoch; `notice` is shown once, on the next page.
    """

    csrf: str
    started_at: float
    seen_at: float
    region: str
    person: Person | None = None
    role: Person | None = None
    attempt: Attempt | None = None
    notice: str = ""

    @property
    def acting(self) -> Person | None:
        """The person, or the role that the person switched to."""
        return self.role or self.person

    def seen(self, now: float) -> "Session":
        """Return the session after a request at `now`."""
        return replace(self, seen_at=now)


def new_session(region: str, now: float, person: Person | None = None) -> Session:
    """Return a session of its own; a person who signs in takes nothing of an older one along."""
    csrf = secrets.token_urlsafe(32)
    return Session(csrf=csrf, started_at=now, seen_at=now, region=region, person=person)


def still_valid(session: Session, now: float, *, idle_seconds: float) -> bool:
    """Return whether nobody's time is over: idle, or that of the credentials."""
    if now - session.seen_at > idle_seconds:
        return False
    return session.person is None or now < session.person.expires_at


def without_ended_role(session: Session, now: float) -> Session:
    """Return the session without a role whose credentials have expired."""
    if session.role is not None and now >= session.role.expires_at:
        return replace(session, role=None)
    return session
