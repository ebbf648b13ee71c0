"""Every operation of the KMS model is offered, or stands in specs/gaps.toml with its reason."""

import tomllib
from pathlib import Path

from kagimori.front.models import ServiceModel
from kagimori.operations.registry import OPERATIONS

GAPS = Path(__file__).parents[2] / "specs" / "gaps.toml"


def test_the_list_of_gaps_is_the_truth():
    listed = tomllib.loads(GAPS.read_text())["kms"]
    offered = {name for service, name in OPERATIONS if service == "kms"}
    model = set(ServiceModel.load("kms").operations)
    assert set(listed) == model - offered
    assert all(reason.strip() for reason in listed.values())
    assert offered <= model
