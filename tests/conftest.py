"""Servers that tests share: one of each kind for a test process, since starting takes a second."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

import serving
from kagimori_hsm.self_tests import battery
from kit import postgres

# No test may fail because the machine was busy; CI runs the same examples every time, the nightly
# target others.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize="KAGIMORI_NIGHTLY" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
    # A life that fails is led over the wire hundreds of times until it is short: that is for nights.
    phases=set(Phase) if "KAGIMORI_NIGHTLY" in os.environ else set(Phase) - {Phase.shrink},
)
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def light_self_tests():
    """Modules that tests make in their own process test nothing at the start, unless asked to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(battery, "check_all", list)
        yield


@pytest.fixture(scope="session")
def server():
    """A deployment with two regions, served over plain HTTP on loopback."""
    regions = ("--region", "us-east-1", "--region", "eu-central-1")
    with serving.served(init_options=regions) as started:
        yield started


@pytest.fixture(scope="module")
def own_server():
    """A deployment that only the tests of one module change."""
    with serving.served() as started:
        yield started


@pytest.fixture(scope="session")
def kms(server):
    client = server.client()
    yield client
    client.close()


@pytest.fixture(scope="session")
def dev():
    """A running `kagimori dev`."""
    with serving.dev_served() as started:
        yield started


@pytest.fixture
def key(kms):
    """The ARN of a new symmetric KMS key."""
    return kms.create_key()["KeyMetadata"]["Arn"]


@pytest.fixture(scope="session")
def shared_key(kms):
    """The ARN of a KMS key that nobody changes."""
    return kms.create_key(Description="shared")["KeyMetadata"]["Arn"]


@pytest.fixture(scope="session")
def databases():
    """PostgreSQL, with a database for each test that asks for one."""
    found = postgres.Databases()
    yield found
    found.server.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """The place of an empty store: each test runs on every engine."""
    if request.param == "sqlite":
        yield tmp_path / "kagimori.db"
    else:
        with request.getfixturevalue("databases").lent() as url:
            yield url
