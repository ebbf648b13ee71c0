"""Grants that nearly do: in what each falls short, and that those without shortfall permit."""

from itertools import product

from kagimori.rules.keys.grant import Grant, GrantTerms, permits
from kagimori.rules.keys.grant_shortfalls import shortfalls
from kagimori.rules.policy.question import Question
from unit.rules.policy.cast import KEY, OURS

OPERATIONS = [
    frozenset({"Encrypt"}),
    frozenset({"CreateGrant", "Decrypt"}),
    frozenset({"RetireGrant"}),
]
PAIRS = [None, {}, {"Dept": "IT"}, {"Dept": "IT", "Level": "1"}]
ACTIONS = ["kms:Encrypt", "kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant", "s3:GetObject"]
SOURCES = [None, "arn:aws:s3:::a"]
PROPOSED = [None, GrantTerms(frozenset({"Decrypt"})), GrantTerms(frozenset({"Encrypt"}))]


def test_a_grant_permits_exactly_if_it_has_no_shortfall():
    seen = set()
    for operations, equals, subset, source in product(OPERATIONS, PAIRS, PAIRS, SOURCES):
        terms = GrantTerms(operations, equals, subset, source)
        grant = Grant("g", KEY, "AIDA", terms, OURS)
        for action, context, by, proposed in product(ACTIONS, PAIRS, SOURCES, PROPOSED):
            for resource in (KEY, KEY + "x"):
                asked = Question(action, resource, encryption_context=context, source_arn=by)
                told = shortfalls(grant, asked, proposed)
                assert permits(grant, asked, proposed) is not bool(told)
                seen |= {one.what for one in told}
    assert seen == {
        "Operations",
        "KeyId",
        "SourceArn",
        "EncryptionContextEquals",
        "EncryptionContextSubset",
        "terms of the new grant",
    }


def test_a_shortfall_has_both_values():
    terms = GrantTerms(frozenset({"Encrypt"}), encryption_context_subset={"Dept": "IT"})
    asked = Question("kms:Encrypt", KEY, encryption_context={"Dept": "HR"})
    (one,) = shortfalls(Grant("g", KEY, "AIDA", terms, OURS), asked)
    assert (one.what, one.has, one.asked) == (
        "EncryptionContextSubset",
        ["Dept=IT"],
        ["Dept=HR"],
    )
