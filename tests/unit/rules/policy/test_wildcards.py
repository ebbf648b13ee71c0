"""Wildcards, ARNs, resources and actions, row by row from the reference, 9.1 and 9.7."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kagimori.rules.folding import fold
from kagimori.rules.policy.match import (
    action_pieces,
    arn_condition,
    glob,
    is_arn_pattern,
    resource_pieces,
    text_glob,
)
from kagimori.rules.policy.template import (
    BadVariable,
    filled,
    parse_template,
    split_parts,
)
from kagimori.rules.policy.values import Values

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234"


def resource_fits(pattern, resource):
    pieces = resource_pieces(parse_template(pattern, variables=False, wildcards=True))
    return pieces is not None and glob(pieces)(resource)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("**", "anything", True),
        ("?", "", False),
        ("?", "é", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "aXbYc", True),
        ("a*b*c", "aXcYb", False),
        ("*ab", "aab", True),
        ("*a?", "aaa", True),
        ("a?c*", "abcd", True),
        ("?*?", "a", False),
        ("?*?", "ab", True),
        ("[a]", "a", False),
        ("a.c", "abc", False),
        ("\\*", "\\x", True),
    ],
)
def test_star_is_any_text_and_mark_is_one_character(pattern, text, fits):
    assert text_glob(pattern)(text) is fits


def obvious(pattern, text):
    if not pattern:
        return not text
    if pattern[0] == "*":
        return obvious(pattern[1:], text) or (bool(text) and obvious(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and obvious(pattern[1:], text[1:])


@given(st.text("ab*?:", max_size=8), st.text("ab:", max_size=8))
def test_every_short_pattern_fits_as_the_obvious_recursion_says(pattern, text):
    assert text_glob(pattern)(text) is obvious(pattern, text)


@pytest.mark.parametrize(
    "pattern",
    ["*a" * 16384, "*a?" * 10922, "a*" * 16383 + "b", "*?" * 16384, "?a*" * 10922, "*a?b" * 8192],
)
@pytest.mark.parametrize("text", ["a" * 8192, "ab" * 4096, "a" * 8191 + "c"])
def test_a_pattern_of_32_kib_is_decided_at_once(pattern, text):
    start = time.perf_counter()
    text_glob(pattern)(text)
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", True),
        (KEY, True),
        ("arn:aws:kms:*", True),
        ("arn:aws:kms:us-east-1:*", True),
        ("arn:aws:kms:*:*:key/*", True),
        ("arn:aws:kms:*:key/1234", True),
        ("arn:aws:kms:us-*-1:111122223333:key/*", True),
        ("arn:aws:kms:us-e*t-1:*:key/?234", True),
        ("arn:aws:kms:u*1:key/1234", False),
        ("arn:aws:kms:??-east-1:*:key/1234", True),
        ("arn:aws:kms:us-east-1?111122223333:key/1234", False),
        ("arn:aws:kms:*:444455556666:key/*", False),
        ("arn:aws:kms:*:*:alias/*", False),
        ("arn:aws:kms:*:*:KEY/*", False),
        ("arn:aws:kms:us-east-1:111122223333:key", False),
        ("arn:aws:k*:us-east-1:111122223333:key/1234", False),
        ("arn:aws:*", False),
        ("arn:*", False),
        ("arn:aws:kms", False),
        ("", False),
        ("?", False),
        ("alias/x", False),
    ],
)
def test_a_resource_is_matched_part_by_part_and_a_last_star_swallows_colons(pattern, fits):
    assert resource_fits(pattern, KEY) is fits


def test_a_star_in_the_resource_part_matches_slashes_and_colons():
    assert resource_fits("arn:aws:kms:r:1:key/*/x", "arn:aws:kms:r:1:key/a/b:c/x")


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("arn:aws:iam::111122223333:role/*", "arn:aws:iam::111122223333:role/a/b", True),
        ("arn:*:iam::*:role/R", "arn:aws:iam::111122223333:role/R", True),
        ("arn:aws:iam::*:role/r", "arn:aws:iam::111122223333:role/R", False),
        ("arn:aws:iam::*", "arn:aws:iam::111122223333:role/R", None),
        ("arn:aws:*:*:*:*", "arn:aws:iam::111122223333:role/R", True),
        ("arn:aws:iam::1*:R", "arn:aws:iam::1:x:R", False),
        ("*", "arn:aws:iam::111122223333:role/R", True),
        ("*", "not an arn", False),
        ("?", "a", None),
        ("nonsense", "nonsense", None),
    ],
)
def test_arn_conditions_compare_six_parts_and_no_wildcard_crosses_a_colon(pattern, text, fits):
    pieces = parse_template(pattern, variables=False, wildcards=True)
    assert is_arn_pattern(pieces) is (fits is not None)
    if fits is not None:
        assert arn_condition(split_parts(pieces, 6))(text) is fits


@pytest.mark.parametrize(
    ("pattern", "action", "fits"),
    [
        ("kms:*", "kms:Encrypt", True),
        ("*", "kms:Encrypt", True),
        ("KMS:ENCRYPT", "kms:Encrypt", True),
        ("kms:*crypt", "kms:ReEncrypt", True),
        ("kms:?ncrypt", "kms:Encrypt", True),
        ("kms:Encryp", "kms:Encrypt", False),
        ("\u212ams:encrypt", "kms:Encrypt", False),
        ("km\u017f:encrypt", "kms:Encrypt", False),
        ("s3:*", "kms:Encrypt", False),
    ],
)
def test_actions_compare_without_case_in_ascii_alone(pattern, action, fits):
    assert glob(action_pieces(pattern))(fold(action)) is fits


VALUES = Values(
    {
        "aws:username": "bob",
        "aws:userid": "a*?${aws:username}",
        "aws:tagkeys": ("x",),
        "aws:two": ("1", "2"),
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x${aws:username}y", "xboby"),
        ("${AWS:UserName}", "bob"),
        ("${ aws:username }", "bob"),
        ("${aws:absent, 'anon'}", "anon"),
        ("${aws:username, 'anon'}", "bob"),
        ("${aws:absent}", None),
        ("${aws:tagkeys}", None),
        ("${aws:two, 'neither'}", "neither"),
        ("${*}${?}${$}", "*?$"),
        ("${$}{aws:username}", "${aws:username}"),
        ("$ {aws:username}", "$ {aws:username}"),
        ("${aws:userid}", "a*?${aws:username}"),
    ],
)
def test_variables_bring_in_data_that_is_never_read_again(text, expected):
    ready = filled(parse_template(text, variables=True, wildcards=True), VALUES)
    assert ready == (None if expected is None else (expected,))


def test_without_version_2012_a_variable_is_text():
    assert parse_template("${aws:username}", variables=False, wildcards=True) == (
        "${aws:username}",
    )


@pytest.mark.parametrize(
    "text", ["${", "${}", "${aws:username", "${a,b}", "${a, 'b}", "${a{b}}", "${, 'x'}"]
)
def test_what_begins_like_a_variable_and_is_none_is_refused(text):
    with pytest.raises(BadVariable):
        parse_template(text, variables=True, wildcards=True)


def test_a_value_with_colons_cannot_shift_the_parts_of_an_arn():
    pieces = parse_template(
        "arn:aws:iam::${aws:PrincipalTag/a}:user/*", variables=True, wildcards=True
    )
    values = Values({"aws:principaltag/a": "1:role/x"})
    parts = [filled(part, values) for part in split_parts(pieces, 6)]
    assert not arn_condition(parts)("arn:aws:iam::1:role/x:user/y")
