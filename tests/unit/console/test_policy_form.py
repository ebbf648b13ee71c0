"""Key policies as a form: what the form shows and sends back means the same."""

import pytest

from kagimori_console.pages.key.policy_form import (
    STATEMENTS_MAX,
    Row,
    policy_of,
    rows_of_form,
    rows_of_policy,
)
from kagimori_console.web.forms import Form

POLICY = {
    "Version": "2012-10-17",
    "Id": "orders",
    "Statement": [
        {
            "Sid": "Admins",
            "Effect": "Allow",
            "Principal": {
                "AWS": ["arn:aws:iam::111122223333:root", "111122223333"],
                "Service": "logs.amazonaws.com",
            },
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Effect": "Deny",
            "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:user/alice"},
            "NotAction": ["kms:Get*", "kms:List*"],
            "NotResource": "*",
            "Condition": {"StringEquals": {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}},
        },
    ],
}


def sent(rows):
    """Return the form that a browser sends for rows."""
    fields = [("rows", str(len(rows)))]
    for number, row in enumerate(rows):
        for name in Row.__dataclass_fields__:
            fields += [(f"{name}-{number}", getattr(row, name).replace("\n", "\r\n"))]
    return Form(fields)


def test_a_policy_comes_back_from_the_form_as_it_was():
    rows = rows_of_form(sent(rows_of_policy(POLICY)))
    assert policy_of(rows, {"Version": "2012-10-17", "Id": "orders"}) == POLICY


def test_everybody_is_a_line_of_its_own():
    (row,) = rows_of_policy({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*"}})
    assert row.who == "*"
    assert policy_of([row], {})["Statement"][0]["Principal"] == {"AWS": "*"}


@pytest.mark.parametrize(
    "statement",
    [
        "x",
        {"Effect": "Allow", "Principal": {"Other": "x"}},
        {"Effect": "Allow", "Principal": "*", "NotPrincipal": "*"},
        {"Effect": "Allow", "Action": "*", "NotAction": "*"},
        {"Effect": "Allow", "More": 1},
    ],
)
def test_what_the_form_cannot_hold_is_edited_as_json(statement):
    assert rows_of_policy({"Statement": [statement]}) is None


def test_a_policy_with_more_than_a_form_can_hold_is_edited_as_json():
    assert rows_of_policy({"Statement": [], "More": 1}) is None
    many = [{"Effect": "Allow", "Principal": "*"}] * (STATEMENTS_MAX + 1)
    assert rows_of_policy({"Statement": many}) is None


@pytest.mark.parametrize("when", ["x", "[]", "[" * 30_000, '"a"'])
def test_conditions_that_are_no_object_name_their_statement(when):
    with pytest.raises(ValueError, match="2"):
        policy_of([Row(), Row(when=when)], {})


@pytest.mark.parametrize("count", ["", "x", "-1", "²", "9" * 5_000])
def test_a_strange_number_of_rows_is_bounded(count):
    assert len(rows_of_form(Form([("rows", count)]))) <= STATEMENTS_MAX
