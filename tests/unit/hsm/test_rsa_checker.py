"""The RSA checker: the same answers as the check itself, whatever becomes of the child."""

import os
import signal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa as keys

from kagimori_hsm.algorithms import rsa
from kagimori_hsm.rsa_checker import RsaChecker

RIGHT = rsa.generate("RSA_2048")


def with_composite_prime():
    """A pair that fits in every number, but for a p that is the product of two primes."""
    first, second, third = (
        keys.generate_private_key(65537, bits).private_numbers().p for bits in (1024, 1024, 2048)
    )
    p, q = first * second, third
    e = 65537
    d = keys.rsa_recover_private_exponent(e, p, q)
    numbers = keys.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=keys.rsa_crt_dmp1(d, p),
        dmq1=keys.rsa_crt_dmq1(d, q),
        iqmp=keys.rsa_crt_iqmp(p, q),
        public_numbers=keys.RSAPublicNumbers(e, p * q),
    )
    return rsa.private_der(numbers.private_key(unsafe_skip_rsa_key_validation=True))


WRONG = with_composite_prime()


@pytest.fixture
def checker():
    made = RsaChecker.forked()
    yield made
    if made._end is not None:
        made._end_child()


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_it_tells_right_from_wrong(checker):
    asked = [RIGHT, WRONG, b"", b"no key", RIGHT[:-1], RIGHT]
    assert [checker.is_valid_pair(der) for der in asked] == [True, False, False, False, False, True]
    assert state_of(checker._child) in "SR"


def test_without_its_child_it_answers_the_same(checker):
    os.kill(checker._child, signal.SIGKILL)
    assert [checker.is_valid_pair(der) for der in (RIGHT, WRONG, RIGHT)] == [True, False, True]


def test_a_child_that_hangs_is_done_without(checker):
    checker._end.settimeout(0.05)
    os.kill(checker._child, signal.SIGSTOP)
    assert [checker.is_valid_pair(der) for der in (WRONG, RIGHT)] == [False, True]
    with pytest.raises(ProcessLookupError):
        os.kill(checker._child, 0)


def test_the_child_holds_nothing_else_open(checker):
    assert checker.is_valid_pair(RIGHT)  # it has closed what it does not need
    targets = [str(each.readlink()) for each in Path(f"/proc/{checker._child}/fd").iterdir()]
    assert len([target for target in targets if target.startswith("socket:")]) == 1
    assert len(targets) <= 4  # and what every process has: input, output, errors


def test_the_child_ends_with_the_hsm():
    checker = RsaChecker.forked()
    checker._end.close()
    checker._end = None
    _, status = os.waitpid(checker._child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
