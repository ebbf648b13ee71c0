"""Failures of the HSM as AWS's errors: a full queue speaks as the service does."""

import pytest

from kagimori.operations.hsm_failures import refusal_for
from kagimori_boundary.replies import Failure


@pytest.mark.parametrize(
    ("service", "text"),
    [
        (
            "kms",
            (
                "You have exceeded the rate at which you may call KMS. "
                "Reduce the frequency of your calls."
            ),
        ),
        ("iam", "Rate exceeded"),
    ],
)
def test_a_full_queue_is_throttling_in_the_words_of_the_service(service, text):
    refusal = refusal_for(Failure.BUSY, service)
    assert (refusal.code, refusal.message) == ("ThrottlingException", text)


def test_what_the_caller_did_not_cause_is_an_internal_failure():
    for failure in (Failure.NOT_OPERATIONAL, Failure.TOKEN_REFUSED, Failure.MALFORMED):
        assert refusal_for(failure, "kms").code == "KMSInternalException"
