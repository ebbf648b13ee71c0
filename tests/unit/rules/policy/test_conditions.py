"""Condition operators, row by row from the reference, 9.5, 9.7 and 9.8."""

import pytest

from kagimori.rules.policy.condition import Condition, compile_condition, fault_of
from kagimori.rules.policy.values import Values, family_of

ARN = "arn:aws:iam::111122223333:role/app/R"


def holds(operator, operands, given, *, key="aws:UserAgent", denies=False, **more):
    operands = (operands,) if isinstance(operands, str) else tuple(operands)
    values = Values({"aws:username": "bob", **({} if given is None else {key.lower(): given})})
    test = compile_condition(
        Condition(operator, key, operands), denies=denies, variables=True, **more
    )
    return test(values)


@pytest.mark.parametrize(
    ("operator", "operand", "given", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "", "", True),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringEqualsIgnoreCase", "ÀB", "àb", True),
        ("StringNotEqualsIgnoreCase", "ab", "AB", False),
        ("StringLike", "a?c*", "abcd", True),
        ("StringLike", "A*", "abc", False),
        ("StringNotLike", ["x*", "a*"], "abc", False),
        ("StringLike", "${aws:username}*", "bobby", True),
        ("StringEquals", "${*}", "*", True),
        ("StringLike", "${*}", "x", False),
        ("NumericEquals", "90", "90.0", True),
        ("NumericNotEquals", "90", "91", True),
        ("NumericLessThan", "90", "89.999", True),
        ("NumericLessThan", "90", "90", False),
        ("NumericLessThanEquals", "90", "90", True),
        ("NumericGreaterThan", "-1", "0", True),
        ("NumericGreaterThanEquals", "9" * 400, "9" * 400, True),
        ("DateEquals", "2024-01-01T00:00:00Z", "1704067200", True),
        ("DateEquals", "2024-01-01", "2024-01-01T01:00:00+01:00", True),
        ("DateLessThan", "2024-01-01T00:00:00Z", "2023-12-31T23:59:59.999Z", True),
        ("DateGreaterThanEquals", "2024-01-01T00:00Z", "2024-01-01T00:00:00Z", True),
        ("DateNotEquals", "2024-01-01", "2024-01-02", True),
        ("Bool", "true", "true", True),
        ("Bool", "FALSE", "false", True),
        ("Bool", "true", "false", False),
        ("BinaryEquals", "YXBw", "YXBw", True),
        ("BinaryEquals", "YXBw", "YXBx", False),
        ("IpAddress", "10.0.0.0/8", "10.255.0.1", True),
        ("IpAddress", ["10.0.0.0/8", "192.168.1.1"], "192.168.1.1", True),
        ("IpAddress", "10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("IpAddress", "0.0.0.0/0", "::1", False),
        ("NotIpAddress", "10.0.0.0/8", "11.0.0.1", True),
        ("ArnEquals", "arn:aws:iam::*:role/*", ARN, True),
        ("ArnLike", "arn:aws:iam::111122223333:role/app/?", ARN, True),
        ("ArnNotLike", "arn:aws:iam::*:user/*", ARN, True),
        ("ArnLike", "arn:aws:iam::*:user/*", "nonsense", False),
        ("ArnNotEquals", ARN, ARN, False),
        ("Null", "true", None, True),
        ("Null", "true", "x", False),
        ("Null", "false", "", True),
        ("Null", "false", None, False),
    ],
)
def test_one_value_against_the_operands(operator, operand, given, expected):
    assert holds(operator, operand, given) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringLike", False),
        ("Bool", False),
        ("IpAddress", False),
        ("StringNotEquals", True),
        ("StringNotLike", True),
        ("ArnNotLike", True),
        ("NumericNotEquals", True),
        ("NotIpAddress", True),
        ("StringEqualsIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
    ],
)
@pytest.mark.parametrize("denies", [True, False])
def test_an_absent_key_fails_what_is_positive_and_fits_what_is_negated(operator, expected, denies):
    operand = {"Bo": "true", "Ip": "::/0", "No": "::/0", "Nu": "1", "Ar": ARN}.get(
        operator[:2], "a"
    )
    assert holds(operator, operand, None, denies=denies) is expected
    assert holds(operator, operand, (), denies=denies) is expected


@pytest.mark.parametrize(
    ("operator", "given", "expected"),
    [
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAllValues:StringEquals", ("a", "z"), False),
        ("ForAnyValue:StringEquals", ("a", "z"), True),
        ("ForAnyValue:StringEquals", ("y", "z"), False),
        ("ForAnyValue:StringNotEquals", ("a", "z"), True),
        ("ForAnyValue:StringNotEquals", ("a", "b"), False),
        ("ForAllValues:StringNotEquals", ("y", "z"), True),
        ("ForAllValues:StringNotEquals", ("a", "z"), False),
    ],
)
@pytest.mark.parametrize("denies", [True, False])
def test_set_operators_count_the_values_of_the_request(operator, given, expected, denies):
    assert holds(operator, ["a", "b"], given, key="aws:TagKeys", denies=denies) is expected


