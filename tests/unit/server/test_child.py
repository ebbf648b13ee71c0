"""A child of the supervisor: what it is given, what it is asked, and how it ends."""

import asyncio

import pytest

from kagimori.machinery.control import Question, frame
from kagimori.server.child import Child
from kagimori.settings import AuditOptions
from kagimori.trail.options import TrailConfig

# A module that ends as soon as the supervisor's end of its conversation is closed.
LISTENS = """
import json, socket, sys
config = json.loads(sys.argv[1])
with socket.socket(fileno=config["control_fd"]) as talk, open(config["data"], "wb") as out:
    while received := talk.recv(4096):
        out.write(received)
        out.flush()
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Return what starts a child, and the file with all that it was asked."""
    (tmp_path / "listens.py").write_text(LISTENS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    config = TrailConfig(
        data=str(tmp_path / "asked"),
        hsm_socket="",
        control_fd=-1,
        streams={},
        options=AuditOptions(),
    )
    return lambda: Child("listens", config, inherits=()), tmp_path / "asked"


def test_what_is_said_before_and_after_it_is_connected_arrives(child):
    start, asked = child

    async def talk():
        made = start()
        made._say(Question(1, "begin"))
        await made._connect()
        made._say(Question(2, "finish"))
        await made._writer.drain()
        made.close()
        assert await made.end(30.0), "it ends when nobody speaks to it any more"
        assert made.process.returncode == 0

    asyncio.run(talk())
    assert asked.read_bytes() == frame(Question(1, "begin")) + frame(Question(2, "finish"))


def test_what_does_not_end_in_time_is_killed(child):
    start, _ = child

    async def talk():
        made = start()
        assert not await made.end(0.0)
        assert made.process.returncode < 0
        made._say(Question(1, "drain"))  # to nobody: no matter
        await made.ended()
        made.close()

    asyncio.run(talk())
