"""Passwords and codes in the HSM: what is taken, what is not, and what is never taken again."""

import pytest

from kagimori_boundary import commands
from kagimori_boundary.commands import CreateMfaSeed, HashPassword, OneCode, Role, TakeCodes
from kagimori_boundary.replies import Bytes, Failed, Failure, NewSession, TakenCode
from kagimori_hsm.algorithms.totp import code_at
from kagimori_hsm.module import Module
from kagimori_hsm.world import World
from totp import code

SERIAL = "arn:aws:iam::111122223333:mfa/phone"


def started():
    made = Module(b"s" * 32, memory_locked=False, world=World(dev=True))
    made.self_test()
    return made


@pytest.fixture
def module():
    made = started()
    made.perform(Role.OPERATOR, commands.CreateDomains([commands.IDENTITY_DOMAIN]))
    return made


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        # RFC 6238, appendix B (SHA-1), the last six of its eight digits.
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_codes_are_those_of_the_rfc(moment, expected):
    assert code_at(b"12345678901234567890", moment // 30) == expected
    assert code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", moment) == expected


# --- codes ----------------------------------------------------------------------------------------

NOW = 1_800_000_000.0


def seeded(module):
    return module.perform(Role.WORKER, CreateMfaSeed(SERIAL))


def session(module, seed, text, *, after=0, drift=0, now=NOW, serial=SERIAL):
    one = OneCode(serial, seed.sealed_seed, text, after, drift, now)
    return module.perform(
        Role.WORKER,
        commands.CreateSession(
            "ASIAEXAMPLE", "user", "1" * 12, "AIDA", 0, 900, b"claims", None, one
        ),
    )


def test_a_code_is_right_a_step_early_and_late_and_once(module):
    seed = seeded(module)
    step = int(NOW) // 30
    for offset in (-1, 0, 1):
        made = session(module, seed, code(seed.base32_seed, NOW + 30 * offset))
        assert isinstance(made, NewSession)
        assert made.taken == TakenCode(step + offset, offset)
    for offset in (-2, 2):
        made = session(module, seed, code(seed.base32_seed, NOW + 30 * offset))
        assert made == Failed(Failure.INVALID_CODE)
    again = session(module, seed, code(seed.base32_seed, NOW), after=step)
    assert again == Failed(Failure.INVALID_CODE)


def test_a_clock_that_is_off_is_followed(module):
    seed = seeded(module)
    text = code(seed.base32_seed, NOW + 300)
    assert session(module, seed, text) == Failed(Failure.INVALID_CODE)
    assert session(module, seed, text, drift=10).taken == TakenCode(int(NOW) // 30 + 10, 10)


def test_two_codes_in_a_row_show_where_the_clock_is(module):
    seed = seeded(module)

    def take(first, second, after=0):
        texts = (code(seed.base32_seed, NOW + first), code(seed.base32_seed, NOW + second))
        command = TakeCodes(SERIAL, seed.sealed_seed, *texts, after, NOW)
        return module.perform(Role.WORKER, command)

    assert take(-3600, -3570) == TakenCode(int(NOW) // 30 - 119, -119)
    assert take(0, 60) == Failed(Failure.INVALID_CODES)
    assert take(30, 0) == Failed(Failure.INVALID_CODES)
    assert take(-3660, -3630) == Failed(Failure.INVALID_CODES)
    assert take(0, 30, after=int(NOW) // 30) == Failed(Failure.INVALID_CODES)


def test_guessing_is_slowed_down(module):
    seed = seeded(module)
    right = code(seed.base32_seed, NOW)
    wrong = "000000" if right != "000000" else "000001"
    for _ in range(5):
        assert session(module, seed, wrong) == Failed(Failure.INVALID_CODE)
    # Even the right one is not taken in this step; in the next one it is.
    assert session(module, seed, right) == Failed(Failure.INVALID_CODE)
    assert isinstance(session(module, seed, right, now=NOW + 30), NewSession)


def wrong_than(right):
    return "000000" if right != "000000" else "000001"


def test_a_restart_of_the_hsm_gives_nobody_more_to_guess():
    """A device that is not known counts as guessed at, until its next right code."""
    first, second = started(), started()
    sealed = first.perform(Role.OPERATOR, commands.CreateDomains([commands.IDENTITY_DOMAIN]))
    second.perform(Role.OPERATOR, commands.Unseal(sealed.sealed_domains))
    seed = seeded(first)
    right = code(seed.base32_seed, NOW)
    assert session(second, seed, wrong_than(right)) == Failed(Failure.INVALID_CODE)
    assert session(second, seed, right) == Failed(Failure.INVALID_CODE)
    codes = [code(seed.base32_seed, NOW + late) for late in (0, 30)]
    two = TakeCodes(SERIAL, seed.sealed_seed, *codes, 0, NOW)
    assert second.perform(Role.WORKER, two) == Failed(Failure.INVALID_CODES)
    later = NOW + 60
    right = code(seed.base32_seed, later)
    assert isinstance(session(second, seed, right, now=later), NewSession)
    for _ in range(4):  # known again, it may be mistyped as any other
        assert session(second, seed, wrong_than(right), now=later) == Failed(Failure.INVALID_CODE)
    assert isinstance(session(second, seed, right, now=later), NewSession)


def test_a_seed_is_of_one_device(module):
    seed = seeded(module)
    made = session(module, seed, code(seed.base32_seed, NOW), serial=SERIAL + "2")
    assert made == Failed(Failure.TOKEN_REFUSED)


# --- passwords ------------------------------------------------------------------------------------


def hashed(module, password, before=b"", **rest):
    command = HashPassword("111122223333", "AIDAALICE", password, before, **rest)
    return module.perform(Role.WORKER, command)


def test_a_password_is_changed_by_who_knows_it(module):
    first = hashed(module, "one")
    assert isinstance(first, Bytes)
    assert b"one" not in first.value
    wrong = hashed(module, "two", first.value, current="other")
    assert wrong == Failed(Failure.INCORRECT_PASSWORD)
    second = hashed(module, "two", first.value, current="one")
    assert hashed(module, "three", second.value, current="one") == wrong
    assert isinstance(hashed(module, "three", second.value, current="two"), Bytes)


def test_what_is_remembered_is_not_taken_again(module):
    sealed = b""
    for password in ("one", "two", "three"):
        sealed = hashed(module, password, sealed).value
    used = Failed(Failure.USED_PASSWORD)
    assert hashed(module, "two", sealed, remembered=2) == used
    assert hashed(module, "three", sealed, remembered=2) == used
    assert isinstance(hashed(module, "one", sealed, remembered=2), Bytes)
    assert isinstance(hashed(module, "three", sealed), Bytes)


def test_a_hash_is_of_one_user(module):
    first = hashed(module, "one")
    command = HashPassword("111122223333", "AIDABOB", "two", first.value)
    assert module.perform(Role.WORKER, command) == Failed(Failure.TOKEN_REFUSED)
