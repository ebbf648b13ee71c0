"""Runs clients against nodes while faults happen, and checks the history that they recorded."""

import os
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from histories.clients import Client, World, read_everything
from histories.history import OK, UNKNOWN, History
from histories.rules import violations

SEED = os.environ.get("KAGIMORI_FAULT_SEED", "20261124")
LONG = 10 if "KAGIMORI_NIGHTLY" in os.environ else 1


def record(
    nodes,
    name,
    disturb,
    *,
    clients=5,
    others_bound=1.0,
    settle=lambda: None,
    worlds=None,
    user="alice",
):
    """Return the history.

    `disturb(history)` makes the faults, while clients are at work; `settle` returns once they
    are over.
    """
    history = History(f"{SEED}/{name}", others_bound=others_bound)
    print("seed", history.seed)
    world = World(nodes, history, user=user)
    if len(nodes) > 1:
        time.sleep(others_bound)  # what was made until now is known everywhere
    if worlds is not None:
        worlds.append(world)
    crew = [
        Client(world, f"{name}-{number}", home=number % len(nodes)) for number in range(clients)
    ]
    for client in crew:
        client.start()
    try:
        disturb(history, crew)
    finally:
        for client in crew:
            client.stopping.set()
        for client in crew:
            client.join(60)
    for client in crew:
        assert client.problem is None, (client.problem, kept(history))
    settle()
    time.sleep(others_bound if len(nodes) > 1 else 0)
    read_everything(world)
    return history


def explained(history, outcomes_min=50):
    """Check a history; one that has no explanation is kept in a file, to be checked again."""
    found = violations(history)
    assert not found, f"{[str(one) for one in found]}; python -m histories {kept(history)}"
    missed = without_a_change(history)
    assert violations(missed), f"a change is gone and not missed: {kept(missed)}"
    outcomes = Counter(request.outcome for request in history.requests)
    print(dict(outcomes), Counter(r.code for r in history.requests if r.outcome == UNKNOWN))
    assert outcomes["ok"] > outcomes_min
    return outcomes


def without_a_change(history):
    """Return the history without one change whose value somebody saw: it cannot be explained."""
    seen = {
        (read.register, value)
        for request in history.requests
        for read in request.reads
        for value in read.values
        if len(read.values) == 1
    }
    victim = next(
        request
        for request in history.requests
        for write in request.writes
        if request.outcome == OK and write.value[:1] in "pdv" and write.value != "deny"
        if (write.register, write.value) in seen
    )
    left = [request for request in history.requests if request is not victim]
    return replace(history, requests=left)


def kept(history):
    """Write a history to a file that stays; return its path."""
    folder = Path(tempfile.mkdtemp(prefix="kagimori-history-"))
    history.write(folder / "history.jsonl")
    return folder / "history.jsonl"


def wait_for(crew, more):
    """Return once the clients have had so many more answers of success."""
    before = sum(client.answers for client in crew)
    deadline = time.monotonic() + 90
    while sum(client.answers for client in crew) < before + more:
        assert time.monotonic() < deadline, "no answers"
        assert all(client.is_alive() for client in crew), [client.problem for client in crew]
        time.sleep(0.01)
