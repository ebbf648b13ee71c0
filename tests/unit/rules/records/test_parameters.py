"""What a record shows of CreateKey's two names for one thing."""

import pytest

from kagimori.front.models import ServiceModel
from kagimori.rules.records.parameters import request_parameters
from kagimori.rules.request import Call

CREATE_KEY = ServiceModel.load("kms").operation("CreateKey")


@pytest.mark.parametrize(
    ("members", "spec"),
    [
        ({}, "SYMMETRIC_DEFAULT"),
        ({"KeySpec": "RSA_2048"}, "RSA_2048"),
        ({"CustomerMasterKeySpec": "HMAC_256"}, "HMAC_256"),
    ],
    ids=["neither", "key_spec", "customer_master_key_spec"],
)
def test_both_names_of_the_spec_show_what_was_made(members, spec):
    call = Call("kms", "CreateKey", "us-east-1", CREATE_KEY.input_type(**members))
    shown = request_parameters(call)
    assert (shown["keySpec"], shown["customerMasterKeySpec"]) == (spec, spec)
