"""Sessions: sealed, bounded in time, and never taken over by the next person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from starlette.responses import Response

from kagimori_console.sessions.cookies import PIECE_BYTES, SessionCookies, new_key
from kagimori_console.sessions.session import (
    Person,
    new_session,
    still_valid,
    without_ended_role,
)

KEY = new_key()
NOW = 1_790_000_000.0


def person(*, token="t" * 900, expires_at=NOW + 3600):
    return Person(
        account_id="111122223333",
        arn="arn:aws:iam::111122223333:user/team/alice",
        access_key_id="ASIAEXAMPLE",
        secret_access_key="s" * 40,
        session_token=token,
        expires_at=expires_at,
    )


def kept(session, *, key=KEY, secure=False, sent=None):
    """Return the cookies that a browser has after an answer, and the answer's headers."""
    answer = Response()
    SessionCookies(key, secure=secure).write(answer, session, sent or {})
    headers = [value.decode() for name, value in answer.raw_headers if name == b"set-cookie"]
    cookies = dict(sent or {})
    for header in headers:
        name, _, rest = header.partition("=")
        value = rest.partition(";")[0].strip('"')
        if value:
            cookies[name] = value
        else:
            cookies.pop(name, None)
    return cookies, headers


@given(st.text(st.characters(codec="ascii", exclude_characters="\x00"), max_size=6000))
def test_a_session_comes_back_as_it_was(token):
    session = new_session("eu-central-1", NOW, person(token=token))
    cookies, headers = kept(session)
    assert SessionCookies(KEY, secure=False).read(cookies) == session
    assert all(len(header) < 4096 for header in headers)


def test_a_shorter_session_leaves_no_piece_of_a_longer_one():
    import secrets

    longer = new_session("eu-central-1", NOW, person(token=secrets.token_hex(PIECE_BYTES)))
    cookies, _ = kept(longer)
    assert len(cookies) > 1
    shorter = new_session("eu-central-1", NOW)
    cookies, _ = kept(shorter, sent=cookies)
    assert len(cookies) == 1
    assert SessionCookies(KEY, secure=False).read(cookies) == shorter


@pytest.mark.parametrize("at", [0, 1, 10, 50, -1, -10])
def test_an_altered_cookie_is_no_session(at):
    cookies, _ = kept(new_session("eu-central-1", NOW, person()))
    name = next(iter(cookies))
    value = cookies[name]
    at %= len(value)
    cookies[name] = value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :]
    found = SessionCookies(KEY, secure=False).read(cookies)
    assert found is None or found == new_session("eu-central-1", NOW, person())


@pytest.mark.parametrize("value", ["", "x", "gAAAAA==", "\u00e9", "=" * 4000])
def test_rubbish_is_no_session(value):
    assert SessionCookies(KEY, secure=False).read({"kagimori-0": value}) is None


def test_another_console_opens_no_session_of_this_one():
    cookies, _ = kept(new_session("eu-central-1", NOW, person()))
    assert SessionCookies(new_key(), secure=False).read(cookies) is None


def test_by_https_a_cookie_is_bound_to_the_host():
    _, headers = kept(new_session("eu-central-1", NOW), secure=True)
    assert headers[0].startswith("__Host-kagimori-0=")
    for word in ("Secure", "HttpOnly", "SameSite=strict", "Path=/"):
        assert word in headers[0]
    assert "Domain" not in headers[0]


def test_nothing_of_a_session_can_be_read_in_a_cookie():
    cookies, _ = kept(new_session("eu-central-1", NOW, person(token="planted" * 10)))
    assert "planted" not in "".join(cookies.values())


def test_a_session_ends_when_nobody_uses_it_and_when_its_credentials_do():
    session = new_session("eu-central-1", NOW, person(expires_at=NOW + 100))
    assert still_valid(session, NOW + 60, idle_seconds=60)
    assert not still_valid(session, NOW + 61, idle_seconds=60)
    used = session.seen(NOW + 50)
    assert still_valid(used, NOW + 99, idle_seconds=60)
    assert not still_valid(used, NOW + 100, idle_seconds=60)


def test_a_role_ends_and_its_person_stays():
    session = replace(new_session("eu-central-1", NOW, person()), role=person(expires_at=NOW + 5))
    assert without_ended_role(session, NOW + 4).acting == session.role
    assert without_ended_role(session, NOW + 5).acting == session.person


def test_signing_in_takes_nothing_along():
    before = new_session("eu-central-1", NOW)
    assert new_session("eu-central-1", NOW, person()).csrf != before.csrf


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::111122223333:root", "root"),
        ("arn:aws:iam::111122223333:user/team/alice", "team/alice"),
        ("arn:aws:sts::111122223333:assumed-role/admin/alice", "admin/alice"),
    ],
)
def test_a_person_has_a_name(arn, name):
    assert replace(person(), arn=arn).name == name