@pytest.mark.parametrize("given", [("a",), ("a", "z")])
def test_a_multi_valued_key_without_set_operator_gives_nothing_but_still_denies(given):
    assert not holds("StringEquals", "a", given, key="kms:EncryptionContextKeys")
    assert holds("StringEquals", "a", given, key="kms:EncryptionContextKeys", denies=True)


def test_context_keys_that_differ_by_case_allow_only_together_and_deny_alone():
    key = "kms:EncryptionContext:App"
    assert not holds("StringEquals", "a", ("a", "z"), key=key)
    assert holds("StringEquals", "a", ("a", "a"), key=key)
    assert holds("StringEquals", "a", ("a", "z"), key=key, denies=True)


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringLike", False),
        ("StringNotEquals", True),
        ("StringNotLike", True),
    ],
)
def test_a_variable_without_value_equals_nothing(operator, expected):
    assert holds(operator, "${aws:absent}", "x") is expected
    assert holds(operator, ["${aws:absent}", "x"], "x") is not expected


BROKEN = [
    ("Nonsense", "a"),
    ("stringequals", "a"),
    ("NullIfExists", "true"),
    ("ForAnyValue:Null", "true"),
    ("ForEachValue:StringEquals", "a"),
    ("StringEqualsIfExistsIfExists", "a"),
    ("NumericEquals", "1e3"),
    ("NumericEquals", "NaN"),
    ("NumericEquals", "Infinity"),
    ("NumericEquals", "١٢"),
    ("NumericEquals", "9" * 40000),
    ("NumericEquals", "${aws:username}"),
    ("DateEquals", "yesterday"),
    ("DateEquals", "2024-13-01"),
    ("DateEquals", "0000-01-01"),
    ("DateEquals", "2024-01-01T24:00:00Z"),
    ("Bool", "yes"),
    ("Bool", "${aws:username}"),
    ("BinaryEquals", "@@@"),
    ("BinaryEquals", "YXBw=="),
    ("IpAddress", "10.0.0.0/33"),
    ("IpAddress", "010.0.0.1"),
    ("IpAddress", "10.0.0.0/255.0.0.0"),
    ("IpAddress", "fe80::1%eth0"),
    ("IpAddress", "1" * 40000),
    ("ArnLike", "nonsense"),
    ("ArnLike", "arn:aws:kms"),
    ("Null", "maybe"),
    ("StringEquals", "${aws:username"),
]


@pytest.mark.parametrize(("operator", "operand"), BROKEN)
def test_what_has_no_meaning_is_refused_when_written_and_fails_closed_when_met(operator, operand):
    condition = Condition(operator, "aws:UserAgent", (operand,))
    assert fault_of(condition, variables=True) is not None
    for given in (None, "a", "true", "1"):
        assert not holds(operator, operand, given)
        assert holds(operator, operand, given, denies=True)


@pytest.mark.parametrize(
    ("operator", "operand"),
    [
        ("NumericLessThan", "1"),
        ("DateEquals", "1"),
        ("Bool", "true"),
        ("IpAddress", "::/0"),
        ("BinaryEquals", "YXBw"),
    ],
)
def test_a_value_of_the_wrong_type_fails_closed(operator, operand):
    assert not holds(operator, operand, "not of the type")
    assert holds(operator, operand, "not of the type", denies=True)


@pytest.mark.parametrize(("key", "operands"), [("nocolon", ("a",)), ("aws:UserAgent", ())])
def test_a_key_without_vendor_or_operands_is_refused(key, operands):
    assert fault_of(Condition("StringEquals", key, operands), variables=True) is not None


def test_resource_aliases_give_nothing_in_a_key_policy():
    operator, key = "ForAnyValue:StringEquals", "kms:ResourceAliases"
    assert holds(operator, "alias/x", ("alias/x",), key=key)
    assert not holds(operator, "alias/x", ("alias/x",), key=key, in_key_policy=True)
    assert holds(operator, "alias/x", ("alias/x",), key=key, in_key_policy=True, denies=True)


def test_a_provider_is_asked_once_and_its_failure_fails_closed():
    asked = []

    def broken():
        asked.append(1)
        raise RuntimeError

    values = Values({"aws:useragent": broken})
    for denies in (True, False, True):
        for operator in ("StringEquals", "StringNotEquals", "StringEqualsIfExists", "Null"):
            condition = Condition(operator, "aws:UserAgent", ("true",))
            assert compile_condition(condition, denies=denies, variables=True)(values) is denies
    assert asked == [1]


def test_a_value_that_is_no_text_fails_closed():
    condition = Condition("StringEquals", "aws:UserAgent", ("1",))
    for given in ((1,), 1, (None,)):
        values = Values({"aws:useragent": given})
        assert not compile_condition(condition, denies=False, variables=True)(values)


def test_families_answer_for_keys_that_begin_alike():
    families = {"aws:resourcetag/": {"a:b": "1"}.get, "kms:encryptioncontext:": {"x/y": "2"}.get}
    values = Values({}, families)
    assert values.lookup("aws:resourcetag/a:b") == ("1",)
    assert values.lookup("kms:encryptioncontext:x/y") == ("2",)
    assert values.lookup("kms:encryptioncontext:z") is None
    assert values.lookup("aws:other/z") is None
    assert family_of("plain") == ""
