"""Whole lives of keys against a simple model, over the wire, with time that moves."""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

import serving
from key_lives import KeyLives
from key_model import ABROAD, HOME

EXAMPLES = int(os.environ.get("KAGIMORI_LIVES_EXAMPLES", "20"))


@pytest.fixture(scope="module")
def moving():
    with serving.dev_served() as server:
        yield server


def test_key_lives(moving):
    KeyLives.server = moving
    KeyLives.clients = {region: moving.client(region=region) for region in (HOME, ABROAD)}
    run_state_machine_as_test(
        KeyLives,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=60,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    for client in KeyLives.clients.values():
        client.close()
