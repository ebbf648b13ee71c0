"""What making one more of a kind expects, so that quotas hold when many are made at once."""

import pytest

from kagimori.entities.identity_tables import USERS
from kagimori.operations.iam.making import one_more
from kagimori.rules.identity.quotas import Quota
from kagimori.rules.identity.refusals import LimitExceeded


def test_the_last_of_a_kind_is_made_by_one_alone():
    quota = Quota("UsersPerAccount", 100)
    expected = one_more("111122223333", USERS, 99, quota)
    assert (expected.values, expected.most) == (("111122223333",), 100)
    with pytest.raises(LimitExceeded, match="Cannot exceed quota for UsersPerAccount: 100"):
        one_more("111122223333", USERS, 100, quota)
