"""A worker has no more connections than it may have open files."""

import resource

import pytest

from kagimori.server import run_worker
from kagimori.server.run_worker import FILES_BESIDE_CONNECTIONS, allow_open_files

NONE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "connections"),
    [
        (NONE, NONE, 4096),
        (1024, NONE, 4096),
        (1024, 1_000_000, 4096),
        (1024, 4096 + FILES_BESIDE_CONNECTIONS, 4096),
        (1024, 1024, 1024 - FILES_BESIDE_CONNECTIONS),
        (100, 100, 1),
    ],
)
def test_the_limit_of_open_files_bounds_connections(soft, hard, connections, monkeypatch):
    limits = []
    monkeypatch.setattr(run_worker.resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(run_worker.resource, "setrlimit", lambda _, both: limits.append(both))
    assert allow_open_files(4096) == connections
    for raised, ceiling in limits:
        assert ceiling == hard
        assert raised > soft
