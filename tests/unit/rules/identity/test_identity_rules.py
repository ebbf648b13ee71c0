"""Rules of identities by themselves: passwords, quotas, providers, tags."""

import pytest

from kagimori.rules.identity.login_profile import PasswordPolicy, check_password
from kagimori.rules.identity.oidc_provider import check_thumbprints, read_url
from kagimori.rules.identity.refusals import (
    PackedPolicyTooLarge,
    PasswordPolicyViolation,
    ValidationError,
)
from kagimori.rules.identity.session_request import Narrowing, SessionTags, packed_percent

STRICT = PasswordPolicy(
    account_id="111122223333",
    length_min=6,
    symbols=True,
    numbers=True,
    uppercase=True,
    lowercase=True,
)


@pytest.mark.parametrize(
    ("password", "policy"),
    [
        pytest.param("Three1of4", None, id="three-kinds"),
        pytest.param("three-1of4", None, id="three-other-kinds"),
        pytest.param("simple", PasswordPolicy(account_id="1"), id="a-lenient-policy"),
        pytest.param("aB3|ef", STRICT, id="all-kinds"),
    ],
)
def test_a_good_password(password, policy):
    check_password(password, policy, "alice")


@pytest.mark.parametrize(
    ("password", "policy", "part"),
    [
        ("Sh0rt!!", None, "minimum length of 8"),
        ("twokinds1", None, "at least three"),
        ("ALICE-alice-1", None, "user name"),
        ("aB3|e", STRICT, "minimum length of 6"),
        ("ab3|ef", STRICT, "uppercase"),
        ("AB3|EF", STRICT, "lowercase"),
        ("aBc|ef", STRICT, "number"),
        ("aB3def", STRICT, "symbols"),
        ("äÖ3|ßß", STRICT, "uppercase"),  # AWS counts the letters of the basic Latin alphabet
    ],
)
def test_a_bad_password(password, policy, part):
    with pytest.raises(PasswordPolicyViolation, match=part) as caught:
        check_password(password, policy, "alice-ALICE-1")
    assert password not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://token.example.com", "token.example.com"),
        ("https://token.example.com/", "token.example.com"),
        ("https://token.example.com:8443/a/b", "token.example.com:8443/a/b"),
    ],
)
def test_urls_of_providers(url, stored):
    assert read_url(url) == stored


@pytest.mark.parametrize(
    "url",
    ["token.example.com", "http://a.b", "https://", "https://a b", "https://a.b/?c", "https://a@b"],
)
def test_urls_that_no_provider_has(url):
    with pytest.raises(ValidationError):
        read_url(url)


def test_thumbprints():
    assert check_thumbprints(["AB" * 20]) == ("ab" * 20,)
    assert check_thumbprints(None) == ()
    for wrong in (["ab"], ["zz" * 20], ["ab" * 20] * 6):
        with pytest.raises(ValidationError):
            check_thumbprints(wrong)


def test_the_packed_size_fits_what_was_measured():
    """Figures that users of AWS have published."""
    nine = SessionTags({f"key{number}": "a" * 250 for number in range(9)})
    with pytest.raises(PackedPolicyTooLarge, match="Packed size of session tags consumes 498%"):
        packed_percent(Narrowing(), nine)
    eks = {
        "eks-cluster-arn": "arn:aws:eks:us-west-2:111122223333:cluster/my-cluster",
        "eks-cluster-name": "my-cluster",
        "kubernetes-namespace": "default",
        "kubernetes-service-account": "my-service-account",
        "kubernetes-pod-name": "my-app-6d4f8c7b9d-x2x2x",
        "kubernetes-pod-uid": "11111111-2222-4333-8444-555555555555",
    }
    assert packed_percent(Narrowing(), SessionTags(eks)) == 74
    assert packed_percent(Narrowing(), SessionTags()) is None
