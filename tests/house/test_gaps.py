"""Every operation of the models of KMS, IAM and STS is offered, or stands in specs/gaps.toml with its reason."""

import tomllib
from pathlib import Path

import pytest

from kagimori.front.models import ServiceModel
from kagimori.operations.registry import OPERATIONS

GAPS = Path(__file__).parents[2] / "specs" / "gaps.toml"


@pytest.mark.parametrize("of", ["kms", "iam", "sts"])
def test_the_list_of_gaps_is_the_truth(of):
    listed = tomllib.loads(GAPS.read_text())[of]
    offered = {name for service, name in OPERATIONS if service == of}
    model = set(ServiceModel.load(of).operations)
    assert set(listed) == model - offered
    assert all(reason.strip() for reason in listed.values())
    assert offered <= model
